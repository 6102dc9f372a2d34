"""SQL that a person or a rule file wrote: exactly one read-only SELECT over the published views, and nothing else.

The text is judged by its syntax tree as DuckDB's own parser makes it, so that comments, quoting and spelling cannot hide anything,
and by lists of what is allowed: kinds of query, of table and of expression, tables by name, table functions by name. Common table
expressions are walked too, as `WITH x AS (COPY … TO …) SELECT` is a SELECT to the parser. The connection that runs the text is
the second wall: no file outside the lake, no configuration, no extensions (`storage.lake`).
"""

import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from storage import early
from storage.engine import message_of
from storage.errors import QueryRefused, StorageError
from storage.views import VIEWS

TABLE_FUNCTIONS: Final = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
QUERIES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
SOURCES: Final = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST", "SHOW_REF", "PIVOT"})
EXPRESSIONS: Final = frozenset({
    "BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA", "LAMBDA_REF",
    "OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW",
})  # fmt: skip
REFUSED_FUNCTIONS: Final = frozenset({
    "getvariable", "getenv", "current_setting", "current_query", "current_query_id", "current_connection_id", "current_transaction_id",
    "in_search_path", "nextval", "currval", "setval", "setseed", "sleep_ms", "stats", "vector_type", "write_log", "query", "query_table",
    "json_execute_serialized_sql", "json_deserialize_sql", "json_serialize_sql", "json_serialize_plan", "user_agent", "enable_profile",
    "disable_profile", "current_catalog", "current_user", "session_user", "user", "parse_duckdb_log_message",
    "error",  # would show rows as a query that failed
    # one value of these can take gigabytes or minutes: the limits of memory and time take effect only between vectors
    "repeat", "lpad", "rpad", "levenshtein", "editdist3", "damerau_levenshtein",
})  # fmt: skip
REFUSED_PREFIXES: Final = ("pg_", "duckdb_", "pragma_", "read_", "parquet_", "__internal", "_", "icu_", "arrow_", "pandas_", "python_")
_PLAIN_NAME: Final = re.compile(r"\w+")
HINT: Final = "write one SELECT over the views; `SELECT * FROM runs` is a start, docs/query.md lists them all"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedQuery:
    """A text that passed: what it reads and uses."""

    text: str
    tables: frozenset[str]
    functions: frozenset[str]
    parameters: frozenset[str]
    columns: frozenset[str] | None  # what it can call columns, CTEs' and fields of structs among them; None: it can read any (`*`)


def check(text: str, *, tables: Collection[str] = VIEWS) -> CheckedQuery:
    """Return the query when it is one read-only SELECT over `tables`, else raise `QueryRefused`, saying what is in the way."""
    return _checked(text, frozenset(name.lower() for name in tables))


@lru_cache(maxsize=2_048)
def _checked(text: str, tables: frozenset[str]) -> CheckedQuery:
    parser = _parser().cursor()
    try:
        statements = parser.extract_statements(text)
        serialized = parser.execute("SELECT json_serialize_sql($text::VARCHAR)", {"text": text}).fetchone()
    except duckdb.Error as error:
        raise QueryRefused("read the query", "SQL", hint=message_of(error, text)) from error
    finally:
        parser.close()
    if len(statements) != 1:
        raise QueryRefused("run the query", f"{len(statements)} statements", hint=f"exactly one is allowed: {HINT}")
    try:
        tree: dict[str, Any] = orjson.loads(serialized[0]) if serialized else {"error": True}
    except orjson.JSONDecodeError as error:
        raise _too_deep() from error
    if statements[0].type is not duckdb.StatementType.SELECT or tree.get("error"):
        raise QueryRefused("run the query", statements[0].type.name, hint=f"only SELECT is allowed (not PIVOT either): {HINT}")
    walk = _Walk(allowed=tables)
    try:
        for statement in tree["statements"]:
            walk.value(statement, frozenset())
    except RecursionError as error:
        raise _too_deep() from error
    return CheckedQuery(
        text=text,
        tables=frozenset(walk.tables),
        functions=frozenset(walk.functions),
        parameters=frozenset(statements[0].named_parameters),
        columns=None if walk.any_column or walk.alone & (walk.tables | walk.aliases) else frozenset(walk.columns),
    )


def run(
    cursor: duckdb.DuckDBPyConnection, query: CheckedQuery, params: Mapping[str, Any] | None, *, timeout_seconds: float, max_rows: int
) -> pa.Table:
    """Run a checked query and return at most `max_rows` rows; a cut is marked in the schema's metadata (`truncated_at`).

    Raises `QueryRefused` for what DuckDB does not understand, `StorageError` when time or memory ran out, and other
    `duckdb.Error`s as they are: the lake knows what to make of those.
    """
    known = {name: value for name, value in (params or {}).items() if name in query.parameters}
    if missing := query.parameters - known.keys():
        raise QueryRefused("run the query", f"${min(missing)}", hint="no value was given for this parameter")
    with deadline(cursor, timeout_seconds):
        try:
            relation = cursor.sql(query.text, params=known or None)
            return with_integers(_bounded(relation.to_arrow_reader(2048), max_rows))
        except duckdb.InterruptException as error:
            hint = "narrow it (a time range on started_at, fewer columns) or raise the limit with --timeout"
            raise StorageError("finish the query", f"stopped after {timeout_seconds:g} s", hint=hint) from error
        except (duckdb.OutOfMemoryException, OSError) as error:  # Arrow's reader reports the former as the latter
            raise StorageError("finish the query", "out of memory", hint="narrow it: a time range, fewer columns, a LIMIT") from error
        except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
            if isinstance(error, duckdb.InvalidInputException) and "parquet" in str(error).lower():
                raise
            raise QueryRefused("run the query", "SQL", hint=message_of(error, query.text)) from error


