"""Derivations stand over sealed rows in every reader, and never touch them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storage import runs as storage_runs
from storage.catalog import Catalog, JoinRecord
from storage.compactor import compact
from storage.derivations import SLICE_ROWS, Joins, Publisher, read_slice, slices
from storage.errors import LakeLocked, StorageError
from storage.lake import Lake
from storage.schema import CANONICAL, DERIVATION, TABLES
from tests.collector_process import settle
from tests.failing_disk import Crash, FailingDisk
from tests.lake_builder import SECOND_NS, START_NS, Row, event, model, span, write_lake
from tests.lake_checks import check_lake

SCHEMA = pa.schema([*DERIVATION, *CANONICAL])
LATER_NS = START_NS + 86_400 * SECOND_NS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def derived(row: int, *, table: str = "spans", entry: int = 1, at_ns: int = LATER_NS, **columns: Any) -> Row:
    """A derivation of a row of the first entry that `write_lake` seals."""
    place = {"of_table": table, "of_origin": "node/collector", "of_entry": entry, "of_row": row}
    return place | {"trace_id": "trace-1", "time_ns": START_NS, "derived_ns": at_ns, "derivation": "test"} | columns


def publish(
    data: Path, *rows: Row, runs: dict[str, tuple[int, int]] | None = None, joins: Joins | None = None, now_ns: int = LATER_NS
) -> None:
    publisher = Publisher(data, "node")
    try:
        publisher.publish(pa.Table.from_pylist(list(rows), schema=SCHEMA), now_ns=now_ns, runs=runs or {}, joins=joins)
    finally:
        publisher.close()
    settle(data)  # writes the log, as whoever publishes does at its end


def rows_of(data: Path, sql: str) -> list[Row]:
    with Lake.open(data) as lake:
        found: list[Row] = lake.sql(sql).to_pylist()
        return found


def sealed_bytes(data: Path) -> dict[str, bytes]:
    found = [path for table in ("spans", "events", "metrics") for path in (data / "data" / table).rglob("*.parquet")]
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in found}


def test_the_newest_derivation_of_a_row_is_what_readers_see(data: Path) -> None:
    write_lake(data, spans=[model("a", cost=1.0), model("b", cost=2.0, at=1)], events=[event("e", trace="trace-1")])
    call = {"run_id": "run-1", "step_kind": "model", "input_tokens": 7, "output_tokens": 1, "agent_name": "support"}
    publish(data, derived(0, cost_usd=5.0, **call))
    publish(data, derived(0, cost_usd=6.0, at_ns=LATER_NS + 1, **call), derived(2, table="events", run_id="run-1", step_kind="policy"))
    found = {row["name"]: row for row in rows_of(data, "SELECT * FROM steps")}
    assert {name: (row["derived_from"], row["cost_usd"], row["kind"]) for name, row in found.items()} == {
        "a": ("overlay", 6.0, "model"), "b": ("sealed", 2.0, "model"), "e": ("overlay", None, "policy"),
    }  # fmt: skip
    assert found["a"]["input_tokens"] == 7
    assert (found["a"]["model"], found["a"]["scope_name"]) == (None, None), "all canonical columns are those of the derivation"
    assert rows_of(data, "SELECT cost_usd, model_calls FROM runs") == [{"cost_usd": 8.0, "model_calls": 2}]
    check_lake(data)


def test_a_reconstruction_shows_derivations_too(data: Path) -> None:
    """Also when the row belongs to another run than it was sealed with."""
    write_lake(data, spans=[span("a", run="old", step_kind="agent"), span("b", run="old", step_kind="other", at=1)])
    spans = {"new": (START_NS, START_NS + SECOND_NS)}
    publish(data, *(derived(row, run_id="new", step_kind="agent", agent_name="x") for row in (0, 1)), runs=spans)
    with Lake.open(data) as lake:
        found = storage_runs.reconstruct(lake, "new")
        assert found is not None
        assert [(step["name"], step["kind"], step["derived_from"]) for step in found["steps"]] == [
            ("a", "agent", "overlay"), ("b", "agent", "overlay"),
        ]  # fmt: skip
        assert [run["run_id"] for run in storage_runs.list_runs(lake, storage_runs.RunFilter())] == ["new"]
    check_lake(data)


def test_sealed_files_keep_every_byte(data: Path) -> None:
    write_lake(data, spans=[model("a")], events=[event("e")])
    before = sealed_bytes(data)
    publish(data, derived(0, run_id="run-1", step_kind="model", cost_usd=9.0))
    assert sealed_bytes(data) == before
    assert len(before) == 2


def test_a_lake_without_derivations_does_not_look_for_any(data: Path) -> None:
    write_lake(data, spans=[model("a")])
    with Lake.open(data) as lake:
        plan = str(lake.sql("EXPLAIN SELECT cost_usd FROM spans").to_pylist())
        assert "of_row" not in plan
        publish(data, derived(0, cost_usd=3.0))
        assert "of_row" in str(lake.sql("EXPLAIN SELECT cost_usd FROM spans").to_pylist()), "an open lake sees the first one"
        assert lake.sql("SELECT cost_usd FROM spans").to_pylist() == [{"cost_usd": 3.0}]


def test_compaction_merges_derivations_and_changes_no_answer(data: Path) -> None:
    write_lake(data, spans=[model(name, at=at) for at, name in enumerate("abc")])
    for number in range(3):
        publish(
            data,
            derived(number, cost_usd=float(number), step_kind="model"),
            derived(0, cost_usd=10.0 + number, at_ns=LATER_NS + number + 1),
        )
    before = rows_of(data, "SELECT name, cost_usd, derived_from FROM spans ORDER BY name")
    assert [row["cost_usd"] for row in before] == [12.0, 1.0, 2.0]
    report = compact(data, now_ns=LATER_NS + 3 * 86_400 * SECOND_NS, grace_seconds=0)
    assert report.outputs >= 1
    assert len(list((data / "data" / "derivations").rglob("*.parquet"))) == 1
    assert rows_of(data, "SELECT name, cost_usd, derived_from FROM spans ORDER BY name") == before
    check_lake(data)


@pytest.mark.parametrize("call", range(0, 16, 3))
@pytest.mark.parametrize("crash", [False, True])
def test_whatever_call_of_the_disk_fails_the_next_run_finds_the_lake_whole(data: Path, call: int, crash: bool) -> None:
    """Nothing is visible, or all of it; what a failed run left behind is taken away."""
    write_lake(data, spans=[model("a", cost=1.0), model("late", cost=1.0, at=86_400)])
    rows = [derived(0, cost_usd=5.0), derived(1, cost_usd=5.0, time_ns=LATER_NS)]
    publisher = Publisher(data, "node", fs=FailingDisk(call, crash=crash))
    try:
        publisher.publish(pa.Table.from_pylist(rows, schema=SCHEMA), now_ns=LATER_NS, runs={})
        failed = False
    except (Crash, StorageError):
        failed = True
    finally:
        publisher.close()
    assert {row["cost_usd"] for row in rows_of(data, "SELECT cost_usd FROM spans")} == ({1.0} if failed else {5.0})
    publish(data, rows[0])
    assert [row["cost_usd"] for row in rows_of(data, "SELECT cost_usd FROM spans ORDER BY start_ns")] == [5.0, 1.0 if failed else 5.0]
    check_lake(data, settled=False)


def test_two_runs_at_once_are_refused_with_the_remedy(data: Path) -> None:
    write_lake(data, spans=[model("a")])
    publisher = Publisher(data, "node")
    try:
        with pytest.raises(LakeLocked, match="read sealed rows again"):
            Publisher(data, "node")
    finally:
        publisher.close()


def test_joins_are_replaced_with_the_derivations_that_changed_them(data: Path) -> None:
    write_lake(data, spans=[span("a")], trace_runs={"trace-1": "old"})
    old, new = (JoinRecord(trace_id="trace-1", key=f"run:{name}", role="same", ns=START_NS) for name in ("old", "new"))
    publish(data, joins=Joins(stated=[old]))
    publish(data, joins=Joins(stated=[new], withdrawn=[old], trace_runs={"trace-1": "new"}))
    catalog = Catalog.open(data, read_only=True)
    try:
        assert (catalog.joins(traces=["trace-1"]), catalog.trace_runs()) == ([new], {"trace-1": "new"})
    finally:
        catalog.close()


def test_slices_hold_every_row_once_and_what_auditlake_wrote_of_itself_never(data: Path) -> None:
    for number in range(3):
        own = span("own", scope_name="auditlake.access")
        write_lake(data, spans=[span(f"s{number}", at=number * 43_200), own], events=[event(f"e{number}")])
    with Lake.open(data) as lake:
        names = [
            row.get("name") or row["event_name"]
            for part in slices(lake.catalog, from_ns=None, to_ns=None)
            for row in read_slice(lake, part).to_pylist()
        ]
    assert sorted(names) == ["e0", "e1", "e2", "s0", "s1", "s2"]
    assert SLICE_ROWS < 100_000


def test_derivations_have_the_columns_of_every_row_and_what_they_were_made_of() -> None:
    names = TABLES["derivations"].names
    assert names[: len(DERIVATION)] == ["of_table", "of_origin", "of_entry", "of_row", "trace_id", "time_ns", "derived_ns", "derivation"]
    assert {"origin", "entry", "entry_row", "salt"} <= set(names)
