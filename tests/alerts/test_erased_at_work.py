"""Whoever is erased while rules are evaluated is not written back from the memory of the process that evaluates them."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

import alerts.dispatch
from alerts.delivery import Courier
from alerts.dispatch import Dispatcher
from alerts.errors import Outdated
from alerts.forgetting import at_work, forget
from alerts.receivers.webhook import WebhookReceiver
from alerts.recipients import Recipients, Telling
from alerts.recordings import Recorder, Recording, journalled
from alerts.transitions import LakeReceiver
from storage.catalog import Catalog
from storage.errors import LakeLocked
from storage.journal import Journal
from storage.lake import Lake
from tests import on_disk
from tests.alerts.erasing import NAME, erase_here, mentions, places
from tests.alerts.fakes import START, FakeLake, Process, as_it_is
from tests.forkserver import exit_code
from tests.polling import wait_until

tmp_path_factory = on_disk.tmp_path_factory
HERS = {"agent": NAME, "value": 1}
OTHER = {"agent": "support", "value": 2}
THIRD = {"agent": "billing", "value": 3}
RECEIVER = WebhookReceiver(name="on-call", url="http://127.0.0.1:1/")


def journal(data: Path) -> Journal:
    return Journal(data, "n/alerts", as_it_is, "p", lambda: int(START.timestamp()) * 10**9)


def handed_over(process: Process) -> int:
    """Write everything that waits for the lake into its WAL; returns how many events that were."""
    return Courier(process.store, LakeReceiver(journal=journal(process.data)), clock=lambda: process.now).deliver_due()


def traces(process: Process) -> list[str]:
    """Return the places that name her: files with their -wal, queues, and what the lake was handed."""
    return places(process.data)


def erase_elsewhere(data: Path) -> None:
    assert exit_code(forget, data, mentions) == 0


def others_go_on(process: Process) -> None:
    """What others do is evaluated, stored, told and handed to the lake."""
    process.tick([OTHER, THIRD])
    process.tick([THIRD])
    assert process.states() == {"support": "resolved", "billing": "firing"}
    told = [{alert["labels"]["agent"]: alert["status"] for alert in body["alerts"]} for body in process.bodies("on-call")]
    assert any(each.get("billing") == "firing" for each in told)
    assert handed_over(process) > 0
    assert traces(process) == []


@pytest.mark.parametrize("erase", [erase_here, erase_elsewhere])
def test_an_alert_that_was_erased_between_two_evaluations_does_not_come_back(tmp_path: Path, erase: Callable[[Path], None]) -> None:
    """Neither as resolved, nor in a group, nor in a message, nor as an event of the lake."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS, OTHER])
    assert {place.split()[-1] for place in traces(process)} >= {"alerts", "members", "outbox"}
    erase(tmp_path)
    assert traces(process) == []
    others_go_on(process)
    process.store.close()