def truncated_at(table: pa.Table) -> int | None:
    """The row limit at which a result was cut, or None when it is whole."""
    found = (table.schema.metadata or {}).get(b"truncated_at")
    return None if found is None else int(found)


def with_integers(table: pa.Table) -> pa.Table:
    """Return `table` with sums of integers as 64-bit integers: DuckDB makes them 128 bits wide, which Arrow calls a decimal."""
    for number, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type) and column.type.scale == 0:
            with suppress(pa.ArrowInvalid):  # too large: stays what it is
                table = table.set_column(number, column.with_type(pa.int64()), table.column(number).cast(pa.int64()))
    return table


def _bounded(reader: pa.RecordBatchReader, max_rows: int) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    seen = 0
    for batch in reader:
        batches.append(batch)
        seen += batch.num_rows
        if seen > max_rows:
            break
    table = pa.Table.from_batches(batches, schema=reader.schema)
    return table.slice(0, max_rows).replace_schema_metadata({"truncated_at": str(max_rows)}) if seen > max_rows else table


@contextmanager
def deadline(cursor: duckdb.DuckDBPyConnection, timeout_seconds: float) -> Iterator[None]:
    """Interrupt what runs on a cursor for longer: it raises `duckdb.InterruptException`."""
    timer = threading.Timer(timeout_seconds, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """A connection that only ever parses."""
    connection = early.connected()
    for setting in ("python_enable_replacements = false", "enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    return connection


def _too_deep() -> QueryRefused:
    return QueryRefused("read the query", "SQL", hint="it is nested too deeply: use WITH, or fewer levels")


@dataclass
class _Walk:
    """One pass over a syntax tree; refuses everything that no list allows."""

    allowed: frozenset[str]
    tables: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)  # columns without a table's name before them
    aliases: set[str] = field(default_factory=set)  # of tables: the name of one, alone, can stand for a whole row
    any_column: bool = False

    def value(self, value: object, named: frozenset[str]) -> None:
        """Judge a part of the tree; `named` are the common table expressions that it can see."""
        if isinstance(value, list):
            for item in value:
                self.value(item, named)
        elif isinstance(value, dict):
            self._node(value, named)

    def _node(self, node: dict[str, Any], named: frozenset[str]) -> None:
        kind = node.get("type")
        if "class" in node:
            self._expression(node)
        elif "cte_map" in node or (isinstance(kind, str) and kind.endswith("_NODE")):
            if kind not in QUERIES:
                raise _refusal(str(kind).removesuffix("_NODE").removesuffix("_QUERY"), "only SELECT is allowed, in WITH too")
            named |= {str(node["cte_name"]).lower()} if node.get("cte_name") else set()
            named = self._common_tables(node, named)
        elif isinstance(kind, str):
            self._other(kind, node, named)
        for name, child in node.items():
            if name not in {"qualified_name", "cte_map"}:
                self.value(child, named)

    def _common_tables(self, node: dict[str, Any], named: frozenset[str]) -> frozenset[str]:
        """Judge WITH: each expression sees those before it and, unless it is recursive, not itself: that would be another table."""
        for entry in node.get("cte_map", {}).get("map", []):
            name = str(entry["key"]).lower()
            if not _PLAIN_NAME.fullmatch(name):
                raise _refusal(name, "names in WITH are letters, digits and underscores")
            self.value(entry["value"], named)
            named |= {name}
        return named

    def _expression(self, node: dict[str, Any]) -> None:
        if node["class"] not in EXPRESSIONS:
            raise _refusal(str(node["class"]), "this kind of expression is not allowed")
        if node["class"] == "COLUMN_REF":
            names = [str(part).lower() for part in node["column_names"]]
            self.columns.update(names)
            self.alone.update(names if len(names) == 1 else ())
        self.any_column |= node["class"] in {"STAR", "POSITIONAL_REFERENCE"}
        if node["class"] in {"FUNCTION", "WINDOW"}:
            self._function(node)

    def _other(self, kind: str, node: dict[str, Any], named: frozenset[str]) -> None:
        if "alias" in node and kind not in SOURCES:
            raise _refusal(kind, "this kind of table is not allowed")
        if alias := node.get("alias"):
            self.aliases.add(str(alias).lower())
        self.columns.update(str(name).lower() for name in node.get("using_columns") or ())
        self.any_column |= node.get("ref_type") in {"NATURAL", "POSITIONAL"}
        if kind == "BASE_TABLE":
            self._table(node, named)
        elif kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise _refusal(name, f"of the table functions only {', '.join(sorted(TABLE_FUNCTIONS))} are allowed")
        elif kind == "SHOW_REF" and node.get("query") is None:
            raise _refusal("SHOW", "DESCRIBE a view instead, for example DESCRIBE runs")

    def _table(self, node: dict[str, Any], named: frozenset[str]) -> None:
        path = [str(part).lower() for part in node["qualified_name"]["path"]]
        name = path[-1]
        if len(path) > 1 or node.get("schema_name") or node.get("catalog_name") or name not in self.allowed | named:
            raise _refusal(".".join(path), "there is no view of this name; files and system tables cannot be read")
        if name not in named:
            self.tables.add(name)

    def _function(self, node: dict[str, Any]) -> None:
        name = str(node["function_name"]).lower()
        if node.get("schema") or node.get("catalog") or name in REFUSED_FUNCTIONS or name.startswith(REFUSED_PREFIXES):
            raise _refusal(f"{name}()", "this function is not allowed")
        self.functions.add(name)


def _refusal(subject: str, why: str) -> QueryRefused:
    return QueryRefused("run the query", subject, hint=f"{why}: {HINT}")
