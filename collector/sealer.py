"""The flow behind the acknowledgement. Read `_seal` from top to bottom: decode (normalised, priced), mark copies, publish, commit with
what the ledger's log says of it; then the log is written from the catalog, and the segment deleted.

After a crash the same code runs again: a segment is deleted last, its files are named after its entry, the catalog takes an entry
once, and a log is brought to what the catalog has. So nothing is lost and nothing is stored twice, wherever it stopped.
"""

import gc
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
from storage.ledger import entries
from storage.ledger.log_writer import Ledger, LogWriter
from storage.schema import SCHEMA_VERSION
from storage.spare_memory import give_back
from storage.wal import Segment, closed_segments
from storage.writer import publish_entry

POLL_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 5.0
LOCK: Final = "seal.lock"
LOCK_POLL_SECONDS: Final = 0.05
COLLECTIONS: Final = (100_000, 50, 50)
"""How rarely garbage is looked for: decoding makes many objects and no cycles. `give_back` collects those of the catalog."""
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """What sealing works with."""

    data: Path
    catalog: Catalog
    log: LogWriter | None  # None: the ledger is off
    salts: Salts = secrets.token_bytes
    prices: Pricer = LISTED
    fs: FileSystem = DISK


def run_sealer(
    data: Path,
    stop: threading.Event,
    wake: threading.Event,
    *,
    prices: Pricer = LISTED,
    ledger: Ledger | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Seal closed segments until `stop`, and then once more: at every `wake`, and at least every `poll_seconds`.

    A failure (a full disk) is logged and tried again later; nothing is lost meanwhile, the WAL grows.
    """
    gc.set_threshold(*COLLECTIONS)
    ledger = ledger or Ledger()
    catalog = Catalog.open(data)
    sealing = Sealing(data=data, catalog=catalog, log=ledger.writer(data, catalog), prices=prices)
    try:
        while True:
            stopping = stop.is_set()
            wake.clear()
            sealed = _seal_or_tell(sealing, ledger.idle_seconds)
            if stopping:
                return
            if sealed:
                give_back()
            if sealed is None:
                stop.wait(RETRY_SECONDS)
            elif not wake.wait(poll_seconds) and not sealed and not stop.is_set():
                pricing.load()  # half a second, once, that no segment should wait for
    finally:
        catalog.close()


def _seal_or_tell(sealing: Sealing, idle_seconds: float) -> int | None:
    try:
        return seal_all(sealing, time.time_ns, idle_seconds=idle_seconds)
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
    ledger: Ledger | None = None,
    fs: FileSystem = DISK,
) -> int:
    """Seal what is there, once; see `seal_all`."""
    log = (ledger or Ledger()).writer(data, catalog, fs)
    return seal_all(Sealing(data=data, catalog=catalog, log=log, salts=salts, prices=prices, fs=fs), clock)


def seal_all(sealing: Sealing, clock: Clock, *, idle_seconds: float | None = None) -> int:
    """Seal all closed segments of all origins and return how many were; 0 when another process is at it.

    An origin whose segment cannot be sealed waits, in order; the others go on. One that is sealed and cannot be kept for forwarding stays
    in the WAL, and what follows is sealed all the same; so it is while a log cannot be written, which then waits in the catalog. Logs that
    got no checkpoint for `idle_seconds` get one. Raises the first `StorageError` at the end.
    """
    log, now_ns = sealing.log, clock()
    idle_ns = None if idle_seconds is None else int(idle_seconds * 1e9)
    if not (closed_segments(sealing.data) or (log and log.is_due(now_ns, idle_ns))):
        return 0
    try:
        lock = seal_lock(sealing.data, "seal the WAL")
    except LakeLocked:
        return 0
    with lock:
        failures = _Failures()
        sealed = _seal_segments(sealing, clock, failures)
        if log:
            failures.logs |= log.catch_up(now_ns, idle_ns, without=failures.logs)
    failures.tell()
    return sealed


def seal_lock(data: Path, purpose: str, *, wait_seconds: float = 0) -> FileLock:
    """Keep others from sealing and from writing logs; a sealer at work gets so long to end. Raises `LakeLocked`."""
    until = time.monotonic() + wait_seconds
    while True:
        try:
            return FileLock(data / LOCK, purpose)
        except LakeLocked:
            if time.monotonic() >= until:
                raise
            time.sleep(LOCK_POLL_SECONDS)


@dataclass(slots=True)
class _Failures:
    """What went wrong, by origin; the others went on."""

    segments: dict[str, StorageError] = field(default_factory=dict)
    unkept: dict[str, StorageError] = field(default_factory=dict)
    logs: dict[str, StorageError] = field(default_factory=dict)

    def tell(self) -> None:
        for error in [*self.segments.values(), *self.unkept.values(), *self.logs.values()]:
            raise error


def _seal_segments(sealing: Sealing, clock: Clock, failures: _Failures) -> int:
    sealed = 0
    for segment in closed_segments(sealing.data):
        if segment.origin not in failures.segments:
            try:
                _seal(sealing, segment, clock())
            except StorageError as error:
                failures.segments[segment.origin] = error
                continue
            sealed += 1
            pa.default_memory_pool().release_unused()  # of the largest segment ever sealed, or it stays with this process
            _write_log(sealing, segment.origin, clock(), failures.logs)
            _let_go(sealing, segment, failures.unkept)
    return sealed


def _seal(sealing: Sealing, segment: Segment, sealed_ns: int) -> None:
    """Turn one segment into one entry."""
    data, catalog, fs = sealing.data, sealing.catalog, sealing.fs
    if not catalog.has_entry(segment.origin, segment.entry):
        content, tables = decode_segment(data, segment, sealing.salts, sealing.prices, fs)
        batches = [(each.digest, each.received_ns) for each in content.delivered]
        copies = list(compress(content.delivered, catalog.settle_copies(segment.origin, segment.entry, batches)))
        tables = marked(tables, copies)
        files = publish_entry(data, segment.origin, segment.entry, tables, sealed_ns=sealed_ns, fs=fs)
        entry = _entry(segment, content, tables, files, sealed_ns, resent=sum(copy.rows for copy in copies))
        trace_runs = resolve(content.runs.joins.values(), catalog)
        catalog.commit_entry(
            entry,
            files,
            runs=time_spans(content.runs, trace_runs, catalog),
            trace_runs=trace_runs,
            joins=list(content.runs.joins.values()),
            log=[entries.segment(data, entry, files)] if sealing.log else [],
        )


def _write_log(sealing: Sealing, origin: str, now_ns: int, failed: dict[str, StorageError]) -> None:
    """Bring an origin's log to what the catalog has."""
    if sealing.log and origin not in failed:
        try:
            sealing.log.advance(origin, now_ns=now_ns)
        except StorageError as error:
            failed[origin] = error


def _let_go(sealing: Sealing, segment: Segment, unkept: dict[str, StorageError]) -> None:
    """Delete a sealed segment once it is kept for all exporters, which get the segments of an origin in order."""
    if segment.origin not in unkept:
        try:
            keep(sealing.data, segment, sealing.fs)
            _delete(segment, sealing.fs)
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