def at(moment: str, process: Process, monkeypatch: pytest.MonkeyPatch, erase: Callable[[], None]) -> None:
    """Have somebody erased at a moment of the next evaluation, once."""
    left = [erase]

    def before(work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            while left:
                left.pop()()
            return work(*arguments, **named)

        return wrapped

    owner, name = {
        "evaluated": (process.store, "commit"),
        "committed": (process.dispatcher, "tick"),
        "looked at": (alerts.dispatch, "stored_entries"),
        "about to be told": (alerts.dispatch, "_Looking"),
    }[moment]
    monkeypatch.setattr(owner, name, before(getattr(owner, name)))


@pytest.mark.parametrize("erase", [erase_here, erase_elsewhere])
@pytest.mark.parametrize("moment", ["evaluated", "committed", "looked at", "about to be told"])
@pytest.mark.parametrize("known", [False, True])
def test_whoever_is_erased_within_an_evaluation_is_not_written_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, erase: Callable[[Path], None], moment: str, known: bool
) -> None:
    """Whether the state named her before, or this evaluation is the first that does."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS, OTHER] if known else [OTHER])
    at(moment, process, monkeypatch, lambda: erase(tmp_path))
    process.tick([HERS | {"value": 7}, THIRD])
    assert traces(process) == []
    others_go_on(process)
    process.store.close()


def test_rules_that_are_gone_end_no_alert_of_whom_was_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS, OTHER])
    process = process.restarted(rules="groups: []")
    removed = process.store.forget

    def erased_before(*arguments: Any) -> None:
        erase_here(tmp_path)
        monkeypatch.setattr(process.store, "forget", removed)
        removed(*arguments)

    monkeypatch.setattr(process.store, "forget", erased_before)
    process.tick()
    assert (traces(process), [row["body"] for row in process.store.outbox() if "resolved" in row["body"]]) == ([], [])
    process.tick()
    assert (traces(process), process.store.rules()) == ([], [])
    assert any("support" in body["attributes"]["auditlake.alert.labels"] for body in process.bodies("lake"))
    process.store.close()


class Erasing:
    """A receiver that takes messages, while whom they are about is erased."""

    name = "on-call"
    receiver = "on-call"
    send_resolved = True
    acknowledges = False
    most_at_once = 100

    def __init__(self, during: Callable[[], None]) -> None:
        self._during = during
        self.sent: list[str] = []

    def send(self, messages: Sequence[Any]) -> None:
        self.sent += [message.body for message in messages]
        self._during()


def test_of_a_message_that_was_erased_on_its_way_nothing_is_told(tmp_path: Path) -> None:
    """Nor does another message count as delivered that has its number since."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS])

    def during() -> None:
        forget(tmp_path, lambda _: True)
        process.tick([OTHER])

    receiver = Erasing(during)
    Courier(process.store, receiver, clock=lambda: process.now).deliver_due()
    assert len(receiver.sent) == 1
    waiting = [row for row in process.store.outbox() if row["receiver"] == "on-call"]
    assert [row["delivered_at"] for row in waiting] == [None]
    assert "alert.notification" not in {body["name"] for body in process.bodies("lake")}
    assert traces(process) == []
    process.store.close()


def test_a_message_that_was_erased_is_not_sent_again(tmp_path: Path) -> None:
    """The attempts that follow one which failed see that it is gone."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS])

    def during() -> None:
        erase_here(tmp_path)
        raise ConnectionError

    receiver = Erasing(during)
    with structlog.testing.capture_logs():
        Courier(process.store, receiver, clock=lambda: process.now, quick_wait_seconds=0.001).deliver_due()
    assert (len(receiver.sent), traces(process)) == (1, [])
    process.store.close()


def test_events_that_were_erased_are_not_handed_to_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they were taken from the outbox before."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS, OTHER])
    due = process.store.due

    def erased_after(*arguments: Any, **named: Any) -> Any:
        found = due(*arguments, **named)
        erase_here(tmp_path)
        return found

    monkeypatch.setattr(process.store, "due", erased_after)
    handed_over(process)
    assert traces(process) == []
    assert places(tmp_path / "wal", "support") != [], "events of others are there"
    process.store.close()


def test_an_order_waits_for_events_that_are_on_their_way_into_the_lake(tmp_path: Path) -> None:
    """So they are in the lake when the order looks for them there."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS])
    began, found = threading.Event(), list[list[str]]()

    def order() -> None:
        began.set()
        with at_work(tmp_path):
            found.append(places(tmp_path / "wal"))

    thread = threading.Thread(target=order)

    class Slow:
        def write(self, events: Any) -> None:
            thread.start()
            assert began.wait(10)
            thread.join(0.3)
            assert thread.is_alive(), "the order waits"
            journal(tmp_path).write(events)

    Courier(process.store, LakeReceiver(journal=Slow()), clock=lambda: process.now).deliver_due()  # type: ignore[arg-type]
    thread.join(20)
    assert len(found[0]) == 1
    process.store.close()


