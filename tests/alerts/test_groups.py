"""Evaluations that are remembered: what is stored and told, what a restart keeps, and what an error shows."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from alerts.durations import align
from alerts.listing import list_alerts
from alerts.receivers.webhook import WebhookReceiver
from alerts.state import AlertStore, Evaluation, Message
from alerts.tables import ALERTS
from tests.alerts.fakes import RULES, START, Process
from tests.alerts.test_evaluate import CASES, LETTERS

MINUTE = timedelta(minutes=1)
ROW = {"agent": "support", "value": 5}
ON_TIME = {"wait": "2m", "keep": "0s"}


@pytest.mark.parametrize("name", [name for name in CASES if "n" not in CASES[name][2].split()])
def test_a_restart_before_every_evaluation_changes_nothing(tmp_path: Path, name: str) -> None:
    """The table of the state machine again, through SQLite, each evaluation by a process that just began."""
    wait, keep, rows, expected = CASES[name]
    rules = RULES % {"wait": f"{int(wait * 60)}s", "keep": f"{int(keep * 60)}s"}
    process, states = Process(tmp_path, rules=rules), []
    for token in rows.split():
        if token.startswith("~"):
            process = process.restarted(after=int(token[1:]) * MINUTE)
            continue
        process = process.restarted()
        process.lake.error = "no" if token == "E" else None
        process.tick([ROW] if token == "x" else [])
        found = [alert for alerts in process.store.alerts().values() for alert in alerts.values()]
        states.append(LETTERS[found[0].state] if found else "-")
    process.store.close()
    assert states == expected.split()


def test_groups_are_aligned_to_their_interval_and_behind_the_offset(tmp_path: Path) -> None:
    rules = RULES % ON_TIME
    process = Process(
        tmp_path, rules=rules.replace("SELECT agent, value FROM down", "SELECT 1 AS value, $eval_ts"), now=START + timedelta(seconds=17)
    )
    assert process.tick([])
    assert process.lake.asked == [{"eval_ts": (START - timedelta(seconds=3)).replace(tzinfo=None)}]
    [evaluation] = process.store.evaluations()
    assert (evaluation["at"], evaluation["eval_ts"]) == (START, START - timedelta(seconds=3))
    process.now = START + timedelta(seconds=59)
    assert not process.tick(), "nothing is due before the next multiple of the interval"
    process.now = START + timedelta(seconds=60)
    assert process.tick()
    process.store.close()


def test_a_group_may_have_an_offset_of_its_own(tmp_path: Path) -> None:
    rules = (RULES % ON_TIME).replace("    rules:", "    query_offset: 30s\n    rules:")
    process = Process(tmp_path, rules=rules)
    process.tick([])
    assert process.store.evaluations()[0]["eval_ts"] == START - timedelta(seconds=30)
    process.store.close()


def test_a_group_opens_only_what_its_expressions_look_back_to(tmp_path: Path) -> None:
    """From `lookback` behind $eval_ts on; without one, everything."""
    rules = RULES % ON_TIME
    process = Process(tmp_path, rules=rules)
    process.tick([])
    process = process.restarted(rules=rules.replace("    rules:", "    lookback: 1d\n    query_offset: 5s\n    rules:"))
    process.tick([])
    begin = START + MINUTE - timedelta(days=1, seconds=5)
    assert process.lake.opened_from == [None, int(begin.timestamp()) * 10**9]
    process = process.restarted(rules=rules.replace("    rules:", "    lookback: 900y\n    rules:"))
    process.tick([])
    assert process.lake.opened_from[2] is None
    process.store.close()


def test_every_evaluation_is_recorded(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([ROW])
    process.lake.error = "the disk is gone"
    process.tick()
    first, second = process.store.evaluations()
    assert (first["rows"], first["error"], first["missed"]) == (1, None, 0)
    assert first["duration_ms"] >= 0
    assert second["rows"] is None
    assert "the disk is gone" in second["error"]
    process.store.close()


def test_missed_evaluations_are_counted(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([], after=4 * MINUTE)
    process.tick([])
    assert [row["missed"] for row in process.store.evaluations()] == [0, 3]
    assert process.store.rules()[0].missed == 3
    process.store.close()


def test_time_that_an_overrun_took_counts_towards_for(tmp_path: Path) -> None:
    """Only downtime does not: a scheduler that is late saw the condition before and sees it now, as in Prometheus."""
    process = Process(tmp_path, rules=RULES % ON_TIME)
    process.tick([ROW], after=4 * MINUTE)
    process.tick([ROW])
    assert process.states() == {"support": "firing"}
    process.store.close()


def test_a_clock_that_is_set_back_does_not_stop_evaluations(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([])
    process.now = START - timedelta(hours=5)
    assert process.tick([ROW])
    process.store.close()


def test_an_error_is_a_state_and_is_told_once(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([ROW])
    process.lake.error = "there is no view of this name"
    process.tick()
    process.tick()
    [status] = process.store.rules()
    assert (status.error_since, "no view of this name" in (status.error or "")) == (START + MINUTE, True)
    process = process.restarted()
    process.tick()
    assert process.store.rules()[0].error_since == START + MINUTE, "a restart does not forget since when"
    process.lake.error = None
    process.tick()
    assert [state for state, _ in process.events()] == ["firing", "error", "inactive"]
    assert process.states() == {"support": "firing"}
    assert process.store.rules()[0].error is None
    process.store.close()


def test_rows_with_the_same_labels_are_an_error(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([ROW, {**ROW, "value": 6}])
    assert "same labels" in (process.store.rules()[0].error or "")
    process.store.close()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"agent": "a"}, "no column named value"),
        ({"agent": "a", "value": "many"}, "it must be a number"),
        ({"agent": "a", "value": 1, "cost": 0.5}, "a changing value is never a label"),
        ({"agent": "a", "value": 1, "at": START}, "a changing value is never a label"),
        ({"agent": "a", "value": 1, "my name": "x"}, "cannot be a label"),
        ({"alertname": "a", "value": 1}, "cannot be a label"),
    ],
)
def test_columns_that_no_rule_may_return(tmp_path: Path, row: dict[str, object], said: str) -> None:
    process = Process(tmp_path)
    process.tick([row])
    assert said in (process.store.rules()[0].error or "")
    process.store.close()


def test_labels_become_text_and_null_is_no_label(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([{"agent": "a", "shard": 7, "live": True, "tenant": None, "long": "x" * 400, "value": 1}])
    [[alert]] = [list(alerts.values()) for alerts in process.store.alerts().values()]
    assert {name: text for name, text in alert.labels.items() if name != "long"} == {
        "alertname": "Down",
        "agent": "a",
        "shard": "7",
        "live": "true",
        "severity": "critical",
    }
    assert len(alert.labels["long"]) <= 256
    process.store.close()


def test_nothing_is_remembered_of_an_evaluation_that_was_not_committed(tmp_path: Path) -> None:
    """As with a full disk: the same instant is evaluated again, and its transition is told once."""
    process = Process(tmp_path)
    process.lake.rows = [ROW]
    with process.store.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO hidden")
    with pytest.raises(OperationalError):
        process.runner.tick(process.now)
    with process.store.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO outbox")
    assert (process.store.evaluations(), process.states()) == ([], {})
    process.tick([ROW])
    assert [state for state, _ in process.events()] == ["firing"]
    process.store.close()


def test_alerts_of_a_rule_that_was_removed_end(tmp_path: Path) -> None:
    process = Process(tmp_path, receivers=[WebhookReceiver(name="on-call", url="http://127.0.0.1:1/")])
    process.tick([ROW])
    process = process.restarted(rules="groups: []")
    process.tick()
    assert process.store.alerts() == {}
    assert process.store.rules() == []
    assert [state for state, _ in process.events()] == ["firing", "resolved"]
    assert [body["status"] for body in process.bodies("on-call")] == ["firing", "resolved"]
    process.store.close()


def test_the_event_of_a_transition_says_everything(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([{"agent": "support", "run_id": "r-1", "value": 5}])
    [body] = process.bodies("lake")
    attributes = body["attributes"]
    labels = {"alertname": "Down", "agent": "support", "run_id": "r-1", "severity": "critical"}
    assert json.loads(attributes.pop("auditlake.alert.labels")) == labels
    assert attributes.pop("auditlake.alert.fingerprint")
    assert attributes == {
        "auditlake.alert.name": "Down",
        "auditlake.alert.group": "agents",
        "auditlake.alert.state": "firing",
        "auditlake.alert.severity": "critical",
        "auditlake.alert.summary": "support is at 5",
        "auditlake.alert.value": 5.0,
        "auditlake.alert.annotations": '{"summary": "support is at 5"}',
        "auditlake.alert.active_at": "2026-11-21T12:00:00.000000Z",
        "auditlake.alert.evaluated_at": "2026-11-21T12:00:00.000000Z",
        "auditlake.run.id": "r-1",
    }
    assert (body["time_ns"], body["severity"]) == (int(START.timestamp()) * 10**9, 17)
    process.store.close()


def test_list_shows_every_rule_and_what_is_late(tmp_path: Path) -> None:
    process = Process(tmp_path, rules=RULES % ON_TIME + "      - alert: Quiet\n        expr: SELECT value FROM quiet WHERE false\n")
    process.tick([ROW])
    rows = {row.alert: row for row in list_alerts(process.store, now=START + 2 * MINUTE)}
    assert (rows["Down"].state, rows["Down"].labels, rows["Down"].since, rows["Down"].late) == (
        "pending",
        {"agent": "support", "severity": "critical"},
        START,
        False,
    )
    late = list_alerts(process.store, now=START + 2 * MINUTE + timedelta(seconds=11))
    assert all(row.late for row in late)
    process.store.close()


def test_the_state_is_readable_while_it_is_written(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([ROW])
    reader = AlertStore.open(tmp_path, read_only=True)
    process.tick([])
    assert [row.state for row in list_alerts(reader, now=START)] == ["resolved"]
    reader.close()
    process.store.close()


def test_align() -> None:
    assert align(START + timedelta(seconds=59), MINUTE) == START
    assert align(START, MINUTE) == START


SEVERAL = """\
groups:
  - {name: quiet, interval: 1m, rules: [{alert: Quiet, expr: SELECT value FROM a}]}
  - {name: loud, interval: 1m, rules: [{alert: Loud, expr: SELECT value FROM b}]}
  - {name: silent, interval: 1m, rules: [{alert: Silent, expr: SELECT value FROM c}]}
