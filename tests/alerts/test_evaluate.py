"""The state machine: every case as one line of rows, one minute apart, and the states that follow.

Rows:   x the row is there   . it is not   n it is there with NULL   E the evaluation failed   ~5 nothing ran for five evaluations
States: P pending   F firing   R resolved   - none
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from alerts.evaluate import Alert, SameLabels, Sample, State, Transition, Waits, dropped, fingerprint, resumed, step

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LETTERS = {State.PENDING: "P", State.FIRING: "F", State.RESOLVED: "R"}

CASES = {
    # name: (for, keep_firing_for, rows, states)
    "nothing": (0, 0, ". . .", "- - -"),
    "fires at once without for": (0, 0, "x", "F"),
    "stays firing": (0, 0, "x x x", "F F F"),
    "resolves when the row vanished": (0, 0, "x .", "F R"),
    "stays resolved": (0, 0, "x . .", "F R R"),
    "fires again after it was resolved": (0, 0, "x . x", "F R F"),
    "is forgotten 15 minutes after it was resolved": (0, 0, "x ." + " ." * 16, "F" + " R" * 16 + " -"),
    "fires when for has passed, not before": (2, 0, "x x x", "P P F"),
    "fires at the evaluation after for, when for is no multiple of the interval": (1.5, 0, "x x x", "P P F"),
    "fires at once when for is shorter than the interval has passed": (0.5, 0, "x x", "P F"),
    "a pending alert whose row vanished is dropped": (2, 0, "x .", "P -"),
    "pending begins anew after a gap": (2, 0, "x x . x x x", "P P - P P F"),
    "flapping never fires": (2, 0, "x . x . x .", "P - P - P -"),
    "a resolved alert waits for its for again": (1, 0, "x x . x x", "P F R P F"),
    "a resolved alert that came back and vanished is gone": (1, 0, "x x . x .", "P F R P -"),
    "keeps firing": (0, 2, "x . . .", "F F F R"),
    "keeps firing for one interval": (0, 1, "x . .", "F F R"),
    "keeps firing for less than an interval": (0, 0.5, "x . .", "F F R"),
    "the row that comes back begins keep_firing_for anew": (0, 2, "x . x . . .", "F F F F F R"),
    "keep_firing_for damps flapping": (0, 3, "x . . x . . x", "F F F F F F F"),
    "keep_firing_for is nothing to a pending alert": (2, 5, "x x .", "P P -"),
    "for and keep_firing_for together": (1, 1, "x x . . x", "P F F R P"),
    "an error changes nothing when nothing is there": (0, 0, "E E x", "- - F"),
    "an error keeps a firing alert": (0, 0, "x E E x", "F F F F"),
    "an error keeps a firing alert that would be resolved": (0, 0, "x E .", "F F R"),
    "an error keeps a pending alert and its time goes on": (2, 0, "x E x", "P P F"),
    "an error does not make a pending alert fire": (1, 0, "x E E x", "P P P F"),
    "an error keeps a resolved alert": (0, 0, "x . E .", "F R R R"),
    "an error does not begin keep_firing_for": (0, 2, "x E E . . .", "F F F F F R"),
    "no data makes no alert": (0, 0, "n n", "- -"),
    "no data keeps a firing alert": (0, 0, "x n n x", "F F F F"),
    "no data keeps a pending alert as it is": (1, 0, "x n n x", "P P P F"),
    "no data, then no row resolves": (0, 0, "x n .", "F F R"),
    "downtime does not count towards for": (3, 0, "x x ~10 x x", "P P P F"),
    "a restart without downtime loses nothing": (3, 0, "x x ~0 x x", "P P P F"),
    "downtime twice": (3, 0, "x ~10 x ~10 x x", "P P P F"),
    "a firing alert fires on after downtime": (1, 0, "x x ~10 x", "P F F"),
    "a firing alert whose row is gone after downtime is resolved": (0, 0, "x ~10 .", "F R"),
    "a pending alert whose row is gone after downtime is dropped": (3, 0, "x x ~10 . x", "P P - P"),
    "keep_firing_for goes on in downtime": (0, 2, "x . ~10 .", "F F R"),
    "a resolved alert is forgotten after downtime": (0, 0, "x . ~20 .", "F R -"),
    "an error first thing after downtime": (3, 0, "x x ~10 E x", "P P P F"),
}


def sample(value: float | None = 1.0, **labels: str) -> Sample:
    return Sample(labels={"alertname": "A", **labels}, value=value, annotations={"summary": f"is {value}"})


def play(wait: float, keep: float, rows: str) -> tuple[list[str], list[Transition]]:
    """Play one line of rows; return the states after each evaluation, and every transition."""
    waits = Waits(wait=wait * MINUTE, keep_firing_for=keep * MINUTE)
    alerts: Mapping[str, Alert] = {}
    at, states, transitions = START, [], []
    for token in rows.split():
        if token.startswith("~"):
            downtime = int(token[1:]) * MINUTE
            at, alerts = at + downtime, resumed(alerts, downtime)
            continue
        if token != "E":
            result = step(alerts, {"x": [sample()], "n": [sample(None)], ".": []}[token], waits, at=at)
            alerts = result.alerts
            transitions += result.transitions
        states.append(LETTERS[next(iter(alerts.values())).state] if alerts else "-")
        at += MINUTE
    return states, transitions


@pytest.mark.parametrize("name", CASES)
def test_state_machine(name: str) -> None:
    wait, keep, rows, expected = CASES[name]
    states, transitions = play(wait, keep, rows)
    assert states == expected.split()
    changes = ["-", *states]
    told = [
        {"F": "firing", "P": "pending", "R": "resolved", "-": "inactive"}[after]
        for before, after in pairwise(changes)
        if before != after and (before, after) != ("R", "-")
    ]
    assert [str(transition.state) for transition in transitions] == told, "every change is told once, and nothing else"


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 30


def test_times_say_since_when() -> None:
    _, transitions = play(1, 0, "x x x . ")
    firing, resolved = transitions[1].alert, transitions[2].alert
    assert (firing.active_at, firing.fired_at, firing.resolved_at) == (START, START + MINUTE, None)
    assert (resolved.fired_at, resolved.resolved_at) == (START + MINUTE, START + 3 * MINUTE)


def test_value_and_annotations_follow_the_row_and_stay_after_it() -> None:
    waits = Waits(keep_firing_for=MINUTE)
    first = step({}, [sample(1.0)], waits, at=START).alerts
    second = step(first, [sample(7.0)], waits, at=START + MINUTE)
    third = step(second.alerts, [], waits, at=START + 2 * MINUTE).alerts
    [alert] = third.values()
    assert (alert.value, alert.annotations["summary"], alert.state) == (7.0, "is 7.0", State.FIRING)
    assert second.transitions == [], "a changing value is no transition"


def test_label_sets_go_their_own_ways() -> None:
    waits = Waits(wait=MINUTE)
    first = step({}, [sample(agent="a"), sample(agent="b")], waits, at=START).alerts
    second = step(first, [sample(agent="b"), sample(agent="c")], waits, at=START + MINUTE)
    assert {alert.labels["agent"]: alert.state for alert in second.alerts.values()} == {"b": State.FIRING, "c": State.PENDING}
    assert {transition.alert.labels["agent"]: str(transition.state) for transition in second.transitions} == {
        "a": "inactive",
        "b": "firing",
        "c": "pending",
    }


def test_two_rows_with_the_same_labels_are_an_error() -> None:
    with pytest.raises(SameLabels):
        step({}, [sample(1.0), sample(2.0)], Waits(), at=START)


@pytest.mark.parametrize(("limit", "count", "kept"), [(0, 5, 5), (5, 5, 5), (5, 4, 4), (5, 6, 0)])
def test_more_alerts_than_the_limit_clear_the_rule(limit: int, count: int, kept: int) -> None:
    result = step({}, [sample(agent=str(number)) for number in range(count)], Waits(limit=limit), at=START)
    assert len(result.alerts) == kept
    assert result.error == (None if kept else f"exceeded limit of {limit} with {count} alerts")


def test_alerts_cleared_by_the_limit_are_told() -> None:
    before = step({}, [sample(agent="a")], Waits(), at=START).alerts
    result = step(before, [sample(agent="a"), sample(agent="b")], Waits(limit=1), at=START + MINUTE)
    assert [(str(item.state), item.alert.labels["agent"]) for item in result.transitions] == [("resolved", "a")]


def test_resolved_alerts_do_not_count_for_the_limit() -> None:
    first = step({}, [sample(agent="a")], Waits(limit=1), at=START).alerts
    second = step(first, [sample(agent="b")], Waits(limit=1), at=START + MINUTE)
    assert second.error is None
    assert sorted(str(alert.state) for alert in second.alerts.values()) == ["firing", "resolved"]


def test_dropped_ends_pending_and_firing_alerts_only() -> None:
    [alert] = step({}, [sample()], Waits(), at=START).alerts.values()
    each = {str(state): replace(alert, state=state) for state in (State.PENDING, State.FIRING, State.RESOLVED)}
    assert [str(end.state) for end in dropped(each, at=START)] == ["inactive", "resolved"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "cbf29ce484222325"),
        # vector of github.com/prometheus/common/model, TestLabelsToSignature: 5799056148416392346
        ({"name": "garland, briggs", "fear": "love is not enough"}, f"{5799056148416392346:016x}"),
    ],
)
def test_fingerprint_is_alertmanagers(labels: dict[str, str], expected: str) -> None:
    assert fingerprint(labels) == expected
