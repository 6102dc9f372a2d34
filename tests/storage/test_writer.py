"""Publishing an entry: whole files with the right rows in the right place, found by anyone who reads Parquet."""

import errno
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.parquet import ROW_GROUP_BYTES, ROW_GROUP_ROWS, row_group_slices
from storage.schema import METRICS, SPANS, TABLES
from storage.writer import publish_entry
from tests.failing_disk import Crash, FailingDisk, OrderedDisk, entry_record, seal
from tests.lake_checks import check_lake
from tests.lake_rows import DAY_NS, NOON_NS, metric_rows, span_rows, table_of, tables

ORIGIN = "n/collector"


def by_row(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda row: row["entry_row"])


def test_published_rows_are_the_rows_given(tmp_path: Path) -> None:
    """Every column of every table comes back as it was, through the file's own schema."""
    given = tables(50, 20, 10)
    files = publish_entry(tmp_path, ORIGIN, 0, given, sealed_ns=5)
    assert [file.path for file in files] == [f"data/{name}/date=2026-11-21/n~collector-000000000000.parquet" for name in given]
    for file in files:
        stored = pq.read_table(tmp_path / file.path, partitioning=None)
        assert stored.schema.equals(TABLES[file.table_name])
        assert by_row(stored) == by_row(given[file.table_name])
        assert (file.rows, file.sealed_ns, file.level) == (stored.num_rows, 5, 0)
        content = (tmp_path / file.path).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), sha256(content).hexdigest())


def test_files_get_their_names_when_all_are_written_and_each_folder_is_synced_once(tmp_path: Path) -> None:
    """Audit acknowledgements wait for the same disk: its journal commits the names of all files together."""
    publish_entry(tmp_path, ORIGIN, 0, tables(2, 1, 1))
    disk = OrderedDisk()
    publish_entry(tmp_path, ORIGIN, 1, tables(2, 1, 1), fs=disk)
    assert disk.order == [*["sync"] * 3, *["replace"] * 3, *["sync_directory"] * 3]


def test_empty_tables_leave_no_file(tmp_path: Path) -> None:
    """A second without events has no events file."""
    assert [file.table_name for file in publish_entry(tmp_path, ORIGIN, 0, tables(2))] == ["spans"]


def test_rows_go_to_the_date_of_their_own_time(tmp_path: Path) -> None:
    """UTC midnight separates; a row with an absurd clock goes by its receive time, as does one without a time."""
    rows = span_rows(6)
    midnight = NOON_NS - NOON_NS % DAY_NS
    for row, start in zip(rows, [midnight - 1, midnight, midnight + DAY_NS - 1, -5, 0, 2**63 - 1], strict=True):
        row |= {"start_ns": start, "received_ns": midnight + 7}
    rows[4]["clock_flagged"] = rows[5]["clock_flagged"] = True
    files = publish_entry(tmp_path, ORIGIN, 0, {"spans": table_of("spans", rows)})
    assert {file.date: (file.rows, file.min_ns, file.max_ns) for file in files} == {
        "1969-12-31": (1, -5, -5),
        "2026-11-20": (1, midnight - 1, midnight - 1),
        "2026-11-21": (4, midnight, midnight + DAY_NS - 1),
    }
    points = metric_rows(1)
    points[0] |= {"time_ns": None, "received_ns": midnight}
    (file,) = publish_entry(tmp_path, ORIGIN, 0, {"metrics": table_of("metrics", points)})
    assert file.date == "2026-11-21"


