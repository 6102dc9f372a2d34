"""`check_lake(path)`: re-verify every invariant of a data directory, from what is on the disk. Storage tests end with it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.catalog import Catalog, EntryRecord, FileRecord
from storage.catalog_removals import Removal, removals
from storage.layout import retired
from storage.schema import TABLES, TIME_NS
from storage.wal import closed_segments
from tests.ledger_checks import ledger_problems

RowsOf = Counter[tuple[str, int]]  # (origin, entry) → rows in live files
KEYS = ["origin", "entry", "entry_row"]
Kept = dict[str, pa.Table]  # path → KEYS of its rows, and whether they are copies


def check_lake(data: Path, *, settled: bool = True) -> None:
    """Assert that the lake at `data` is whole; the message lists every problem.

    `settled`: sealing and compaction had their chance to finish, so nothing may be left in the staging folder.
    """
    problems = lake_problems(data, settled=settled)
    assert not problems, "the lake is not whole:\n  " + "\n  ".join(problems)


def lake_problems(data: Path, *, settled: bool = True) -> list[str]:
    """Every broken invariant of the lake, one line each."""
    with closing(Catalog.open(data, read_only=True)) as catalog:
        live, set_aside, gone, entries = catalog.live_files(), catalog.damaged_files(), catalog.retired_files(), catalog.entries()
        problems: list[str] = []
        intact: list[FileRecord] = []
        kept: Kept = {}
        for record in live:
            found = list(_file_problems(data, record, kept))
            problems += found
            intact += [] if found else [record]
        broken = [*set_aside, *(file for file in live if file not in intact)]
        problems += ledger_problems(data, catalog, intact, broken, settled=settled)
        removed = removals(catalog)
    rows, copies = _rows_of_entries(kept, intact), _rows_of_entries(kept, intact, resent=True)
    problems += _duplicates(kept, intact)
    problems += _entry_problems(entries, rows, broken, removed)
    problems += [
        f"entry {each.entry} of {each.origin}: {each.resent} rows resent, {copies[each.origin, each.entry]} in live files"
        for each in entries
        if not set_aside and not _gone(removed, each) and each.resent != copies[each.origin, each.entry]
    ]
    problems += _number_gaps(data, entries)
    problems += _strays(data, {file.path for file in [*live, *set_aside]})
    problems += [f"{file.path}: retired, but not in .retired" for file in gone if not retired(data, file.path).exists()]
    problems += [] if set_aside or problems else _glob_problems(data, live)
    if settled:
        problems += [f"{path.relative_to(data)}: left in staging" for path in sorted((data / "data" / ".staging").rglob("*.parquet"))]
    return problems


def _file_problems(data: Path, record: FileRecord, kept: Kept) -> Iterator[str]:
    """The file is what was published, and its rows are what the catalog says of them, whose keys are kept."""
    path = data / record.path
    if not path.exists():
        yield f"{record.path}: in the catalog, not on the disk"
        return
    if sha256(path.read_bytes()).hexdigest() != record.sha256 or path.stat().st_size != record.bytes:
        yield f"{record.path}: not the bytes that were published"
        return
    if pq.read_metadata(path).num_rows != record.rows:
        yield f"{record.path}: its footer does not count {record.rows} rows"
    time = TIME_NS[record.table_name]
    table = _read(path, [*KEYS, time, "received_ns", "clock_flagged", "resent"])
    kept[record.path] = table.select([name for name in (*KEYS, "resent") if name in table.column_names])
    rows = table.select(["origin", "entry", time, "received_ns", "clock_flagged"]).to_pylist()
    times = [row["received_ns"] if row["clock_flagged"] or row[time] is None else row[time] for row in rows]
    if {datetime.fromtimestamp(when // 1_000_000_000, UTC).date().isoformat() for when in times} != {record.date}:
        yield f"{record.path}: rows of another date"
    if {row["origin"] for row in rows} != {record.origin}:
        yield f"{record.path}: rows of another origin"
    entries = [row["entry"] for row in rows]
    if (min(entries), max(entries)) != (record.min_entry, record.max_entry):
        yield f"{record.path}: entries are not {record.min_entry} to {record.max_entry}"
    if (min(times), max(times)) != (record.min_ns, record.max_ns):
        yield f"{record.path}: times are not {record.min_ns} to {record.max_ns}"


def _read(path: Path, columns: list[str]) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def _rows_of_entries(kept: Kept, files: list[FileRecord], *, resent: bool = False) -> RowsOf:
    """How many rows of each entry there are; with `resent` only those that are marked as copies."""
    rows: RowsOf = Counter()
    for file in files:
        table = kept[file.path]
        if resent:
            table = table.filter(table["resent"]) if "resent" in table.column_names else table.slice(0, 0)
        for counted in pc.value_counts(table["entry"]).to_pylist():
            rows[file.origin, counted["values"]] += counted["counts"]
    return rows


def _duplicates(kept: Kept, files: list[FileRecord]) -> Iterator[str]:
    """(origin, entry, entry_row) is unique over all tables."""
    if not files:
        return
    rows = pa.concat_tables([kept[file.path].select(KEYS) for file in files])
    counted = rows.group_by(KEYS).aggregate([([], "count_all")])
    for row in counted.filter(pc.not_equal(counted["count_all"], 1)).to_pylist():
        yield f"record {row['origin']}/{row['entry']}/{row['entry_row']}: stored {row['count_all']} times"


def _gone(removed: list[Removal], entry: EntryRecord) -> list[Removal]:
    """What orders and rules took from an entry."""
    return [each for each in removed if each.origin == entry.origin and each.first <= entry.entry <= each.last]


def _entry_problems(entries: list[EntryRecord], rows: RowsOf, missing: list[FileRecord], removed: list[Removal]) -> Iterator[str]:
    """Every record that was received is accounted for, and every one that was stored is in a live file or was removed by order."""
    for entry in entries:
        name = f"entry {entry.entry} of {entry.origin}"
        if entry.received != entry.stored + entry.rejected + entry.deduplicated + entry.quarantined:
            yield f"{name}: received {entry.received} is not stored + rejected + deduplicated + quarantined"
        gone = _gone(removed, entry)
        expected = entry.stored + entry.own - sum(each.rows for each in gone if each.first == each.last)
        found = rows.pop((entry.origin, entry.entry), 0)
        may_lack = any(each.first < each.last for each in gone) or any(
            file.origin == entry.origin and file.min_entry <= entry.entry <= file.max_entry for file in missing
        )
        if found > expected or (found < expected and not may_lack):
            yield f"{name}: {expected} rows stored (own included), {found} in live files"
    yield from (f"entry {entry} of {origin}: {count} rows, but it is not in the catalog" for (origin, entry), count in rows.items())


def _number_gaps(data: Path, entries: list[EntryRecord]) -> Iterator[str]:
    """Entries of an origin follow each other: a number without an entry or a waiting segment is a lost segment."""
    numbers: dict[str, set[int]] = {}
    for origin, entry in [*((e.origin, e.entry) for e in entries), *((s.origin, s.entry) for s in closed_segments(data))]:
        numbers.setdefault(origin, set()).add(entry)
    for origin, found in numbers.items():
        for lost in sorted(set(range(min(found), max(found))) - found):
            yield f"entry {lost} of {origin}: neither sealed nor waiting in the WAL"


def _strays(data: Path, known: set[str]) -> Iterator[str]:
    for name in TABLES:
        for path in sorted((data / "data" / name).rglob("*")):
            if path.is_file() and path.relative_to(data).as_posix() not in known:
                yield f"{path.relative_to(data)}: in the lake, not in the catalog"


def _glob_problems(data: Path, live: list[FileRecord]) -> Iterator[str]:
    """Anyone who reads the folders with a glob counts every row once."""
    query = "SELECT count(*) FROM read_parquet(?, hive_partitioning = true, union_by_name = true)"
    for name in TABLES:
        expected = sum(file.rows for file in live if file.table_name == name)
        pattern = str(data / "data" / name / "**" / "*.parquet")
        (found,) = _reader().execute(query, [pattern]).fetchall()[0] if expected else (0,)
        if found != expected:
            yield f"{name}: a glob reads {found} rows, the catalog counts {expected}"


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    """One for all checks, which remembers nothing of files: to start one takes longer than to count the rows of a lake."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_external_file_cache = false")
    return connection
