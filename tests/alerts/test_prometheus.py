"""Rules against what Prometheus documents, case by case: the state machine, limits, labels, templates, groups and recording rules.

A case is a rule and what it is answered, a minute apart; expected is where each label set stands after each evaluation.

Answers: `.` no row   `a` a row with agent=a, value 1   `a:5` value 5   `a,b` two rows   `a:null` no value   `E` the query failed
States:  `-` nothing   `a:P` pending   `a:F` firing   `a:R` resolved   `!` behind them: the evaluation is an error

Sources: rules/alerting.go, rules/recording.go and rules/group.go of Prometheus, and its pages on alerting and recording rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.answers import Answer, answer
from alerts.evaluate import Alert, SameLabels, State
from alerts.rules import LoadedRule, load_rules
from storage.errors import StorageError
from tests.alerts.fakes import START, FakeLake, Process, as_it_is

MINUTE = timedelta(minutes=1)
LETTERS = {State.PENDING: "P", State.FIRING: "F", State.RESOLVED: "R"}

STATES: Mapping[str, tuple[str, str, str]] = {
    # what is documented: (rule, answers, states)
    "without `for`, an alert is active on the first evaluation": ("", "a", "a:F"),
    "an element that was first encountered is pending": ("for: 2m", "a", "a:P"),
    "it fires once ts − ActiveAt ≥ for": ("for: 2m", "a a a", "a:P a:P a:F"),
    "it is checked at each evaluation only: a `for` between two waits for the later": ("for: 90s", "a a a", "a:P a:P a:F"),
    "`for` shorter than the interval still takes a second evaluation": ("for: 1s", "a a", "a:P a:F"),
    "a pending element that is gone is forgotten": ("for: 2m", "a .", "a:P -"),
    "and begins anew": ("for: 2m", "a a . a a a", "a:P a:P - a:P a:P a:F"),
    "a firing element that is gone is resolved": ("", "a .", "a:F a:R"),
    "a resolved element is kept for 15 minutes": ("", "a ." + " ." * 15, "a:F" + " a:R" * 16),
    "and no longer": ("", "a ." + " ." * 16, "a:F" + " a:R" * 16 + " -"),
    "a resolved element that is back is a new alert": ("for: 1m", "a a . a a", "a:P a:F a:R a:P a:F"),
    "a resolved element that is back and gone while pending leaves nothing": ("for: 1m", "a a . a .", "a:P a:F a:R a:P -"),
    "keep_firing_for: it fires on without its element": ("keep_firing_for: 2m", "a . .", "a:F a:F a:F"),
    "until ts − KeepFiringSince ≥ keep_firing_for": ("keep_firing_for: 2m", "a . . .", "a:F a:F a:F a:R"),
    "keep_firing_for counts from the first evaluation without the element": ("keep_firing_for: 1m", "a a . .", "a:F a:F a:F a:R"),
    "an element that is back resets KeepFiringSince": ("keep_firing_for: 2m", "a . a . . .", "a:F a:F a:F a:F a:F a:R"),
    "keep_firing_for keeps no pending alert": ("for: 5m, keep_firing_for: 5m", "a .", "a:P -"),
    "keep_firing_for and for together": ("for: 1m, keep_firing_for: 1m", "a a . .", "a:P a:F a:F a:R"),
    "label sets are alerts of their own": ("for: 1m", "a a,b b", "a:P a:F,b:P a:R,b:F"),
    "a failed query changes no alert": ("", "a E E a", "a:F a:F! a:F! a:F"),
    "a failed query resolves nothing": ("", "a E .", "a:F a:F! a:R"),
    "a failed query does not restart `for`": ("for: 2m", "a E a", "a:P a:P! a:F"),
    "a failed query fires nothing": ("for: 1m", "a E a", "a:P a:P! a:F"),
    "two elements with the same labels are an error and change nothing": ("", "a a,a .", "a:F a:F! a:R"),
    "labels that a rule's own make equal are the same": ("labels: {agent: all}", "a a,b", "all:F all:F!"),
    "limit: as many alerts as that are fine": ("limit: 2", "a,b", "a:F,b:F"),
    "limit: one more is an error and clears all": ("limit: 2", "a,b a,b,c", "a:F,b:F -!"),
    "limit: pending alerts count": ("for: 5m, limit: 1", "a a,b", "a:P -!"),
    "limit: resolved alerts do not count": ("limit: 1", "a b", "a:F a:R,b:F"),
    "limit: alerts that keep firing count": ("keep_firing_for: 5m, limit: 1", "a b", "a:F -!"),
    "limit: what was cleared begins anew": ("for: 1m, limit: 1", "a a a,b a a", "a:P a:F -! a:P a:F"),
    "limit: 0 is no limit": ("limit: 0", "a,b,c,d", "a:F,b:F,c:F,d:F"),
    "a value of 0 is a value": ("", "a:0", "a:F"),
    "a changing value is the same alert": ("for: 1m", "a:1 a:2", "a:P a:F"),
    # ours: a row without a value, for which PromQL has no word
    "no_data: keep, the default": ("", "a a:null .", "a:F a:F a:R"),
    "no_data: keep makes no alert": ("", "a:null", "-"),
    "no_data: keep lets a resolved alert go in time": ("", "a ." + " a:null" * 16, "a:F" + " a:R" * 16 + " -"),
    "no_data: ok resolves": ("no_data: ok", "a a:null", "a:F a:R"),
    "no_data: ok drops what is pending": ("no_data: ok, for: 2m", "a a:null", "a:P -"),
    "no_data: ok keeps firing for keep_firing_for": ("no_data: ok, keep_firing_for: 1m", "a a:null a:null", "a:F a:F a:R"),
    "no_data: alerting fires": ("no_data: alerting, for: 1m", "a:null a:null .", "a:P a:F a:R"),
    "no_data: alerting goes on from a value": ("no_data: alerting", "a a:null a", "a:F a:F a:F"),
}


@dataclass
class Rule:
    """One rule, evaluated a minute apart."""

    rule: LoadedRule
    alerts: Mapping[str, Alert]
    lake: FakeLake
    minute: int = 0
    offset: timedelta = timedelta()

    def evaluate(self, rows: Sequence[Mapping[str, Any]] | None) -> Answer:
        at = START + self.minute * MINUTE
        self.minute += 1
        self.lake.rows, self.lake.error = rows or [], "no" if rows is None else None
        found = answer(self.rule, self.alerts, self.lake, at=at, eval_ts=at - self.offset, clean=as_it_is)
        self.alerts = found.step.alerts
        return found

    @property
    def only(self) -> Alert:
        [alert] = self.alerts.values()
        return alert


def rule(folder: Path, said: str = "", *, kind: str = "alert: X") -> Rule:
    """Make a rule of flow YAML; `limit` and `group_labels` are those of its group."""
    parts = [part.strip() for part in said.split(", ") if part.strip()]
    group = "".join(f"{part}, " for part in parts if part.startswith("limit:"))
    rest = "".join(f", {part}" for part in parts if not part.startswith("limit:"))
    path = folder / "rules.yaml"
    path.write_text(f"groups: [{{name: g, {group}rules: [{{{kind}, expr: 'SELECT agent, value FROM x'{rest}}}]}}]")
    [loaded] = load_rules([path])
    return Rule(loaded.rules[0], {}, FakeLake())


def rows(token: str) -> list[dict[str, Any]] | None:
    if token == "E":
        return None
    found = []
    for part in [] if token == "." else token.split(","):
        name, _, value = part.partition(":")
        found.append({"agent": name, "value": None if value == "null" else float(value or 1)})
    return found


@pytest.mark.parametrize("case", STATES)
def test_the_state_machine_is_that_of_prometheus(tmp_path: Path, case: str) -> None:
    said, answers, expected = STATES[case]
    one, states = rule(tmp_path, said), []
    for token in answers.split():
        try:
            error = one.evaluate(rows(token)).step.error is not None
        except (StorageError, SameLabels):
            error = True
        told = sorted(f"{alert.labels['agent']}:{LETTERS[alert.state]}" for alert in one.alerts.values())
        states.append((",".join(told) or "-") + "!" * error)
    assert states == expected.split()


def test_times_of_an_alert(tmp_path: Path) -> None:
    """ActiveAt is the evaluation at which it was first there, FiredAt that at which it fired, ResolvedAt that at which it was gone."""
    one = rule(tmp_path, "for: 2m")
    for _ in range(4):
        one.evaluate(rows("a"))
    assert (one.only.active_at, one.only.fired_at, one.only.resolved_at) == (START, START + 2 * MINUTE, None)
    one.evaluate(rows("."))
    assert (one.only.active_at, one.only.resolved_at) == (START, START + 4 * MINUTE)


def test_an_alert_that_is_back_within_keep_firing_for_is_the_same_alert(tmp_path: Path) -> None:
    one = rule(tmp_path, "keep_firing_for: 5m")
    for token in ("a", ".", "a"):
        one.evaluate(rows(token))
    assert (one.only.active_at, one.only.fired_at, one.only.keep_firing_since) == (START, START, None)


def test_the_offset_moves_what_is_queried_not_when_it_fires(tmp_path: Path) -> None:
    """`query(ctx, expr, ts.Add(-queryOffset))`, and ActiveAt = ts."""
    path = tmp_path / "rules.yaml"
    path.write_text("groups: [{name: g, rules: [{alert: X, expr: 'SELECT 1 AS value, $eval_ts'}]}]")
    [group] = load_rules([path])
    lake = FakeLake()
    lake.rows = rows("a") or []
    found = answer(group.rules[0], {}, lake, at=START, eval_ts=START - MINUTE, clean=as_it_is)
    assert lake.asked == [{"eval_ts": (START - MINUTE).replace(tzinfo=None)}]
    assert [alert.active_at for alert in found.step.alerts.values()] == [START]


def test_value_and_annotations_follow_the_last_evaluation_with_a_row(tmp_path: Path) -> None:
    one = rule(tmp_path, "keep_firing_for: 5m, annotations: {summary: '{{ $labels.agent }} is at {{ $value }}'}")
    for token, said in (("a:1", "a is at 1"), ("a:2", "a is at 2"), (".", "a is at 2")):
        one.evaluate(rows(token))
        assert one.only.annotations == {"summary": said}


def test_existing_conflicting_labels_are_overwritten(tmp_path: Path) -> None:
    one = rule(tmp_path, "labels: {agent: '{{ labels.agent }}-1', severity: page}")
    one.evaluate(rows("a"))
    assert one.only.labels == {"alertname": "X", "agent": "a-1", "severity": "page"}


def test_a_label_with_an_empty_value_is_no_label(tmp_path: Path) -> None:
    one = rule(tmp_path, "labels: {agent: '{{ labels.nothing }}', team: ''}")
    one.evaluate(rows("a"))
    assert one.only.labels == {"alertname": "X"}


def test_a_template_that_fails_is_a_text_and_the_alert_fires(tmp_path: Path) -> None:
    one = rule(tmp_path, "annotations: {summary: '{{ value / 0 }}'}")
    one.evaluate(rows("a"))
    assert one.only.state is State.FIRING
    assert one.only.annotations == {"summary": "<error expanding template: ZeroDivisionError>"}


@pytest.mark.parametrize(
    ("value", "humanize", "duration", "percentage"),
    [
        (0, "0", "0s", "0%"),
        (1234567, "1.235M", "14d 6h 56m 7s", "1.235e+08%"),
        (0.0123, "12.3m", "12.3ms", "1.23%"),
        (999, "999", "16m 39s", "9.99e+04%"),
        (-42.5, "-42.5", "-42.5s", "-4250%"),
        (3661, "3.661k", "1h 1m 1s", "3.661e+05%"),
        (float("inf"), "+Inf", "+Inf", "+Inf%"),
    ],
)
def test_functions_of_prometheus_templates(tmp_path: Path, value: float, humanize: str, duration: str, percentage: str) -> None:
    said = "{{ $value | humanize }} {{ $value | humanizeDuration }} {{ $value | humanizePercentage }}"
    one = rule(tmp_path, f"annotations: {{summary: '{said}'}}")
    one.evaluate([{"agent": "a", "value": float(value)}])
    assert one.only.annotations["summary"] == f"{humanize} {duration} {percentage}"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (5, "5"), (0, "0"), (0.25, "0.25"), (-1.5, "-1.5"), (100000, "100000"), (1e6, "1e+06"), (1234567, "1.234567e+06"), (1e21, "1e+21"),
        (0.0001, "0.0001"), (0.00001, "1e-05"), (1.25e-7, "1.25e-07"), (0.1 + 0.2, "0.30000000000000004"), (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"), (1e100, "1e+100"),
    ],
)  # fmt: skip
def test_a_value_reads_as_go_prints_it(tmp_path: Path, value: float, printed: str) -> None:
    """The format `g` of `strconv.FormatFloat` with the shortest precision, which `text/template` prints."""
    one = rule(tmp_path, "annotations: {summary: '{{ $value }}'}")
    one.evaluate([{"agent": "a", "value": float(value)}])
    assert one.only.annotations["summary"] == printed


def test_annotations_see_the_labels_of_the_element(tmp_path: Path) -> None:
    """In Prometheus `$labels` is what the expression returned, also where the rule gives the alert another label of that name.

    Ours beside it: labels that only the rule has can be read too.
    """
    one = rule(tmp_path, "labels: {agent: all, team: support}, annotations: {summary: '{{ $labels.agent }} of {{ $labels.team }}'}")
    one.evaluate(rows("a"))
    assert (one.only.labels["agent"], one.only.annotations["summary"]) == ("all", "a of support")


def test_a_value_that_is_not_there_reads_so(tmp_path: Path) -> None:
    one = rule(tmp_path, "no_data: alerting, annotations: {summary: '{{ value | number }} or {{ value }}'}")
    one.evaluate(rows("a:null"))
    assert one.only.annotations == {"summary": "no data or no data", "no_data": "there is no data for these labels"}


def test_a_recording_rule_records_every_row_at_the_time_of_the_query(tmp_path: Path) -> None:
    """In Prometheus, name and labels of the rule override those of the element; the sample's time is that of the query."""
    one = rule(tmp_path, "labels: {team: support, agent: ''}", kind="record: 'team:calls:rate5m'")
    one.offset = MINUTE
    found = one.evaluate([{"agent": "a", "tier": "1", "value": 3}])
    assert [(r.name, r.rule_group, r.time, dict(r.labels), r.value) for r in found.recordings] == [
        ("team:calls:rate5m", "g", START - MINUTE, {"tier": "1", "team": "support"}, 3.0)
    ]
    assert found.step.alerts == {}


