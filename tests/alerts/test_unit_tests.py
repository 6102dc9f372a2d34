"""Rule unit tests: what promtool documents of its own, and what is ours; the tests of the packs pass."""

from pathlib import Path

import pytest

import alerts
from alerts.errors import RuleFileError
from alerts.rules import load_rules
from alerts.slo.replaying import load_all
from alerts.unit_tests.files import load_tests
from alerts.unit_tests.running import Failure, run_tests

PACK_TESTS = sorted((Path(alerts.__file__).parent / "packs/tests").glob("*.yaml"))
RULES = """\
groups:
  - name: calls
    interval: 7m
    rules:
      - record: agent:calls:5m
        expr: |
          SELECT agent_name, count(*) AS value FROM spans
          WHERE start_time > $eval_ts - INTERVAL 5 MINUTE AND start_time <= $eval_ts GROUP BY ALL
      - alert: Busy
        expr: SELECT labels['agent_name'] AS agent, value FROM recordings WHERE name = 'agent:calls:5m' AND time = $eval_ts AND value >= 2
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.agent }}: {{ $value | number }} calls"}
      - alert: Seen
        expr: SELECT agent_name, count(*) AS value FROM spans GROUP BY ALL
"""
HEAD = "rule_files: [rules.yaml]\ntests:\n  - name: calls\n    start_timestamp: 2026-11-21T12:00:00Z\n"
CALLS = "    input_tables: {spans: [{offset: 0m, times: 6, agent_name: a}, {offset: 3m, duration: 90s, agent_name: b}]}\n"


def run(folder: Path, text: str, *, rules: str = RULES) -> list[Failure]:
    (folder / "rules.yaml").write_text(rules)
    path = folder / "tests.yaml"
    path.write_text(text)
    tests = load_tests(path)
    return run_tests(tests, load_rules(tests.rule_files))


def cases(folder: Path, *said: str) -> list[Failure]:
    """Run expectations over the calls: one of `a` at each minute from 0 to 5, one of `b` from 3m00s to 4m30s."""
    return run(folder, HEAD + CALLS + "    alert_rule_test:\n" + "".join(f"      - {{{each}}}\n" for each in said))


BUSY = "alertname: Busy, exp_alerts: [{exp_labels: {severity: page, agent: a}"


def test_what_fires_is_compared_at_each_time(tmp_path: Path) -> None:
    """Two calls from minute 1 on, `for: 2m`: pending alerts do not count. The group's own interval is not used, as with promtool."""
    failures = cases(
        tmp_path,
        "eval_time: 2m, alertname: Busy",
        f"eval_time: 3m, {BUSY}, exp_annotations: {{summary: 'a: 4 calls'}}}}]",
        f"eval_time: 8m, {BUSY}}}]",
        "eval_time: 9m, alertname: Busy",
    )
    assert failures == []


def test_between_two_evaluations_the_one_before_counts(tmp_path: Path) -> None:
    assert cases(tmp_path, "eval_time: 2m59s, alertname: Busy", f"eval_time: 3m59s, {BUSY}}}]") == []


def test_a_span_is_seen_when_it_has_ended(tmp_path: Path) -> None:
    seen = "exp_labels: {agent_name: a}"
    assert (
        cases(
            tmp_path,
            f"eval_time: 4m, alertname: Seen, exp_alerts: [{{{seen}}}]",
            f"eval_time: 5m, alertname: Seen, exp_alerts: [{{{seen}}}, {{exp_labels: {{agent_name: b}}}}]",
        )
        == []
    )


@pytest.mark.parametrize(
    ("said", "expected", "got"),
    [
        ("eval_time: 3m, alertname: Busy", (), ("{agent='a', severity='page'}",)),
        (f"eval_time: 2m, {BUSY}}}]", ("{agent='a', severity='page'}",), ()),
        ("eval_time: 3m, alertname: Busy, exp_alerts: [{exp_labels: {agent: a}}]", ("{agent='a'}",), ("{agent='a', severity='page'}",)),
        (
            f"eval_time: 3m, {BUSY}, exp_annotations: {{summary: calls}}}}]",
            ("{agent='a', severity='page'} annotations {summary='calls'}",),
            ("{agent='a', severity='page'} annotations {summary='a: 4 calls'}",),
        ),
        (f"eval_time: 3m, {BUSY}}}, {{exp_labels: {{severity: page, agent: b}}}}]", None, ("{agent='a', severity='page'}",)),
        (f"eval_time: 3m, {BUSY}}}, {{exp_labels: {{severity: page, agent: a}}}}]", None, ("{agent='a', severity='page'}",)),
    ],
)
def test_an_expectation_that_fails_says_what_fires(
    tmp_path: Path, said: str, expected: tuple[str, ...] | None, got: tuple[str, ...]
) -> None:
    [failure] = cases(tmp_path, said)
    assert (failure.test, failure.subject, failure.line) == ("test 'calls'", "alertname: Busy", 7)
    assert failure.got == got
    if expected is not None:
        assert failure.expected == expected


