"""`auditlake alerts check` warns of what on-call will not like, and the packs give no reason to."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import alerts
from alerts.binding import expression_check
from alerts.lint import lint
from alerts.rules import read_rules

PACKS = Path(alerts.__file__).parent / "packs"
GOOD = "annotations: {summary: s, runbook: r}, labels: {severity: page}"
Check = Callable[[str, Mapping[str, Any]], Mapping[str, str]]


@pytest.fixture(scope="module")
def check() -> Iterator[Check]:
    with expression_check() as made:
        yield made


def warnings(folder: Path, check: Check, *files: str) -> list[str]:
    read = []
    for number, text in enumerate(files):
        path = folder / f"{number}.yaml"
        path.write_text(text)
        read.append(read_rules(path, check_sql=check))
    return [str(problem).removeprefix(f"{folder}/") for problem in lint(read, check)]


def one(folder: Path, check: Check, rule: str) -> list[str]:
    return [text.split(": ", 1)[1] for text in warnings(folder, check, f"groups: [{{name: g, rules: [{{{rule}}}]}}]")]


AT = "'SELECT agent_name, count(*) AS value FROM runs WHERE started_at <= $eval_ts GROUP BY ALL'"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (f"alert: A, expr: {AT}, {GOOD}", None),
        ("alert: Watchdog, expr: SELECT 1 AS value, annotations: {summary: s, runbook_url: r}, labels: {severity: none}", None),
        (f"alert: A, expr: {AT}, annotations: {{summary: s, runbook: r}}", "alert: it has no label severity"),
        (
            f"alert: A, expr: {AT}, annotations: {{summary: s, runbook: r}}, labels: {{severity: bad}}",
            "labels.severity: the severity 'bad' is none that routes are written for",
        ),
        (f"alert: A, expr: {AT}, annotations: {{summary: s}}, labels: {{severity: page}}", "alert: it has no runbook"),
        (f"alert: A, expr: {AT}, annotations: {{runbook: r}}, labels: {{severity: page}}", "alert: it has no summary"),
        (
            f"alert: A, expr: {AT}, annotations: {{summary: s, runbook: r}}, labels: {{severity: page, agent_name: x}}",
            "labels.agent_name: hides the column agent_name",
        ),
        (
            f"alert: A, expr: {AT}, annotations: {{summary: s, runbook: r}}, labels: {{severity: page, Team: x}}",
            "alert: the label 'Team' is not in lower case: write 'team'",
        ),
        (
            f"alert: A, expr: {AT}, annotations: {{summary: s, runbook: r}}, labels: {{severity: page, __team: x}}",
            "alert: the label '__team' begins with __",
        ),
        (
            f"alert: A, expr: 'SELECT trace_id, count(*) AS value FROM spans WHERE start_time <= $eval_ts GROUP BY ALL', {GOOD}",
            "expr: the label trace_id has another value for each record",
        ),
        (
            f"alert: A, expr: {AT}, annotations: {{summary: '{{{{ labels.agent }}}} is down', runbook: r}}, labels: {{severity: page}}",
            "annotations.summary: reads the label 'agent', which this alert never has",
        ),
        (
            f"alert: A, expr: 'SELECT agent_name, count(*) AS value FROM runs GROUP BY ALL', {GOOD}",
            "expr: does not look at $eval_ts",
        ),
        (f"record: a, expr: {AT}", None),
    ],
)
def test_what_is_warned_of(tmp_path: Path, check: Check, rule: str, said: str | None) -> None:
    found = one(tmp_path, check, rule)
    if said is None:
        assert found == []
    else:
        [text] = found
        assert said in text


def test_a_severity_that_the_expression_returns_is_one(tmp_path: Path, check: Check) -> None:
    rule = "alert: A, expr: \"SELECT 'page' AS severity, 1 AS value WHERE $eval_ts IS NOT NULL\", annotations: {summary: s, runbook: r}"
    assert one(tmp_path, check, rule) == []


def test_rules_that_stand_twice_are_named_across_files_and_groups(tmp_path: Path, check: Check) -> None:
    rule = f"{{alert: A, expr: {AT}, {GOOD}}}"
    other = f"{{alert: A, expr: {AT}, annotations: {{summary: s, runbook: r}}, labels: {{severity: info}}}}"
    first = f"groups:\n  - {{name: g, rules: [{rule}]}}\n  - {{name: h, rules: [{other}]}}\n"
    second = f"groups:\n  - name: g\n    rules:\n      - {rule}\n"
    found = warnings(tmp_path, check, first, second)
    place = "1.yaml:4: groups[0].rules[0].alert"
    assert found == [f"{place}: the same rule, by name and labels, is in 0.yaml, group 'g': rename one, or give them different labels"]


@pytest.mark.parametrize("pack", sorted(path.name for path in PACKS.glob("agent-*.yaml")))
def test_the_packs_give_no_reason_to_warn(check: Check, pack: str) -> None:
    assert [str(problem) for problem in lint([read_rules(PACKS / pack, check_sql=check)], check)] == []
