"""Rows of Arrow become the objects that DuckDB gives for them, and what is asked of them in Python is what SQL says of them."""

import random
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from storage.composition import ONLY_WITH
from storage.excerpt import excerpt
from storage.lake import Lake
from storage.schema import TABLES
from storage.stored_rows import Rows, every_column
from tests.collector.dialects.test_claude_code import Session as ClaudeCode
from tests.collector.dialects.test_claude_code import events_request, spans_of
from tests.collector.dialects.test_frameworks import FRAMEWORKS
from tests.sealed_lake import seal

COLUMNS = {
    "text": "VARCHAR",
    "number": "BIGINT",
    "part": "DOUBLE",
    "yes": "BOOLEAN",
    "time": "TIMESTAMP",
    "day": "DATE",
    "said": "MAP(VARCHAR, VARCHAR)",
    "counts": "MAP(VARCHAR, BIGINT)",
    "names": "VARCHAR[]",
    "events": "STRUCT(name VARCHAR, time_ns BIGINT, attributes MAP(VARCHAR, VARCHAR))[]",
}
VALUES = {
    "text": ["'é'", "''"],
    "number": ["-9223372036854775808", "7"],
    "part": ["0.1", "'-inf'::DOUBLE"],
    "yes": ["true", "false"],
    "time": ["'1969-12-31 23:59:59.999999'::TIMESTAMP", "'2026-11-22 10:00:00.000001'::TIMESTAMP"],
    "day": ["'1969-12-31'::DATE", "'2026-11-22'::DATE"],
    "said": ["MAP {'a': 'b', 'c': NULL}", "MAP {}"],
    "counts": ["MAP {'URL': 2}", "MAP {}"],
    "names": ["['a', NULL]", "[]"],
    "events": ["[{'name': 'x', 'time_ns': 1, 'attributes': MAP {'k': 'v'}}, {'name': NULL, 'time_ns': 2, 'attributes': NULL}, NULL]", "[]"],
}


@pytest.mark.parametrize("seed", range(5))
def test_every_type_becomes_what_duckdb_makes_of_it(seed: int) -> None:
    rng = random.Random(seed)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE several (" + ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items()) + ")")
        for _ in range(40):
            row = ", ".join(rng.choice(["NULL", *VALUES[name]]) for name in COLUMNS)
            connection.execute(f"INSERT INTO several SELECT {row}")
        table = connection.sql("FROM several").to_arrow_table()
        expected = connection.execute("FROM several").fetchall()
    whole, cut = Rows(table), Rows(pa.concat_tables([table.slice(0, 13), table.slice(13)]))
    kept = [rng.random() < 0.5 for _ in expected]
    some = cut.only(kept).only([True] * sum(kept))
    for place, name in enumerate(COLUMNS):
        values = [row[place] for row in expected]
        assert list(whole[name]) == values
        assert list(cut[name]) == values
        assert list(some[name]) == [value for value, is_kept in zip(values, kept, strict=True) if is_kept]
    assert some.table.num_rows == len(some) == sum(kept)


def test_a_column_without_values_is_not_known() -> None:
    rows = Rows(pa.table({"a": [None, 1], "b": pa.array([None, None], pa.int64())}))
    assert rows.known() == ["a"]
    assert list(rows["b"]) == [None, None]


def test_rows_are_told_apart_as_the_conditions_of_views_tell_them_apart(tmp_path: Path) -> None:
    """What a run needs is decided in Python; what many runs need, in SQL: by the same conditions."""
    claude = ClaudeCode("claude", traced=True)
    requests = [request for make in FRAMEWORKS for request in make()]
    requests += [events_request(claude.events()), spans_of(claude.spans())]
    conditions = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in ONLY_WITH.values())
    seen: set[frozenset[str]] = set()
    with Lake.open(seal(tmp_path / "data", requests)) as lake:
        for run_id in lake.sql("SELECT run_id FROM runs")["run_id"].to_pylist():
            with excerpt(lake, run_id) as found, duckdb.connect() as connection:
                connection.register("rows", found._spans.table)
                [there] = connection.execute(f"SELECT {conditions} FROM rows").fetchall()
                wanted = frozenset(view for view, is_there in zip(ONLY_WITH, there, strict=True) if not is_there)
                assert found._without - {"_uncounted"} == wanted
                seen.add(wanted)
    assert len(seen) > 2


def test_every_column_but_the_salt_is_listed() -> None:
    for table, schema in TABLES.items():
        listed = every_column(table).replace('"', "").split(", ")
        assert set(listed) == {*schema.names, "date", "derived_from"} - {"salt"}
