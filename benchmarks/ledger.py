"""What evidence costs: `python -m benchmarks.ledger` prints one line a measure. Takes about a minute.

`python -m benchmarks.ledger engines` computes the leaves of the same files by Arrow's kernels and by SQL; `python -m benchmarks.ledger
deep` verifies 1,140,000 rows of three days, whose files several processes read.

Agent spans of about 800 bytes are sealed second by second, compacted, and verified: spans that do not repeat each other, and conversations
that do, as `benchmarks.load` sends them. The share of stored bytes counts everything that is there for evidence: salts, the columns that
place a row in its entry, the logs, and the catalog's copy of them. Processor time is of this process, all threads; rows a second
are of two threads on whatever else the machine does.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.load import BODIES, Body
from benchmarks.storage import SECOND_NS
from collector.decode import Decoder
from storage.catalog import Catalog
from storage.compactor import compact
from storage.ledger import entries
from storage.ledger.canonical import leaf_sql
from storage.ledger.footer import Footer
from storage.ledger.leaves import LeafReader
from storage.ledger.log_writer import Ledger, LogWriter
from storage.ledger.salts import seeded
from storage.ledger.verify import Options, verify
from storage.ledger.verify_state import State
from storage.wal import BatchHeader
from storage.writer import publish_entry
from tests.failing_disk import entry_record
from tests.lake_rows import DAY_NS, NOON_NS, span_rows, table_of

ORIGIN: Final = "bench/collector"
SPANS: Final = 500
SEALS: Final = 260
"""Seals of the lake that is verified: more than a tile holds, as the newest entries of a log are stored several times until it is full."""
DAYS: Final = 3
DEEP_SEALS: Final = 2_280
EVIDENCE: Final = frozenset({"salt", "origin", "entry", "entry_row"})
Measure = tuple[str, float, str]
Rows = Callable[[int, int], pa.Table]
"""So many spans of a seal, by its number."""


def main() -> None:
    """Print name, value and unit of each measure: of the part that is named, else of everything but the parts."""
    chosen = {"engines": engines, "deep": deep}[sys.argv[1]] if len(sys.argv) > 1 else measures
    with tempfile.TemporaryDirectory() as folder:
        for name, value, unit in chosen(Path(folder)):
            print(f"{name:<66}{value:>14,.3f} {unit}", flush=True)


def measures(data: Path) -> Iterator[Measure]:
    """Each measure's name, value and unit; `data` is an empty folder on the disk that is measured."""
    yield from sealing(data / "few", spans=3, seals=20)
    yield from sealing(data / "many", spans=5_000, seals=8)
    lake = data / "lake"
    yield from sealing(lake, spans=SPANS, seals=SEALS)
    yield from sizes(lake, "one-second files")
    yield from verification(lake, data / "fresh.json", "one-second files")
    compact(lake, now_ns=NOON_NS + 2 * DAY_NS)
    yield from sizes(lake, "compacted")
    yield from verification(lake, data / "compacted.json", "compacted")
    lake = data / "conversations"
    list(sealing(lake, spans=SPANS, seals=SEALS, rows=conversations()))
    yield from sizes(lake, "one-second files of conversations")
    compact(lake, now_ns=time.time_ns() + 2 * DAY_NS)
    yield from sizes(lake, "conversations, compacted")


def distinct(number: int, spans: int) -> pa.Table:
    """Spans whose texts do not repeat."""
    return _spans(number, spans, NOON_NS + number * SECOND_NS)


def of_three_days(number: int, spans: int) -> pa.Table:
    """The same, each seal of the next day."""
    return _spans(number, spans, NOON_NS + number % DAYS * DAY_NS + number * SECOND_NS)


def _spans(number: int, spans: int, at_ns: int) -> pa.Table:
    return seeded("spans", table_of("spans", span_rows(spans, origin=ORIGIN, entry=number, start_ns=at_ns)), os.urandom)


def conversations() -> Rows:
    """Spans of agents that send the whole conversation with every call."""
    bodies = [Body(number, spans=SPANS) for number in range(BODIES)]

    def rows(number: int, spans: int) -> pa.Table:
        decoder = Decoder(ORIGIN, number)
        header = BatchHeader(signal="traces", tenant="acme", received_ns=time.time_ns(), policy_hash="policy", records=spans)
        decoder.add(header, bodies[number % BODIES].patched())
        return decoder.tables(os.urandom)["spans"]

    return rows


def sealing(data: Path, *, spans: int, seals: int, rows: Rows = distinct) -> Iterator[Measure]:
    """What a seal costs, and what of it is for the ledger."""
    data.mkdir()
    spent = {"publish": 0.0, "hash": 0.0, "log": 0.0}
    with closing(Catalog.open(data)) as catalog:
        writer = Ledger().writer(data, catalog)
        for number in range(seals):
            for step, seconds in sealed(data, catalog, writer, number, rows(number, spans)).items():
                spent[step] += seconds / seals
    yield f"seal {spans:,} spans: publish, processor", spent["publish"] * 1e3, "ms"
    yield f"seal {spans:,} spans: hash the rows, processor", spent["hash"] * 1e3, "ms"
    yield f"seal {spans:,} spans: append to the log and sign, clock", spent["log"] * 1e3, "ms"


