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

from alerts.dispatch import Dispatcher, fire, message
from alerts.durations import parse_duration
from alerts.evaluate import Alert
from alerts.grouping import Entry, Reason, reason_to_tell
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
    process = Process(tmp_path, receivers=[ON_CALL])  # type: ignore[list-item]
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
