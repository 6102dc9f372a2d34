"""SLO files: what is found in order, and where each mistake stands."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from alerts.binding import expression_check
from alerts.errors import RuleFileError
from alerts.rules import CheckSql
from alerts.slo.burn import Urgency
from alerts.slo.objectives import LoadedObjective, is_objective_file, load_objectives
from alerts.slo.rules import objective_groups

FILE = """\
version: prometheus/v1
service: support
labels: {team: platform, tier: silver}
slos:
  - name: fast-answers
    objective: 99.9
    labels: {tier: gold}
    params: {most_ms: 5000}
    sli:
      events:
        error_query: SELECT ended_at AS time, agent_name, 1 AS value FROM model_calls WHERE duration_ms > $most_ms
        total_query: SELECT ended_at AS time, agent_name, 1 AS value FROM model_calls;
    alerting:
      labels: {product: chat}
      annotations: {runbook: docs/x.md}
      page_alert: {labels: {severity: page}}
      ticket_alert: {disable: true}
"""
TOTAL = "SELECT ended_at AS time, agent_name, 1 AS value FROM model_calls;"
COLUMNS = "returns `time`, `value` and labels"


@pytest.fixture(scope="module")
def check() -> Iterator[CheckSql]:
    with expression_check() as found:
        yield found


def load(folder: Path, text: str, check: CheckSql | None = None) -> tuple[LoadedObjective, ...]:
    path = folder / "slos.yaml"
    path.write_text(text)
    return load_objectives([path], check_sql=check)


def problems(folder: Path, text: str, check: CheckSql) -> list[str]:
    with pytest.raises(RuleFileError) as refused:
        load(folder, text, check)
    return [str(problem).removeprefix(f"{folder}/") for problem in refused.value.problems]


def test_a_file_of_sloths_shape(tmp_path: Path, check: CheckSql) -> None:
    [slo] = load(tmp_path, FILE, check)
    assert (slo.service, slo.name, slo.alertname, slo.budget) == ("support", "fast-answers", "FastAnswersBurnRate", Fraction(1, 1000))
    assert is_objective_file(tmp_path / "slos.yaml")


def test_labels_of_file_slo_alerting_and_alert_are_merged_in_this_order(tmp_path: Path) -> None:
    load(tmp_path, FILE)
    [group] = objective_groups([tmp_path / "slos.yaml"])
    [page] = group.rules
    assert page.labels == {
        "severity": "page", "team": "platform", "tier": "gold", "product": "chat", "service": "support", "slo": "fast-answers",
        "urgency": Urgency.PAGE,
    }  # fmt: skip
    assert page.rule.annotations["runbook"] == "docs/x.md"
    assert page.name == "FastAnswersBurnRate"


def test_no_budget_no_ticket(tmp_path: Path) -> None:
    load(tmp_path, FILE.replace("99.9", "100").replace("{disable: true}", "{}"))
    [group] = objective_groups([tmp_path / "slos.yaml"])
    assert [rule.labels["urgency"] for rule in group.rules] == ["page"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("objective: 99.9", "objective: 0", "slos.yaml:6: slos[0].objective: an objective is a percentage above 0"),
        ("objective: 99.9", "objective: 100.1", "slos.yaml:6: slos[0].objective: an objective is a percentage above 0 and up to 100"),
        ("objective: 99.9", "objektive: 99.9", "slos.yaml:6: slos[0].objektive: unknown key 'objektive': did you mean 'objective'?"),
        ("    alerting:", "    alertng:", "slos.yaml:13: slos[0].alertng: unknown key 'alertng': did you mean 'alerting'?"),
        ("      events:", "      raw:", "slos[0].sli.raw: unknown key 'raw'"),
        ("page_alert: {labels", "page_alert: {label", "slos[0].alerting.page_alert.label: unknown key 'label': did you mean 'labels'?"),
        ("version: prometheus/v1", "version: v2", "slos.yaml:1: version: must be 'duckdb/v1' or 'prometheus/v1'"),
        ("service: support", "labels: {a: b}", "labels: stands twice"),
        ("name: fast-answers", "name: fast answers", "slos[0].name: a name is letters, digits, dots, - and _"),
        ("labels: {tier: gold}", "labels: {slo: gold}", "slos[0].labels.slo: slo is set by auditlake"),
        ("{product: chat}", "{product: '{{ value }}'}", "slos[0].alerting.labels.product: the template uses 'value'"),
        ("params: {most_ms: 5000}", "params: {most_ms: 5000, least: 1}", "slos[0].params.least: no query of the SLO uses $least"),
        ("params: {most_ms: 5000}", "params: {most: 5000}", "error_query: unknown parameter '$most_ms': did you mean '$most'?"),
        ("duration_ms > $most_ms", "started_at > now() AND duration_ms > $most_ms", "error_query: now is forbidden: use $to_ts"),
        ("agent_name, 1 AS value FROM model_calls;", "agent_name FROM model_calls", "total_query: "),
        (TOTAL, "SELECT agent_name, 1 AS value FROM model_calls", COLUMNS),
        (TOTAL, "SELECT 1 AS time, 1 AS value", COLUMNS),
        ("agent_name, 1 AS value FROM model_calls;", "cost_usd, 1 AS value FROM model_calls", "a changing value is never a label"),
        ("FROM model_calls;", "FROM model_call", "total_query: "),
        ("FROM model_calls;", "FROM model_calls) UNION ALL (SELECT now(), '', 1", "total_query: now is forbidden"),
        ("FROM model_calls;", "FROM model_calls[{{.window}}]", "there is no {{.window}}"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_place(tmp_path: Path, check: CheckSql, old: str, new: str, said: str) -> None:
    assert old in FILE
    found = problems(tmp_path, FILE.replace(old, new), check)
    assert any(said in problem for problem in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path, check: CheckSql) -> None:
    found = problems(tmp_path, FILE.replace("99.9", "0").replace("{disable: true}", "{disabled: true}"), check)
    assert len(found) == 2


def test_an_slo_that_is_loaded_twice_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(FILE)
    with pytest.raises(RuleFileError, match="is loaded twice"):
        load_objectives([tmp_path / "a.yaml", tmp_path / "b.yaml"])


def test_a_file_of_rules_is_none_of_objectives(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("groups: []")
    assert not is_objective_file(tmp_path / "rules.yaml")
    assert not is_objective_file(tmp_path / "nothing.yaml")
