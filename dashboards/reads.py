"""Everything the pages read, through the lake alone; answers are kept as long as the lake's version stays the same.

The version is looked at every few seconds at most (`LOOK_SECONDS`), so that a busy collector, which commits every second, does not make
every click read everything again; the pages say as of when they are. Values reach SQL as parameters only; the SQL is in `dashboards/sql/`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import streamlit as st

from dashboards import story
from dashboards.window import Window, nanoseconds
from storage.lake import ABANDONED_AFTER_SECONDS, Lake
from storage.messages import Turn
from storage.runs import reconstruct

LOOK_SECONDS: Final = 5
KEEP_SECONDS: Final = 300
PATIENCE: Final = 4
"""A page that refreshes by itself asks again after so many times as long as its answers took: it takes a fifth of the time at most."""
OPTIONS_SECONDS: Final = 60
SESSION_DAYS: Final = 7
MARGIN: Final = timedelta(hours=1)
"""Files are chosen from this long before a window, so that runs which began shortly before it are seen whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows and the question they answer, for "Show SQL"."""

    rows: list[dict[str, Any]]
    sql: str
    params: dict[str, Any]

    @property
    def first(self) -> dict[str, Any]:
        """The only row of a summary; empty when there is none."""
        return self.rows[0] if self.rows else {}


@st.cache_resource(show_spinner=False, max_entries=4)
def lake(data: str) -> Lake:
    """The lake of a data directory, opened once for all sessions. Raises `StorageError` with a hint where there is none."""
    return Lake.open(Path(data), abandoned_after_seconds=_silences().get(data, ABANDONED_AFTER_SECONDS))


def judge_silence(data: str, abandoned_after_seconds: float) -> None:
    """Say, before the lake is first read, after which silence a run in it is abandoned."""
    _silences()[data] = abandoned_after_seconds


@st.cache_resource(show_spinner=False)
def _silences() -> dict[str, float]:
    """By data directory, for all sessions."""
    return {}


@st.cache_data(ttl=LOOK_SECONDS, show_spinner=False, max_entries=16)
def version(data: str) -> int:
    """The lake's version, as of at most `LOOK_SECONDS` ago."""
    return lake(data).version


@contextmanager
def steady(data: str, page: str, clock: Callable[[], int]) -> Iterator[tuple[int, int]]:
    """Yield the version of the lake and the time (unix ns) that a page of many answers shows, for all sessions that have it open.

    They are those of now, or those of last time until `PATIENCE` times as long has passed as it took to answer all of it then. Answers
    are asked for within the body.
    """
    now, kept = clock(), _steady()
    if (last := kept.get((data, page))) is not None and last.now_ns <= now < last.until_ns:
        yield last.version, last.now_ns
        return
    seen = version(data)
    kept[data, page] = _Steady(version=seen, now_ns=now, until_ns=now + KEEP_SECONDS * 1_000_000_000)  # while it is answered
    try:
        yield seen, now
    finally:
        took = clock() - now
        kept[data, page] = _Steady(version=seen, now_ns=now, until_ns=now + (1 + PATIENCE) * took)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steady:
    version: int
    now_ns: int
    until_ns: int


@st.cache_resource(show_spinner=False)
def _steady() -> dict[tuple[str, str], _Steady]:
    """By data directory and page, for all sessions."""
    return {}


def ask(
    data: str,
    name: str,
    *,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    seen: int | None = None,
    **params: Any,
) -> Answer:
    """The answer to `dashboards/sql/<name>.sql`; `from_time` and `to_time` (naive UTC) only choose which files are opened.

    `seen` is the version of the lake whose answer will do; None: the newest.
    """
    sql = text(name)
    start = None if from_time is None else nanoseconds(from_time - MARGIN)
    end = None if to_time is None else nanoseconds(to_time)
    found = _rows(data, version(data) if seen is None else seen, sql, params, start, end)
    return Answer(rows=found, sql=sql, params=params)


def in_window(data: str, name: str, window: Window, *, seen: int | None = None, **params: Any) -> Answer:
    """`ask` with the window's start."""
    return ask(data, name, from_time=params.get("previous", window.start), seen=seen, start=window.start, **params)


def runs_page(data: str, window: Window, filters: Mapping[str, Any], **paging: Any) -> Answer:
    """A page of the list of runs; only the filters that are set become part of the question."""
    chosen = {name: value for name, value in filters.items() if value is not None}
    conditions = "\n".join(text(f"runs_filters/{name}") for name in sorted(chosen))
    sql = text("runs_page").replace("-- and the filters that are set", conditions)
    params = {"start": window.start, "until": window.end, **chosen, **paging}
    return Answer(rows=_rows(data, version(data), sql, params, nanoseconds(window.start - MARGIN), None), sql=sql, params=params)


@st.cache_data(ttl=OPTIONS_SECONDS, max_entries=32, show_spinner=False)
def filter_options(data: str, start: datetime) -> dict[str, list[str]]:
    """What the filters offer, by field; a minute old at most."""
    found: dict[str, list[str]] = {}
    for row in rows(lake(data).sql(text("runs_options"), {"start": start}, from_ns=nanoseconds(start))):
        found.setdefault(row["field"], []).append(row["value"])
    return found


def related_runs(data: str, run: Mapping[str, Any]) -> Answer:
    """The other runs of a run's session and tenant that were under way within `SESSION_DAYS` of it, the newest twenty."""
    reach = timedelta(days=SESSION_DAYS)
    near = {"from_time": run["started_at"] - reach, "to_time": (run["ended_at"] or run["last_at"]) + reach}
    found = ask(data, "session_runs", **near, session_id=run["session_id"], tenant=run.get("tenant"))
    others = sorted({row["run_id"] for row in found.rows} - {run["run_id"]})
    return ask(data, "run_related", **near, run_ids=others)


def run(data: str, run_id: str) -> dict[str, Any] | None:
    """The whole run, as `storage.runs.reconstruct` gives it; `run_id` may be one of its traces. None when there is no such run."""
    return _run(data, version(data), run_id)


def turns(data: str, run_id: str) -> dict[str, list[Turn]]:
    """What each step of a run said that was not said before, by record id."""
    return _turns(data, version(data), run_id)


def text(name: str) -> str:
    """The SQL of a panel."""
    return files("dashboards.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8").strip()


@st.cache_data(ttl=KEEP_SECONDS, max_entries=400, show_spinner=False)
def _rows(data: str, seen: int, sql: str, params: Mapping[str, Any], start: int | None, end: int | None) -> list[dict[str, Any]]:
    del seen  # part of the key: a new version of the lake is a new question
    return rows(lake(data).sql(sql, params, from_ns=start, to_ns=end))


@st.cache_data(ttl=KEEP_SECONDS, max_entries=12, show_spinner=False)
def _run(data: str, seen: int, run_id: str) -> dict[str, Any] | None:
    del seen
    return reconstruct(lake(data), run_id)


@st.cache_data(ttl=KEEP_SECONDS, max_entries=12, show_spinner=False)
def _turns(data: str, seen: int, run_id: str) -> dict[str, list[Turn]]:
    found = _run(data, seen, run_id)
    return {} if found is None else story.turns(found["steps"])


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as dictionaries, maps too."""
    found: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="lossy")
    return found