def sealed(data: Path, catalog: Catalog, writer: LogWriter | None, number: int, rows: pa.Table) -> dict[str, float]:
    """Seal one second; the processor's seconds of publishing and hashing, and the clock's of the log, which waits for the disk."""
    sealed_ns = NOON_NS + number * SECOND_NS
    begun = time.process_time()
    files = publish_entry(data, ORIGIN, number, {"spans": rows}, sealed_ns=sealed_ns)
    published = time.process_time()
    record = entry_record(number, len(rows), origin=ORIGIN, sealed_ns=sealed_ns)
    described = entries.segment(data, record, files)
    hashed = time.process_time()
    catalog.commit_entry(record, files, runs={}, trace_runs={}, log=[described])
    committed = time.perf_counter()
    if writer:
        writer.advance(ORIGIN, now_ns=sealed_ns)
    return {"publish": published - begun, "hash": hashed - published, "log": time.perf_counter() - committed}


def sizes(data: Path, what: str) -> Iterator[Measure]:
    """What is stored for evidence."""
    stored = evidence = 0
    for path in live(data):
        stored += path.stat().st_size
        groups = (pq.read_metadata(path).row_group(number) for number in range(pq.read_metadata(path).num_row_groups))
        chunks = (group.column(number) for group in groups for number in range(group.num_columns))
        evidence += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in EVIDENCE)
    logs = sum(path.stat().st_size for path in (data / "ledger").rglob("*") if path.is_file())
    with closing(Catalog.open(data, read_only=True)) as catalog:
        copies = sum(len(record.body) for record in catalog.log_records(ORIGIN, 0, SEALS))
    yield f"stored, {what}", stored / SPANS / SEALS, "B/span"
    yield f"of it salts and places, {what}", evidence / SPANS / SEALS, "B/span"
    yield f"logs and the catalog's copy of them, {what}", (logs + copies) / SPANS / SEALS, "B/span"
    yield f"evidence, of stored bytes, {what}", 100 * (evidence + logs + copies) / (stored + logs + copies), "%"


def verification(data: Path, memory: Path, what: str, *, seals: int = SEALS) -> Iterator[Measure]:
    """`auditlake verify`, every row and then, remembering that, every file."""
    stored = sum(path.stat().st_size for path in live(data))
    for quick in (False, True):
        begun, spent = time.perf_counter(), sum(os.times()[:4])  # with that of the processes that read files, which end with it
        report = verify(data, Options(quick=quick), State.load(memory))
        wall, spent = time.perf_counter() - begun, sum(os.times()[:4]) - spent
        assert report.rows == SPANS * seals
        assert not any(finding.broken for origin in report.origins for finding in origin.findings)
        if quick:
            yield f"verify, quick, {what}", stored / wall / 1e6, "MB/s"
            yield f"verify, quick, {what}, of one core", stored / spent / 1e6, "MB/s"
        else:
            yield f"verify, deep, {what}", report.rows / wall, "rows/s"
            yield f"verify, deep, {what}, of one core", report.rows / spent, "rows/s"


def deep(data: Path) -> Iterator[Measure]:
    """`auditlake verify` of as many compacted files as there are days."""
    lake = data / "lake"
    list(sealing(lake, spans=SPANS, seals=DEEP_SEALS, rows=of_three_days))
    compact(lake, now_ns=NOON_NS + 2 * DAYS * DAY_NS)
    yield from verification(lake, data / "memory.json", f"{SPANS * DEEP_SEALS:,} rows of {DAYS} days", seals=DEEP_SEALS)


def engines(data: Path) -> Iterator[Measure]:
    """Hashing alone, in one thread: by Arrow's kernels, by a query that makes the forms, by one that hashes them as well."""
    lake = data / "lake"
    list(sealing(lake, spans=SPANS, seals=SEALS // 4))
    yield from compared(live(lake), "one-second files")
    compact(lake, now_ns=NOON_NS + 2 * DAY_NS)
    yield from compared(live(lake), "compacted")


def compared(paths: Sequence[Path], what: str) -> Iterator[Measure]:
    """Rows a second of each way; all say the same leaves."""
    ways: dict[str, Callable[[], pa.Table]] = {
        "Arrow's kernels": lambda: _read(paths, query_rows=10**9),
        "SQL, then OpenSSL": lambda: _read(paths, query_rows=0),
        "SQL alone": lambda: _queried(paths),
    }
    told = []
    for way, leaves in ways.items():
        begun = time.process_time()
        found = leaves()
        yield f"hash rows of {what} by {way}, of one core", found.num_rows / (time.process_time() - begun), "rows/s"
        told.append(found.sort_by([("entry", "ascending"), ("entry_row", "ascending")])["leaf"].to_pylist())
    assert told[0] == told[1] == told[2]


def _read(paths: Sequence[Path], *, query_rows: int) -> pa.Table:
    with LeafReader(threads=1, query_rows=query_rows) as reader:
        return pa.Table.from_batches(reader.batches(paths, "spans"))


def _queried(paths: Sequence[Path]) -> pa.Table:
    """As `LeafReader` asks, but for the hash."""
    found = []
    with duckdb.connect(config={"threads": 1}) as connection:
        for footer in (Footer(path, "spans") for path in paths):
            leaf = leaf_sql(footer.schema, set(footer.schema.names) - footer.null)
            rows = connection.read_parquet(str(footer.path), hive_partitioning=False)
            found.append(rows.project(f"entry, entry_row, {leaf} AS leaf").to_arrow_table())
    return pa.concat_tables(found)


def live(data: Path) -> list[Path]:
    with closing(Catalog.open(data, read_only=True)) as catalog:
        return [data / file.path for file in catalog.live_files()]


if __name__ == "__main__":
    main()
