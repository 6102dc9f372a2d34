"""A view of a page is one event: who, what, how many rows, from where; not one a refresh."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import visits
from dashboards.visits import Visit
from storage.errors import StorageError
from tests.dashboards import fixture_lake

SEEN: list[Visit] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    SEEN.clear()
    yield
    SEEN.clear()


def _page(name: str, data: str, refused: bool, required: bool) -> None:
    """The script that AppTest runs: one page, with a recorder."""
    import time
    from pathlib import Path

    import streamlit as st

    from dashboards import visits
    from dashboards.app import _guarded
    from dashboards.views import overview, run, runs
    from dashboards.views.context import Context
    from storage.errors import StorageError
    from tests.dashboards.test_visits import SEEN

    def record(visit: visits.Visit) -> None:
        if refused:
            raise StorageError("write to the lake", "data", hint="mount it writable")
        SEEN.append(visit)

    pages = {"overview": overview.page, "runs": runs.page, "run": run.page}
    links = {path: st.Page(lambda: None, title=path, url_path=path) for path in pages}
    st.navigation(list(links.values()), position="hidden")
    visits.begin(record, required=required, user_header="X-User")
    _guarded(pages[name], Context(data=str(Path(data)), clock=time.time_ns, links=links))


def show(name: str, data: Path, *, refused: bool = False, required: bool = False, **query: str) -> AppTest:
    arguments: dict[str, Any] = {"name": name, "data": str(data), "refused": refused, "required": required}
    app = AppTest.from_function(_page, default_timeout=60, kwargs=arguments)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception
    return app


def test_a_run_that_is_looked_at_is_one_visit_however_often_it_is_drawn(full_lake: Path) -> None:
    app = show("run", full_lake, run=fixture_lake.RUN_SUPPORT)
    app.run()
    next(button for button in app.button if button.label == "Approvals · 2").click().run()
    (visit,) = SEEN
    assert (visit.name, visit.page, visit.resource, visit.rows, visit.found) == ("lake.read", "run", fixture_lake.RUN_SUPPORT, 14, True)


def test_another_run_is_another_visit_and_one_that_is_not_there_is_told(full_lake: Path) -> None:
    app = show("run", full_lake, run=fixture_lake.RUN_SUPPORT)
    app.query_params["run"] = "nope"
    app.run()
    told = [(visit.resource, visit.found, visit.rows) for visit in SEEN]
    assert told[:2] == [(fixture_lake.RUN_SUPPORT, True, 14), ("nope", False, 0)]
    assert [resource for resource, *_ in told[2:]] == ["latest runs"]  # which that page offers


def test_what_a_page_offers_to_open_is_a_visit(full_lake: Path) -> None:
    """The newest runs, where the address names none."""
    show("run", full_lake).run()
    (visit,) = SEEN
    assert (visit.page, visit.resource, visit.found, visit.statement) == ("run", "latest runs", True, "range='24h'")


def test_a_list_is_a_visit_for_each_choice_of_filters(full_lake: Path) -> None:
    app = show("runs", full_lake, statuses="error")
    app.text_input(key="text").set_value("no-such-text").run()
    names, first, second = SEEN
    assert (names.page, names.resource, names.rows > 0) == ("runs", "filters", True)
    assert (first.page, first.rows > 0, "statuses=['error']" in str(first.statement)) == ("runs", True, True)
    assert (second.rows, "text='no-such-text'" in str(second.statement)) == (0, True)


def test_overview_is_one_visit(full_lake: Path) -> None:
    show("overview", full_lake).run()
    assert [(visit.page, visit.rows > 0) for visit in SEEN] == [("overview", True)]


def test_a_page_that_cannot_be_recorded_says_so_as_long_as_that_is_so(full_lake: Path) -> None:
    app = show("run", full_lake, refused=True, run=fixture_lake.RUN_SUPPORT)
    app.run()
    assert "not recorded" in app.warning[0].value
    assert "mount it writable" in app.warning[0].value
    assert app.metric


@pytest.mark.parametrize(("page", "query"), [("run", {"run": fixture_lake.RUN_SUPPORT}), ("run", {}), ("runs", {})])
def test_a_page_that_has_to_be_recorded_is_not_shown_without(full_lake: Path, page: str, query: dict[str, str]) -> None:
    app = show(page, full_lake, refused=True, required=True, **query)
    assert "nothing is shown" in app.error[0].value
    assert not [*app.metric, *app.multiselect, *app.expander, *app.dataframe]


def test_a_download_is_recorded_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visits.Visitor(record=SEEN.append, required=True, reader="jane", client="192.0.2.7")
    monkeypatch.setattr("streamlit.session_state", {"visitor": visitor})
    make = visits.leaving(lambda: b"rows", "run-1", rows=3)
    assert SEEN == []
    assert make() == b"rows"
    assert [(visit.name, visit.resource, visit.reader, visit.client) for visit in SEEN] == [("lake.export", "run-1", "jane", "192.0.2.7")]


def test_a_download_that_has_to_be_recorded_is_not_made_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(visit: Visit) -> None:
        raise StorageError("write to the lake", visit.resource, hint=os.devnull)

    monkeypatch.setattr("streamlit.session_state", {"visitor": visits.Visitor(record=refuse, required=True, reader=None, client=None)})
    with pytest.raises(StorageError):
        visits.leaving(lambda: b"rows", "run-1", rows=3)()
