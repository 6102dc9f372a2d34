"""What is told, to whom and when: Alertmanager's documented behaviour as timelines under a simulated clock, and what a crash leaves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from alerts.acks import Acks
from alerts.delivery import give_up
from alerts.dispatch import Dispatcher, fire, message
from alerts.durations import parse_duration
from alerts.evaluate import Alert, State
from alerts.grouping import Entry, Reason, reason_to_tell
from alerts.outbox import Delivery, Message
from alerts.receivers.webhook import WebhookReceiver
from alerts.routing import Routing, everything, read_routing
from alerts.state import AlertStore
from tests.alerts.fakes import START, Process
from tests.alerts.simulation import Integration, Simulation, alert

CASES: Sequence[Mapping[str, Any]] = yaml.safe_load((Path(__file__).parent / "routing_conformance.yaml").read_text())
PAGE = Path(__file__).parents[2] / "docs/alerts-routing.md"
MINUTE = timedelta(minutes=1)
ON_CALL = Integration(name="on-call", receiver="on-call")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_conformance(case: Mapping[str, Any], tmp_path: Path) -> None:
    simulation = Simulation(tmp_path, case)
    simulation.run(case["steps"], tick=parse_duration(case.get("tick", "30s")), until=parse_duration(case["until"]))
    assert sorted(simulation.told()) == sorted(case["told"]), "in any order of what is told at one time"
    assert [line.partition(" ")[0] for line in simulation.told()] == [line.partition(" ")[0] for line in case["told"]]
    if "keys" in case:
        assert simulation.keys() == case["keys"]
    simulation.store.close()


def test_the_page_shows_every_case() -> None:
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and line.endswith(" |")]
    names = {cells[0]: cells[1] for line in table if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 2}
    assert {case["name"]: case["says"] for case in CASES}.items() <= names.items()


def entry(firing: str, resolved: str = "", *, ago: timedelta = timedelta()) -> Entry:
    return Entry(firing=frozenset(firing), resolved=frozenset(resolved), at=START - ago, expires_at=START + 9 * MINUTE)


@pytest.mark.parametrize(
    ("known", "firing", "resolved", "send_resolved", "reason"),
    [
        (None, "a", "", True, Reason.FIRST),
        (None, "", "a", True, None),
        (None, "", "", True, None),
        (entry("ab"), "ab", "", True, None),
        (entry("ab"), "a", "", True, None),
        (entry("a"), "ab", "", True, Reason.NEW),
        (entry("", "a"), "a", "", True, Reason.FIRST),
        (entry("ab"), "a", "b", True, Reason.RESOLVED),
        (entry("ab"), "a", "b", False, None),
        (entry("ab", "b"), "a", "b", True, None),
        (entry("a"), "", "a", True, Reason.ALL_RESOLVED),
        (entry("a"), "", "a", False, Reason.ALL_RESOLVED),
        (entry("", "a"), "", "b", True, None),
        (entry("a", ago=10 * MINUTE), "a", "", True, None),
        (entry("a", ago=10 * MINUTE + timedelta(milliseconds=1)), "a", "", True, Reason.REPEAT),
    ],
)
def test_why_a_receiver_is_told(known: Entry | None, firing: str, resolved: str, send_resolved: bool, reason: Reason | None) -> None:
    """The cases of `notify.DedupStage.needsUpdate`, with a repeat_interval of ten minutes."""
    marks = frozenset(firing), frozenset(resolved)
    assert reason_to_tell(known, *marks, repeat=10 * MINUTE, send_resolved=send_resolved, now=START) is reason


def dispatcher(store: AlertStore, routing: Routing | None = None, *, target: Integration = ON_CALL) -> Dispatcher:
    return Dispatcher(store, routing or Routing(route=everything(["on-call"])), [target], external_url="http://auditlake.test")


def test_without_a_route_everybody_is_told_at_once(tmp_path: Path) -> None:
    """The alerts of a name are evaluated together: there is nothing to wait for."""
    store = AlertStore.open(tmp_path)
    targets = [ON_CALL, Integration(name="chat", receiver="chat")]
    told = Dispatcher(store, Routing(route=everything(["on-call", "chat"])), targets, external_url="http://auditlake.test")
    assert told.tick(START, [alert("A{n=1}"), alert("A{n=2}"), alert("B{n=1}")]) == 4
    assert sorted((row["receiver"], row["group_key"]) for row in store.outbox()) == [
        (name, f'{{}}:{{alertname="{which}"}}') for name in ("chat", "on-call") for which in "AB"
    ]
    store.close()


def test_groups_log_and_messages_are_stored_together(tmp_path: Path) -> None:
    """When the messages cannot be written, the log says that nobody was told; the next tick does all of it."""
    store = AlertStore.open(tmp_path)
    told = dispatcher(store)
    with store.begin() as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO hidden"))
    with pytest.raises(OperationalError):
        told.tick(START, [alert("A{n=1}")])
    with store.begin() as connection:
        counts = [
            connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in ("groups", "members", "notifications")
        ]
        connection.execute(text("ALTER TABLE hidden RENAME TO outbox"))
    assert counts == [0, 0, 0]
    assert told.tick(START + MINUTE) == 1, "the alerts that it was given last are not lost"
    assert told.tick(START + 2 * MINUTE) == 0
    store.close()


def test_alerts_that_were_committed_and_not_dispatched_are_told_after_a_restart(tmp_path: Path) -> None:
    """A process dies between the evaluation and the dispatcher's commit."""
    process = Process(tmp_path, receivers=[WebhookReceiver(name="on-call", url="http://127.0.0.1:1/")])
    with process.store.begin() as connection:
        connection.execute(text("ALTER TABLE groups RENAME TO hidden"))
    with pytest.raises(OperationalError):
        process.tick([{"agent": "support", "value": 1}])
    with process.store.begin() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO groups"))
    assert (process.states(), process.bodies("on-call")) == ({"support": "firing"}, [])
    after = process.restarted()
    after.dispatcher.tick(after.now, after.runner.alerts())
    assert [body["status"] for body in after.bodies("on-call")] == ["firing"]
    after.store.close()


