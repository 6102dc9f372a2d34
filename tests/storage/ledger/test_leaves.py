"""Leaf hashes of stored files: the same through Parquet and compaction, of what a reader gets, and never of what a footer claims."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.catalog import Catalog
from storage.compactor import compact
from storage.ledger import merkle
from storage.ledger.canonical import leaf, type_names
from storage.ledger.errors import LedgerError
from storage.ledger.leaves import LEAVES, LeafReader, file_leaves, table_root
from storage.schema import SPANS, TABLES
from storage.writer import publish_entry
from tests.failing_disk import SECOND_NS, entry_record
from tests.lake_rows import DAY_NS, NOON_NS, span_rows
from tests.storage.ledger import adversarial_rows

ORIGIN = "n/collector"
Place = tuple[str, int, int]


def committed(table: str, rows: list[dict[str, Any]]) -> dict[Place, bytes]:
    """What the standard library makes of rows that were never stored."""
    types = type_names(TABLES[table])
    return {(row["origin"], row["entry"], row["entry_row"]): leaf(row, types) for row in rows}


def hashed(paths: list[Path], table: str, *, queried: bool) -> dict[Place, bytes | None]:
    """The leaves of files by one of the two engines."""
    with LeafReader(threads=1, query_rows=0 if queried else 10**9) as reader:
        return found(pa.Table.from_batches(reader.batches(paths, table), LEAVES))


def found(leaves: pa.Table) -> dict[Place, bytes | None]:
    assert leaves.schema == LEAVES
    places = zip(*(leaves[name].to_pylist() for name in ("origin", "entry", "entry_row")), strict=True)
    return dict(zip(places, leaves["leaf"].to_pylist(), strict=True))


def live(data: Path, table: str) -> list[Path]:
    with closing(Catalog.open(data, read_only=True)) as catalog:
        return [data / file.path for file in catalog.live_files(table)]


def written(path: Path, rows: pa.Table, **options: Any) -> Path:
    pq.write_table(rows, path, **options)
    return path


HELD = """
import resource, sys
from pathlib import Path
from storage.ledger.leaves import LeafReader
from storage.spare_memory import give_back

with LeafReader(threads=1, query_rows=0) as reader:
    held = list(reader.batches([Path(sys.argv[1])], "spans"))
