"""Rule files: what is read, and how each mistake is told: file, line, key path, and the nearest valid word."""

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.durations import format_duration, parse_duration
from alerts.errors import RuleFileError
from alerts.rules import EPOCH, load_rules
from alerts.templates import render, template_problem
from storage.errors import QueryRefused

GOOD = """\
groups:
  - name: agents
    type: duckdb
    interval: 30s
    query_offset: 5s
    limit: 10
    labels: {team: support}
    params: {window: 15m, most: 3}
    rules:
      - alert: Busy
        expr: |
          SELECT agent_name, count(*) AS value FROM runs
          WHERE started_at > $eval_ts - CAST($window AS INTERVAL)
          GROUP BY ALL HAVING value > $most
        for: 1m30s
        keep_firing_for: 2m
        labels: {severity: warning}
        annotations: {summary: "{{ labels.agent_name }} has {{ value | number }} runs"}
      - alert: Any
        expr: SELECT 1 AS value
    lookback: 1h
"""


def problems(tmp_path: Path, text: str, name: str = "rules.yaml") -> list[str]:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(RuleFileError) as caught:
        load_rules([path])
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_a_good_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    [group] = load_rules([path])
    busy, any_rule = group.rules
    assert (group.key, group.interval, group.query_offset) == ("rules.yaml;agents", timedelta(seconds=30), timedelta(seconds=5))
    assert (busy.lookback, busy.from_ns(EPOCH + timedelta(hours=3))) == (timedelta(hours=1), 2 * 3600 * 10**9)
    assert (busy.rule.wait, busy.rule.keep_firing_for, busy.limit) == (timedelta(seconds=90), timedelta(minutes=2), 10)
    assert busy.labels == {"team": "support", "severity": "warning"}
    assert busy.bind("T") == {"window": "15m", "most": 3, "eval_ts": "T"}
    assert any_rule.bind("T") == {}, "only what the expression uses is bound"
    assert any_rule.rule.wait == timedelta()


def test_a_rules_own_label_wins_over_its_groups(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD.replace("labels: {severity: warning}", "labels: {team: billing}"))
    assert load_rules([path])[0].rules[0].labels == {"team": "billing"}


def test_the_key_of_a_rule_survives_changes_of_its_expression_and_waits(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    before = load_rules([path])[0].rules[0].key
    path.write_text(GOOD.replace("for: 1m30s", "for: 5m").replace("GROUP BY ALL", "GROUP BY agent_name"))
    assert load_rules([path])[0].rules[0].key == before


MISTAKES = {
    "unknown key of a rule": ("for: 1m30s", "fro: 1m30s", 15, "groups[0].rules[0].fro", "unknown key 'fro': did you mean 'for'?"),
    "unknown key of a group": ("interval: 30s", "intervall: 30s", 4, "groups[0].intervall", "did you mean 'interval'?"),
    "unknown key of the file": ("groups:", "grups:", 1, "grups", "did you mean 'groups'?"),
    "bad duration": ("for: 1m30s", "for: 90", 15, "groups[0].rules[0].for", "not a duration: write it like 30s"),
    "duration in the wrong order": ("for: 1m30s", "for: 30s1m", 15, "groups[0].rules[0].for", "not a duration"),
    "zero interval": ("interval: 30s", "interval: 0", 4, "groups[0].interval", "greater than"),
    "another language": ("type: duckdb", "type: promql", 3, "groups[0].type", "must be 'duckdb'"),
    "negative limit": ("limit: 10", "limit: -1", 6, "groups[0].limit", "greater than or equal to 0"),
    "zero lookback": ("lookback: 1h", "lookback: 0", 21, "groups[0].lookback", "greater than"),
    "lookback shorter than a window": ("lookback: 1h", "lookback: 14m", 21, "groups[0].lookback", "14m is shorter than $window (15m)"),
    "duration beyond all counting": ("lookback: 1h", "lookback: 99999999999999y", 21, "groups[0].lookback", "cannot be counted"),
    "number as a label": ("severity: warning", "severity: 1", 17, "groups[0].rules[0].labels.severity", "put it in quotes"),
    "list as a parameter": ("most: 3", "most: [3]", 8, "groups[0].params.most", "a parameter is one number, text, true or false"),
    "unused parameter": ("most: 3", "most: 3, least: 1", 8, "groups[0].params.least", "no expression of the group uses $least"),
    "parameter named eval_ts": ("most: 3", "most: 3, eval_ts: 1", 8, "groups[0].params.eval_ts", "choose another name"),
    "unknown parameter": ("value > $most", "value > $mots", 14, "groups[0].rules[0].expr", "'$mots': did you mean '$most'?"),
    "now()": ("started_at > $eval_ts", "started_at > now()", 13, "groups[0].rules[0].expr", "now is forbidden: use $eval_ts"),
    "quoted now": ("started_at > $eval_ts", 'started_at > "NOW" ()', 13, "groups[0].rules[0].expr", "now is forbidden"),
    "age, a clock": ("started_at > $eval_ts", "age(started_at) > $eval_ts", 13, "groups[0].rules[0].expr", "age is forbidden"),
    "current_timestamp": ("$eval_ts - C", "current_timestamp - C", 13, "groups[0].rules[0].expr", "current_timestamp is forbidden"),
    "random": ("value > $most", "value > $most + random()", 14, "groups[0].rules[0].expr", "random is forbidden"),
    "positional parameter": ("value > $most", "value > ? AND $most", 14, "groups[0].rules[0].expr", "? is forbidden"),
    "reserved label": ("severity: warning", "alertname: x", 17, "groups[0].rules[0].labels.alertname", "set by auditlake"),
    "label that is no name": ("severity: warning", '"my label": x', 17, 'groups[0].rules[0].labels.my label', "letters, digits and _"),
    "value in a label": ("severity: warning", 'severity: "{{ value }}"', 17, "groups[0].rules[0].labels.severity", "never a label"),
    "template syntax": ("{{ value | number }}", "{{ value | }}", 18, "groups[0].rules[0].annotations.summary", "not a valid template"),
    "template filter": ("{{ value | number }}", "{{ value | tojson }}", 18, "groups[0].rules[0].annotations.summary", "not a valid"),
    "template variable": ("{{ value | number }}", "{{ vlaue }}", 18, "groups[0].rules[0].annotations.summary", "the template uses 'vlaue'"),
    "no expression": ("expr: SELECT 1 AS value", "labels: {}", 19, "groups[0].rules[1].expr", "is missing"),
    "empty name": ("alert: Any", 'alert: ""', 19, "groups[0].rules[1].alert", "at least 1 character"),
    "key twice": ("limit: 10", "limit: 10\n    limit: 11", 7, "groups[0].limit", "stands twice"),
    "broken YAML": ("labels: {team: support}", "labels: {team: support", 8, "", "not valid YAML"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    good, bad, line, path, message = MISTAKES[name]
    assert good in GOOD
    told = problems(tmp_path, GOOD.replace(good, bad))
    here = [text for text in told if text.startswith(f"rules.yaml:{line}: {path}") and message in text]
    assert here, told


def test_all_mistakes_of_all_files_come_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("$eval_ts", "now()").replace("$most", "$mots"))
    (tmp_path / "b.yaml").write_text("groups: [{nam: x, rules: []}]")
    with pytest.raises(RuleFileError) as caught:
        load_rules([tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "missing.yaml"])
    told = [(Path(problem.file).name, problem.line, problem.path) for problem in caught.value.problems]
    assert told == [
        ("a.yaml", 8, "groups[0].params.most"),
        ("a.yaml", 13, "groups[0].rules[0].expr"),
        ("a.yaml", 14, "groups[0].rules[0].expr"),
        ("b.yaml", 1, "groups[0].nam"),
        ("b.yaml", 1, "groups[0].name"),
        ("missing.yaml", 1, ""),
    ]
    assert "6 problems" in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'now()' AS label, 1 AS value",
        "SELECT 1 AS value -- now()",
        "SELECT 1 AS value /* random() */",
        "SELECT nowhere, 1 AS value FROM r",
    ],
)
def test_words_in_texts_and_comments_are_no_clocks(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f'groups: [{{name: g, rules: [{{alert: A, expr: "{sql}"}}]}}]')
    assert load_rules([path])


