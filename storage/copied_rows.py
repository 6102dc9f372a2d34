"""The rows of a window copied out, and views made of the copy: for many views over few rows.

Most of what a view costs is planning: a hundred columns through a dozen layers, over files. The copy has the columns that the views can
name at all, parts of views that none of its rows can need are left out (`composition.ONLY_WITH`), and what several views read is made once,
as `storage.excerpt` does for one run.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Final

import duckdb

from storage import composition, sandbox
from storage.engine import explained
from storage.lake import Lake
from storage.views import DERIVED, qualified, read_by, view_sql

Columns = Callable[[str], frozenset[str]]
"""Takes the name of a view as SQL writes it, and returns its columns."""

_MADE: Final = ("_event_steps", "_repeated_steps", "_all_steps", "_counted_steps")
"""What several views read: made once, each after those that it reads."""
_WORD: Final = re.compile(r"\w+")


@contextmanager
def holding_views(
    lake: Lake, views: Mapping[str, str], window: tuple[int, int | None], columns: Columns, *, timeout_seconds: float
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a cursor with temporary tables of these names, each made by its query (without WITH), of the rows that begin in the window.

    Raises `StorageError` where one fails.
    """
    behind = {name: _behind(text) for name, text in views.items()}
    rows = [name for name in DERIVED if any(name in each for each in behind.values())]
    words = _words([*views.values(), *map(view_sql, frozenset[str]().union(*behind.values()))])
    copies = {name[1:]: selected(qualified(name), columns(qualified(name)) & words) + _within(name, window) for name in rows}
    with lake.holding(copies, {}, window, rows=window, timeout_seconds=timeout_seconds) as cursor:
        try:
            with sandbox.deadline(cursor, timeout_seconds):
                _make(cursor, views, frozenset(rows), behind.values())
        except duckdb.Error as error:
            raise explained(error, lake.data) from error
        yield cursor


def of_steps(view: str) -> bool:
    """Whether a view is made of steps: those are what takes long to plan."""
    return "_all_steps" in _behind(selected(view, ()))


def selected(view: str, columns: Iterable[str]) -> str:
    """Return the query of these columns of a view."""
    listed = ", ".join(f'"{name}"' for name in sorted(columns)) or "1 AS nothing"
    return f"SELECT {listed} FROM {view}"  # noqa: S608  # nosec B608 - names of ours


def _within(name: str, window: tuple[int, int | None]) -> str:
    """Return the condition that leaves out metrics outside of the window; other rows that begin outside of it are left out already."""
    if DERIVED[name] != "metrics":
        return ""
    return f" WHERE time_ns >= {window[0]}" + (f" AND time_ns <= {window[1]}" if window[1] is not None else "")


def _make(cursor: duckdb.DuckDBPyConnection, views: Mapping[str, str], rows: frozenset[str], behind: Iterable[frozenset[str]]) -> None:
    without = _without(cursor) if "_span_rows" in rows else frozenset[str]()
    read = [name for each in behind for name in each if name not in without]
    texts = {name[1:]: f"SELECT * FROM {qualified(name)}" for name in _MADE if read.count(name) > 1}  # noqa: S608  # nosec B608 - names of ours
    made = rows
    for table, text in {**texts, **views}.items():
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {composition.composed(text, made, without)}")
        if table in texts:
            made |= {f"_{table}"}


def _without(cursor: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the views that have no rows: no span of the copy is one that they need."""
    conditions = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in composition.ONLY_WITH.values())
    [found] = cursor.execute(f"SELECT {conditions} FROM temp.span_rows").fetchall()  # noqa: S608  # nosec B608 - texts of ours
    return frozenset(view for view, there in zip(composition.ONLY_WITH, found, strict=True) if not there)


@cache
def _behind(text: str) -> frozenset[str]:
    """Return the views that a query reads, and those that they read."""
    found: set[str] = set()
    waiting = set(read_by(text))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= read_by(view_sql(name))
    return frozenset(found)


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(_WORD.findall(" ".join([*texts, *composition.ONLY_WITH.values()])))
