"""Views as tables for as long as a lake does not change: hundreds of queries over a handful of rows, as unit tests of rules ask them.

To bind a view takes a hundred times as long as to read a few rows through it. So a view is made a table when a query first names it, and
dropped when `changed` says so. Views that depend on the time, or on what was recorded a moment ago, are asked of the lake each time.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from storage import sandbox
from storage.engine import explained
from storage.lake import Lake
from storage.views import MACROS, needed, view_sql

_OF_THE_MOMENT: Final = ("getvariable('lake').now", "internal.recordings", "internal.entries")
"""What the SQL of a view says whose rows change without a new file."""


class HeldViews:
    """Answers as `Lake.query` does; used by one thread. Close it, or use it as a context manager."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._held: dict[frozenset[str], duckdb.DuckDBPyConnection] = {}
        self._stack = ExitStack()
        self._with_macros = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.changed()

    def changed(self) -> None:
        """Forget the tables: there are new files."""
        self._stack.close()
        self._held.clear()

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
        """Run one SELECT over the views; `from_ns` and `to_ns` narrow nothing but what is asked of the lake itself."""
        checked = sandbox.check(text)
        if not checked.tables or any(of_the_moment(view) for view in checked.tables):
            return self._lake.query(text, params=params, timeout_seconds=timeout_seconds, max_rows=max_rows, from_ns=from_ns, to_ns=to_ns)
        if checked.functions.intersection(MACROS) and not self._with_macros:
            self._lake.sql(f"SELECT 1 AS {MACROS[0]}")  # naming one of our functions has them all defined
            self._with_macros = True
        cursor = self._cursor(checked.tables)
        try:
            return sandbox.run(cursor, checked, params, timeout_seconds=timeout_seconds, max_rows=max_rows)
        except duckdb.Error as error:
            raise explained(error, self._lake.data) from error

    def _cursor(self, views: Iterable[str]) -> duckdb.DuckDBPyConnection:
        wanted = frozenset(views)
        for names, cursor in self._held.items():
            if wanted <= names:
                return cursor
        tables = {name: f"SELECT * FROM {name}" for name in sorted(wanted)}  # noqa: S608  # nosec B608 - names of views
        self._held[wanted] = self._stack.enter_context(self._lake.holding(tables, {}, (None, None)))
        return self._held[wanted]


@cache
def of_the_moment(view: str) -> bool:
    """Whether rows of a view change without a new file: with the time, or with what was recorded a moment ago."""
    texts = [view_sql(name) for name in needed(view) if name not in MACROS]
    return any(mark in text for text in texts for mark in _OF_THE_MOMENT)
