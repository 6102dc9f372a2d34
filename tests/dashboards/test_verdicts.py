"""What the pages conclude: never better than what is known."""

from datetime import timedelta
from typing import Any

import pytest

from dashboards import arithmetic, health, verdict
from dashboards.design import theme_flags
from dashboards.panels import csv_bytes, escape
from dashboards.window import RANGES, window
from storage.schema import STEP_KINDS
from tests.dashboards.steps import BEGAN, step

QUIET: dict[str, Any] = {"alerts": [], "agents": [], "summary": {}, "freshness": {}, "audit": [], "now": BEGAN}


def test_nothing_known_to_be_wrong_gives_no_finding() -> None:
    assert health.findings(**QUIET) == []


def test_the_worst_comes_first() -> None:
    found = health.findings(
        **QUIET
        | {
            "agents": [{"state": "late", "agent_name": "a"}, {"state": "down", "agent_name": "b"}],
            "summary": {"ended": 20, "failed": 5, "abandoned": 1},
            "alerts": [{"state": "firing", "alertname": "AgentDown"}, {"state": "pending", "alertname": "Later"}],
        }
    )
    assert [finding.severity for finding in found] == ["bad", "bad", "warn", "warn", "warn"]
    assert found[0].names == ("AgentDown",)
    assert found[1].names == ("b",)


def test_a_rate_over_few_runs_is_no_finding() -> None:
    assert health.findings(**QUIET | {"summary": {"ended": 3, "failed": 3}}) == []


def test_records_that_are_not_accounted_for_and_silence_are_findings() -> None:
    fresh = {"unaccounted": 3, "received": 10, "last_sealed_at": BEGAN - timedelta(minutes=10)}
    texts = [finding.text for finding in health.findings(**QUIET | {"freshness": fresh})]
    assert texts == ["3 received records are not accounted for", "nothing has arrived for 10 min 00 s"]


def test_slow_audit_writes_are_a_finding() -> None:
    found = health.findings(**QUIET | {"audit": [{"writes": 100, "within_20ms": 95}]})
    assert "95 %" in found[0].text


def completeness(**known: Any) -> dict[str, Any]:
    base = {
        "records": 5,
        "orphans": 0,
        "gaps": 0,
        "withheld": 0,
        "unended": 0,
        "dropped": {},
        "after_end": [],
        "sampled": False,
        "numbered": 5,
    }
    return {"run": {"status": "ok"}, "completeness": base | known}


def test_complete_is_a_claim_with_a_number() -> None:
    assert verdict.completeness(completeness()) == ("5 records seen, with every parent; 5 of them numbered, without a gap.", False)


def test_records_without_numbers_are_not_called_gapless() -> None:
    said, lacking = verdict.completeness(completeness(numbered=0))
    assert not lacking
    assert "not numbered" in said


@pytest.mark.parametrize(
    "known", [{"orphans": 2}, {"gaps": 1}, {"withheld": 1}, {"unended": 1}, {"dropped": {"traces": 4}}, {"sampled": True}]
)
def test_whatever_is_missing_is_said(known: dict[str, Any]) -> None:
    assert verdict.completeness(completeness(**known))[1]


def test_what_repeats_who_handed_over_and_clocks_that_are_off_are_said() -> None:
    """The worst loops first; nothing where there is nothing to say."""
    again = {"kind": "repeated_tool_call", "tool_name": "look", "count": 4, "in_a_row": 3}
    retry = {"kind": "retry", "tool_name": "pay", "count": 1, "succeeded": None}
    edges = [{"from": "a", "to": letter, "kind": "handoff", "count": 2 if letter == "b" else 1} for letter in "bcde"]
    known = {"clock_anomalies": [{}], "corrected": {"duration_ms": 1.0}}
    assert verdict.remarks({"completeness": known, "loops": [again, retry], "graph": {"edges": edges}}) == [
        "Loop: look, 4 times with the same arguments, 3 in a row",
        "Retried: pay, 1 time, without success",
        "Agents: a → b × 2, a → c, a → d and 1 more",
        "Clocks: 1 anomaly, and the times shown here are corrected",
    ]
    assert verdict.remarks({"completeness": {}, "loops": [], "graph": {"edges": []}}) == []


def test_entries_are_given_as_ranges() -> None:
    assert verdict.entries({"origins": [{"origin": "n/collector", "entries": [7, 3, 4, 5]}]}) == [("n/collector", "3–5, 7")]


def test_the_cause_is_the_deepest_error() -> None:
    steps = [
        step("root", 0, 9, status="error"),
        step("bad", 1, 2, parent="root", status="error"),
        step("worse", 3, 4, parent="root", status="error"),
    ]
    cause = verdict.cause(steps)
    assert cause is not None
    assert cause["record_id"] == "bad"


def test_a_cost_is_explained_only_when_the_sum_adds_up() -> None:
    call = step(
        "m",
        0,
        1,
        kind="model",
        model="gpt-4o",
        provider="openai",
        cost_source="genai-prices",
        input_tokens=1000,
        cache_read_tokens=400,
        output_tokens=50,
    )
    lines, adds_up = arithmetic.lines(call | {"cost_usd": 0.0025})
    assert adds_up
    assert sum(line.usd or 0 for line in lines) == pytest.approx(0.0025)
    lines, adds_up = arithmetic.lines(call | {"cost_usd": 0.9})
    assert not adds_up
    assert all(line.usd is None for line in lines)
    assert arithmetic.lines(call | {"model": "nobody-knows-it", "cost_usd": None})[1] is False


@pytest.mark.parametrize(
    "text",
    [
        "**bold**",
        "[x](http://a.b)",
        "![x](http://a.b)",
        "`code`",
        "<b>",
        ":red[x]",
        "$x$",
        "# head",
        "http://a.b",
        "a@b.org",
        "www.a.b",
        ":smile:",
    ],
)
def test_text_of_the_lake_is_never_markdown(text: str) -> None:
    """Whatever was active stands behind a backslash, or is cut in two by an invisible joiner."""
    escaped = escape(text)
    visible = escaped.replace("\\", "").replace("\u2060", "")
    assert visible == text
    assert escaped != text


def test_a_cell_of_a_download_is_no_formula() -> None:
    assert csv_bytes([{"a": "=cmd|' /C calc'!A1", "b": -1.5, "c": None}]) == b"a,b,c\r\n'=cmd|' /C calc'!A1,-1.5,\r\n"


@pytest.mark.parametrize("name", [*RANGES, None, "nonsense"])
def test_windows_stand_on_bucket_edges(name: str | None) -> None:
    found = window(name, 1_795_180_812_345_000_000)
    assert found.start - found.previous == found.end - found.start
    assert (found.start - BEGAN).total_seconds() % found.bucket_seconds == 0
    assert 20 <= found.seconds / found.bucket_seconds <= 100


def test_every_kind_of_the_schema_has_a_look() -> None:
    from dashboards.design import KINDS

    assert set(STEP_KINDS) == set(KINDS)


def test_theme_flags_are_options_of_streamlit() -> None:
    from streamlit.config import get_config_options

    known = get_config_options()
    assert all(flag.removeprefix("--").split("=", 1)[0] in known for flag in theme_flags())
