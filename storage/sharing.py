"""Views as tables, for many queries of one moment: what they read is read once, and none of them binds and plans a view.

A rule over the last quarter of an hour takes milliseconds to run and hundreds of milliseconds to bind, because a view is a union of
spans and log records with a hundred columns each. So for a round of queries the views that they read become temporary tables with the
columns that they name; all of them see the same state of the lake.

Windows that hold few rows are one window, the longest of them. Its rows are copied out once, and its views are made of the copy, without
the parts that nothing in it can need. Of a window with many rows, a view that several queries read is made of the files. Whatever the
tables do not cover is asked of the lake itself.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa
import structlog

from storage import sandbox
from storage.catalog import Catalog
from storage.copied_rows import holding_views, of_steps, selected
from storage.damage import Damage
from storage.engine import explained
from storage.errors import QueryRefused, StorageError, about
from storage.lake import Lake
from storage.layout import FileRecord
from storage.live_files import Window
from storage.sandbox import CheckedQuery
from storage.views import MACROS

LEAST_QUERIES: Final = 2
"""A view that one query alone reads is better read by it: its conditions reach the files."""
MOST_COPIED_ROWS: Final = 50_000
"""Of a window with more rows no copy is made."""
LEAST_COPIED: Final = 2
"""So many views of steps are worth a copy of the rows."""
LONGEST_NS: Final = 30 * 3600 * 1_000_000_000
"""A table of what lies further back than about a day is larger than what it saves, where it is no copy of few rows."""
LONGEST_SECONDS: Final = 30.0
"""Making the tables of one window; what takes longer is not tried again for `SKIPPED` rounds, in which each query is asked alone."""
SKIPPED: Final = 5
CHANGING: Final = frozenset({"recordings"})
"""What a query of the round may add to, and a later one wants to read."""
OF_NO_FILE: Final = frozenset({"ingest_log"})
"""What is quick to plan, and asked as it is beside the tables."""

_Window = tuple[int, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query that will be asked: its text, and from when until when (unix ns) it needs records."""

    text: str
    from_ns: int
    to_ns: int | None = None
    within: str | None = None  # the part of the text that reads views, where the rest says `*` of what that part returns
    only_copied: bool = False  # it is asked now and then, and worth no table that is made of files


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """The tables of one window."""

    window: _Window
    cursor: duckdb.DuckDBPyConnection
    lacking: Mapping[str, frozenset[str]]  # name of a table → the columns of its view that it does not have

    def covers(self, reads: Iterable[CheckedQuery], window: _Window) -> bool:
        """Whether the queries read nothing but these tables, no column that they lack, and nothing outside of their window."""
        (from_ns, to_ns), end_ns = window, self.window[1]
        ends = end_ns is None or (to_ns is not None and to_ns <= end_ns)
        return self.window[0] <= from_ns and ends and all(self._has(read) for read in reads)

    def _has(self, query: CheckedQuery) -> bool:
        if query.columns is None or not query.tables or not query.tables <= self.lacking.keys():
            return False
        return not any(query.columns & self.lacking[name] for name in query.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked of one window."""

    window: _Window
    reads: Sequence[CheckedQuery]
    few: bool  # whether it holds few rows


_Make = Callable[[_Window, Sequence[CheckedQuery], float], _Held | None]


class Answering:
    """Answers as `Lake.query` does, from tables where there are those that a query reads; used by one thread.

    A query with a `from_ns` sees no record that began before it, unless a table of a longer window answers.
    """

    def __init__(self, lake: Lake, held: Sequence[_Held], reads: Mapping[str, CheckedQuery], make: _Make) -> None:
        """`reads` are the queries that are known by what they read; `make` makes the tables of queries that are asked again."""
        self._lake = lake
        self._held = list(held)
        self._reads = reads
        self._make = make
        self._asked: Counter[tuple[object, ...]] = Counter()

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
        """Run one SELECT over the views, as `Lake.query`."""
        held = self._covering([text], from_ns, to_ns, timeout_seconds)
        if held is not None:
            return self._run(held, text, params, timeout_seconds, max_rows)
        return self._lake.query(
            text,
            params=params,
            timeout_seconds=timeout_seconds,
            max_rows=max_rows,
            from_ns=from_ns,
            to_ns=to_ns,
            rows=_rows_of(from_ns, to_ns),
        )

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
        """Run several, as `Lake.together`."""
        held = self._covering(list(texts.values()), from_ns, to_ns, timeout_seconds)
        if held is None:
            return self._lake.together(
                texts,
                shared=shared,
                params=params,
                timeout_seconds=timeout_seconds,
                from_ns=from_ns,
                to_ns=to_ns,
                rows=_rows_of(from_ns, to_ns),
            )
        answers = {}
        for name, text in texts.items():
            with about(name):
                answers[name] = self._run(held, text, params, timeout_seconds, 100_000)
        return answers

    def _covering(self, texts: Sequence[str], from_ns: int | None, to_ns: int | None, timeout_seconds: float) -> _Held | None:
        """Return the tables that answer all texts. What is asked for the second time is expected to be asked again."""
        if from_ns is None:
            return None
        window = (from_ns, to_ns)
        reads = [self._reads.get(text) or sandbox.check(text) for text in texts]
        found = next((held for held in self._held if held.covers(reads, window)), None)
        self._asked[window, *texts] += 1
        if found is None and self._asked[window, *texts] == LEAST_QUERIES:
            found = self._make(window, reads, timeout_seconds)
            self._held += [found] if found is not None else []
        return found

    def _run(self, held: _Held, text: str, params: Mapping[str, Any] | None, timeout_seconds: float, max_rows: int) -> pa.Table:
        try:
            return sandbox.run(held.cursor, sandbox.check(text), params, timeout_seconds=timeout_seconds, max_rows=max_rows)
        except duckdb.Error as error:
            raise explained(error, self._lake.data) from error


class SharedTables:
    """Makes the tables of one lake, round by round."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[str, frozenset[str]] = {}
        self._skipping: dict[frozenset[str], int] = {}  # queries of a window whose tables could not be made → for how many rounds

    @contextmanager
    def during(self, questions: Iterable[Question]) -> Iterator[Answering]:
        """Yield what answers these questions, and any other, on the state that the lake has now."""
        asked = [(question, read) for question in questions if (read := _read(question)) is not None]
        with ExitStack() as stack:

            def again(window: _Window, reads: Sequence[CheckedQuery], seconds: float) -> _Held | None:
                return self._make(stack, _Asked(window=window, reads=reads, few=False), least=1, seconds=seconds)

            made = [self._make(stack, each, least=LEAST_QUERIES, seconds=LONGEST_SECONDS) for each in self._windows(asked)]
            held = [each for each in made if each is not None]
            yield Answering(self._lake, held, {question.text: read for question, read in asked}, again)

    def _windows(self, asked: Sequence[tuple[Question, CheckedQuery]]) -> list[_Asked]:
        """Return the windows of which tables may be made; all that hold few rows are one, which is the first."""
        if not asked:
            return []
        begins = {question.from_ns for question, _ in asked}
        ends = [question.to_ns for question, _ in asked if question.to_ns is not None]
        to_ns = max(ends) if len(ends) == len(asked) else None
        try:
            files = self._lake.catalog.live_files(from_ns=min(begins), to_ns=to_ns)
        except StorageError:  # each query says so
            return []
        few = {begin for begin in begins if _row_count(files, begin, to_ns) <= MOST_COPIED_ROWS}
        found = []
        if few:
            reads = [read for question, read in asked if question.from_ns in few]
            found.append(_Asked(window=(min(few), to_ns), reads=reads, few=True))
        for begin in sorted(begins - few, reverse=True):
            if to_ns is None or to_ns - begin <= LONGEST_NS:
                reads = [read for question, read in asked if question.from_ns == begin and not question.only_copied]
                found.append(_Asked(window=(begin, to_ns), reads=reads, few=False))
        return found

    def _make(self, stack: ExitStack, asked: _Asked, *, least: int, seconds: float) -> _Held | None:
        key = frozenset(read.text for read in asked.reads)
        if (left := self._skipping.get(key, 0)) > 0:
            self._skipping[key] = left - 1
            return None
        try:
            columns = self._wanted(asked.reads, 1)
            few = asked.few and sum(map(of_steps, columns)) >= LEAST_COPIED
            columns = columns if few else self._wanted(asked.reads, least)
            if not columns:
                return None
            tables = {name: selected(name, read) for name, read in columns.items()}
            if few:
                holding = holding_views(self._lake, tables, asked.window, self._of, timeout_seconds=seconds)
            else:
                holding = self._lake.holding(tables, {}, asked.window, rows=asked.window, timeout_seconds=seconds, narrow=True)
            cursor = stack.enter_context(holding)
            beside = OF_NO_FILE & frozenset[str]().union(*(read.tables for read in asked.reads))
            for name in beside:
                self._lake.sql(f"SELECT * FROM {name} LIMIT 0")  # noqa: S608  # nosec B608 - a view's name; brings its rows up to date
        except StorageError as error:  # each query is asked alone, and says what is wrong
            structlog.get_logger(__name__).warning("queries share no tables for a while", hint=error.hint)
            self._skipping[key] = SKIPPED
            return None
        lacking = {name: self._of(name) - read for name, read in columns.items()} | dict.fromkeys(beside, frozenset[str]())
        return _Held(window=asked.window, cursor=cursor, lacking=lacking)

    def _wanted(self, reads: Iterable[CheckedQuery], least: int) -> dict[str, frozenset[str]]:
        """Return the views that so many queries read, each with the columns that they can read of it."""
        named: dict[str, list[frozenset[str]]] = {}
        for read in reads:
            if read.functions.intersection(MACROS):
                self._lake.sql(f"SELECT 1 AS {MACROS[0]}")  # naming one of our functions has them all defined
            for name in read.tables - CHANGING - OF_NO_FILE if read.columns is not None else ():
                named.setdefault(name, []).append(read.columns or frozenset())
        return {name: self._of(name) & frozenset[str]().union(*columns) for name, columns in named.items() if len(columns) >= least}

    def _of(self, view: str) -> frozenset[str]:
        if view not in self._known:
            self._known[view] = frozenset(self._lake.sql(f"SELECT * FROM {view} LIMIT 0").schema.names)  # noqa: S608  # nosec B608 - a view's name
        return self._known[view]


def _read(question: Question) -> CheckedQuery | None:
    try:
        return sandbox.check(question.within or question.text)
    except QueryRefused:  # it is refused when it is asked
        return None


def _rows_of(from_ns: int | None, to_ns: int | None) -> Window:
    """Return which rows are seen by who asks for these times: without a beginning all of them."""
    return (None, None) if from_ns is None else (from_ns, to_ns)


def _row_count(files: Iterable[FileRecord], from_ns: int, to_ns: int | None) -> float:
    """Return about how many rows of the files lie in a window: those of a file are taken to be spread evenly over its time."""
    found = 0.0
    for file in files:
        begin, end = max(file.min_ns, from_ns), file.max_ns if to_ns is None else min(file.max_ns, to_ns)
        if begin <= end:
            found += file.rows * ((end - begin) / (file.max_ns - file.min_ns) if file.max_ns > file.min_ns else 1)
    return found
