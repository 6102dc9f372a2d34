"""Delivery: over real HTTP, at least once, in order, with one key for one message, and with patience for a receiver that is down."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeout

from alerts.breaker import FIRST_PAUSE
from alerts.delivery import GIVE_UP_AFTER, Courier, Draw, delay, give_up_for_others
from alerts.errors import DeliveryFailed
from alerts.outbox import Delivery, Message, Outbox, post
from alerts.receivers.http import Http
from alerts.receivers.receiver import Receiver
from alerts.receivers.webhook import WebhookReceiver
from alerts.state import AlertStore
from alerts.transitions import LogReceiver
from tests.alerts.fakes import RULES, Process, Webhook, webhook
from tests.alerts.http_server import Answer, http_server
from tests.alerts.messages import NOON, alert, message
from tests.ports import free_ports

MINUTE = timedelta(minutes=1)
ROW = {"agent": "support", "run_id": "run/1", "value": 5}


class Waiting:
    """An outbox with messages for on-call, and a clock."""

    def __init__(self, data: Path, *keys: str) -> None:
        self.store = AlertStore.open(data)
        self.now = NOON
        with self.store.begin() as connection:
            post(connection, [message(alert(), key=key) for key in keys])

    def courier(self, receiver: Receiver, draw: float = 0.5) -> Courier:
        return Courier(self.store, receiver, clock=self.clock, quick_wait_seconds=0.001, draw=lambda: draw)

    def clock(self) -> datetime:
        return self.now

    def rows(self, receiver: str = "on-call") -> list[dict[str, Any]]:
        return [row for row in self.store.outbox() if row["receiver"] == receiver]

    def events(self) -> list[dict[str, Any]]:
        """What the lake is told about notifications: outcome, attempts, reason."""
        told = [json.loads(row["body"]) for row in self.rows("lake")]
        assert {event["name"] for event in told} <= {"alert.notification"}
        return [
            {
                "outcome": event["attributes"]["auditlake.outcome"],
                "attempts": event["attributes"]["auditlake.alert.attempts"],
                "error": event["attributes"].get("auditlake.alert.error"),
            }
            for event in told
        ]


def receiver(hook: Webhook) -> WebhookReceiver:
    return WebhookReceiver(name="on-call", url=hook.url, http=Http(timeout_seconds=2))


def nowhere() -> WebhookReceiver:
    url = f"http://127.0.0.1:{free_ports(1)[0]}/"
    return WebhookReceiver(name="on-call", url=url, http=Http(timeout_seconds=1))


def test_the_payload_is_alertmanagers_version_4(tmp_path: Path) -> None:
    """The second message comes when the group's interval of five minutes has passed."""
    with webhook() as hook:
        process = Process(tmp_path, receivers=[receiver(hook)])
        courier = Courier(process.store, receiver(hook), clock=lambda: process.now, quick_wait_seconds=0.001)
        process.tick([ROW, {"agent": "billing", "run_id": "run/2", "value": 1.5}])
        for _ in range(6):
            process.tick([ROW])
            courier.deliver_due()
        process.store.close()
    golden = json.loads((Path(__file__).parent / "webhook_golden.json").read_text())
    assert hook.bodies == golden
    headers = hook.requests[0][0]
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "auditlake")


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_failure_that_may_pass_is_tried_again_at_once(tmp_path: Path, status: int) -> None:
    with webhook() as hook:
        hook.statuses = [status, status]
        waiting = Waiting(tmp_path, "one")
        assert waiting.courier(receiver(hook)).deliver_due() == 1
        assert waiting.events() == [{"outcome": "sent", "attempts": 3, "error": None}]
        waiting.store.close()
    assert len(hook.requests) == 3
    assert len(set(hook.keys)) == 1, "it is the same message each time"


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_is_final_and_kept_to_be_seen(tmp_path: Path, status: int) -> None:
    with webhook() as hook:
        hook.statuses = [status]
        waiting = Waiting(tmp_path, "one")
        assert waiting.courier(receiver(hook)).deliver_due() == 0
        waiting.now += timedelta(days=1)
        assert waiting.courier(receiver(hook)).deliver_due() == 0
        [row] = waiting.rows()
        assert (row["dead"], row["error"], row["attempts"]) == (True, f"status {status}", 1)
        assert waiting.events() == [{"outcome": "failed", "attempts": 1, "error": f"status {status}"}]
        waiting.store.close()
    assert len(hook.requests) == 1


