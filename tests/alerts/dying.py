"""An alert process that is killed between a transition and its delivery: every step of that way, and the way itself.

The table is complete for this way: a step that it does not name fails a test, and docs/alerts-receivers.md has the same rows.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import alerts.dispatch
import alerts.outbox
import alerts.state
from alerts.delivery import Courier
from alerts.dispatch import Dispatcher
from alerts.outbox import Outbox
from alerts.receivers.http import Http
from alerts.receivers.webhook import WebhookReceiver
from alerts.state import AlertStore
from tests.alerts.fakes import Process

BEFORE: Final = "before"
AFTER: Final = "after"
ROW: Final = {"agent": "support", "run_id": "run/1", "value": 5}

Reached = Callable[[str, str], None]
"""Is told the name of a step and the moment: before or after it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way, and what a process that follows one which died at its moments finds."""

    name: str
    owner: Any
    attribute: str


STEPS: Final = (
    Step("the evaluation is stored with its events", AlertStore, "commit"),
    Step("in that transaction", alerts.state, "post"),
    Step("the dispatcher looks at the groups", Dispatcher, "tick"),
    Step("in the transaction of the notification log and the outbox", alerts.dispatch, "post"),
    Step("the courier takes what is due", Outbox, "due"),
    Step("the message is handed to the receiver", WebhookReceiver, "send"),
    Step("the request is sent and answered", Http, "_exchange"),
    Step("the delivery is stored with its event", Outbox, "delivered"),
    Step("in the transaction of the delivery", alerts.outbox, "post"),
)


REFUSAL: Final = Step("the message is given up with its event", Outbox, "failed")
"""Where the way of a message ends that its receiver refuses."""


def arm(reached: Reached) -> None:
    """From now on tell `reached` about every step; for a process that dies."""
    for step in (*STEPS, REFUSAL):
        setattr(step.owner, step.attribute, _told(getattr(step.owner, step.attribute), step.name, reached))


def _told(original: Any, name: str, reached: Reached) -> Any:
    def told(*arguments: Any, **named: Any) -> Any:
        reached(name, BEFORE)
        result = original(*arguments, **named)
        reached(name, AFTER)
        return result

    return told


def work(data: Path, url: str) -> list[Process]:
    """From a row to a webhook that has its message."""
    target = WebhookReceiver(name="on-call", url=url)
    process = Process(data, receivers=[target])
    process.tick([ROW])
    Courier(process.store, target, clock=lambda: process.now, quick_wait_seconds=0.001).deliver_due()
    return [process]


def die(data: str, url: str, name: str, moment: str) -> None:
    """The process that is killed."""

    def reached(at: str, when: str) -> None:
        if (at, when) == (name, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    arm(reached)
    work(Path(data), url)


def record(data: str, url: str, told: str) -> None:
    """The same without a kill, which writes down every step that it reaches."""
    seen: list[str] = []
    arm(lambda name, moment: seen.append(name) if moment == AFTER else None)
    for process in work(Path(data), url):
        process.store.close()
    Path(told).write_text("\n".join(seen))
