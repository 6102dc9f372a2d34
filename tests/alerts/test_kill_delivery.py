"""kill -9 at every step between a transition and its delivery: delivered at least once, and once for a receiver that knows keys."""

import json
import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.delivery import Courier
from alerts.receivers.webhook import WebhookReceiver
from tests import on_disk
from tests.alerts.dying import AFTER, BEFORE, REFUSAL, ROW, STEPS, Step, die, record
from tests.alerts.fakes import START, Process
from tests.alerts.http_server import Answer, http_server
from tests.forkserver import exit_code

tmp_path_factory = on_disk.tmp_path_factory
DOCS = Path(__file__).parents[2] / "docs" / "alerts-receivers.md"


def events(process: Process) -> list[str]:
    """Return the names of the events that go into the lake, in order."""
    return [json.loads(row["body"]).get("name", "alert.transition") for row in process.store.outbox() if row["receiver"] == "lake"]


def killed_and_followed(data: Path, url: str, step: Step, moment: str) -> Process:
    """Let a process die at a step, and return the one that follows, after three evaluations and deliveries."""
    assert exit_code(die, str(data), url, step.name, moment) == -signal.SIGKILL
    target = WebhookReceiver(name="on-call", url=url)
    process = Process(data, receivers=[target], now=START + timedelta(minutes=1))
    for _ in range(3):
        process.tick([ROW])
        Courier(process.store, target, clock=lambda: process.now, quick_wait_seconds=0.001).deliver_due()
    return process


@pytest.mark.parametrize("moment", [BEFORE, AFTER])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_kill_loses_nothing_and_an_idempotent_receiver_sees_one(step: Step, moment: str, tmp_path: Path) -> None:
    with http_server() as server:
        process = killed_and_followed(tmp_path, server.url, step, moment)
        told = events(process)
        process.store.close()
    keys = [request.headers["Idempotency-Key"] for request in server.requests]
    assert len(keys) in {1, 2}, "at least once; a second time only when we died before it was stored that it arrived"
    assert len(set(keys)) == 1, "the second has the key of the first"
    assert [(body["status"], len(body["alerts"])) for body in server.bodies] == [("firing", 1)] * len(keys)
    assert told == ["alert.transition", "alert.notification"], "the lake has each once"


@pytest.mark.parametrize("moment", [BEFORE, AFTER])
@pytest.mark.parametrize("step", [REFUSAL, STEPS[-1]], ids=lambda step: step.name)
def test_a_kill_while_a_refusal_is_stored_does_not_count_as_told(step: Step, moment: str, tmp_path: Path) -> None:
    """The message is sent again, or the next look at its group makes another: the notification log has nothing that never arrived."""
    with http_server() as server:
        server.answers = [Answer(status=403)]
        process = killed_and_followed(tmp_path, server.url, step, moment)
        left = [row for row in process.store.outbox() if row["receiver"] == "on-call" and not (row["dead"] or row["delivered_at"])]
        process.store.close()
    assert ([body["status"] for body in server.bodies], left) == (["firing", "firing"], [])


def test_the_table_names_every_step_of_the_way(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with http_server() as server:
        assert exit_code(record, str(tmp_path), server.url, str(told)) == 0
    assert set(told.read_text().splitlines()) == {step.name for step in STEPS}
    assert len(server.requests) == 1


def test_the_documentation_names_every_step() -> None:
    """The table of docs/alerts-receivers.md is this one, in its order."""
    rows = re.findall(r"^\| \d+ \| ([\w ]+) \|", DOCS.read_text(), re.MULTILINE)
    assert rows == [step.name for step in STEPS]