def test_a_changed_tree_takes_over_the_alerts_of_the_old_one(tmp_path: Path) -> None:
    """Groups that are the same go on; the others are gone, and their alerts are told by the new routes."""
    receivers = ["on-call", "chat"]
    targets = [ON_CALL, Integration(name="chat", receiver="chat")]
    store = AlertStore.open(tmp_path)
    old = read_routing({"receiver": "on-call", "group_by": ["alertname"]}, receivers=receivers)
    alerts = [alert("A{n=1}"), alert("B{n=1}")]
    first = Dispatcher(store, old, targets, external_url="http://auditlake.test")
    assert first.tick(START, alerts) + first.tick(START + MINUTE, alerts) == 2
    child = {"receiver": "chat", "matchers": ["alertname=B"]}
    new = read_routing({"receiver": "on-call", "group_by": ["alertname"], "routes": [child]}, receivers=receivers)
    second = Dispatcher(store, new, targets, external_url="http://auditlake.test")
    assert second.tick(START + 2 * MINUTE, alerts) == 1, "its alert is older than group_wait"
    with store.begin() as connection:
        rows = connection.execute(
            text("SELECT g.group_key, m.fingerprint FROM groups g JOIN members m USING (route, group_key) ORDER BY 1")
        )
        stored = [key for key, _ in rows.fetchall()]
        assert connection.execute(text("SELECT count(*) FROM members")).scalar_one() == 2
    assert stored == ['{}/{alertname="B"}:{alertname="B"}', '{}:{alertname="A"}']
    assert [row["receiver"] for row in store.outbox()] == ["on-call", "on-call", "chat"]
    store.close()


def test_what_resolved_is_told_after_a_restart_only_where_it_waited_for_that(tmp_path: Path) -> None:
    """Two routes take the alert; one has told that it resolved, and told of another since, when the process begins anew."""
    quick = {"receiver": "on-call", "matchers": ["n=~.+"], "continue": True, "group_wait": "0s", "group_interval": "1m"}
    slow = {"receiver": "chat", "matchers": ["n=~.+"], "group_wait": "0s", "group_interval": "1h"}
    routing = read_routing({"receiver": "on-call", "routes": [quick, slow]}, receivers=["on-call", "chat"])
    targets = [ON_CALL, Integration(name="chat", receiver="chat")]
    store = AlertStore.open(tmp_path)
    one, two = alert("A{n=1}"), alert("A{n=2}")
    over = replace(one, state=State.RESOLVED, resolved_at=START + MINUTE)
    first = Dispatcher(store, routing, targets, external_url="http://auditlake.test")
    assert [first.tick(START + MINUTE * at, alerts) for at, alerts in ((0, [one, two]), (1, [over, two]), (2, [over, two]))] == [2, 1, 0]
    third = alert("A{n=3}", 3 * MINUTE)
    assert first.tick(START + 3 * MINUTE, [two, third]) == 1
    second = Dispatcher(store, routing, targets, external_url="http://auditlake.test")
    assert [second.tick(START + MINUTE * at, [two, third]) for at in (4, 5, 60)] == [0, 0, 1]
    last = json.loads(store.outbox()[-1]["body"])
    assert (last["receiver"], [each["status"] for each in last["alerts"]].count("resolved")) == ("chat", 1)
    store.close()


def test_others_are_told_at_once_of_what_fires_and_nobody_twice(tmp_path: Path) -> None:
    """After a reload: who is new does not wait for the next look of a group that told others."""
    targets = [ON_CALL, Integration(name="chat", receiver="chat")]
    store = AlertStore.open(tmp_path)
    alerts = [alert("A{n=1}")]
    assert dispatcher(store).tick(START, alerts) == 1
    routing = Routing(route=everything(["on-call", "chat"]))
    after = Dispatcher(store, routing, targets, external_url="http://auditlake.test", looks_again=True)
    assert [after.tick(START + MINUTE * minutes, alerts) for minutes in (1, 2, 7)] == [1, 0, 0]
    assert [row["receiver"] for row in store.outbox()] == ["on-call", "chat"]
    store.close()


