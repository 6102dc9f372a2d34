"""Made-up histories for benchmarks/alert_statistics.py: what agents cost, which tools they call, how well they do, many series at once.

Each function draws from a numpy generator, so that a seed repeats it. Time begins at BEGIN, a Monday; series are agents whose names are
`<kind of history>/<number>`.
"""

from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

BEGIN: Final = datetime(2026, 1, 5)  # noqa: DTZ001 - naive UTC, as the lake gives it
BEGIN_US: Final = 1_767_571_200_000_000
DAY_US: Final = 86_400_000_000
TOOLS: Final = 6
TASKS: Final = 4
COSTS: Final = (
    "even days",
    "noisy days",
    "quiet weekends",
    "dear weekends",
    "a job every few days",
    "growth of 1 % a day",
    "good and bad weeks",
)
MIXES: Final = {"40 runs a day": 40, "150 runs a day": 150, "40, days differ": 40, "40, other work at weekends": 40}
QUALITY: Final = {
    "25 runs a day, 95 % pass": (25, 0.95, 0.0),
    "100 runs a day, 95 % pass": (100, 0.95, 0.0),
    "100 runs a day, 80 % pass": (100, 0.8, 0.0),
    "100 runs a day, 85 % pass, days differ": (100, 0.85, 0.35),
}
"""Kind of history → runs a day, pass rate, spread of the days' log-odds. A score beside it is the user's satisfaction, in fifths."""

Numbers = np.ndarray[Any, Any]


def costs(kind: str, series: int, days: int, rng: np.random.Generator) -> Numbers:
    """Return dollars a day [series, day] of one of COSTS, some $20 on an ordinary day."""
    weekend = np.arange(days) % 7 >= 5
    match kind:
        case "even days":
            return 20 * rng.lognormal(0, 0.2, (series, days))
        case "noisy days":
            return 20 * rng.lognormal(0, 0.5, (series, days))
        case "quiet weekends":
            return 20 * rng.lognormal(0, 0.3, (series, days)) * np.where(weekend, 0.1, 1)
        case "dear weekends":
            return 20 * rng.lognormal(0, 0.3, (series, days)) * np.where(weekend, 3, 1)
        case "a job every few days":
            return 20 * rng.lognormal(0, 0.4, (series, days)) * (rng.random((series, days)) < 0.3)
        case "growth of 1 % a day":
            return 20 * rng.lognormal(0, 0.3, (series, days)) * 1.01 ** np.arange(days)
    noise = rng.normal(0, 0.25, (series, days))
    for day in range(1, days):  # a day resembles the one before
        noise[:, day] += 0.8 * noise[:, day - 1]
    return 20 * np.exp(noise)


def cost_rows(daily: dict[str, Numbers]) -> pa.Table:
    """Return one model call a day that cost anything, as the view `steps` has them."""
    parts = []
    for kind, dollars in daily.items():
        series, day = np.nonzero(dollars)
        parts.append((_names(kind, len(dollars))[series], BEGIN_US + day * DAY_US + DAY_US // 2, dollars[series, day]))
    names, times, cost = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _table(names, started_at=_moments(times), cost_usd=cost, counted=np.ones(len(names), bool))


def mix_rows(kind: str, series: int, days: int, rng: np.random.Generator, *, moved: float = 0.0, from_day: float = np.inf) -> pa.Table:
    """Return tool calls of agents with a mix of their own; from `from_day` on, a share `moved` of the runs calls another tool alone.

    A run does one of four tasks, each of which has its own tools, so its calls resemble each other.
    """
    runs = MIXES[kind]
    tools = rng.dirichlet(np.full(TOOLS, 0.7), (series, TASKS))
    usual = rng.dirichlet(np.full(TASKS, 3.0), series)
    shares = np.repeat(usual[:, None], days, axis=1)
    if kind.endswith("days differ"):
        shares = rng.standard_gamma(np.maximum(shares * 20, 1e-3))
        shares /= shares.sum(axis=2, keepdims=True)
    if kind.endswith("weekends"):
        shares[:, np.arange(days) % 7 >= 5] = rng.dirichlet(np.full(TASKS, 3.0), series)[:, None]
    who = np.repeat(np.arange(series), days * runs)
    day = np.tile(np.repeat(np.arange(days), runs), series)
    time = day + rng.random(len(day))
    task = _drawn(shares[who, day], rng)
    other = (time >= from_day) & (rng.random(len(day)) < moved)
    run = np.repeat(np.arange(len(who)), 1 + rng.poisson(2.5, len(who)))
    tool = np.where(other[run], TOOLS, _drawn(tools[who[run], task[run]], rng))
    return _table(
        _names(kind, series)[who[run]],
        run_id=pa.array(run).cast(pa.string()),
        tool_name=pa.DictionaryArray.from_arrays(tool.astype(np.int8), [f"tool-{number}" for number in range(TOOLS + 1)]),
        started_at=_moments(BEGIN_US + (time[run] * DAY_US).astype(np.int64)),
    )


def quality_rows(kind: str, series: int, days: int, rng: np.random.Generator, *, fall: float = 0.0, from_day: float = np.inf) -> pa.Table:
    """Return one evaluation a run; from `from_day` on its pass rate, and the satisfaction, are lower by `fall`."""
    runs, rate, spread = QUALITY[kind]
    odds = (
        np.log(rate / (1 - rate)) + rng.normal(0, spread, (series, days)) if spread else np.full((series, days), np.log(rate / (1 - rate)))
    )
    who = np.repeat(np.arange(series), days * runs)
    day = np.tile(np.repeat(np.arange(days), runs), series)
    time = day + rng.random(len(day))
    lower = np.where(time >= from_day, fall, 0.0)
    level = 1 / (1 + np.exp(-odds[who, day])) - lower
    return _table(
        _names(kind, series)[who],
        run_id=pa.array(np.arange(len(who))).cast(pa.string()),
        time=_moments(BEGIN_US + (time * DAY_US).astype(np.int64)),
        eval_passed=rng.random(len(who)) < level,
        satisfaction=rng.binomial(5, np.clip(level - 0.1, 0, 1)) / 5,
    )


def _drawn(shares: Numbers, rng: np.random.Generator) -> Numbers:
    """Return an index for each row of shares that add up to one."""
    return np.minimum((shares.cumsum(axis=1) < rng.random(len(shares))[:, None]).sum(axis=1), shares.shape[1] - 1)


def _names(kind: str, series: int) -> Numbers:
    return np.array([f"{kind}/{number}" for number in range(series)])


def _moments(microseconds: Numbers) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us"))


def _table(names: Numbers, **columns: Any) -> pa.Table:
    return pa.table({"tenant": pa.nulls(len(names), pa.string()), "environment": ["prod"] * len(names), "agent_name": names, **columns})