def test_rows_are_sorted_for_readers(tmp_path: Path) -> None:
    """By tenant, minute, trace and start: a run's rows lie together."""
    (file,) = publish_entry(tmp_path, ORIGIN, 0, tables(300))
    rows = pq.read_table(tmp_path / file.path, partitioning=None).to_pylist()
    keys = [(row["tenant"], row["start_ns"] // 60_000_000_000, row["trace_id"], row["start_ns"]) for row in rows]
    assert keys == sorted(keys)


def test_bloom_filters_are_in_the_footer_and_lose_no_row(tmp_path: Path) -> None:
    """trace_id and run_id have Bloom filters, and DuckDB finds through them exactly the rows that are there."""
    given = {"spans": table_of("spans", span_rows(400))}
    (file,) = publish_entry(tmp_path, ORIGIN, 0, given)
    group = pq.read_metadata(tmp_path / file.path).row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    filtered = {name for name, column in columns.items() if column.bloom_filter_length}
    assert filtered == {"trace_id", "run_id"}
    assert all(column.compression == "ZSTD" and column.is_stats_set for column in columns.values())
    assert "RLE_DICTIONARY" in columns["tenant"].encodings
    assert "RLE_DICTIONARY" not in columns["trace_id"].encodings
    assert "DELTA_BINARY_PACKED" in columns["start_ns"].encodings
    assert "date" not in columns
    with duckdb.connect() as connection:
        for trace in set(given["spans"]["trace_id"].to_pylist()) | {"f" * 32}:
            query = "SELECT count(*) FROM read_parquet(?, hive_partitioning = false) WHERE trace_id = ? AND run_id = ?"
            (found,) = connection.execute(query, [str(tmp_path / file.path), trace, trace]).fetchall()[0]
            assert found == given["spans"]["trace_id"].to_pylist().count(trace)


def test_duckdb_reads_the_same_values(tmp_path: Path) -> None:
    """Encodings and types are a matter of the file, not of its reader: times, numbers, texts and maps agree."""
    given = table_of("spans", span_rows(200))
    (file,) = publish_entry(tmp_path, ORIGIN, 0, {"spans": given})
    names = [
        "entry_row",
        "start_ns",
        "end_ns",
        "start_time",
        "end_time",
        "received_ns",
        "name",
        "cost_usd",
        "input_tokens",
        "salt",
        "clock_flagged",
    ]
    with duckdb.connect() as connection:
        query = (
            f"SELECT {', '.join(names)}, attributes['gen_ai.response.id'] AS id FROM read_parquet(?, hive_partitioning = false) ORDER BY 1"
        )
        found = connection.execute(query, [str(tmp_path / file.path)]).fetchall()
    expected = given.select(names).to_pylist()
    assert [row[:-1] for row in found] == [tuple(row.values()) for row in expected]
    assert [row[-1] for row in found] == [dict(attributes)["gen_ai.response.id"] for attributes in given["attributes"].to_pylist()]


def test_row_groups_are_bounded_by_rows_and_bytes() -> None:
    """Neither many rows nor a few huge ones make a row group that is too large to hold."""
    narrow = pa.table({"x": pa.array(range(300_000), pa.int64())})
    assert [part.num_rows for part in row_group_slices(narrow)] == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 300_000 - 2 * ROW_GROUP_ROWS]
    wide = pa.table({"x": pa.array(["y" * (ROW_GROUP_BYTES // 4)] * 10, pa.large_string())})
    assert all(part.num_rows <= 4 for part in row_group_slices(wide))
    assert sum(part.num_rows for part in row_group_slices(wide)) == 10
    assert list(row_group_slices(narrow.slice(0, 0))) == []


def test_columns_other_than_the_schemas_are_refused(tmp_path: Path) -> None:
    """A defective decoder writes nothing."""
    with pytest.raises(StorageError, match="columns"):
        publish_entry(tmp_path, ORIGIN, 0, {"spans": pa.table({"trace_id": ["x"]})})
    assert not (tmp_path / "data").exists()
    assert METRICS != SPANS


def test_publishing_again_replaces_and_never_adds(tmp_path: Path) -> None:
    """Names derive from origin and entry, so a replay before the commit leaves each row once."""
    publish_entry(tmp_path, ORIGIN, 0, tables(4, 2, 1))
    files = publish_entry(tmp_path, ORIGIN, 0, tables(4, 2, 1), sealed_ns=1)
    catalog = Catalog.open(tmp_path)
    catalog.commit_entry(entry_record(0, 7), files, runs={}, trace_runs={})
    catalog.close()
    check_lake(tmp_path)


def test_sealing_survives_death_at_every_kill_point(tmp_path: Path) -> None:
    """Die at every call of the file system while publishing; sealing again makes the lake whole, with every row once."""
    for at in range(100):
        data = tmp_path / str(at)
        disk = FailingDisk(at, crash=True)
        try:
            seal(data, 0, fs=disk)
        except Crash:
            seal(data, 0)
        check_lake(data)
        if not disk.failed:
            assert at > 10
            return
    pytest.fail("more calls than expected")


@pytest.mark.parametrize("operation", ["open", "write", "sync", "replace", "sync_directory"])
def test_a_full_disk_publishes_nothing_half(tmp_path: Path, operation: str) -> None:
    """An error from any call is reported with its remedy, leaves no file of a partial write, and the entry can be sealed later."""
    seal(tmp_path, 0)
    disk = FailingDisk(0, operations=(operation,), error=errno.ENOSPC)
    with pytest.raises(StorageError, match="disk is full"):
        seal(tmp_path, 1, fs=disk)
    catalog = Catalog.open(tmp_path)
    assert not catalog.has_entry(ORIGIN, 1)
    catalog.close()
    seal(tmp_path, 1)
    check_lake(tmp_path)
