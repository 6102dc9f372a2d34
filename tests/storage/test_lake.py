"""The lake reads what the catalog lists, while it changes, and survives a damaged file."""

import threading
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from storage.catalog import Catalog
from storage.catalog_rows import CatalogRows
from storage.compactor import compact
from storage.errors import StorageError
from storage.lake import Lake
from storage.live_files import Selection, Window
from storage.views import VIEWS
from tests.lake_builder import START_NS, event, span, write_lake

DAY_NS = 86_400 * 1_000_000_000


def names(lake: Lake, **window: int) -> list[str]:
    return [row["name"] for row in lake.sql("SELECT name FROM spans ORDER BY name", **window).to_pylist()]


def test_no_lake_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no lake here"):
        Lake.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_new_rows_are_seen_at_once(tmp_path: Path) -> None:
    write_lake(tmp_path, spans=[span("a")])
    with Lake.open(tmp_path) as lake:
        version = lake.version
        assert names(lake) == ["a"]
        write_lake(tmp_path, spans=[span("b")])
        assert lake.version > version
        assert names(lake) == ["a", "b"]


def test_only_files_of_the_catalog_count(tmp_path: Path) -> None:
    """A file that no commit covers is not part of the lake."""
    (file,) = write_lake(tmp_path, spans=[span("a")])
    stray = (tmp_path / file.path).with_name("stray.parquet")
    stray.write_bytes((tmp_path / file.path).read_bytes())
    with Lake.open(tmp_path) as lake:
        assert names(lake) == ["a"]


def test_a_window_leaves_out_files(tmp_path: Path) -> None:
    for day in range(3):
        write_lake(tmp_path, spans=[span(f"day-{day}", at=day * 86_400)])
    with Lake.open(tmp_path) as lake:
        assert names(lake, from_ns=START_NS + DAY_NS, to_ns=START_NS + DAY_NS) == ["day-1"]
        assert names(lake, from_ns=START_NS + DAY_NS) == ["day-1", "day-2"]


def test_compaction_beside_a_reader_neither_loses_nor_doubles_a_row(tmp_path: Path) -> None:
    for number in range(12):
        write_lake(tmp_path, spans=[span(f"s{number:02}", at=number)], events=[event("x", at=number)])
    with Lake.open(tmp_path) as lake:
        expected = names(lake)
        files = {file.path for file in lake.catalog.live_files()}
        compact(tmp_path, now_ns=START_NS + 3 * DAY_NS)
        assert files != {file.path for file in lake.catalog.live_files()}
        assert names(lake) == expected == [f"s{number:02}" for number in range(12)]


def test_a_file_that_moved_after_the_list_was_made_is_found_again(tmp_path: Path) -> None:
    """Compaction moves a replaced file out of the way after its commit, perhaps under a running query."""
    write_lake(tmp_path, spans=[span("a")])
    with Lake.open(tmp_path) as lake:
        assert names(lake) == ["a"]
        (file,) = lake.catalog.live_files("spans")
        kept = tmp_path / "data/.retired" / Path(file.path).relative_to("data")
        kept.parent.mkdir(parents=True)
        (tmp_path / file.path).rename(kept)
        assert names(lake) == ["a"]
        assert lake.damaged == ()