def test_queries_are_compared_too(tmp_path: Path) -> None:
    said = (
        HEAD + CALLS + "    sql_expr_test:\n"
        "      - expr: SELECT agent_name, count(*) AS value FROM spans WHERE start_time <= $eval_ts - to_minutes($back) GROUP BY ALL\n"
        "        params: {back: 1}\n"
        "        eval_time: 4m30s\n"
        "        exp_samples: [{labels: {agent_name: b}, value: 1}, {labels: {agent_name: a}, value: 4}]\n"
        "      - {expr: SELECT 0.1 + 0.2::DOUBLE AS value, exp_samples: [{value: 0.3}]}\n"
    )
    assert [(failure.subject, failure.expected, failure.got) for failure in run(tmp_path, said)] == [
        ("expr", ("{} 0.29999999999999999",), ("{} 0.30000000000000004",))
    ]
    assert run(tmp_path, "fuzzy_compare: true\n" + said) == []


def test_a_rule_that_cannot_be_evaluated_is_a_failure_and_the_last(tmp_path: Path) -> None:
    rules = RULES.replace("agent_name, count(*) AS value FROM spans GROUP BY ALL", "agent_name, 1 AS value FROM spans")
    said = HEAD + CALLS + "    alert_rule_test: [{eval_time: 9m, alertname: Seen}]\n"
    [failure] = run(tmp_path, said, rules=rules)
    assert (failure.subject, "same labels" in (failure.error or "")) == ("rule: Seen", True)


def test_groups_are_evaluated_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    """A group that reads what another one records sees what was recorded at the same instant, when it comes behind it."""
    one, other = RULES.split("      - alert: Busy")
    rules = "groups:\n  - name: alerts\n    rules:\n      - alert: Busy" + other + one.removeprefix("groups:\n")
    said = HEAD + CALLS + f"    alert_rule_test: [{{eval_time: 3m, {BUSY}}}]}}]\n"
    assert len(run(tmp_path, said, rules=rules)) == 1
    assert run(tmp_path, "group_eval_order: [calls]\n" + said, rules=rules) == []