def test_while_an_order_is_at_work_events_wait_and_alerts_are_told(tmp_path: Path) -> None:
    """What rules say of rows that the order is about to remove comes into no file that it does not look at."""
    process = Process(tmp_path, receivers=[RECEIVER])
    telling = Telling(process.store, journal(tmp_path), interval=timedelta(minutes=1), clock=lambda: process.now)
    telling.use(Recipients(external_url="http://auditlake.test"))
    with at_work(tmp_path):
        process.tick([HERS, OTHER])
        telling.wake()
        wait_until(lambda: all(row["delivered_at"] for row in process.store.outbox() if row["receiver"] == "log"))
        assert len(process.bodies("on-call")) == 1
        assert not (tmp_path / "wal").exists()
        with pytest.raises(LakeLocked):
            _second_order(tmp_path)
        erase_here(tmp_path)
    telling.wake()
    wait_until(lambda: all(row["delivered_at"] for row in process.store.outbox() if row["receiver"] == "lake"))
    telling.close()
    assert traces(process) == []
    assert places(tmp_path / "wal", "support") != []
    process.store.close()


def _second_order(data: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.removal._WAIT_SECONDS", 0.0)
        with at_work(data):
            pass


def test_an_order_that_begins_on_the_way_to_the_lake_is_waited_for(tmp_path: Path) -> None:
    """Whoever looked before whether one is at work looks once more when nobody can begin."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS])
    looks = iter([False, True, True, True, True])
    courier = Courier(
        process.store,
        LakeReceiver(journal=journal(tmp_path)),
        clock=lambda: process.now,
        quick_wait_seconds=0.001,
        waits=lambda: next(looks),
    )
    with structlog.testing.capture_logs():
        assert courier.deliver_due() == 0
    assert not (tmp_path / "wal").exists()
    process.store.close()


RECORDS = "groups: [{name: g, interval: 1m, rules: [{record: 'agent:calls', expr: 'SELECT agent, value FROM x'}]}]"


def test_what_a_rule_recorded_of_somebody_is_not_written_after_the_order(tmp_path: Path) -> None:
    """It is dropped with its evaluation; while an order is at work a rule that records fails, and says so."""
    lake = FakeLake()
    process = Process(tmp_path, lake, rules=RECORDS, record=journalled(journal(tmp_path)))
    asked = lake.query

    def erased_meanwhile(*arguments: Any, **named: Any) -> Any:
        erase_here(tmp_path)
        return asked(*arguments, **named)

    lake.query = erased_meanwhile  # type: ignore[method-assign]
    process.tick([HERS])
    lake.query = asked  # type: ignore[method-assign]
    assert (traces(process), lake.recorded, process.store.evaluations()) == ([], [], [])
    with at_work(tmp_path):
        process.tick([HERS])
    assert "an order of erasure is at work" in (process.store.rules()[0].error or "")
    assert traces(process) == []
    process.tick([OTHER])
    assert process.store.rules()[0].error is None
    assert places(tmp_path / "wal", "support") != []
    process.store.close()


def test_a_process_forgets_what_was_recorded_of_somebody(tmp_path: Path) -> None:
    process = Process(tmp_path, rules=RECORDS, record=lambda _: None)
    process.tick([HERS])
    assert [row["labels"] for row in process.lake.recorded] == [f'{{"agent": "{NAME}"}}']
    erase_here(tmp_path)
    process.tick([OTHER])
    assert [row["labels"] for row in process.lake.recorded] == ['{"agent": "support"}']
    process.store.close()


def test_rules_read_nothing_that_was_recorded_of_somebody_before(tmp_path: Path) -> None:
    """What is not sealed yet is known beside the files, and forgotten with them."""
    Catalog.open(tmp_path).close()
    with Lake.open(tmp_path, threads=1) as lake:
        recorder = Recorder(lake)
        recorder.take([Recording(name="a", rule_group="g", time=START, labels={"agent": NAME}, value=1.0)])
        assert lake.query("SELECT * FROM recordings").num_rows == 1
        recorder.forget()
        assert lake.query("SELECT * FROM recordings").num_rows == 0


def test_a_dispatcher_takes_nothing_from_before_an_order(tmp_path: Path) -> None:
    """What was given to it and not taken is dropped with what it remembers."""
    process = Process(tmp_path, receivers=[RECEIVER])
    process.tick([HERS, OTHER])
    dispatcher: Dispatcher = process.dispatcher
    erase_here(tmp_path)
    with pytest.raises(Outdated):
        dispatcher.tick(process.now, process.runner.alerts()[:1])
    assert process.runner.recall()
    dispatcher.tick(process.now)
    assert traces(process) == []
    process.store.close()
