"""The circuit breaker of a receiver, as a table of what happened and what may be sent."""

from datetime import timedelta

from alerts.breaker import FIRST_PAUSE, LONGEST_PAUSE, OPENS_AFTER, Breaker
from tests.alerts.messages import NOON

SECOND = timedelta(seconds=1)


def opened() -> Breaker:
    breaker = Breaker()
    told = [breaker.failed(NOON) for _ in range(OPENS_AFTER)]
    assert told == [False] * (OPENS_AFTER - 1) + [True], "the last one opens it"
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker()
    for _ in range(OPENS_AFTER - 1):
        breaker.failed(NOON)
    assert breaker.allows(NOON)
    assert not breaker.succeeded(), "it was not open"
    for _ in range(OPENS_AFTER - 1):
        breaker.failed(NOON)
    assert breaker.allows(NOON), "a success begins the count anew"


def test_it_stays_open_for_a_while_then_one_is_tried() -> None:
    breaker = opened()
    assert not breaker.allows(NOON + FIRST_PAUSE - SECOND)
    assert breaker.allows(NOON + FIRST_PAUSE)
    assert breaker.succeeded(), "it was open until now"
    assert breaker.allows(NOON)


def test_each_probe_that_fails_makes_the_pause_longer() -> None:
    breaker, now, pauses = opened(), NOON, []
    for _ in range(6):
        pause = next(seconds for seconds in range(400) if breaker.allows(now + seconds * SECOND))
        pauses.append(pause)
        now += pause * SECOND
        assert not breaker.failed(now), "it was open before"
    assert pauses == [30, 60, 120, 240, 300, 300]
    assert timedelta(seconds=pauses[-1]) == LONGEST_PAUSE


def test_a_receiver_may_ask_for_a_longer_pause() -> None:
    breaker = Breaker()
    for _ in range(OPENS_AFTER):
        breaker.failed(NOON, asked=timedelta(minutes=2))
    assert not breaker.allows(NOON + timedelta(seconds=119))
    assert breaker.allows(NOON + timedelta(minutes=2))