def test_labels_of_a_recording_rule_are_no_templates(tmp_path: Path) -> None:
    found = rule(tmp_path, "labels: {team: a b}", kind="record: r").evaluate(rows("a"))
    assert [dict(recording.labels) for recording in found.recordings] == [{"agent": "a", "team": "a b"}]


def test_series_with_the_same_labels_are_an_error_of_a_recording_rule(tmp_path: Path) -> None:
    with pytest.raises(SameLabels):
        rule(tmp_path, "labels: {agent: all}", kind="record: r").evaluate(rows("a,b"))


def test_a_recording_rule_beyond_its_limit_records_nothing(tmp_path: Path) -> None:
    one = rule(tmp_path, "limit: 1", kind="record: r")
    assert len(one.evaluate(rows("a")).recordings) == 1
    found = one.evaluate(rows("a,b"))
    assert (found.recordings, found.step.error) == ((), "exceeded limit of 1 with 2 series")


def test_a_recording_rule_skips_rows_without_a_value(tmp_path: Path) -> None:
    found = rule(tmp_path, kind="record: r").evaluate(rows("a,b:null"))
    assert ([recording.labels["agent"] for recording in found.recordings], found.no_data) == (["a"], 1)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("alert: A, record: r", "only one of 'record' and 'alert' must be set"),
        ("labels: {}", "one of 'record' or 'alert' must be set"),
        ("record: r, for: 5m", "invalid field 'for' in recording rule"),
        ("record: r, keep_firing_for: 5m", "invalid field 'keep_firing_for' in recording rule"),
        ("record: r, annotations: {a: b}", "invalid field 'annotations' in recording rule"),
        ("record: r, no_data: ok", "invalid field 'no_data' in recording rule"),
        ("record: 'sum(x)'", "the name of a recording rule is letters, digits, _ and :"),
    ],
)
def test_rules_that_prometheus_refuses(tmp_path: Path, said: str, wrong: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"groups: [{{name: g, rules: [{{expr: SELECT 1 AS value, {said}}}]}}]")
    with pytest.raises(Exception, match="1 problem") as refused:
        load_rules([path])
    assert wrong in str(refused.value)