def test_tables_that_are_empty_and_records_of_the_past(tmp_path: Path) -> None:
    """Without records nothing is found; rows with negative offsets were there before time zero, `times` numbers what it makes."""
    said = HEAD.replace("start_timestamp: 2026-11-21T12:00:00Z", "start_timestamp: 1795262400") + (
        "    interval: 1d\n"
        "    input_tables:\n"
        "      metrics: [{offset: -3d, times: 3, metric_name: m, value: 1.5, attributes: {n: 'x{n}', deep: {a: [1]}}}]\n"
        "    sql_expr_test:\n"
        "      - expr: SELECT attributes['n'] AS n, attributes['deep'] AS deep, time::VARCHAR AS at, value FROM metrics ORDER BY time\n"
        "        exp_samples:\n"
        "          - {labels: {n: x0, deep: '{\"a\": [1]}', at: '2026-11-18 12:00:00'}, value: 1.5}\n"
        "          - {labels: {n: x1, deep: '{\"a\": [1]}', at: '2026-11-19 12:00:00'}, value: 1.5}\n"
        "          - {labels: {n: x2, deep: '{\"a\": [1]}', at: '2026-11-20 12:00:00'}, value: 1.5}\n"
        "      - {expr: SELECT count(*) AS value FROM spans, exp_samples: [{value: 0}]}\n"
    )
    assert run(tmp_path, said) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("test: []", "1: test: unknown key 'test': did you mean 'tests'?"),
        ("rule_files: [no.yaml]", "1: rule_files[0]: no file has this name"),
        ("tests:\n  - alert_rule_test: [{alertname: A}]", "1: rule_files: is missing"),
        ("tests:\n  - alert_rule_test:\n      - {eval_time: 1x, alertname: A}", "3: tests[0].alert_rule_test[0].eval_time: not a duration"),
        ("tests:\n  - alert_rule_test:\n      - {eval_time: 1m}", "3: tests[0].alert_rule_test[0].alertname: is missing"),
        ("tests:\n  - alert_rule_test: [{alertname: A, exp_alert: []}]", "unknown key 'exp_alert': did you mean 'exp_alerts'?"),
        ("tests:\n  - start_timestamp: soon", "2: tests[0].start_timestamp"),
        ("tests:\n  - input_tables: {span: []}", "2: tests[0].input_tables.span: unknown table 'span': did you mean 'spans'?"),
        (
            "tests:\n  - input_tables:\n      spans:\n        - {offset: 0m, agent: a}",
            "4: tests[0].input_tables.spans[0].agent: unknown column 'agent'",
        ),
        ("tests:\n  - input_tables: {spans: [{agent_name: a}]}", "tests[0].input_tables.spans[0]: offset is missing"),
        ("tests:\n  - input_tables: {spans: [{offset: 0m, agent_name: 7}]}", "agent_name: must be text: put it in quotes"),
        ("tests:\n  - input_tables: {spans: [{offset: 0m, input_tokens: many}]}", "input_tokens: must be a whole number"),
        ("tests:\n  - input_tables: {spans: [{offset: 0m, cost_usd: dear}]}", "cost_usd: must be a number"),
        ("tests:\n  - input_tables: {spans: [{offset: 0m, attributes: [a]}]}", "attributes: must be a mapping of names to values"),
        ("tests:\n  - input_tables: {spans: [{offset: 0m, end_time: noon}]}", "end_time: must be a time, like 2026-11-21T12:00:00Z"),
        ("tests:\n  - input_tables: {spans: [{offset: 5, agent_name: a}]}", "offset: not a duration: write it like 30s, 5m or -2d"),
        ("tests:\n  - input_tables: {spans: [{offset: 0m, times: 0}]}", "times: must be a whole number from 1"),
        ("tests:\n  - input_tables: {events: [{offset: 0m, duration: 1s}]}", "duration: unknown column 'duration'"),
        ("tests:\n  - input_tables: {spans: [{offset: 0m, entry: 1}]}", "entry: is set by auditlake"),
        ("tests:\n  - input_tables: {spans: [{offset: -9000y}]}", "offset: is a time that no calendar has"),
        ("tests:\n  - sql_expr_test: [{expr: SELECT now() AS value}]", "now is forbidden"),
        ("tests:\n  - sql_expr_test: [{expr: SELECT $x AS value}]", "unknown parameter '$x'"),
        ("tests:\n  - sql_expr_test: [{expr: SELECT 1 AS value, params: {x: 1}}]", "params.x: the expression does not use $x"),
        (
            "evaluation_interval: 1s\ntests:\n  - sql_expr_test: [{expr: SELECT 1 AS value, eval_time: 30d}]",
            "takes more than 100000 evaluations",
        ),
        ("evaluation_interval: 0s", "evaluation_interval: must be greater than"),
        ("tests: [", "not valid YAML"),
    ],
)
def test_a_malformed_file_names_line_key_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tests.yaml"
    path.write_text(text)
    with pytest.raises(RuleFileError, match="in test files") as refused:
        load_tests(path)
    assert said in str(refused.value)


@pytest.mark.parametrize("path", PACK_TESTS, ids=lambda path: path.stem)
def test_the_unit_tests_of_the_packs_pass(path: Path) -> None:
    tests = load_tests(path)
    assert [str(failure) for failure in run_tests(tests, load_rules(tests.rule_files))] == []


def test_an_alert_that_no_rule_raises_is_a_failure(tmp_path: Path) -> None:
    """promtool lets it pass: who misspells a name expects that nothing fires, for ever."""
    [failure] = cases(tmp_path, "eval_time: 2m, alertname: Bussy")
    assert (failure.line, failure.error) == (7, "unknown alert 'Bussy': did you mean 'Busy'?")


SLOS = """\
service: calls
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: SELECT start_time AS time, agent_name, 1 AS value FROM spans WHERE status_code = 2
        total_query: SELECT start_time AS time, agent_name, 1 AS value FROM spans
"""


def test_alerts_of_objectives_are_tested_as_rules_are(tmp_path: Path) -> None:
    """Ten bad events are needed; each test counts for itself."""
    (tmp_path / "slos.yaml").write_text(SLOS)
    fires = "{exp_labels: {service: calls, slo: availability, agent_name: a, severity: %s, urgency: %s}}"
    path = tmp_path / "tests.yaml"
    path.write_text(
        "rule_files: [slos.yaml]\nevaluation_interval: 5m\ntests:\n"
        "  - interval: 1m\n"
        "    input_tables: {spans: [{offset: 0m, times: 30, agent_name: a, status_code: 2}]}\n"
        "    alert_rule_test:\n"
        "      - {eval_time: 5m, alertname: AvailabilityBurnRate}\n"
        "      - eval_time: 20m\n"
        "        alertname: AvailabilityBurnRate\n"
        f"        exp_alerts: [{fires % ('critical', 'page')}, {fires % ('warning', 'ticket')}]\n"
        "  - alert_rule_test: [{eval_time: 20m, alertname: AvailabilityBurnRate}]\n"
    )
    tests = load_tests(path)
    assert [str(failure) for failure in run_tests(tests, load_all(tests.rule_files))] == []
