"""The flow behind the acknowledgement. Read `_seal` from top to bottom: decode (normalised, priced), mark copies, publish, commit,
delete.

After a crash the same code runs again: a segment is deleted last, its files are named after its entry, and the catalog takes an
entry once. So nothing is lost and nothing is stored twice, wherever it stopped.
"""

import gc
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import structlog

from collector import pricing
from collector.copies import marked
from collector.forwarding.queue import keep
from collector.joins import resolve
from collector.pricing import LISTED, Pricer
from collector.rows import RunIndex
from collector.segment import Content, Salts, decode_segment
from storage.catalog import Catalog
from storage.durable import DISK, FileLock, FileSystem, hint_for
from storage.errors import LakeLocked, StorageError
from storage.layout import EntryRecord, FileRecord
from storage.schema import SCHEMA_VERSION
from storage.wal import Segment, closed_segments
from storage.writer import publish_entry

POLL_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 5.0
LOCK: Final = "seal.lock"
Clock = Callable[[], int]


def run_sealer(
    data: Path, stop: threading.Event, wake: threading.Event, *, prices: Pricer = LISTED, poll_seconds: float = POLL_SECONDS
) -> None:
    """Seal closed segments until `stop`, and then once more: at every `wake`, and at least every `poll_seconds`.

    A failure (a full disk) is logged and tried again later; nothing is lost meanwhile, the WAL grows.
    """
    gc.set_threshold(100_000, 50, 50)  # decoding makes many objects and no cycles
    catalog = Catalog.open(data)
    try:
        while True:
            stopping = stop.is_set()
            wake.clear()
            sealed = _seal_or_log(data, catalog, prices)
            if stopping:
                return
            if sealed is None:
                stop.wait(RETRY_SECONDS)
            elif not wake.wait(poll_seconds) and not sealed and not stop.is_set():
                pricing.load()  # half a second, once, that no segment should wait for
    finally:
        catalog.close()


def _seal_or_log(data: Path, catalog: Catalog, prices: Pricer) -> int | None:
    try:
        return seal_pending(data, catalog, prices=prices)
    except StorageError as error:
        structlog.get_logger(__name__).error(
            "sealing failed, it is tried again", attempted=error.attempted, subject=error.subject, hint=error.hint
        )
        return None


def seal_pending(
    data: Path,
    catalog: Catalog,
    *,
    clock: Clock = time.time_ns,
    salts: Salts = secrets.token_bytes,
    prices: Pricer = LISTED,
    fs: FileSystem = DISK,
) -> int:
    """Seal all closed segments of all origins and return how many were; 0 when another process is at it.

    An origin whose segment cannot be sealed waits, in order; the others go on. One that is sealed and cannot be kept for forwarding stays
    in the WAL, and what follows is sealed all the same. Raises the first `StorageError` at the end.
    """
    segments = closed_segments(data)
    if not segments:
        return 0
    try:
        lock = FileLock(data / LOCK, "seal the WAL")
    except LakeLocked:
        return 0
    sealed = 0
    failures: dict[str, StorageError] = {}
    unkept: dict[str, StorageError] = {}
    with lock:
        for segment in closed_segments(data):
            if segment.origin not in failures:
                try:
                    _seal(data, catalog, segment, clock(), salts, prices, fs)
                except StorageError as error:
                    failures[segment.origin] = error
                    continue
                sealed += 1
                _let_go(data, segment, unkept, fs)
    if failures or unkept:
        raise next(iter((failures or unkept).values()))
    return sealed


def _seal(data: Path, catalog: Catalog, segment: Segment, sealed_ns: int, salts: Salts, prices: Pricer, fs: FileSystem) -> None:
    """Turn one segment into one entry."""
    if not catalog.has_entry(segment.origin, segment.entry):
        content, tables = decode_segment(data, segment, salts, prices, fs)
        batches = [(each.digest, each.received_ns) for each in content.delivered]
        copies = list(compress(content.delivered, catalog.settle_copies(segment.origin, segment.entry, batches)))
        tables = marked(tables, copies)
        files = publish_entry(data, segment.origin, segment.entry, tables, sealed_ns=sealed_ns, fs=fs)
        trace_runs = resolve(content.runs.joins.values(), catalog)
        catalog.commit_entry(
            _entry(segment, content, tables, files, sealed_ns, resent=sum(copy.rows for copy in copies)),
            files,
            runs=time_spans(content.runs, trace_runs, catalog),
            trace_runs=trace_runs,
            joins=list(content.runs.joins.values()),
        )