def test_a_receiver_that_is_down_gets_it_later_in_order(tmp_path: Path) -> None:
    with webhook() as hook:
        waiting = Waiting(tmp_path, "one", "two")
        assert waiting.courier(nowhere()).deliver_due() == 0
        assert waiting.courier(receiver(hook)).deliver_due() == 0, "the first is not due yet, and the second waits for it"
        assert waiting.events() == [], "a failure that may pass is no news"
        waiting.now += delay(0)
        assert [waiting.courier(receiver(hook)).deliver_due() for _ in range(3)] == [1, 1, 0]
        waiting.store.close()
    assert hook.keys == ["one", "two"]


def test_after_a_day_without_success_a_message_is_given_up(tmp_path: Path) -> None:
    with webhook() as hook:
        hook.statuses = [500] * 3
        waiting = Waiting(tmp_path, "one")
        waiting.now += GIVE_UP_AFTER + MINUTE
        waiting.courier(receiver(hook)).deliver_due()
        assert [row["dead"] for row in waiting.rows()] == [True]
        waiting.store.close()


def test_delays_grow_to_five_minutes() -> None:
    assert [delay(attempts).total_seconds() for attempts in (0, 3, 6, 18, 180)] == [5, 10, 20, 300, 300]


def test_delays_are_spread() -> None:
    """Receivers that failed together are not tried together."""
    draws: list[Draw] = [lambda: 0.0, lambda: 0.5, lambda: 1.0]
    assert [delay(0, draw).total_seconds() for draw in draws] == [4, 5, 6]


def test_a_receiver_that_asks_for_patience_is_left_alone_so_long(tmp_path: Path) -> None:
    with http_server() as server:
        server.answers = [Answer(status=429, headers={"Retry-After": "90"})]
        waiting = Waiting(tmp_path, "one")
        target = WebhookReceiver(name="on-call", url=server.url)
        assert waiting.courier(target).deliver_due() == 0
        waiting.now += timedelta(seconds=89)
        assert waiting.courier(target).deliver_due() == 0
        assert len(server.requests) == 1, "not even at once"
        waiting.now += timedelta(seconds=1)
        assert waiting.courier(target).deliver_due() == 1
        waiting.store.close()


class Failing:
    """Fails so many times, and then takes everything."""

    name = "on-call"
    send_resolved = True
    most_at_once = 1

    def __init__(self, times: int, error: Exception) -> None:
        self.times = times
        self.error = error
        self.attempts: list[str] = []

    def send(self, messages: Sequence[Message]) -> None:
        self.attempts += [message.key for message in messages]
        if len(self.attempts) <= self.times:
            raise self.error


def test_a_receiver_that_fails_again_and_again_is_left_alone_then_tried_with_one_message(tmp_path: Path) -> None:
    """Messages of many groups wait: five attempts open the breaker, one is the probe, and its success sends all others at once."""
    waiting = Waiting(tmp_path)
    with waiting.store.begin() as connection:
        post(connection, [replace(message(alert(), key=key), group_key=key) for key in "abcdefgh"])
    target = Failing(6, DeliveryFailed("on-call", "status 503", retryable=True))
    courier = waiting.courier(target)
    assert courier.deliver_due() == 0
    assert len(target.attempts) == 5, "three for the first message, two for the second"
    waiting.now += FIRST_PAUSE - timedelta(seconds=1)
    assert courier.deliver_due() == 0
    waiting.now += timedelta(seconds=1)
    assert courier.deliver_due() == 0
    assert len(target.attempts) == 6, "the probe fails"
    waiting.now += 2 * FIRST_PAUSE
    with structlog.testing.capture_logs() as lines:
        assert courier.deliver_due() + courier.deliver_due() == 8
    assert [line["event"] for line in lines] == ["the receiver is back"]
    waiting.store.close()