give_back()
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(sum(batch.num_rows for batch in held), pages * resource.getpagesize() >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_places_of_rows_do_not_keep_their_texts(tmp_path: Path) -> None:
    """A check of 15 million rows that DuckDB read took 24 GB."""
    rows = pa.Table.from_pylist(span_rows(100), schema=SPANS)
    long = pa.array([f"{number} " * 5_000 for number in range(100)], pa.large_string())
    rows = rows.set_column(SPANS.get_field_index("status_message"), SPANS.field("status_message"), long)
    path = written(tmp_path / "long.parquet", pa.concat_tables([rows] * 300), row_group_size=1_000)
    done = subprocess.run([sys.executable, "-c", HELD, str(path)], capture_output=True, text=True, check=True)
    count, mib = done.stdout.split()
    assert int(count) == 30_000
    assert float(mib) < 400


@pytest.mark.parametrize("table", TABLES)
def test_a_leaf_is_the_same_through_parquet_and_two_compactions(table: str, tmp_path: Path) -> None:
    rows = []
    with closing(Catalog.open(tmp_path)) as catalog:
        for entry in range(4):
            made = adversarial_rows.rows(table, 12, seed=entry, entry=entry)
            sealed_ns = NOON_NS + entry * 40 * SECOND_NS
            files = publish_entry(tmp_path, ORIGIN, entry, {table: adversarial_rows.arrow(table, made)}, sealed_ns=sealed_ns)
            catalog.commit_entry(entry_record(entry, len(made), sealed_ns=sealed_ns), files, runs={}, trace_runs={})
            rows += made
    expected = committed(table, rows)
    assert len(live(tmp_path, table)) > 4  # an entry's rows are of several dates
    assert hashed(live(tmp_path, table), table, queried=False) == expected
    for now_ns in (NOON_NS + 300 * SECOND_NS, NOON_NS + 2 * DAY_NS):
        assert compact(tmp_path, now_ns=now_ns).merged
        assert hashed(live(tmp_path, table), table, queried=False) == expected
    assert hashed(live(tmp_path, table), table, queried=True) == expected


def test_order_row_groups_encodings_and_widths_of_a_file_do_not_matter(tmp_path: Path) -> None:
    rows = adversarial_rows.rows("spans", 60)
    stored = adversarial_rows.arrow("spans", rows)
    narrow = pa.schema([field.with_type(pa.string()) if field.type == pa.large_string() else field for field in SPANS])
    paths = [
        written(tmp_path / "groups.parquet", stored.take(list(reversed(range(60)))), row_group_size=7),
        written(tmp_path / "dictionaries.parquet", stored, dictionary_pagesize_limit=300, data_page_size=200, write_batch_size=16),
        written(tmp_path / "columns.parquet", stored.select(sorted(SPANS.names, reverse=True)), compression="none", use_dictionary=False),
        written(tmp_path / "narrow.parquet", stored.cast(narrow), write_statistics=False, data_page_version="2.0", compression="gzip"),
    ]
    for path in paths:
        for queried in (True, False):
            assert hashed([path], "spans", queried=queried) == committed("spans", rows)


@pytest.mark.parametrize("queried", [True, False])
def test_files_of_different_schema_versions_are_read_together(queried: bool, tmp_path: Path) -> None:
    """A column that a file never had is NULL; one that this version does not know is committed all the same."""
    rows = [row | {"resent": None, "handoff_to": None} for row in adversarial_rows.rows("spans", 20)]
    stored = adversarial_rows.arrow("spans", rows)
    newer = stored.append_column("of_tomorrow", pa.array(["x"] * 20, pa.large_string()))
    paths = [
        written(tmp_path / "older.parquet", stored.drop_columns(["resent", "handoff_to"])),
        written(tmp_path / "newer.parquet", newer.set_column(newer.schema.get_field_index("entry"), "entry", pa.array([1] * 20))),
    ]
    types = type_names(newer.schema)
    later = {(row["origin"], 1, row["entry_row"]): leaf(row | {"entry": 1, "of_tomorrow": "x"}, types) for row in rows}
    assert hashed(paths, "spans", queried=queried) == committed("spans", rows) | later


@pytest.mark.parametrize("queried", [True, False])
@pytest.mark.parametrize("value", [[], None])
def test_a_column_of_nothing_but_empty_maps_is_not_one_of_nothing_but_null(value: list[Any] | None, queried: bool, tmp_path: Path) -> None:
    """Statistics count both as NULL."""
    rows = [row | {"scope_attributes": value, "links": value, "events": value} for row in adversarial_rows.rows("spans", 10)]
    path = written(tmp_path / "a.parquet", adversarial_rows.arrow("spans", rows))
    assert hashed([path], "spans", queried=queried) == committed("spans", rows)


LINK = [(field.name, field.type) for field in SPANS.field("links").type.value_type]
FEW = ["origin", "entry", "entry_row", "salt", "approver", "links"]
NULLS = 299
"""Of 300 rows."""


def forged(path: Path, rows: list[dict[str, Any]], *, said: int) -> Path:
    """Write few columns of rows, one of which has `NULLS` NULLs, and have the footer say that it has another number of them."""
    written(path, pa.Table.from_pylist(rows, schema=SPANS).select(FEW))
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    assert content[start:].count(null_count(NULLS)) == 1
    path.write_bytes(content[:start] + content[start:].replace(null_count(NULLS), null_count(said)))
    return path


def null_count(number: int) -> bytes:
    """The first field of a column's statistics, of type i64, as Thrift's compact protocol has it, in two bytes."""
    return bytes([0x36, number << 1 & 0x7F | 0x80, number >> 6])


def rows_with(column: str, usual: Any, *, seventh: Any) -> list[dict[str, Any]]:
    return [row | {"links": []} | {column: seventh if number == 7 else usual} for number, row in enumerate(span_rows(NULLS + 1))]


def test_a_value_that_the_footer_denies_is_found(tmp_path: Path) -> None:
    """DuckDB reads NULL there and pyarrow the value, so that whoever edits both could add an approver whom some readers see."""
    path = forged(tmp_path / "a.parquet", rows_with("approver", None, seventh="mallory"), said=NULLS + 1)
    assert duckdb.sql(f"SELECT count(approver) FROM '{path}'").fetchall() == [(0,)]
    assert pq.read_table(path)["approver"].to_pylist()[7] == "mallory"
    with pytest.raises(LedgerError, match="approver is NULL where it has a value"):
        file_leaves([path], "spans")


def test_a_value_within_a_list_that_the_footer_denies_is_found(tmp_path: Path) -> None:
    link = dict.fromkeys(name for name, _ in LINK)
    path = forged(tmp_path / "a.parquet", rows_with("links", [link], seventh=[link | {"trace_state": "x"}]), said=NULLS + 1)
    with pytest.raises(LedgerError, match="links is NULL where it has a value"):
        file_leaves([path], "spans")


@pytest.mark.parametrize("queried", [True, False])
def test_a_null_that_the_footer_denies_is_not_the_committed_row(queried: bool, tmp_path: Path) -> None:
    path = forged(tmp_path / "a.parquet", rows_with("approver", None, seventh="alice"), said=0)
    assert pq.read_metadata(path).row_group(0).column(4).statistics.null_count == 0
    honest = [{name: row.get(name) for name in FEW} for row in rows_with("approver", "alice", seventh="alice")]
    leaves, expected = hashed([path], "spans", queried=queried), committed("spans", honest)
    assert [place for place in expected if leaves[place] == expected[place]] == [(ORIGIN, 0, 7)]


@pytest.mark.parametrize("queried", [True, False])
def test_rows_without_a_proper_salt_have_no_leaf_and_no_root(queried: bool, tmp_path: Path) -> None:
    rows = adversarial_rows.rows("spans", 5)
    stored = pa.Table.from_pylist(rows, schema=SPANS)
    salts = pa.array([None, b"", b"short", bytes(17), rows[4]["salt"]], pa.binary())
    path = written(tmp_path / "a.parquet", stored.set_column(SPANS.get_field_index("salt"), "salt", salts))
    assert hashed([path], "spans", queried=queried) == {(ORIGIN, 0, number): None for number in range(4)} | committed("spans", rows[4:])
    with pytest.raises(LedgerError, match="salt"):
        table_root(file_leaves([path], "spans"))


def test_the_root_of_an_entry_is_over_its_leaves_in_the_order_of_entry_row(tmp_path: Path) -> None:
    """Whichever files they are in."""
    rows = adversarial_rows.rows("events", 30)
    stored = adversarial_rows.arrow("events", rows)
    paths = [written(tmp_path / "a.parquet", stored.slice(10)), written(tmp_path / "b.parquet", stored.slice(0, 10))]
    assert table_root(file_leaves(paths, "events")) == merkle.root(list(committed("events", rows).values()))


def test_no_files_have_no_leaves_and_the_root_of_nothing() -> None:
    assert file_leaves([], "spans").num_rows == 0
    assert table_root(file_leaves([], "spans")) == merkle.EMPTY_ROOT


def test_a_file_without_rows_has_no_leaves(tmp_path: Path) -> None:
    assert found(file_leaves([written(tmp_path / "a.parquet", SPANS.empty_table())], "spans")) == {}


def test_rows_come_in_batches_whatever_the_size_of_the_file(tmp_path: Path) -> None:
    stored = pa.Table.from_pylist(span_rows(10), schema=SPANS)
    many = pa.concat_tables([stored] * 2_000)
    path = written(tmp_path / "a.parquet", many)
    for query_rows in (0, 10**9):
        with LeafReader(threads=1, query_rows=query_rows) as reader:
            sizes = [batch.num_rows for batch in reader.batches([path], "spans")]
        assert sum(sizes) == 20_000
        assert max(sizes) < 20_000


def test_the_footer_of_a_file_that_this_process_wrote_is_believed(tmp_path: Path) -> None:
    """Columns that it calls NULL are not decoded, those of empty lists are."""
    rows = [row | {"approver": None, "links": [], "redactions": None} for row in adversarial_rows.rows("spans", 20)]
    path = written(tmp_path / "a.parquet", adversarial_rows.arrow("spans", rows))
    assert found(file_leaves([path], "spans", believed=True)) == committed("spans", rows)


def broken(path: Path, how: str) -> None:
    stored = pa.Table.from_pylist(span_rows(50), schema=SPANS)
    changed: Mapping[str, pa.Table] = {
        "another type": stored.set_column(SPANS.get_field_index("model"), "model", pa.array(range(50))),
        "fields renamed": stored.set_column(
            SPANS.get_field_index("links"), "links", stored["links"].cast(pa.list_(pa.struct([(name * 2, kind) for name, kind in LINK])))
        ),
        "without salt": stored.drop_columns(["salt"]),
        "no such name": stored.append_column("a=i1;b", pa.array(range(50))),
        "no such type": stored.append_column("tomorrow", pa.array([None] * 50, pa.decimal128(5, 2))),
    }
    if how != "missing":
        pq.write_table(changed.get(how, stored), path)
    if how == "not Parquet":
        path.write_bytes(b"PAR1")
    if how == "a page overwritten":
        content = bytearray(path.read_bytes())
        content[4:60] = b"\xff" * 56
        path.write_bytes(content)


@pytest.mark.parametrize(
    "how",
    ["missing", "not Parquet", "a page overwritten", "another type", "fields renamed", "without salt", "no such name", "no such type"],
)
def test_a_file_that_is_no_table_of_the_lake_is_an_error_that_names_it(how: str, tmp_path: Path) -> None:
    sound = written(tmp_path / "sound.parquet", pa.Table.from_pylist(span_rows(5), schema=SPANS))
    broken(tmp_path / "broken.parquet", how)
    with pytest.raises(LedgerError, match=r"broken\.parquet"):
        file_leaves([sound, tmp_path / "broken.parquet"], "spans")
