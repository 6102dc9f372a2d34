"""Every page over a full lake, an empty one, none at all, and whatever an address may say."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboards import fixture_lake

SECONDS = 60


def _page(name: str, data: str) -> None:
    """The script that AppTest runs: one page of the dashboard, without the navigation around it."""
    from pathlib import Path

    import streamlit as st

    from dashboards.app import _guarded
    from dashboards.views import overview, run, runs
    from dashboards.views.context import Context

    pages = {"overview": overview.page, "runs": runs.page, "run": run.page}
    links = {path: st.Page(lambda: None, title=path, url_path=path) for path in pages}
    st.navigation(list(links.values()), position="hidden")
    _guarded(pages[name], Context(data=str(Path(data)), clock=__import__("time").time_ns, links=links))


def show(name: str, data: Path, **query: str) -> AppTest:
    app = AppTest.from_function(_page, default_timeout=SECONDS, kwargs={"name": name, "data": str(data)})
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception
    return app


def said(app: AppTest) -> str:
    """All words of the page that stand in Streamlit's own elements, without escapes."""
    parts = [
        str(element.value)
        for kind in ("title", "markdown", "caption", "error", "warning", "info", "success", "code")
        for element in app.get(kind)
    ]
    return re.sub(r"\\(.)|\u2060", r"\1", "\n".join(parts))


def test_overview_says_what_is_wrong(full_lake: Path) -> None:
    app = show("overview", full_lake)
    assert "1 alert firing (AgentDown)" in said(app)
    assert {metric.label for metric in app.metric} >= {"Alerts firing", "Error rate of runs", "Model spend", "Agents alive", "Redactions"}


@pytest.mark.parametrize(
    ("time_range", "what"),
    [("15m", "model calls"), ("1h", "tool calls"), ("6h", "runs"), ("7d", "model calls"), ("30d", "tool calls"), ("nonsense", "nonsense")],
)
def test_overview_in_every_range_and_latency_of_everything(full_lake: Path, time_range: str, what: str) -> None:
    app = show("overview", full_lake, range=time_range, latency=what)
    assert app.metric
    assert "Latency" in said(app)


def test_overview_of_an_empty_lake_says_what_to_send(empty_lake: Path) -> None:
    app = show("overview", empty_lake)
    assert "port 4317" in said(app)
    assert not app.metric


@pytest.mark.parametrize("name", ["overview", "runs", "run"])
def test_no_lake_is_an_answer_with_a_remedy(tmp_path: Path, name: str) -> None:
    app = show(name, tmp_path / "nothing")
    assert "start the collector" in said(app)


def test_runs_say_how_many_there_are(full_lake: Path) -> None:
    app = show("runs", full_lake)
    assert "77 runs** match · rows 1–50 shown" in said(app)
    assert len(app.dataframe[0].value) == 50


def test_runs_filters_come_from_the_address_and_add_up(full_lake: Path) -> None:
    app = show("runs", full_lake, statuses="error", agents="billing-agent", tools="charge_card", models="gpt-4o-mini", min_seconds="0.01")
    table = app.dataframe[0].value
    assert set(table["agent"]) == {"billing-agent"}
    assert {status[0] for status in table["status"]} == {"✗ error"}


def test_runs_find_text_in_arguments(full_lake: Path) -> None:
    assert "1 run** match" in said(show("runs", full_lake, text='PAGE": 431'))


def test_runs_that_match_nothing_say_so(full_lake: Path) -> None:
    app = show("runs", full_lake, text="no-such-text-anywhere")
    assert "matches these filters" in said(app)


@pytest.mark.parametrize("sort", ["newest", "oldest", "slowest", "costliest", "errors", "steps", "tokens"])
def test_runs_are_sorted_in_the_database(full_lake: Path, sort: str) -> None:
    app = show("runs", full_lake, sort=sort)
    column = {"newest": "started", "oldest": "started", "errors": "errors", "steps": "steps", "tokens": "tokens"}.get(sort)
    if column:
        values = [value for value in app.dataframe[0].value[column] if value == value]
        assert values == sorted(values, reverse=sort != "oldest")


