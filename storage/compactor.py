"""Compaction: many small files become few, while anyone reads and after any crash.

The swap, and what a crash leaves at each step:
(a) the output is written and synced beside the lake; a crash leaves a file that the next run deletes;
(b) one catalog transaction retires the inputs and makes the output live: from here on the merge is done;
(c) the inputs move to `data/.retired`, then the output moves into the lake. `finish` does this, after (b) and at the start of each run,
    so that a crash in (c) is only a delay. Readers of the catalog find the files by `layout.locate` meanwhile.
Retired files are deleted after a grace period, for readers that hold the old list.
"""

import threading
import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from storage.catalog import Catalog
from storage.compaction_plan import LEVELS, MAX_BYTES, MINUTE, Merge, plan
from storage.durable import DISK, FileLock, FileSystem, hint_for, make_directory
from storage.errors import DamagedFile, StorageError
from storage.layout import FileRecord, retired, staged
from storage.merge import Stopped, check_file, merge_files
from storage.spare_memory import give_back

BEHIND_NS: Final = 90 * 1_000_000_000
"""How long a merge of a minute may be due, also while something larger is merged: the compactor is idle while others compute."""
LARGE_BEHIND_NS: Final = 15 * 60 * 1_000_000_000
"""How long any other: an hour of heavy traffic takes minutes then, and who is replaced in the middle of it begins again."""
GRACE_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionReport:
    """What one run did."""

    merged: int = 0  # input files
    outputs: int = 0
    rows: int = 0
    bytes: int = 0  # of the outputs
    deleted: int = 0  # retired files
    damaged: tuple[str, ...] = ()  # live paths that were set aside


def compact(
    data: Path,
    *,
    now_ns: int,
    grace_seconds: float = GRACE_SECONDS,
    max_bytes: int = MAX_BYTES,
    stopping: Callable[[], bool] = lambda: False,
    clock: Callable[[], int] | None = None,
    fs: FileSystem = DISK,
) -> CompactionReport:
    """Finish what a crash interrupted, do every merge due at `now_ns`, delete what was retired before the grace period.

    With a `clock` (unix ns), minutes that end while an hour or a day is merged are merged between its row groups: an hour of heavy traffic
    takes a minute, in which files of seconds would pile up. Bounded memory whatever the lake's size. A damaged input is set aside and its
    group merged without it. Raises `LakeLocked` when another process compacts, `StorageError` when the disk refuses: the lake is whole
    then, and the next run continues.
    """
    done = _Progress()
    try:
        with FileLock(data / "compactor.lock", "compact the lake"), closing(Catalog.open(data)) as catalog:
            finish(catalog, data, fs)
            while _merge_due(catalog, data, done, now_ns=now_ns, max_bytes=max_bytes, stopping=stopping, clock=clock, fs=fs):
                pass
            done.deleted = _delete_retired(catalog, data, now_ns - int(grace_seconds * 1e9), fs)
    except Stopped:
        structlog.get_logger(__name__).info("compaction stopped between row groups")
    except OSError as error:
        raise StorageError("compact the lake", data, hint=hint_for(error)) from error
    return CompactionReport(
        merged=done.merged, outputs=done.outputs, rows=done.rows, bytes=done.bytes, deleted=done.deleted, damaged=tuple(done.damaged)
    )


def finish(catalog: Catalog, data: Path, fs: FileSystem = DISK) -> None:
    """Step (c) for every swap that is committed, and removal of outputs that are not: safe to repeat. The caller holds the lock."""
    _move([(data / file.path, retired(data, file.path)) for file in catalog.retired_files()], fs)
    merging = data / "data" / ".staging" / "merged"
    left = sorted(merging.rglob("*.parquet"))
    live = {file.path for file in catalog.live_files()} if left else set()
    for found in left:
        path = (Path("data") / found.relative_to(merging)).as_posix()
        if path in live:
            _move([(found, data / path)], fs)
        else:
            fs.unlink(found)


def run_compactor(
    data: Path,
    stop: threading.Event,
    *,
    interval_seconds: float = 5.0,
    grace_seconds: float = GRACE_SECONDS,
    max_bytes: int = MAX_BYTES,
    clock: Callable[[], int] = time.time_ns,
) -> None:
    """Compact every `interval_seconds` until `stop` is set; the main function of a process of its own."""
    pa.set_cpu_count(1)
    log = structlog.get_logger(__name__)
    while not stop.wait(interval_seconds):
        try:
            report = compact(data, now_ns=clock(), grace_seconds=grace_seconds, max_bytes=max_bytes, stopping=stop.is_set, clock=clock)
        except StorageError as error:
            log.error("compaction failed", attempted=error.attempted, subject=error.subject, hint=error.hint)
            continue
        if report.outputs or report.deleted:
            log.info("compacted", merged=report.merged, outputs=report.outputs, rows=report.rows, deleted=report.deleted)
        give_back()


class Pace(Enum):
    """How a compactor gets on."""

    KEEPS_UP = auto()
    BUSY = auto()  # with a large merge: not to be disturbed
    STARVES = auto()


