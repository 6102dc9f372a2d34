"""What becomes of alerts is in the view `alert_log`, whatever kind it is."""

from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from alerts.events import ack_attributes, notification_message, read_event, silence_attributes
from alerts.state import Message
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.journal import Journal, JournalEvent
from storage.lake import Lake
from tests.alerts.fakes import START, as_it_is

HOUR = timedelta(hours=1)
NOW_NS = int(START.timestamp() * 1e9)
TOLD = Message(key="k1", receiver="on-call", group_key='{}:{alertname="Down"}', body="{}", created_at=START)
PAYLOAD = {
    "status": "firing",
    "groupLabels": {"alertname": "Down"},
    "alerts": [{"status": "firing", "fingerprint": "aa"}, {"status": "resolved", "fingerprint": "bb"}],
}


def told(name: str, attributes: Mapping[str, Any]) -> JournalEvent:
    return JournalEvent(name=name, time_ns=NOW_NS, attributes=attributes)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """Kind and outcome → row of the view, over a lake with an event of each kind, written as the process and the commands do."""
    data = tmp_path_factory.mktemp("lake")
    sent = notification_message(TOLD, PAYLOAD, outcome="sent", at=START, attempts=2)
    failed = notification_message(TOLD, PAYLOAD, outcome="failed", at=START + HOUR, attempts=5, reason="status 410")
    Journal(data, "node/alerts", as_it_is, "p", lambda: NOW_NS).write([read_event(sent.body), read_event(failed.body)])
    silence = silence_attributes("s1", "active", matchers=['alertname="Down"', "agent=~'a,b'"], starts_at=START, ends_at=START + HOUR)
    ack = ack_attributes("Down", "aa", {"alertname": "Down", "run_id": "run-1", "severity": "critical"}, "acknowledged")
    who = {"user.id": "jo", "auditlake.access.reason": "deploying", "auditlake.outcome": "success"}
    Journal(data, "node/access", as_it_is, "p", lambda: NOW_NS).write([told("alert.silence", who | silence), told("alert.ack", who | ack)])
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    with Lake.open(data, threads=1) as lake:
        return {(row["kind"], row["outcome"]): row for row in lake.query("SELECT * FROM alert_log").to_pylist()}


def said(row: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def test_a_notification_says_to_whom_about_what_and_after_how_many_attempts(log: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    row = log["notification", "sent"]
    assert said(row, "alertname", "receiver", "group_key", "state", "attempts", "error") == (
        "Down", "on-call", '{}:{alertname="Down"}', "firing", 2, None,
    )  # fmt: skip
    assert said(row, "firing", "resolved", "labels") == (["aa"], ["bb"], '{"alertname": "Down"}')
    assert f"{row['time']}" == "2026-11-21 12:00:00"


def test_a_notification_that_failed_for_good_says_why(log: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    assert said(log["notification", "failed"], "attempts", "error") == (5, "status 410")


def test_a_silence_says_who_why_which_alerts_and_until_when(log: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    row = log["silence", "success"]
    assert said(row, "silence_id", "state", "actor", "reason") == ("s1", "active", "jo", "deploying")
    assert row["matchers"] == ['alertname="Down"', "agent=~'a,b'"]
    assert (f"{row['starts_at']}", f"{row['ends_at']}") == ("2026-11-21 12:00:00", "2026-11-21 13:00:00")


def test_an_acknowledgement_names_the_alert_and_its_run(log: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    row = log["ack", "success"]
    assert said(row, "alertname", "fingerprint", "severity", "run_id", "actor") == ("Down", "aa", "critical", "run-1", "jo")


def test_a_notification_told_again_is_the_same_event() -> None:
    """A crash between delivery and its record repeats it; the outbox takes each key once."""
    first = notification_message(TOLD, PAYLOAD, outcome="sent", at=START, attempts=1)
    again = notification_message(TOLD, PAYLOAD, outcome="sent", at=START + HOUR, attempts=1)
    other = notification_message(TOLD, PAYLOAD, outcome="failed", at=START, attempts=1)
    assert first.key == again.key != other.key


def test_a_storm_is_counted_and_its_first_alerts_are_named() -> None:
    storm = {**PAYLOAD, "alerts": [{"status": "firing", "fingerprint": f"{number}"} for number in range(250)]}
    attributes = read_event(notification_message(TOLD, storm, outcome="sent", at=START, attempts=1).body).attributes
    firing = attributes["auditlake.alert.firing"]
    assert isinstance(firing, list)
    assert (len(firing), firing[-1]) == (101, "+150")