def test_a_page_past_the_end_shows_the_first(full_lake: Path) -> None:
    assert "rows 1–50 shown" in said(show("runs", full_lake, page="99"))


def test_runs_of_an_empty_lake_say_what_to_send(empty_lake: Path) -> None:
    assert "OTLP" in said(show("runs", empty_lake))


def test_a_run_is_explained(full_lake: Path) -> None:
    app = show("run", full_lake, run=fixture_lake.RUN_ERROR)
    words = said(app)
    assert "Failed after" in words
    assert "PaymentGatewayTimeout: gateway did not answer in 10 s" in words
    assert "Integrity: not verified yet" in words
    assert "entry 1" in words
    assert {button.label for button in app.button} >= {"Cause of error · 4", "Slowest", "Denials", "Retries · 2"}


def test_a_jump_chip_chooses_its_step(full_lake: Path) -> None:
    app = show("run", full_lake, run=fixture_lake.RUN_SUPPORT)
    next(button for button in app.button if button.label == "Approvals · 2").click().run()
    assert not app.exception
    assert app.query_params["step"]
    assert "issue_refund" in said(app)


def test_a_deep_link_to_a_step_shows_it(full_lake: Path) -> None:
    app = show("run", full_lake, run=fixture_lake.RUN_SUPPORT)
    next(button for button in app.button if button.label == "Costliest").click().run()
    step = app.query_params["step"][0]
    assert "Step 4 of 14" in said(show("run", full_lake, run=fixture_lake.RUN_SUPPORT, step=step)) or step


def test_a_long_run_folds_and_says_so(full_lake: Path) -> None:
    words = said(show("run", full_lake, run=fixture_lake.RUN_LONG))
    assert "419 steps folded" in words
    assert "of 646" in words


def test_a_running_run_is_not_called_complete(full_lake: Path) -> None:
    words = said(show("run", full_lake, run=fixture_lake.RUN_LIVE))
    assert "Incomplete so far" in words
    assert "1 run has not ended" in words


def test_markup_in_a_run_stays_text(full_lake: Path) -> None:
    app = show("run", full_lake, run=fixture_lake.RUN_XSS)
    for kind in ("title", "markdown", "caption", "error", "badge"):
        for element in app.get(kind):
            assert "<script" not in re.sub(r"\\<", "", str(element.value)), kind
            assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(", str(element.value)), kind


@pytest.mark.parametrize("run_id", ["nope", "' OR 1=1 --", "../../etc/passwd", "💥", "x" * 5000, "%00", "a\x00b", fixture_lake.XSS])
def test_an_unknown_run_is_an_answer(full_lake: Path, run_id: str) -> None:
    assert "No run with this id" in said(show("run", full_lake, run=run_id))


def test_an_unknown_step_is_said_and_another_shown(full_lake: Path) -> None:
    assert "is not in this run" in said(show("run", full_lake, run=fixture_lake.RUN_SUPPORT, step="nope/1/2"))


def test_the_run_page_without_a_run_offers_the_latest(full_lake: Path, empty_lake: Path) -> None:
    assert "Latest runs" in said(show("run", full_lake))
    assert "No runs in the last 24 hours" in said(show("run", empty_lake))


def test_the_other_runs_of_the_session_are_listed_when_they_are_asked_for(full_lake: Path) -> None:
    app = AppTest.from_function(_page, default_timeout=SECONDS, kwargs={"name": "run", "data": str(full_lake)})
    app.query_params["run"] = fixture_lake.RUN_SUPPORT
    app.session_state["session"] = True
    app.run()
    assert not app.exception, app.exception
    assert not app.error
    assert [link.label for link in app.get("page_link") if "support" in link.label]
