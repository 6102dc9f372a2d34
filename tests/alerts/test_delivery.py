"""Notifications: Alertmanager's JSON byte for byte, over real HTTP, at least once, in order, and with one key for one message."""

import json
import multiprocessing
import os
import signal
import socket
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from alerts.delivery import GIVE_UP_AFTER, Courier, delay
from alerts.errors import DeliveryFailed
from alerts.notify import Receiver, WebhookReceiver
from alerts.transitions import LogReceiver
from tests.alerts.fakes import RULES, START, Process, Webhook, webhook

MINUTE = timedelta(minutes=1)
ROW = {"agent": "support", "run_id": "run/1", "value": 5}
NOWHERE = WebhookReceiver(name="nowhere", url="http://127.0.0.1:1/")


def courier(process: Process, receiver: Receiver) -> Courier:
    return Courier(process.store, receiver, clock=lambda: process.now, quick_wait_seconds=0.001)


def receiver(hook: Webhook, **settings: object) -> WebhookReceiver:
    return WebhookReceiver(name="on-call", url=hook.url, timeout_seconds=2, **settings)  # type: ignore[arg-type]


def test_the_payload_is_alertmanagers_version_4(tmp_path: Path) -> None:
    with webhook() as hook:
        process = Process(tmp_path, receivers=[receiver(hook)])
        process.tick([ROW, {"agent": "billing", "run_id": "run/2", "value": 1.5}])
        process.tick([ROW])
        assert courier(process, receiver(hook)).deliver_due() == 1
        assert courier(process, receiver(hook)).deliver_due() == 1
        process.store.close()
    golden = json.loads((Path(__file__).parent / "webhook_golden.json").read_text())
    assert hook.bodies == golden
    headers = hook.requests[0][0]
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "auditlake")


def test_a_message_holds_all_that_fires_and_what_just_resolved(tmp_path: Path) -> None:
    with webhook() as hook:
        process = Process(tmp_path, receivers=[receiver(hook)])
        for rows in ([ROW], [ROW, {**ROW, "agent": "b"}], [{**ROW, "agent": "b"}], []):
            process.tick(rows)
            courier(process, receiver(hook)).deliver_due()
        process.store.close()
    told = [(body["status"], sorted((alert["labels"]["agent"], alert["status"]) for alert in body["alerts"])) for body in hook.bodies]
    assert told == [
        ("firing", [("support", "firing")]),
        ("firing", [("b", "firing"), ("support", "firing")]),
        ("firing", [("b", "firing"), ("support", "resolved")]),
        ("resolved", [("b", "resolved")]),
    ]


def test_pending_alerts_and_unchanged_ones_are_not_told(tmp_path: Path) -> None:
    process = Process(tmp_path, receivers=[NOWHERE], rules=RULES % {"wait": "2m", "keep": "0s"})
    for _ in range(2):
        process.tick([ROW])
    assert process.bodies("nowhere") == []
    for _ in range(3):
        process.tick([ROW])
    assert len(process.bodies("nowhere")) == 1
    process.store.close()


def test_a_receiver_may_not_want_to_know_what_resolved(tmp_path: Path) -> None:
    process = Process(tmp_path, receivers=[WebhookReceiver(name="quiet", url="http://127.0.0.1:1/", send_resolved=False)])
    process.tick([ROW])
    process.tick([])
    assert [body["status"] for body in process.bodies("quiet")] == ["firing"]
    process.store.close()


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_failure_that_may_pass_is_tried_again_at_once(tmp_path: Path, status: int) -> None:
    with webhook() as hook:
        hook.statuses = [status, status]
        process = Process(tmp_path, receivers=[receiver(hook)])
        process.tick([ROW])
        assert courier(process, receiver(hook)).deliver_due() == 1
        process.store.close()
    assert len(hook.requests) == 3
    assert len(set(hook.keys)) == 1, "it is the same message each time"


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_is_final_and_kept_to_be_seen(tmp_path: Path, status: int) -> None:
    with webhook() as hook:
        hook.statuses = [status]
        process = Process(tmp_path, receivers=[receiver(hook)])
        process.tick([ROW])
        assert courier(process, receiver(hook)).deliver_due() == 0
        process.now += timedelta(days=1)
        assert courier(process, receiver(hook)).deliver_due() == 0
        [row] = [row for row in process.store.outbox() if row["receiver"] == "on-call"]
        assert (row["dead"], row["error"], row["attempts"]) == (True, f"status {status}", 1)
        process.store.close()
    assert len(hook.requests) == 1


