"""The dashboard: its pages and their addresses. `cli` starts it and says where the lake is.

`/overview`, `/runs` and `/run` are addresses that alerts and people link to; they never change. `/` leads to the Overview.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import streamlit as st

from dashboards import reads, units, visits
from dashboards.panels import remedied
from dashboards.views import overview, run, runs
from dashboards.views.context import Context
from storage.lake import ABANDONED_AFTER_SECONDS

_PAGES: tuple[tuple[str, str, str, Callable[[Context], None]], ...] = (
    ("overview", "Overview", ":material/monitoring:", overview.page),
    ("runs", "Runs", ":material/list:", runs.page),
    ("run", "Run", ":material/account_tree:", run.page),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How page views are recorded (`dashboards.visits`)."""

    record: visits.Record
    required: bool
    user_header: str | None


def main(
    data: Path,
    *,
    abandoned_after_seconds: float = ABANDONED_AFTER_SECONDS,
    clock: Callable[[], int] = time.time_ns,
    audit: Callable[[], Audit] | None = None,
) -> None:
    """Show the page that the address asks for. Called once a script run, by the streamlit main script; `audit` once a process."""
    st.set_page_config(page_title="auditlake", page_icon=str(files("dashboards").joinpath("icon.svg")), layout="wide")
    links: dict[str, st.Page] = {}
    context = Context(data=str(data), clock=clock, links=links)
    reads.judge_silence(context.data, abandoned_after_seconds)
    if audit is not None:
        recording = _audit(context.data, audit)
        visits.begin(recording.record, required=recording.required, user_header=recording.user_header)
    for path, title, icon, show in _PAGES:
        links[path] = st.Page(_named(partial(_guarded, show, context), path), title=title, icon=icon, url_path=path)
    home = st.Page(_named(lambda: st.switch_page(links["overview"]), "home"), title="auditlake", default=True, visibility="hidden")
    st.navigation([home, *links.values()], position="top").run()


@st.cache_resource(show_spinner=False)
def _audit(data: str, _open: Callable[[], Audit]) -> Audit:
    """Of a data directory, for all sessions."""
    del data
    return _open()


def _named(show: Callable[[], None], name: str) -> Callable[[], None]:
    """Streamlit tells pages apart by their functions' names."""

    def page() -> None:
        show()

    page.__name__ = f"page_{name}"
    return page


def _guarded(show: Callable[[Context], None], context: Context) -> None:
    with remedied():
        _left_out(context)
        show(context)


def _left_out(context: Context) -> None:
    """Damaged files are in no answer: every page says so before it answers anything."""
    damaged = reads.lake(context.data).damaged
    if damaged:
        rows = sum(damage.rows or 0 for damage in damaged)
        st.warning(
            f"{units.plural(len(damaged), 'file')} of the lake cannot be read and {'is' if len(damaged) == 1 else 'are'} in no answer here "
            f"({units.plural(rows, 'row')}). `auditlake doctor` names them.",
            icon=":material/broken_image:",
        )