TWO = """\
groups:
  - name: g
    interval: 1m
    labels: {team: of group, tier: of group}
    rules:
      - {alert: First, expr: "SELECT agent, value FROM x WHERE $eval_ts IS NOT NULL", for: 2m, labels: {team: of rule}}
      - {alert: Second, expr: "SELECT agent, value FROM x WHERE $eval_ts IS NOT NULL"}
"""


def test_rules_of_a_group_are_evaluated_in_order_at_one_instant(tmp_path: Path) -> None:
    process = Process(tmp_path, rules=TWO, now=START + timedelta(seconds=17))
    process.tick([{"agent": "a", "value": 1}])
    assert [row["rule"].split(";")[2] for row in process.store.evaluations()] == ["First", "Second"]
    assert process.lake.asked[0] == process.lake.asked[1]
    process.store.close()


def test_labels_of_the_group_are_added_and_those_of_the_rule_win(tmp_path: Path) -> None:
    process = Process(tmp_path, rules=TWO)
    process.tick([{"agent": "a", "value": 1}])
    labels = {alert.labels["alertname"]: alert.labels for found in process.store.alerts().values() for alert in found.values()}
    assert (labels["First"]["team"], labels["First"]["tier"], labels["Second"]["team"]) == ("of rule", "of group", "of group")
    process.store.close()


