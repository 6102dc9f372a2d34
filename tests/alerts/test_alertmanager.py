"""A real Alertmanager in the place of our routing: what it is told, when, and that each peer is told all. The clock is simulated."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts.breaker import FIRST_PAUSE
from alerts.evaluate import Alert, State
from alerts.receivers.alertmanager import Alertmanagers, Peer, PeerCourier, due, postable, spell
from tests.alerts.http_server import Answer, HttpServer, http_server
from tests.alerts.messages import NOON, URL, alert

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
INTERVAL = timedelta(seconds=30)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def courier(server: HttpServer, clock: Clock, *, path: str = "") -> PeerCourier:
    peer = Peer(name="alertmanager/1", url=f"{server.url}{path}")
    return PeerCourier(peer, interval=INTERVAL, external_url=URL, clock=clock)


def resolved(found: Alert, at: datetime) -> Alert:
    return replace(found, state=State.RESOLVED, resolved_at=at)


@pytest.mark.parametrize(
    ("found", "last", "expected"),
    [
        pytest.param(alert(), None, True, id="it begins"),
        pytest.param(alert(), NOON - 59 * SECOND, False, id="told less than a minute ago"),
        pytest.param(alert(), NOON - MINUTE, True, id="each minute"),
        pytest.param(replace(alert(), state=State.PENDING, fired_at=None), None, False, id="pending"),
        pytest.param(resolved(alert(), NOON), NOON - SECOND, True, id="it resolved since"),
        pytest.param(resolved(alert(), NOON - MINUTE), NOON - SECOND, False, id="told that it resolved"),
        pytest.param(resolved(alert(), NOON - 5 * MINUTE), NOON - MINUTE, True, id="each minute, that it resolved"),
        pytest.param(resolved(alert(), NOON - MINUTE), None, True, id="it resolved while we were away"),
    ],
)
def test_when_an_alert_is_sent(found: Alert, last: datetime | None, expected: bool) -> None:
    """Prometheus' `Alert.needsSending`, with a resend delay of a minute."""
    sent = {} if last is None else {spell(found): last}
    assert bool(due([found], sent, NOON)) is expected


@pytest.mark.parametrize(("interval", "minutes"), [(INTERVAL, 4), (5 * MINUTE, 20)])
def test_what_is_sent(interval: timedelta, minutes: int) -> None:
    """One that fires ends by itself after four intervals, or four resends where those are longer: Prometheus' `sendAlerts`."""
    told = postable(alert(), NOON, interval, URL)
    assert told == {
        "labels": {"alertname": "AgentDown", "agent_name": "support", "severity": "critical", "run_id": "run/support"},
        "annotations": {"summary": "support is silent"},
        "startsAt": "2026-11-21T12:00:00Z",
        "endsAt": f"2026-11-21T12:{minutes:02d}:00Z",
        "generatorURL": f"{URL}/run?run=run%2Fsupport",
    }
    assert postable(resolved(alert(), NOON - MINUTE), NOON, interval, URL)["endsAt"] == "2026-11-21T11:59:00Z"


def test_it_is_told_each_minute_until_and_after_the_end() -> None:
    clock, firing = Clock(), alert()
    with http_server() as server:
        peer = courier(server, clock, path="/am/")
        told = []
        for second in range(0, 241, 20):
            clock.now = NOON + second * SECOND
            peer.take([firing if second < 150 else resolved(firing, NOON + 150 * SECOND)])
            told.append((second, peer.tell_due()))
    assert [second for second, count in told if count] == [0, 60, 120, 160, 220]
    assert {request.path for request in server.requests} == {"/am/api/v2/alerts"}
    assert [body[0]["endsAt"][11:19] for body in server.bodies] == ["12:04:00", "12:05:00", "12:06:00", "12:02:30", "12:02:30"]


def test_one_that_comes_back_is_a_new_one() -> None:
    clock, first = Clock(), alert()
    with http_server() as server:
        peer = courier(server, clock)
        peer.take([first])
        assert peer.tell_due() == 1
        clock.now = NOON + 10 * SECOND
        peer.take([replace(first, active_at=clock.now, fired_at=clock.now)])
        assert peer.tell_due() == 1, "at once, not in a minute"


def test_a_restart_tells_all_that_fires_again() -> None:
    """So nothing is lost when we die between an evaluation and this; to an Alertmanager it is the same alert."""
    clock = Clock()
    with http_server() as server:
        for _ in range(2):
            peer = courier(server, clock)
            peer.take([alert()])
            assert peer.tell_due() == 1
    first, second = server.bodies
    assert first == second


def test_a_peer_that_is_down_is_left_alone_for_a_while_and_is_told_when_it_is_back() -> None:
    clock = Clock()
    with http_server() as server:
        server.answers = [Answer(status=503)] * 5
        peer = courier(server, clock)
        peer.take([alert()])
        assert [peer.tell_due() for _ in range(7)] == [0] * 7
        assert len(server.requests) == 5, "then the breaker is open"
        clock.now += FIRST_PAUSE
        assert peer.tell_due() == 1


def test_many_alerts_go_in_parts() -> None:
    clock = Clock()
    with http_server() as server:
        peer = courier(server, clock)
        peer.take([alert(f"agent-{number}") for number in range(600)])
        assert peer.tell_due() == 600
    assert [len(body) for body in server.bodies] == [256, 256, 88]


def test_a_part_that_is_refused_keeps_no_other_from_being_told() -> None:
    """One alert that an Alertmanager does not like is a 400 for its request, and it has taken the others of it."""
    clock = Clock()
    with http_server() as server:
        server.answers = [Answer(status=400)]
        peer = courier(server, clock)
        peer.take([alert(f"agent-{number}") for number in range(300)])
        assert [peer.tell_due(), peer.tell_due()] == [44, 0]
        clock.now += MINUTE
        assert peer.tell_due() == 300
    assert [len(body) for body in server.bodies] == [256, 44, 256, 44]


def test_every_peer_is_told_whatever_another_does() -> None:
    with http_server() as first, http_server(usual=Answer(status=500)) as down, http_server() as third:
        peers = [Peer(name=str(number), url=server.url) for number, server in enumerate((first, down, third))]
        alertmanagers = Alertmanagers(peers, interval=INTERVAL, external_url=URL, clock=Clock())
        assert alertmanagers.tick(NOON, [alert()]) == 0, "nothing goes to the outbox"
        alertmanagers.tick(NOON)
        told = [courier.tell_due() for courier in alertmanagers.couriers]
    assert told == [1, 0, 1]
