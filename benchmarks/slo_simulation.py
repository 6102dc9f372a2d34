"""False pages of burn rate alerts: a service that keeps its objective, minute by minute, with and without the least number of bad events.

`python -m benchmarks.slo_simulation [--months N]`. Events come as they like (a Poisson process), and each is bad with the same chance, half
of what the objective allows: nothing is ever wrong, so every page is false. The pairs of windows are those of `alerts.slo.burn`;
a page is a beginning.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from alerts.slo.burn import PAIRS, Pair, Urgency
from alerts.slo.model import MIN_BAD_EVENTS

MINUTES_A_MONTH = 30 * 24 * 60
SHARE = 0.5
"""Of the error budget that the healthy service spends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is simulated."""

    events_per_hour: float
    objective: float  # percent


def simulate(service: Service, months: int, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return bad and all events of each minute."""
    rng = np.random.default_rng(seed)
    total = rng.poisson(service.events_per_hour / 60, months * MINUTES_A_MONTH)
    return rng.binomial(total, SHARE * budget(service)), total


def budget(service: Service) -> float:
    """Return the share of events that may be bad."""
    return round(1 - service.objective / 100, 12)


def firing(bad: np.ndarray, total: np.ndarray, service: Service, pair: Pair, *, least: int) -> np.ndarray:
    """Say for each minute whether a pair of windows that end with it alerts."""
    burning = np.ones(len(bad), dtype=bool)
    for window in (pair.long, pair.short):
        minutes = int(window.total_seconds() // 60) + 1  # a window begins with a whole minute
        burning &= _sums(bad, minutes) > float(pair.factor) * budget(service) * _sums(total, minutes)
    return burning & (_sums(bad, int(pair.long.total_seconds() // 60) + 1) >= least)


def alerts_a_month(bad: np.ndarray, total: np.ndarray, service: Service, urgency: Urgency, *, least: int) -> float:
    """Return how often an alert of this urgency begins in a month."""
    fires = np.zeros(len(bad), dtype=bool)
    for pair in PAIRS:
        if pair.urgency is urgency:
            fires |= firing(bad, total, service, pair, least=least)
    return float(np.count_nonzero(fires[1:] & ~fires[:-1]) / (len(bad) / MINUTES_A_MONTH))


def _sums(counts: np.ndarray, minutes: int) -> np.ndarray:
    """Return the sum of each minute and those before it, `minutes` in all."""
    so_far = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
    ends = np.arange(1, len(counts) + 1)
    return np.asarray(so_far[ends] - so_far[np.maximum(ends - minutes, 0)])


def main() -> None:
    """Print false alerts a month, by traffic and objective."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--months", type=int, default=120)
    months = parser.parse_args().months
    print(f"{months} months, {SHARE:.0%} of the error budget spent evenly; alerts a month, all of them false\n")
    names = [f"{urgency}, {least}" for urgency in Urgency for least in ("any", f"≥ {MIN_BAD_EVENTS}")]
    print(f"{'events/h':>9} {'objective':>10} " + " ".join(f"{name:>13}" for name in names))
    for events_per_hour in (60, 600, 6_000):
        for objective in (99.0, 99.9):
            service = Service(events_per_hour=events_per_hour, objective=objective)
            bad, total = simulate(service, months)
            rates = [alerts_a_month(bad, total, service, urgency, least=least) for urgency in Urgency for least in (1, MIN_BAD_EVENTS)]
            print(f"{events_per_hour:>9} {objective:>9}% " + " ".join(f"{rate:>13.2f}" for rate in rates), flush=True)


if __name__ == "__main__":
    main()