def test_instants_that_an_evaluation_ran_over_are_missed_and_the_next_is_on_time(tmp_path: Path) -> None:
    """`missed := (time.Since(evalTimestamp) / g.interval) - 1`; the timestamp stays a multiple of the interval."""
    process = Process(tmp_path, rules=TWO)
    process.tick([], after=3 * MINUTE + timedelta(seconds=20))
    process.tick([])
    told = [(row["at"], row["missed"]) for row in process.store.evaluations() if row["rule"].split(";")[2] == "First"]
    assert told == [(START, 0), (START + 3 * MINUTE, 2)]
    process.store.close()


def test_a_rule_with_another_expression_or_for_keeps_its_alerts(tmp_path: Path) -> None:
    """Prometheus copies the state of rules by name and labels when it reads the files again."""
    process = Process(tmp_path, rules=TWO)
    process.tick([{"agent": "a", "value": 1}])
    process = process.restarted(rules=TWO.replace("for: 2m", "for: 1m").replace("agent, value FROM x", "value, agent FROM y"))
    process.tick([{"agent": "a", "value": 1}])
    alerts = {alert.labels["alertname"]: alert for found in process.store.alerts().values() for alert in found.values()}
    assert (alerts["First"].state, alerts["First"].active_at) == (State.FIRING, START)
    process.store.close()


def test_a_rule_with_other_labels_is_another_rule(tmp_path: Path) -> None:
    process = Process(tmp_path, rules=TWO)
    process.tick([{"agent": "a", "value": 1}])
    process = process.restarted(rules=TWO.replace("of rule", "of others"))
    process.tick([{"agent": "a", "value": 1}])
    first = [alert for found in process.store.alerts().values() for alert in found.values() if alert.labels["alertname"] == "First"]
    assert [(alert.labels["team"], alert.active_at) for alert in first] == [("of others", START + MINUTE)]
    process.store.close()