def pace(data: Path, now_ns: int) -> Pace:
    """Return how the compactor gets on, by the merges that have been due for long. Raises `StorageError`."""
    with closing(Catalog.open(data, read_only=True)) as catalog:
        files = catalog.mergeable_files(MAX_BYTES // 2)
    due = plan(files, now_ns - BEHIND_NS)
    if any(merge.level == MINUTE for merge in due) or plan(files, now_ns - LARGE_BEHIND_NS):
        return Pace.STARVES
    return Pace.BUSY if due else Pace.KEEPS_UP


@dataclass(slots=True)
class _Progress:
    merged: int = 0
    outputs: int = 0
    rows: int = 0
    bytes: int = 0
    deleted: int = 0
    damaged: list[str] = field(default_factory=list)


def _merge_due(
    catalog: Catalog,
    data: Path,
    done: _Progress,
    *,
    now_ns: int,
    max_bytes: int,
    stopping: Callable[[], bool],
    clock: Callable[[], int] | None,
    fs: FileSystem,
    levels: Collection[int] = LEVELS,
) -> bool:
    """Do the merges of `levels` that are due now; returns whether any were: the files are others then, and have to be planned again."""
    merges = False
    for merge in plan(catalog.mergeable_files(max_bytes // 2), now_ns, max_bytes=max_bytes):
        if merge.level not in levels:
            continue
        if stopping():
            raise Stopped
        merges = True
        between = stopping
        if clock is not None and merge.level > MINUTE:
            between = partial(_minutes_first, catalog, data, done, max_bytes=max_bytes, stopping=stopping, clock=clock, fs=fs)
        schemas, broken = _checked(catalog, data, merge)
        if broken:
            done.damaged += broken
            continue
        output = _replace(catalog, data, merge, schemas, now_ns=now_ns, stopping=between, fs=fs)
        done.merged += len(merge.inputs)
        done.outputs += 1
        done.rows += output.rows
        done.bytes += output.bytes
        if between is not stopping:  # minutes may have been merged beside it
            break
    return merges


def _minutes_first(
    catalog: Catalog, data: Path, done: _Progress, *, max_bytes: int, stopping: Callable[[], bool], clock: Callable[[], int], fs: FileSystem
) -> bool:
    """Merge the minutes that have ended, and say whether to stop. Files that are part of what is merged are in no merge of a minute."""
    _merge_due(catalog, data, done, now_ns=clock(), max_bytes=max_bytes, stopping=stopping, clock=None, fs=fs, levels=(MINUTE,))
    return stopping()


def _checked(catalog: Catalog, data: Path, merge: Merge) -> tuple[list[pa.Schema], list[str]]:
    """The columns of each intact input, and the paths of the others, which the catalog sets aside."""
    intact: list[pa.Schema] = []
    broken: list[str] = []
    for file in merge.inputs:
        try:
            intact.append(check_file(data / file.path, file))
        except (DamagedFile, pa.ArrowInvalid) as error:
            reason = error.hint if isinstance(error, DamagedFile) else "it cannot be read as Parquet: restore it from a backup"
            catalog.mark_damaged(file.path, reason)
            structlog.get_logger(__name__).error("damaged file set aside", path=file.path, rows=file.rows, reason=reason)
            broken.append(file.path)
    return intact, broken


def _replace(
    catalog: Catalog,
    data: Path,
    merge: Merge,
    schemas: list[pa.Schema],
    *,
    now_ns: int,
    stopping: Callable[[], bool],
    fs: FileSystem,
) -> FileRecord:
    """One swap, steps (a) to (c)."""
    first, output = merge.inputs[0], staged(data, merge.path, merged=True)
    inputs = [(data / file.path, schema) for file, schema in zip(merge.inputs, schemas, strict=True)]
    rows = sum(file.rows for file in merge.inputs)
    written = merge_files(first.table_name, inputs, output, rows=rows, stopping=stopping, fs=fs)
    if not written.rows == pq.read_metadata(output).num_rows == rows:
        fs.unlink(output)
        raise StorageError("merge files", merge.path, hint="the output does not hold the rows of its inputs: please report this defect")
    fs.sync_directory(output.parent)
    record = FileRecord(
        path=merge.path,
        table_name=first.table_name,
        date=first.date,
        origin=first.origin,
        level=merge.level,
        rows=rows,
        bytes=written.bytes,
        min_ns=min(file.min_ns for file in merge.inputs),
        max_ns=max(file.max_ns for file in merge.inputs),
        min_entry=min(file.min_entry for file in merge.inputs),
        max_entry=max(file.max_entry for file in merge.inputs),
        sha256=written.sha256,
        sealed_ns=max(file.sealed_ns for file in merge.inputs),
    )
    catalog.swap(merge.inputs, record, now_ns=now_ns)  # if this fails the output stays: whether it was committed, `finish` finds out
    _move([(data / file.path, retired(data, file.path)) for file in merge.inputs], fs)
    _move([(output, data / record.path)], fs)
    return record


def _move(moves: list[tuple[Path, Path]], fs: FileSystem) -> None:
    """Rename the files that are not moved yet, then make all names durable."""
    changed: set[Path] = set()
    for source, target in moves:
        if source.exists():
            make_directory(target.parent, fs)
            fs.replace(source, target)
            changed |= {source.parent, target.parent}
    for directory in sorted(changed):
        fs.sync_directory(directory)


def _delete_retired(catalog: Catalog, data: Path, before_ns: int, fs: FileSystem) -> int:
    """Delete the files that were retired before `before_ns`, first from the disk, then from the catalog."""
    expired = catalog.retired_files(before_ns)
    for file in expired:
        path = retired(data, file.path)
        if path.exists():
            fs.unlink(path)
    if expired:
        catalog.forget([file.path for file in expired])
    return len(expired)
