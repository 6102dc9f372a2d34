"""The simulation decides as the alerts do."""

from fractions import Fraction

import numpy as np
import pytest

from alerts.slo.burn import PAIRS, Urgency, burning
from alerts.slo.counts import Counts, Tally, moment_of
from benchmarks import slo_simulation as simulation


@pytest.mark.parametrize("least", [1, 10])
def test_the_simulation_pages_in_the_minutes_in_which_the_alert_does(least: int) -> None:
    service = simulation.Service(events_per_hour=600, objective=99.0)
    rng = np.random.default_rng(3)
    total = rng.poisson(10, 2_400)
    bad = rng.binomial(total, np.where((np.arange(2_400) > 1_500) & (np.arange(2_400) < 1_560), 0.3, 0.005))
    told = np.zeros(2_400, dtype=bool)
    for pair in PAIRS:
        if pair.urgency is Urgency.PAGE:
            told |= simulation.firing(bad, total, service, pair, least=least)
    counts = Counts()
    minutes = {minute: Tally(float(bad[minute]), float(total[minute])) for minute in range(2_400)}
    counts.put(0, 2_400, {(): minutes}, counted_at=moment_of(2_400))
    asked = range(400, 2_400, 17)
    found = [bool(burning(counts, Fraction(1, 100), Urgency.PAGE, moment_of(minute), min_bad_events=least)) for minute in asked]
    assert found == [bool(told[minute]) for minute in asked]
    assert any(found)
    assert not all(found)


def test_a_healthy_service_is_paged_for_single_events_unless_ten_are_required() -> None:
    service = simulation.Service(events_per_hour=60, objective=99.9)
    bad, total = simulation.simulate(service, 2)
    assert simulation.alerts_a_month(bad, total, service, Urgency.PAGE, least=1) > 10
    assert simulation.alerts_a_month(bad, total, service, Urgency.PAGE, least=10) == 0