def test_a_receiver_that_is_down_gets_it_later_in_order(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    down = WebhookReceiver(name="on-call", url=url, timeout_seconds=1)
    with webhook() as hook:
        process = Process(tmp_path, receivers=[receiver(hook)])
        process.tick([ROW])
        process.tick([])
        assert courier(process, down).deliver_due() == 0
        assert courier(process, receiver(hook)).deliver_due() == 0, "the first is not due yet, and the second waits for it"
        process = process.restarted(after=delay(0))
        assert [courier(process, receiver(hook)).deliver_due() for _ in range(3)] == [1, 1, 0]
        process.store.close()
    assert [body["status"] for body in hook.bodies] == ["firing", "resolved"]


def test_after_a_day_without_success_a_message_is_given_up(tmp_path: Path) -> None:
    with webhook() as hook:
        process = Process(tmp_path, receivers=[receiver(hook)])
        process.tick([ROW])
        process.now += GIVE_UP_AFTER
        hook.statuses = [500] * 3
        courier(process, receiver(hook)).deliver_due()
        assert [row["dead"] for row in process.store.outbox() if row["receiver"] == "on-call"] == [True]
        process.store.close()


def test_delays_grow_to_five_minutes() -> None:
    assert [delay(attempts).total_seconds() for attempts in (0, 1, 2, 6, 60)] == [5, 10, 20, 300, 300]


def test_messages_to_a_receiver_that_was_removed_are_given_up(tmp_path: Path) -> None:
    process = Process(tmp_path, receivers=[NOWHERE])
    process.tick([ROW])
    assert process.store.abandon(["lake", "log"]) == 1
    assert process.store.due(process.now, "nowhere") == []
    process.store.close()


def test_the_log_has_one_line_a_transition_however_often_its_group_changes(tmp_path: Path) -> None:
    """A webhook is told all that fires each time one more does; the log is not."""
    process = Process(tmp_path, receivers=[NOWHERE], rules=RULES % {"wait": "1m", "keep": "0s"})
    other, third = {**ROW, "agent": "b"}, {**ROW, "agent": "c"}
    for rows in ([ROW], [ROW, other], [ROW, other, third], [ROW, other, third], [other], []):
        process.tick(rows)
    with structlog.testing.capture_logs() as lines:
        assert courier(process, LogReceiver()).deliver_due() == 9
        assert courier(process, LogReceiver()).deliver_due() == 0
    assert [len(body["alerts"]) for body in process.bodies("nowhere")] == [1, 2, 3, 3, 1]
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


def test_no_address_is_in_the_words_of_a_failure(tmp_path: Path) -> None:
    target = WebhookReceiver(name="on-call", url="http://user:hunter2@127.0.0.1:1/", timeout_seconds=1)
    process = Process(tmp_path, receivers=[target])
    process.tick([ROW])
    [due] = process.store.due(process.now, "on-call")
    process.store.close()
    with pytest.raises(DeliveryFailed) as caught:
        target.send([due.message])
    assert "hunter2" not in f"{caught.value} {target!r}"


def _die(data: Path, url: str, *, after_sending: bool) -> None:
    """Run in a process: commit a transition, then be killed before or after the receiver has the message."""

    class Killer(WebhookReceiver):
        def send(self, messages: object) -> None:
            if after_sending:
                super().send(messages)  # type: ignore[arg-type]
            os.kill(os.getpid(), signal.SIGKILL)

    target = Killer(name="on-call", url=url)
    process = Process(data, receivers=[target])
    process.tick([ROW])
    courier(process, target).deliver_due()


@pytest.mark.parametrize("after_sending", [False, True])
def test_a_kill_between_transition_and_delivery_loses_and_doubles_nothing(tmp_path: Path, after_sending: bool) -> None:
    """Delivered after the restart; when it had been delivered before, the second has the same key, so the receiver knows it."""
    with webhook() as hook:
        dying = multiprocessing.get_context("spawn").Process(
            target=_die, args=(tmp_path, hook.url), kwargs={"after_sending": after_sending}
        )
        dying.start()
        dying.join(30)
        assert dying.exitcode == -signal.SIGKILL
        process = Process(tmp_path, receivers=[receiver(hook)], now=START + MINUTE)
        process.tick([ROW])
        carrier = courier(process, receiver(hook))
        assert [carrier.deliver_due() for _ in range(3)] == [1, 0, 0]
        assert [state for state, _ in process.events()] == ["firing"], "the transition is told once"
        process.store.close()
    assert len(hook.requests) == (2 if after_sending else 1)
    assert len(set(hook.keys)) == 1