def test_a_failure_that_nobody_foresaw_does_not_end_the_courier(tmp_path: Path) -> None:
    """Its text may hold an address with credentials: only its kind and place are told."""
    waiting = Waiting(tmp_path, "one")
    target = Failing(2, ZeroDivisionError("http://user:hunter2@host"))
    with structlog.testing.capture_logs() as lines:
        assert waiting.courier(target).deliver_due() == 1
    assert {(line["event"], line["error"]) for line in lines} == {("delivery failed unexpectedly", "ZeroDivisionError")}
    assert "hunter2" not in str(lines)
    waiting.store.close()


def test_messages_to_a_receiver_that_was_removed_are_given_up(tmp_path: Path) -> None:
    """Like all that is given up, it is an event."""
    waiting = Waiting(tmp_path, "one", "two")
    assert give_up_for_others(waiting.store, ["lake", "log", "chat"], now=waiting.now) == 2
    assert waiting.store.due(waiting.now, "on-call") == []
    assert waiting.events() == [{"outcome": "failed", "attempts": 0, "error": "the receiver is no longer configured"}] * 2
    assert give_up_for_others(waiting.store, ["lake", "log", "chat"], now=waiting.now) == 0
    waiting.store.close()


class Reached(Failing):
    """Takes everything, and says so."""

    def __init__(self) -> None:
        super().__init__(0, DeliveryFailed("on-call", "", retryable=True))
        self.taken = threading.Event()

    def send(self, messages: Sequence[Message]) -> None:
        super().send(messages)
        self.taken.set()


def test_a_store_that_cannot_be_read_for_a_while_does_not_end_the_courier(tmp_path: Path) -> None:
    """Whatever SQLAlchemy raises: a pool without a free connection is no error of the database."""
    waiting, told = Waiting(tmp_path, "one"), threading.Event()

    class Exhausted(Outbox):
        def due(self, now: datetime, receiver: str, *, most: int = 100) -> list[Delivery]:
            if not told.is_set():
                told.set()
                raise PoolTimeout("QueuePool limit reached")
            return super().due(now, receiver, most=most)

    target = Reached()
    courier = Courier(Exhausted(waiting.store.engine), target, clock=waiting.clock)
    courier.start()
    assert told.wait(10)
    courier.wake()
    assert target.taken.wait(10)
    courier.close()
    waiting.store.close()


def test_the_log_has_one_line_a_transition_however_often_its_group_changes(tmp_path: Path) -> None:
    process = Process(tmp_path, rules=RULES % {"wait": "1m", "keep": "0s"})
    other, third = {**ROW, "agent": "b"}, {**ROW, "agent": "c"}
    for rows in ([ROW], [ROW, other], [ROW, other, third], [ROW, other, third], [other], []):
        process.tick(rows)
    with structlog.testing.capture_logs() as lines:
        courier = Courier(process.store, LogReceiver(), clock=lambda: process.now)
        assert courier.deliver_due() == 9
        assert courier.deliver_due() == 0
    process.store.close()
    told = [(line["log_level"], line["state"], line["labels"]["agent"]) for line in lines]
    for agent in ("support", "b", "c"):
        mine = [(level, state) for level, state, name in told if name == agent]
        assert mine == [("debug", "pending"), ("warning", "firing"), ("info", "resolved")]
    assert next(line for line in lines if line["state"] == "firing") == {
        "event": "alert",
        "log_level": "warning",
        "alertname": "Down",
        "state": "firing",
        "labels": {"agent": "support", "run_id": "run/1", "severity": "critical"},
        "value": 5.0,
        "since": "2026-11-21T12:00:00.000000Z",
    }


def test_no_address_is_in_the_words_of_a_failure() -> None:
    target = WebhookReceiver(name="on-call", url="http://user:hunter2@127.0.0.1:1/", http=Http(timeout_seconds=1))
    with pytest.raises(DeliveryFailed) as caught:
        target.send([message(alert())])
    assert "hunter2" not in f"{caught.value} {target!r}"
