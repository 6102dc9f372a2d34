"""Views as tables, for many queries of one moment: what they read is read once, and none of them binds and plans a view.

A rule over the last quarter of an hour takes milliseconds to run and hundreds of milliseconds to bind, because a view is a union of
spans and log records with a hundred columns each. So for a round of queries each view that several of them read over the same window
becomes a temporary table with the columns that they name; all of them see the same state of the lake. Whatever the tables do not cover
is asked of the lake itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa
import structlog

from storage import sandbox
from storage.catalog import Catalog
from storage.damage import Damage
from storage.engine import explained
from storage.errors import QueryRefused, StorageError
from storage.lake import Lake
from storage.views import MACROS

LEAST_QUERIES: Final = 2
"""A view that one query alone reads is better read by it: its conditions reach the files."""


LONGEST_SECONDS: Final = 30.0
"""Making the tables of one window; what takes longer is not tried again for `SKIPPED` rounds, in which each query is asked alone."""
SKIPPED: Final = 5
CHANGING: Final = frozenset({"recordings"})
"""What a query of the round may add to, and a later one wants to read."""


_Window = tuple[int, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query that will be asked: its text, and from when until when (unix ns) it needs records."""

    text: str
    from_ns: int
    to_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """The tables of one window."""

    cursor: duckdb.DuckDBPyConnection
    lacking: Mapping[str, frozenset[str]]  # name of a table → the columns of its view that it does not have

    def covers(self, query: sandbox.CheckedQuery) -> bool:
        """Whether the query reads nothing but these tables, and no column that they lack."""
        if query.columns is None or not query.tables or not query.tables <= self.lacking.keys():
            return False
        return not any(query.columns & self.lacking[name] for name in query.tables)


class Answering:
    """Answers as `Lake.query` does, from tables where there are those that a query reads; used by one thread."""

    def __init__(self, lake: Lake, held: Mapping[_Window, _Held]) -> None:
        self._lake = lake
        self._held = held

    @property
    def damaged(self) -> Sequence[Damage]:
        """The files that are left out of every answer."""
        return self._lake.damaged

    @property
    def version(self) -> int:
        """The catalog's version: equal versions mean equal answers."""
        return self._lake.version

    @property
    def catalog(self) -> Catalog:
        """Which files there are."""
        return self._lake.catalog

    def query(
        self,
        text: str,
        *,
        params: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_rows: int = 100_000,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> pa.Table:
        """Run one SELECT over the views; as `Lake.query`, and of rows that begin outside of its window a table knows nothing."""
        held = self._held.get((from_ns, to_ns)) if from_ns is not None else None
        if held is None or not held.covers(checked := sandbox.check(text)):
            return self._lake.query(text, params=params, timeout_seconds=timeout_seconds, max_rows=max_rows, from_ns=from_ns, to_ns=to_ns)
        try:
            return sandbox.run(held.cursor, checked, params, timeout_seconds=timeout_seconds, max_rows=max_rows)
        except duckdb.Error as error:
            raise explained(error, self._lake.data) from error

    def together(
        self,
        texts: Mapping[str, str],
        *,
        shared: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> dict[str, pa.Table]:
        """As `Lake.together`, of the lake itself."""
        return self._lake.together(texts, shared=shared, params=params, timeout_seconds=timeout_seconds, from_ns=from_ns, to_ns=to_ns)


class SharedTables:
    """Makes the tables of one lake, round by round."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._columns: dict[str, frozenset[str]] = {}
        self._skipping: dict[frozenset[str], int] = {}  # queries of a window whose tables could not be made → for how many rounds

    @contextmanager
    def during(self, questions: Iterable[Question]) -> Iterator[Answering]:
        """Yield what answers these questions, and any other, on the state that the lake has now."""
        windows: dict[_Window, set[str]] = {}
        for question in questions:
            windows.setdefault((question.from_ns, question.to_ns), set()).add(question.text)
        with ExitStack() as stack:
            held = {}
            for window, texts in windows.items():
                if (found := self._make(stack, window, frozenset(texts))) is not None:
                    held[window] = found
            yield Answering(self._lake, held)

    def _make(self, stack: ExitStack, window: _Window, texts: frozenset[str]) -> _Held | None:
        if (left := self._skipping.get(texts, 0)) > 0:
            self._skipping[texts] = left - 1
            return None
        try:
            tables = self._tables(texts)
            if not tables:
                return None
            queries = {name: _select(name, columns) for name, columns in tables.items()}
            holding = self._lake.holding(queries, {}, window, rows=window, timeout_seconds=LONGEST_SECONDS)
            cursor = stack.enter_context(holding)
        except StorageError as error:  # each query is asked alone, and says what is wrong
            structlog.get_logger(__name__).warning("queries share no tables for a while", hint=error.hint)
            self._skipping[texts] = SKIPPED
            return None
        return _Held(cursor=cursor, lacking={name: self._columns[name] - columns for name, columns in tables.items()})

    def _tables(self, texts: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the views that are worth a table, each with the columns that the queries can read."""
        named: dict[str, list[frozenset[str]]] = {}
        for text in texts:
            try:
                query = sandbox.check(text)
            except QueryRefused:
                continue
            if query.functions.intersection(MACROS):
                self._lake.sql(f"SELECT 1 AS {MACROS[0]}")  # naming one of our functions has them all defined
            for name in query.tables - CHANGING if query.columns is not None else ():
                named.setdefault(name, []).append(query.columns or frozenset())
        return {name: self._of(name) & frozenset[str]().union(*columns) for name, columns in named.items() if len(columns) >= LEAST_QUERIES}

    def _of(self, view: str) -> frozenset[str]:
        if view not in self._columns:
            self._columns[view] = frozenset(self._lake.sql(f"SELECT * FROM {view} LIMIT 0").schema.names)  # noqa: S608  # nosec B608 - a view's name
        return self._columns[view]


def _select(view: str, columns: frozenset[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in sorted(columns)) or "1 AS nothing"
    return f"SELECT {listed} FROM {view}"  # noqa: S608  # nosec B608 - names of ours
