"""What the storage write side costs: run with `python -m benchmarks.storage`; prints one line a measure. Takes about half a minute.

Every number is of the durable operation: WAL appends and catalog commits include their syncs, published files are on the disk.
"""

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.catalog import Catalog, EntryRecord
from storage.compactor import compact
from storage.wal import BatchHeader, RecordType, WalWriter, closed_segments, read_segment
from storage.writer import publish_entry
from tests.lake_rows import NOON_NS, span_rows, table_of

SECOND_NS = 1_000_000_000
SPANS_A_SECOND = 5_000
SECONDS = 125
HEADER = BatchHeader(signal="traces", tenant="acme", received_ns=NOON_NS, policy_hash="0" * 16, records=512, digest="0" * 32).to_bytes()


def main() -> None:
    """Print name, value and unit of each measure."""
    with tempfile.TemporaryDirectory() as folder:
        for name, value, unit in measures(Path(folder)):
            print(f"{name:<58}{value:>12,.3f} {unit}")


def measures(data: Path) -> Iterator[tuple[str, float, str]]:
    """Each measure's name, value and unit; `data` is an empty folder on the disk that is measured."""
    yield from wal(data / "wal-only")
    yield from publishing(data / "lake")


def wal(data: Path) -> Iterator[tuple[str, float, str]]:
    """Appending and reading back."""
    writer = WalWriter(data, "bench/collector")
    for name, size, records in (
        ("one event of 1 kB", 1_000, 1),
        ("one batch of 512 spans (400 kB)", 400_000, 1),
        ("64 events of 1 kB together", 1_000, 64),
    ):
        body = os.urandom(size)
        times = sorted(timed(lambda: writer.append([(RecordType.BATCH, HEADER, body)] * records)) for _ in range(300))  # noqa: B023
        yield f"WAL append, {name}: p50", times[150] * 1e3, "ms"
        yield f"WAL append, {name}: p99", times[297] * 1e3, "ms"
    yield "WAL rotate", timed(writer.rotate) * 1e3, "ms"
    writer.close()
    segment = closed_segments(data)[0]
    size_mib = segment.path.stat().st_size / (1 << 20)
    yield "WAL read and check", size_mib / timed(lambda: sum(1 for _ in read_segment(segment, data / "quarantine"))), "MiB/s"


def publishing(data: Path) -> Iterator[tuple[str, float, str]]:
    """Publishing, committing and compacting agent spans of about 800 B."""
    spans = table_of("spans", span_rows(SPANS_A_SECOND))
    few = table_of("spans", span_rows(3))
    yield (
        "publish 3 spans",
        statistics.median(timed(lambda: publish_entry(data, "bench/few", 0, {"spans": few})) for _ in range(20)) * 1e3,
        "ms",
    )
    for path in (data / "data").rglob("*.parquet"):
        path.unlink()
    with closing(Catalog.open(data)) as catalog:
        publish_times, commit_times = zip(*(second(data, catalog, number, spans) for number in range(SECONDS)), strict=True)
        size = sum(file.bytes for file in catalog.live_files())
    yield f"publish {SPANS_A_SECOND:,} spans", statistics.median(publish_times) * 1e3, "ms"
    yield "publish, per span", statistics.median(publish_times) / SPANS_A_SECOND * 1e6, "us"
    yield "stored, one-second files", size / SPANS_A_SECOND / SECONDS, "B/span"
    yield "catalog commit (3 runs)", statistics.median(commit_times) * 1e3, "ms"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, now in (("minutes", NOON_NS + 130 * SECOND_NS), ("hour", NOON_NS + 7300 * SECOND_NS)):
        start = time.perf_counter()
        report = compact(data, now_ns=now)
        yield f"compact to {name}, per row", (time.perf_counter() - start) / report.rows * 1e6, "us"
        yield f"stored, {name}", report.bytes / report.rows, "B/span"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    yield "compact: peak memory above what sealing used", grown / 1024, "MiB"
    (file,) = (data / "data").glob("spans/*/*.parquet")
    yield "rows a row group", pq.read_metadata(file).row_group(0).num_rows, ""


def second(data: Path, catalog: Catalog, number: int, spans: pa.Table) -> tuple[float, float]:
    """Publish and commit one second."""
    rows = renewed(spans, number)
    sealed_ns = NOON_NS + number * SECOND_NS
    start = time.perf_counter()
    files = publish_entry(data, "bench/collector", number, {"spans": rows}, sealed_ns=sealed_ns)
    published = time.perf_counter()
    entry = EntryRecord(
        origin="bench/collector",
        entry=number,
        sealed_ns=sealed_ns,
        first_received_ns=sealed_ns,
        last_received_ns=sealed_ns,
        received=len(rows),
        stored=len(rows),
        rejected=0,
        deduplicated=0,
        quarantined=0,
        withheld=0,
        own=0,
        bytes=0,
        policy_hash="0" * 16,
        descriptor={},
    )
    runs = {f"run-{number}-{run}": (sealed_ns, sealed_ns) for run in range(3)}
    catalog.commit_entry(entry, files, runs=runs, trace_runs={})
    return published - start, time.perf_counter() - published


def renewed(spans: pa.Table, number: int) -> pa.Table:
    """The rows as those of another second: they differ in time, entry and random columns, so that they compress as real ones do."""
    rows = spans
    for name in ("start_ns", "end_ns", "received_ns"):
        rows = replaced(rows, name, pc.add(rows[name], number * SECOND_NS))
    rows = replaced(rows, "entry", pa.array([number] * len(rows), pa.int64()))
    rows = replaced(rows, "salt", pa.array([os.urandom(16) for _ in range(len(rows))], pa.binary(16)))
    for name, size in (("trace_id", 16), ("span_id", 8)):
        rows = replaced(rows, name, pa.array([os.urandom(size).hex() for _ in range(len(rows))], pa.large_string()))
    return rows


def replaced(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """The table with another column in that place."""
    return rows.set_column(rows.schema.get_field_index(name), name, column)


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