def test_a_group_or_rule_that_stands_twice(tmp_path: Path) -> None:
    rule = "{alert: A, expr: SELECT 1 AS value}"
    told = problems(tmp_path, f"groups:\n- name: g\n  rules: [{rule}]\n- name: g\n  rules: [{rule}, {rule}]\n")
    assert told == [
        "rules.yaml:4: groups[1].name: the group 'g' stands twice in this file",
        "rules.yaml:5: groups[1].rules[1].alert: the same alert with the same labels stands twice in this group",
    ]


def test_the_same_alert_with_other_labels_is_another_rule(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    rule = "{alert: A, expr: SELECT 1 AS value, labels: {severity: %s}}"
    path.write_text(f"groups: [{{name: g, rules: [{rule % 'warning'}, {rule % 'critical'}]}}]")
    first, second = load_rules([path])[0].rules
    assert first.key != second.key


def test_what_the_check_of_the_sql_says_is_told_at_the_expression(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)

    def refuse(sql: str, params: object) -> None:
        raise QueryRefused("run the query", "COPY", hint="only SELECT")

    with pytest.raises(RuleFileError) as caught:
        load_rules([path], check_sql=refuse)
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (12, "groups[0].rules[0].expr"),
        (20, "groups[0].rules[1].expr"),
    ]


def test_an_empty_file_has_no_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("")
    assert load_rules([path]) == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("1y", 31536000), ("500ms", 0.5), ("1m0s", 60)],
)
def test_durations_are_prometheus(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "-5m", "5 m", "1.5h", "30s1m", "5M", "1m1m", "m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ labels.agent }} at {{ value }}", "a at 0.25"),
        ("{{ labels.missing }}|", "|"),
        ("{{ labels.items }}", "x"),
        ("{{ value | percentage }} {{ 90 | duration }} {{ 1234.5 | dollars }} {{ value | number }}", "25% 1m30s $1,234.50 0.25"),
        ("{% if value > 0.2 %}high{% endif %}", "high"),
        ("{{ 1 / 0 }}", "<error expanding template: ZeroDivisionError>"),
        ("{{ 'x' * 1000000000 }}", "<error expanding template: SecurityError>"),
        ("{{ labels.__class__.__mro__ }}", "<error expanding template: UndefinedError>"),
        ("{{ value.__class__ }}", "<error expanding template: SecurityError>"),
    ],
)
def test_templates(text: str, expected: str) -> None:
    assert render(text, {"agent": "a", "items": "x"}, 0.25) == expected


def test_a_text_of_a_template_is_bounded() -> None:
    assert len(render("{{ labels.a }}" * 10, {"a": "x" * 500}, 1.0)) == 1000


def test_a_template_may_not_reach_for_globals() -> None:
    assert template_problem("{{ range(10) }}") is not None
    assert template_problem("{{ labels.a }} {{ value }}") is None
