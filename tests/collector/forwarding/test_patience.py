"""Waiting for a backend: intervals grow with full jitter, and after some failures the circuit opens."""

import pytest

from collector.config_exporters import RetryConfig
from collector.forwarding.patience import OPENS_AFTER, Circuit, Patience


def patience(draw: float, **fields: object) -> Patience:
    return Patience(RetryConfig.model_validate(fields), lambda: draw)


@pytest.mark.parametrize(("draw", "expected"), [(0.0, [0, 0, 0, 0]), (0.5, [1, 2, 4, 8]), (1.0, [2, 4, 8, 16])])
def test_intervals_grow_and_last_from_nothing_to_twice_as_long(draw: float, expected: list[float]) -> None:
    waiting = patience(draw)
    assert [waiting.failed(None) for _ in expected] == expected


def test_less_jitter_and_another_growth_are_configured() -> None:
    waiting = patience(1.0, initial_interval="2s", multiplier=3, max_interval="10s", randomization_factor=0.5)
    assert [waiting.failed(None) for _ in range(3)] == [3, 9, 10]


def test_what_the_backend_asks_for_is_the_least() -> None:
    assert patience(0.0).failed(17.0) == 17.0
    assert patience(1.0).failed(0.1) == 2.0


def test_the_circuit_opens_probes_and_closes() -> None:
    waiting = patience(0.5, max_interval="30s")
    for _ in range(OPENS_AFTER - 1):
        waiting.probe()
        waiting.failed(None)
        assert waiting.circuit is Circuit.CLOSED
    assert waiting.failed(None) == 30.0
    assert waiting.circuit is Circuit.OPEN
    waiting.probe()
    assert waiting.circuit is Circuit.HALF_OPEN
    assert waiting.failed(None) == 30.0
    assert waiting.circuit is Circuit.OPEN
    waiting.probe()
    waiting.succeeded()
    assert (waiting.circuit, waiting.failures) == (Circuit.CLOSED, 0)


def test_a_backend_that_is_away_for_years_is_no_overflow() -> None:
    waiting = patience(0.5)
    assert {waiting.failed(None) for _ in range(5000)} == {1, 2, 4, 8, 30}