"""


@pytest.mark.parametrize(
    ("fires", "expected"),
    [(None, [["Quiet", "Loud", "Silent"]]), ("FROM b", [["Quiet", "Loud"], ["Silent"]]), ("FROM c", [["Quiet", "Loud", "Silent"]])],
)
def test_groups_of_one_round_are_committed_together_and_what_changed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fires: str | None, expected: list[list[str]]
) -> None:
    """A page does not wait for the rules that follow, and a round in which nothing happens is one transaction."""
    process = Process(tmp_path, rules=SEVERAL)
    process.lake.rows_of = {fires: [{"value": 1}]} if fires else {}
    commit, committed = process.store.commit, []

    def counted(evaluations: Iterable[Evaluation], messages: Iterable[Message]) -> None:
        commit(evaluations, messages)
        committed.append([row["rule"].split(";")[2] for row in process.store.evaluations()][sum(map(len, committed)) :])

    monkeypatch.setattr(process.store, "commit", counted)
    process.tick()
    assert committed == expected
    process.store.close()


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    """Whoever erased an alert from the state while it fires on finds it erased."""
    process = Process(tmp_path)
    process.tick([ROW])
    with process.store.begin() as connection:
        connection.execute(delete(ALERTS))
    process.tick()
    assert process.store.alerts() == {}
    process.tick([])
    assert process.states() == {"support": "resolved"}
    process.store.close()


def test_an_error_and_a_lack_of_data_that_end_together_are_two_events(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([{"agent": "support", "value": None}])
    process.lake.error = "no"
    process.tick()
    process.lake.error = None
    process.tick([])
    assert process.events()[2:] == [("inactive", "the rule can be evaluated again"), ("inactive", "there is data again")]
    process.store.close()


def test_old_evaluations_are_forgotten_and_those_before_the_last_so_many(tmp_path: Path) -> None:
    process = Process(tmp_path)
    for _ in range(5):
        process.tick([])
    process.store.prune(START + MINUTE)
    assert [row["at"] for row in process.store.evaluations()] == [START + number * MINUTE for number in (1, 2, 3, 4)]
    process.store.prune(START, most=2)
    assert [row["at"] for row in process.store.evaluations()] == [START + number * MINUTE for number in (3, 4)]
    process.store.close()