def test_files_that_are_merged_again_and_again_before_they_are_opened_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine opening takes longer than from one merge to the next; nobody has to look for damage then."""
    write_lake(tmp_path, spans=[span("first")])
    with Lake.open(tmp_path) as lake:
        select, days = lake._select, iter(range(1, 9))

        def late(window: Window, *, fresh: bool) -> Selection:
            day = next(days, None)
            for name in "ab" if day else "":
                write_lake(tmp_path, spans=[span(f"{name}{day}")], sealed_ns=START_NS + (day or 0) * DAY_NS)
            selection = select(window, fresh=fresh)
            compact(tmp_path, now_ns=START_NS + 10 * DAY_NS)
            return selection

        monkeypatch.setattr(lake, "_select", late)
        monkeypatch.setattr(lake._files, "look_for_damage", None)
        assert names(lake) == sorted(["first", *(f"{name}{day}" for name in "ab" for day in range(1, 9))])


@pytest.mark.parametrize("damage", ["missing", "cut", "scrambled footer", "scrambled page"])
def test_a_damaged_file_is_left_out_and_named(tmp_path: Path, damage: str) -> None:
    """Everything else stays readable, and every reader can see that something is missing."""
    rows = [span(f"bad-{number}", attributes={"k": f"{number}" * 50}) for number in range(200)]
    (bad,) = write_lake(tmp_path, spans=rows)
    write_lake(tmp_path, spans=[span("good")])
    path = tmp_path / bad.path
    content = path.read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "scrambled footer":
            path.write_bytes(content[:-200] + bytes(200))
        case "scrambled page":
            path.write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
    with Lake.open(tmp_path) as lake:
        assert [row["name"] for row in lake.sql("SELECT * FROM spans").to_pylist()] == ["good"]
        (named,) = lake.damaged
        assert (named.path, named.rows) == (bad.path, 200)
        assert names(lake) == ["good"]


def test_files_that_were_set_aside_are_named_too(tmp_path: Path) -> None:
    (file,) = write_lake(tmp_path, spans=[span("a")])
    catalog = Catalog.open(tmp_path)
    catalog.mark_damaged(file.path, "its SHA-256 differs")
    catalog.close()
    with Lake.open(tmp_path) as lake:
        assert [(damage.path, damage.reason) for damage in lake.damaged] == [(file.path, "its SHA-256 differs")]
        assert names(lake) == []


def test_a_file_older_than_a_column_reads_as_null(tmp_path: Path) -> None:
    """Columns are added in time; files of before stay as they are."""
    write_lake(tmp_path, spans=[span("new", stop_reason="completed")])
    (old,) = write_lake(tmp_path, spans=[span("old", stop_reason="completed")])
    path = tmp_path / old.path
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["stop_reason"]), path)
    catalog = Catalog.open(tmp_path)
    with Lake.open(tmp_path) as lake:
        assert names(lake) == ["new", "old"]
        found = lake.sql("SELECT name, stop_reason FROM spans ORDER BY name").to_pylist()
    catalog.close()
    assert [tuple(row.values()) for row in found] == [("new", "completed"), ("old", None)]


def test_a_reader_fetches_only_traces_that_changed_their_run(tmp_path: Path) -> None:
    """Joined, joined again to the same run, to another one, and taken out."""
    write_lake(tmp_path, spans=[span("a", run="t1", trace="t1"), span("b", run="t2", trace="t2")])
    rows = CatalogRows(tmp_path / "catalog.sqlite")
    seen = []
    with Lake.open(tmp_path) as lake, closing(rows):
        for said in ({}, {"t1": "r", "t2": "r"}, {"t1": "r"}, {"t2": "s"}, {"t1": None, "never": None}, {"t1": "r"}):
            write_lake(tmp_path, trace_runs=said)
            fetched = {row["trace_id"]: row["run_id"] for row in rows.new_trace_runs().to_pylist()}
            runs = [row["run_id"] for row in lake.sql("SELECT run_id FROM spans ORDER BY name").to_pylist()]
            seen.append((fetched, *runs))
    assert seen == [
        ({}, "t1", "t2"), ({"t1": "r", "t2": "r"}, "r", "r"), ({}, "r", "r"), ({"t2": "s"}, "r", "s"), ({"t1": None}, "t1", "s"),
        ({"t1": "r"}, "r", "s"),
    ]  # fmt: skip


def test_views_are_defined_when_a_query_first_names_them(tmp_path: Path) -> None:
    """Whatever its case and place, and with those that it reads."""
    write_lake(tmp_path, spans=[span("a")])
    for view in VIEWS:
        with Lake.open(tmp_path) as lake:
            lake.query(f'SELECT * FROM (SELECT 1) AS "one", {view.upper()} LIMIT 1')


def test_a_view_of_a_lake_with_a_missing_file_is_defined(tmp_path: Path) -> None:
    """Definitions look at no file of the lake, so nothing in it can keep a view from being defined."""
    for file in write_lake(tmp_path, spans=[span("a")], events=[event("x")]):
        (tmp_path / file.path).unlink()
    with Lake.open(tmp_path) as lake:
        assert lake.sql("SELECT * FROM runs").num_rows == 0
        assert len(lake.damaged) == 2


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    write_lake(tmp_path, spans=[span(f"s{number}") for number in range(20)])
    found: list[int] = []
    with Lake.open(tmp_path) as lake:

        def read() -> None:
            for _ in range(3):
                write_count = lake.sql("SELECT count(*) AS n FROM steps").to_pylist()[0]["n"]
                found.append(write_count)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        write_lake(tmp_path, spans=[span("more")])
        for thread in threads:
            thread.join()
    assert len(found) == 12
    assert set(found) <= {20, 21}


def test_other_engines_read_the_same_rows_with_a_glob(tmp_path: Path) -> None:
    """The lake is open: no catalog is needed to read it."""
    write_lake(tmp_path, spans=[span("a"), span("b", at=86_400)])
    glob = f"{tmp_path}/data/spans/**/*.parquet"
    query = "SELECT name, date::VARCHAR FROM read_parquet($glob, hive_partitioning = true, union_by_name = true) ORDER BY name"
    with duckdb.connect() as connection:
        assert connection.execute(query, {"glob": glob}).fetchall() == [("a", "2026-11-21"), ("b", "2026-11-22")]


def test_closing_leaves_no_temporary_files(tmp_path: Path) -> None:
    write_lake(tmp_path, spans=[span("a")])
    lake = Lake.open(tmp_path)
    names(lake)
    scratch = lake.scratch
    assert scratch.exists()
    lake.close()
    assert not scratch.exists()
