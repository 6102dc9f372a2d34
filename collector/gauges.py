"""What is looked up when somebody wants to know: the process, its scanners, and what the data directory says about what is behind it."""

import contextlib
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from collector.committer import Committer
from collector.instruments import (
    CACHE_HITS,
    CACHE_LOOKUPS,
    CHECKPOINT_AGE,
    COMPACTION_LAG,
    DISK_FREE,
    DISK_USED,
    MEMORY,
    PROCESSES,
    QUARANTINED,
    QUEUE_BYTES,
    QUEUE_RECORDS,
    SCANNER_QUEUE,
    SEAL_LAG,
    SEGMENTS_WAITING,
    WAL_SIZE,
    Reading,
)
from collector.policies import Policies
from storage.catalog import Catalog
from storage.compaction_plan import MAX_BYTES, first_due
from storage.errors import StorageError
from storage.ledger.log import log_folder
from storage.ledger.log_writer import STAMPED
from storage.wal import closed_segments

CATALOG_SECONDS: Final = 10.0
"""How often the catalog is asked; the rest is asked each time."""
_SEGMENTS: Final = frozenset({".open", ".wal"})
_STATM: Final = Path("/proc/self/statm")


def of_process() -> Iterator[Reading]:
    """Yield the readings of this process."""
    yield Reading(PROCESSES, 1)
    yield Reading(MEMORY, resident_bytes())


def resident_bytes() -> int:
    """Return the resident memory of this process; where the system does not tell, the most that it ever was."""
    with contextlib.suppress(OSError):
        return int(_STATM.read_bytes().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def of_queue(committer: Committer) -> Iterator[Reading]:
    """Yield the readings of what is before the WAL."""
    records, size_bytes = committer.waiting
    yield Reading(QUEUE_RECORDS, records)
    yield Reading(QUEUE_BYTES, size_bytes)


def of_redaction(policies: Policies) -> Iterator[Reading]:
    """Yield the readings of the policy in force."""
    load = policies.current.load()
    yield Reading(SCANNER_QUEUE, load.waiting)
    yield Reading(CACHE_HITS, load.cache_hits)
    yield Reading(CACHE_LOOKUPS, load.cache_lookups)


class LakeGauges:
    """What the data directory says. `measure` asks the file system, and may take its time; `readings` are what it found."""

    def __init__(self, data: Path, *, ledger: bool = True, clock: Callable[[], float] = time.time) -> None:
        """`ledger` says whether checkpoints are written."""
        self._data = data
        self._ledger = ledger
        self._clock = clock
        self._of_catalog: tuple[Reading, ...] = ()
        self._asked = float("-inf")
        self.readings: tuple[Reading, ...] = ()

    def __call__(self) -> tuple[Reading, ...]:
        """Return the readings."""
        return self.readings

    def measure(self) -> None:
        """Look again. What cannot be read has no reading: health says why."""
        found: list[Reading] = []
        with contextlib.suppress(OSError):
            waiting = [_modified(segment.path) for segment in closed_segments(self._data)]
            oldest = min((since for since in waiting if since is not None), default=None)
            found.append(Reading(SEGMENTS_WAITING, len(waiting)))
            found.append(Reading(SEAL_LAG, 0.0 if oldest is None else max(0.0, self._clock() - oldest)))
            found.append(Reading(WAL_SIZE, sum(_size(path) for path in (self._data / "wal").rglob("*") if path.suffix in _SEGMENTS)))
        with contextlib.suppress(OSError):
            found.append(Reading(QUARANTINED, sum(1 for _ in (self._data / "quarantine").glob("*.bin"))))
            disk = shutil.disk_usage(self._data)
            found += [Reading(DISK_FREE, disk.free), Reading(DISK_USED, disk.used)]
        if not 0 <= self._clock() - self._asked < CATALOG_SECONDS:
            self._asked = self._clock()
            self._of_catalog = tuple(self._ask_the_catalog())
        self.readings = (*found, *self._of_catalog)

    def _ask_the_catalog(self) -> Iterator[Reading]:
        with contextlib.suppress(StorageError, OSError), closing(Catalog.open(self._data, read_only=True)) as catalog:
            due_ns = first_due(catalog.mergeable_files(MAX_BYTES // 2))
            yield Reading(COMPACTION_LAG, 0.0 if due_ns is None else max(0.0, self._clock() - due_ns / 1e9))
            if self._ledger:
                signed = [_modified(log_folder(self._data, origin) / "checkpoint") for origin in catalog.log_sizes()]
                in_use = sorted((at for at in signed if at is not None), reverse=True)[:STAMPED]
                if in_use:
                    yield Reading(CHECKPOINT_AGE, max(0.0, self._clock() - in_use[-1]))


def _modified(path: Path) -> float | None:
    """Return when a file was written last, None when it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