def _let_go(data: Path, segment: Segment, unkept: dict[str, StorageError], fs: FileSystem) -> None:
    """Delete a sealed segment once it is kept for all exporters, which get the segments of an origin in order."""
    if segment.origin not in unkept:
        try:
            keep(data, segment, fs)
            _delete(segment, fs)
        except StorageError as error:
            unkept[segment.origin] = error


def _delete(segment: Segment, fs: FileSystem) -> None:
    try:
        fs.unlink(segment.path)
    except FileNotFoundError:  # by another sealer
        return
    except OSError as error:
        raise StorageError("delete a sealed segment", segment.path, hint=hint_for(error)) from error


def _entry(
    segment: Segment, content: Content, tables: Mapping[str, pa.Table], files: Sequence[FileRecord], sealed_ns: int, *, resent: int
) -> EntryRecord:
    """The entry's numbers: received = stored + rejected + deduplicated + quarantined."""
    counters = content.counters
    # what the acknowledgement path counted and the segment no longer holds stood in damaged records
    missing = counters.received - counters.rejected - counters.deduplicated - counters.quarantined - content.promised
    lost = max(missing, 0) if content.counted else content.damaged
    quarantined = counters.quarantined + content.undecoded + lost
    counts = {
        "received": content.stored + counters.rejected + counters.deduplicated + quarantined,
        "stored": content.stored,
        "rejected": counters.rejected,
        "deduplicated": counters.deduplicated,
        "quarantined": quarantined,
    }
    policy_hash = ",".join(sorted(content.policies))
    descriptor = {
        "tables": {name: _described(table, [file for file in files if file.table_name == name]) for name, table in tables.items()},
        "counters": {**counts, "withheld": content.withheld, "own": content.own, "resent": resent, "reasons": dict(counters.reasons)},
        "policy_hash": policy_hash,
        "schema_version": SCHEMA_VERSION,
    }
    return EntryRecord(
        origin=segment.origin,
        entry=segment.entry,
        sealed_ns=sealed_ns,
        first_received_ns=min(content.received_ns, default=None),
        last_received_ns=max(content.received_ns, default=None),
        **counts,
        withheld=content.withheld,
        own=content.own,
        bytes=segment.path.stat().st_size,
        policy_hash=policy_hash,
        descriptor=descriptor,
    )


def _described(table: pa.Table, files: Sequence[FileRecord]) -> dict[str, Any]:
    return {
        "rows": table.num_rows,
        "files": [{"path": file.path, "sha256": file.sha256} for file in files],
        "min_ns": min(file.min_ns for file in files),
        "max_ns": max(file.max_ns for file in files),
    }


def time_spans(runs: RunIndex, trace_runs: Mapping[str, str | None], catalog: Catalog) -> dict[str, tuple[int, int]]:
    """When each run has rows, under its provisional and under its final id, so that a link to either finds its files."""
    spans: dict[str, tuple[int, int]] = {}
    traces = sorted({trace or run_id for trace, run_id in runs.spans if (trace or run_id) not in trace_runs})
    final: dict[str, str | None] = {**catalog.run_of_traces(traces), **trace_runs}
    for (trace, run_id), (first_ns, last_ns) in runs.spans.items():
        for name in {run_id, final.get(trace or run_id) or run_id}:
            _widen(spans, name, first_ns, last_ns)
    earlier = catalog.run_of_traces(sorted(trace_runs))
    joined = {*trace_runs, *earlier.values()}
    known = catalog.run_spans(sorted(joined))
    for trace, run in trace_runs.items():
        for member in (trace, earlier.get(trace)):
            if run and member in known:
                _widen(spans, run, *known[member])
    return spans


def _widen(spans: dict[str, tuple[int, int]], run_id: str, first_ns: int, last_ns: int) -> None:
    first, last = spans.get(run_id, (first_ns, last_ns))
    spans[run_id] = (min(first, first_ns), max(last, last_ns))