def given_up(store: AlertStore, position: int) -> None:
    """What the courier does with a message that is refused for good."""
    rows = store.outbox()
    fields = {name: rows[position][name] for name in Message.__dataclass_fields__}
    delivery = Delivery(id=rows[position]["id"], attempts=0, message=Message(**fields))
    give_up(store, [delivery], "status 403", now=START, attempts=1)


def states_told(store: AlertStore) -> list[list[str]]:
    """The states of the alerts of each message to on-call."""
    bodies = [json.loads(row["body"]) for row in store.outbox() if row["receiver"] == "on-call"]
    return [[each["status"] for each in body["alerts"]] for body in bodies]


def test_what_was_given_up_was_not_told(tmp_path: Path) -> None:
    """As in Alertmanager, where only what arrived is in the log: the next look tells it, also after a restart, and then nobody twice."""
    store = AlertStore.open(tmp_path)
    first = dispatcher(store)
    first.tick(START, [alert("A{n=1}")])
    given_up(store, 0)
    assert [first.tick(START + MINUTE * minutes) for minutes in (1, 5, 10)] == [0, 1, 0]
    given_up(store, 2)
    assert [dispatcher(store).tick(START + MINUTE * minutes) for minutes in (12, 15, 20)] == [0, 1, 0]
    assert states_told(store) == [["firing"]] * 3
    store.close()


def test_what_was_given_up_after_something_newer_arrived_is_the_past(tmp_path: Path) -> None:
    store = AlertStore.open(tmp_path)
    process = dispatcher(store)
    process.tick(START, [alert("A{n=1}")])
    process.tick(START + 5 * MINUTE, [alert("A{n=1}"), alert("A{n=2}")])
    given_up(store, 0)
    assert process.tick(START + 10 * MINUTE) == 0
    store.close()


def test_an_acknowledgement_that_was_given_up_tells_nothing_anew(tmp_path: Path) -> None:
    """The receiver knows that the alert fires; it has the same time in the log."""
    store = AlertStore.open(tmp_path)
    one = alert("A{n=1}")
    Acks(store).add(one, created_by="kim", comment="on it", now=START)
    process = dispatcher(store, target=Integration(name="on-call", receiver="on-call", acknowledges=True))
    assert process.tick(START, [one]) == 2
    given_up(store, 1)
    assert process.tick(START + 5 * MINUTE) == 0
    store.close()


def test_a_clock_that_is_set_back_stops_nothing(tmp_path: Path) -> None:
    store = AlertStore.open(tmp_path)
    told = dispatcher(store)
    told.tick(START, [alert("A{n=1}")])
    before = START - timedelta(days=1)
    old = replace(alert("A{n=2}"), active_at=before, fired_at=before)
    assert told.tick(before, [alert("A{n=1}"), old]) == 1
    store.close()


def test_a_message_has_the_key_of_what_it_tells(tmp_path: Path) -> None:
    """The same notification has the same key; a repetition has another one."""
    store = AlertStore.open(tmp_path)
    route = read_routing({"receiver": "on-call", "group_wait": "0s", "repeat_interval": "1m"}, receivers=["on-call"])
    told = dispatcher(store, route)
    told.tick(START, [alert("A{n=1}")])
    told.tick(START + 5 * MINUTE, [alert("A{n=1}")])
    one, two = [row["key"] for row in store.outbox()]
    assert one != two
    again = message(ON_CALL, route.route, {}, [alert("A{n=1}")], now=START, external_url="http://auditlake.test")
    assert again.key == one
    store.close()


def test_a_test_alert_takes_the_real_route_at_once() -> None:
    tree = {"receiver": "on-call", "routes": [{"receiver": "chat", "matchers": ["team=x"], "group_by": ["alertname"]}]}
    targets = [ON_CALL, Integration(name="chat/1", receiver="chat"), Integration(name="chat/2", receiver="chat")]
    routing = read_routing(tree, receivers=["on-call", "chat"])
    messages = fire(routing, targets, alert("A{team=x}"), now=START, external_url="http://auditlake.test")
    assert [(each.receiver, each.group_key) for each in messages] == [
        (name, '{}/{team="x"}:{alertname="A", test="true"}') for name in ("chat/1", "chat/2")
    ]
    assert json.loads(messages[0].body)["receiver"] == "chat"


def test_many_alerts_of_one_group_are_one_message(tmp_path: Path) -> None:
    store = AlertStore.open(tmp_path)
    many: list[Alert] = [alert(f"A{{n={number}}}") for number in range(2_000)]
    told = dispatcher(store)
    assert told.tick(START, many) == 1
    assert told.tick(START + 5 * MINUTE, many[:1]) == 1
    [_, body] = [json.loads(row["body"]) for row in store.outbox()]
    assert [each["status"] for each in body["alerts"]].count("resolved") == 1_999
    store.close()
