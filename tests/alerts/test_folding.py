"""One rule cannot raise more alerts than the bound, and says what it folded."""

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import alerts
from alerts.folding import ANNOTATION, MAX_LABEL_SETS, OTHER, fold
from alerts.rules import load_rules
from alerts.samples import read_samples
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, AgentLake
from tests.alerts.fakes import as_it_is


def rows(number: int) -> list[dict[str, Any]]:
    return [{"tenant": "acme", "tool_name": f"tool-{at:03}", "value": float(at)} for at in range(number)]


def test_as_many_as_the_bound_stay_as_they_are() -> None:
    assert fold(rows(5), "value", most=5) == (rows(5), 0)


def test_what_is_beyond_the_bound_is_one_row_that_says_how_many() -> None:
    """With what they have in common, and the largest of their values."""
    kept, folded = fold(rows(9), "value", most=5)
    assert kept == [*rows(4), {"tenant": "acme", "tool_name": OTHER, "value": 8.0}]
    assert folded == 5


def test_which_are_kept_does_not_depend_on_order_or_value() -> None:
    """An alert must not resolve because another one's value grew."""
    shuffled = [row | {"value": -row["value"]} for row in reversed(rows(9))]
    kept, _ = fold(shuffled, "value", most=5)
    assert [row["tool_name"] for row in kept[:-1]] == [row["tool_name"] for row in rows(4)]


@pytest.mark.parametrize(("values", "largest"), [([None, None], None), ([None, 3.0], 3.0), ([float("nan"), 2.0], 2.0)])
def test_no_data_is_folded_to_what_data_there_is(values: list[float | None], largest: float | None) -> None:
    kept, _ = fold([{"a": "x", "value": 1.0}, *({"a": f"y{at}", "value": one} for at, one in enumerate(values))], "value", most=2)
    assert kept[-1] == {"a": OTHER, "value": largest}


@pytest.mark.parametrize("limit", [0, 10_000])
def test_a_tool_per_customer_is_not_an_alert_per_customer(tmp_path: Path, limit: int) -> None:
    """UnapprovedSideEffect over 600 tools: 499 alerts and one for the other 101; with a limit of its own the rule is left alone."""
    agents = AgentLake(tmp_path)
    for number in range(MAX_LABEL_SETS + 100):
        agents.tool(timedelta(minutes=1), tool_name=f"refund-{number:03}", requires_approval=True)
    groups = load_rules([Path(alerts.__file__).parent / "packs/agent-ops.yaml"])
    rule = next(rule for group in groups for rule in group.rules if rule.rule.alert == "UnapprovedSideEffect")
    with Lake.open(agents.seal().data, threads=1) as lake:
        found = read_samples(dataclasses.replace(rule, limit=limit), lake, eval_ts=NOW, clean=as_it_is)
    assert len(found) == (MAX_LABEL_SETS if limit == 0 else MAX_LABEL_SETS + 100)
    others = [sample for sample in found if ANNOTATION in sample.annotations]
    assert [(sample.labels["tool_name"], sample.annotations[ANNOTATION]) for sample in others] == (
        [(OTHER, "101 label sets")] if limit == 0 else []
    )
