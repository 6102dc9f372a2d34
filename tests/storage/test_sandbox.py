"""A user's SQL is one SELECT over the views: whatever the text, whatever the trick."""

from pathlib import Path

import pytest

from storage import sandbox
from storage.errors import QueryRefused, StorageError
from storage.lake import Lake
from tests.lake_builder import span, write_lake

HOSTILE = (
    "SELECT length(repeat('abcdefgh', 500000000))",
    "SELECT length(lpad('a', 2000000000, 'b'))",
    "SELECT levenshtein(run_id, run_id) FROM runs",
    "SELECT " + "abs(" * 600 + "1" + ")" * 600,
    "SELECT * FROM " + "(SELECT * FROM " * 300 + "runs" + ")" * 300,
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/x.json')",
    "SELECT * FROM read_parquet('data/**/*.parquet')",
    "SELECT * FROM parquet_metadata('data/x.parquet')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT (SELECT max(file) FROM glob('/etc/*'))",
    "SELECT * FROM runs WHERE run_id IN (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM 'data/spans/date=2026-11-21/x.parquet'",
    'SELECT * FROM "/etc/passwd.csv"',
    "SELECT * FROM runs, 'x.csv'",
    "WITH x AS (SELECT * FROM 'x.parquet') SELECT * FROM x",
    'WITH "x.parquet" AS (SELECT * FROM "x.parquet") SELECT * FROM "x.parquet"',
    'SELECT (WITH "x.csv" AS (SELECT 1) SELECT 1), * FROM "x.csv"',
    "WITH sqlite_master AS (SELECT * FROM sqlite_master) SELECT * FROM sqlite_master",
    "SELECT * FROM internal.span_rows",
    "SELECT * FROM memory.internal.trace_runs",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_variables()",
    "SELECT * FROM pragma_version()",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('runs')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT getvariable('lake_spans')",
    "SELECT current_setting('temp_directory')",
    "SELECT getenv('HOME')",
    "SELECT write_log('x')",
    "SELECT nextval('s')",
    "SELECT main.getvariable('lake_spans')",
    "SELECT * FROM runs QUALIFY getvariable('x') = 1",
    "SELECT list_transform([1], lambda x: getvariable('lake_spans')[x])",
    "COPY (SELECT 1) TO '/tmp/auditlake-test.csv'",
    "COPY runs TO 'x.parquet'",
    "WITH x AS (COPY (SELECT 1) TO '/tmp/auditlake-test.csv') SELECT * FROM x",
    "WITH x AS (INSERT INTO internal.trace_runs VALUES ('a', 'b') RETURNING *) SELECT * FROM x",
    "WITH a AS (WITH b AS (COPY (SELECT 1) TO '/tmp/auditlake-test.csv') SELECT * FROM b) SELECT * FROM a",
    "SELECT * FROM (SELECT 1) JOIN (WITH x AS (DELETE FROM internal.trace_runs RETURNING *) SELECT * FROM x) ON true",
    "ATTACH '/tmp/x.db'",
    "DETACH memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "SET threads = 1",
    "SET VARIABLE lake_spans = ['/etc/passwd']",
    "RESET lock_configuration",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW runs AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "DROP VIEW runs",
    "DELETE FROM internal.trace_runs",
    "CALL pragma_version()",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "CHECKPOINT",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW runs",
    "SELECT 1 /* ; */; -- \n COPY (SELECT 1) TO 'x'",
    "",
    "-- nothing",
    "SELEC 1",
    "SELECT * FROM runs WHERE",
)
ALLOWED = (
    "SELECT * FROM runs",
    "select count(*) from Runs;",
    "-- a comment\nSELECT 1 /* another */ -- the end",
    'SELECT "run_id" FROM "runs"',
    "WITH a AS (SELECT * FROM steps), b AS (SELECT * FROM a) SELECT * FROM b JOIN runs USING (run_id)",
    "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT * FROM n",
    "SELECT run_id, t FROM runs, unnest(trace_ids) AS u(t)",
    "SELECT row_number() OVER (ORDER BY started_at), quantile_cont(duration_ms, 0.99) OVER () FROM runs QUALIFY row_number() OVER () < 3",
    "SELECT time_bucket(INTERVAL 1 HOUR, started_at), count(*) FILTER (status = 'error') FROM runs GROUP BY ALL ORDER BY ALL LIMIT 3",
    "SELECT * EXCLUDE (trace_ids) REPLACE (upper(status) AS status) FROM runs UNION ALL BY NAME SELECT * FROM runs",
    "SELECT attributes['x'], list_filter([1, 2], lambda v: v > 1), {'a': 1}.a, CASE WHEN true THEN 1 END FROM spans",
    "SELECT * FROM range(3)",
    "VALUES (1), (2)",
    "FROM runs",
    "DESCRIBE runs",
    "SUMMARIZE runs",
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    data = tmp_path_factory.mktemp("sandbox")
    write_lake(data, spans=[span("a")])
    return Lake.open(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_but_one_select_over_the_views_is_refused(lake: Lake, text: str) -> None:
    """By the check alone, and with a remedy; a refused text leaves nothing behind."""
    with pytest.raises(QueryRefused) as refused:
        lake.query(text)
    assert refused.value.hint
    assert not Path("/tmp/auditlake-test.csv").exists()


@pytest.mark.parametrize("text", ALLOWED)
def test_what_people_write_is_allowed(lake: Lake, text: str) -> None:
    lake.query(text)


def test_the_engine_is_a_second_wall(lake: Lake) -> None:
    """SQL that passed no check reaches no file outside the lake and cannot undo the settings."""
    reads = ["SELECT * FROM read_text('/etc/passwd')", "COPY (SELECT 1) TO '/tmp/auditlake-test.csv'", "ATTACH '/tmp/auditlake-test.db'"]
    for text in [*reads, "SET enable_external_access = true", "INSTALL httpfs", "SELECT * FROM read_text('/proc/self/environ')"]:
        with pytest.raises(StorageError):
            lake.sql(text)
    assert not Path("/tmp/auditlake-test.csv").exists()


def test_variables_of_the_program_are_no_tables(lake: Lake) -> None:
    secrets = {"token": ["hidden"]}
    with pytest.raises(QueryRefused):
        lake.query("SELECT * FROM secrets")
    with pytest.raises(StorageError):
        lake.sql("SELECT * FROM secrets")
    assert secrets


def test_a_cut_result_says_so(lake: Lake) -> None:
    table = lake.query("SELECT * FROM range(10000)", max_rows=7)
    assert (table.num_rows, sandbox.truncated_at(table)) == (7, 7)
    assert sandbox.truncated_at(lake.query("SELECT * FROM range(7)", max_rows=7)) is None


def test_a_query_that_takes_too_long_is_stopped(lake: Lake) -> None:
    with pytest.raises(StorageError, match=r"stopped after 0\.2 s"):
        lake.query("SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range + b.range = -1", timeout_seconds=0.2)
    assert lake.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_query_that_needs_too_much_memory_is_stopped(tmp_path: Path) -> None:
    write_lake(tmp_path)
    with Lake.open(tmp_path, memory_limit_mib=64) as small, pytest.raises(StorageError, match="out of memory"):
        small.query("SELECT list('a value of some sixty characters, so that a million take space ' || range) FROM range(3000000)")


def test_parameters_are_bound_and_extra_ones_ignored(lake: Lake) -> None:
    assert lake.query("SELECT $a AS a", params={"a": 5, "unused": 1}).to_pylist() == [{"a": 5}]
    with pytest.raises(QueryRefused, match=r"\$a"):
        lake.query("SELECT $a")


def test_mistakes_are_explained(lake: Lake) -> None:
    with pytest.raises(QueryRefused, match="statuss"):
        lake.query("SELECT statuss FROM runs")
    with pytest.raises(QueryRefused, match="Could not convert string '…' to INT32 when casting from source column name"):
        lake.query("SELECT name::INTEGER FROM spans")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'a canary'::INTEGER",
        "SELECT 'a canary'::TIMESTAMP",
        "SELECT name::INTEGER FROM spans",
        "SELECT 'a canary' FRO spans",
        "SELECT 'a canary",
        "SELECT strptime('a canary', '%Y')",
        "SELECT json_extract('{a canary', '$.x')",
        "SELECT regexp_matches(name, '(a canary') FROM spans",
        "SELECT date_part('a canary', start_time) FROM spans",
        "SELECT * FROM spans WHERE start_time > 'a canary'",
        "SELECT printf('%d canary', name) FROM spans",
        "SELECT 'a canary' + 1",
        "SELECT interval 'a canary'",
        "SELECT error(name) FROM spans",
        "SELECT strptime(name, '%Y') FROM spans",
        "SELECT regexp_matches('x', '(' || name) FROM spans",
        "SELECT regexp_matches('x', '(parquet ' || name) FROM spans",
        "SELECT ('it''s ' || name)::INTEGER FROM spans",
        "SELECT ('{' || name)::JSON FROM spans",
        "SELECT now() AT TIME ZONE name FROM spans",
    ],
)
def test_errors_hold_neither_literals_nor_rows(tmp_path: Path, text: str) -> None:
    """They end in logs, in shells' histories and on screens that others see."""
    write_lake(tmp_path, spans=[span("a canary")])
    with Lake.open(tmp_path) as lake, pytest.raises(StorageError) as refused:
        lake.query(text)
    assert "canary" not in str(refused.value)


def test_the_check_names_what_a_query_uses() -> None:
    """So that rule files can refuse now()."""
    checked = sandbox.check("WITH x AS (SELECT * FROM steps) SELECT now(), count(*) FROM x JOIN runs ON true WHERE started_at > $since")
    assert checked.tables == {"steps", "runs"}
    assert {"now", "count_star"} <= checked.functions
    assert checked.parameters == {"since"}


def test_sums_of_integers_are_integers(lake: Lake) -> None:
    """DuckDB sums into 128 bits, which Arrow would show as a decimal."""
    assert lake.query("SELECT sum(range) AS s FROM range(5)").to_pylist() == [{"s": 10}]
    assert isinstance(lake.query("SELECT sum(range) AS s FROM range(5)").to_pylist()[0]["s"], int)
