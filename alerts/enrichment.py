"""What a person wants to know when an alert begins to fire: who contributes most, what was usual, which runs to look at, how bad it is.

Asked once, at the transition, and kept for as long as the alert fires: four annotations (`evaluate.ENRICHMENT`) beside the rule's own, of
names, numbers and links; every name is cleaned by the redaction policy. What cannot be found out in time is left out: an alert never
waits for its enrichment, and never fails by it. Routing is by the label `severity` alone; the score is for people.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import structlog

from alerts.evaluate import Alert, State, Step
from alerts.folding import OTHER
from alerts.samples import Clean, Queryable
from storage.errors import StorageError

MOST_ALERTS: Final = 5
"""Of one evaluation of one rule; of more the rest have no enrichment: whoever sees so many looks at the page."""
LONGEST_QUERY_SECONDS: Final = 2.0
BUDGET_SECONDS: Final = 3.0
PERIOD_SECONDS: Final = 30.0
SHORTEST_WINDOW, LONGEST_WINDOW, USUAL_WINDOW = timedelta(minutes=5), timedelta(hours=1), timedelta(minutes=15)
"""What is looked at is as long as the rule's `lookback`, within these bounds; a rule without one has the usual."""
BEFORE: Final = timedelta(days=1)
"""The baseline is the same time a day before."""
SCOPE: Final = ("run_id", "agent_name", "tenant", "environment", "provider", "model", "tool_name")
"""The labels that say which steps an alert is about."""
WEIGHTS: Final[Mapping[str, float]] = {"business": 0.3, "user": 0.3, "system": 0.25, "safety": 0.15}
"""What each kind of impact, from 0 to 1, adds to the severity score."""
LEVELS: Final = ((0.8, "critical"), (0.6, "high"), (0.4, "medium"), (0.0, "low"))
STATED: Final = "impact_"
"""A rule that knows better states an impact itself: the annotation `impact_safety: "1"`."""
NOT_PRODUCTION: Final = frozenset({"dev", "development", "test", "testing", "staging", "qa", "local", "sandbox"})


class Enrich(Protocol):
    """What adds to the alerts that begin to fire: `Enricher`."""

    def __call__(self, result: Step, lake: Queryable, *, eval_ts: datetime, lookback: timedelta | None) -> Step:
        """Return the result with the alerts that begin to fire enriched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The answer of sql/enrichment.sql: totals, and rows with name, calls, failed and cost_usd."""

    totals: Mapping[str, Any]
    contributors: Sequence[Mapping[str, Any]]
    runs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    lake: Queryable
    timeout_seconds: float


class Enricher:
    """Enriches as `Enrich` says, and for three seconds of each thirty at most: a storm of alerts does not keep rules from running."""

    def __init__(self, *, clean: Clean, external_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clean = clean
        self._external_url = external_url
        self._clock = clock
        self._since = -math.inf
        self._spent = 0.0

    def __call__(self, result: Step, lake: Queryable, *, eval_ts: datetime, lookback: timedelta | None) -> Step:
        """Return the result with the alerts that begin to fire enriched, or as it is when there is no time left for that."""
        begun = self._clock()
        if begun - self._since >= PERIOD_SECONDS:
            self._since, self._spent = begun, 0.0
        if self._spent >= BUDGET_SECONDS:
            return result
        told = enriched(result, lake, eval_ts=eval_ts, lookback=lookback, clean=self._clean, external_url=self._external_url)
        self._spent += self._clock() - begun
        return told


def enriched(
    result: Step,
    lake: Queryable,
    *,
    eval_ts: datetime,
    lookback: timedelta | None,
    clean: Clean,
    external_url: str,
    timeout_seconds: float = LONGEST_QUERY_SECONDS,
) -> Step:
    """Return the result of an evaluation with the alerts that begin to fire enriched; `eval_ts` is what the rule saw as now."""
    beginning = [transition.alert for transition in result.transitions if transition.state is State.FIRING]
    if not beginning:
        return result
    ask = _Ask(lake=lake, timeout_seconds=timeout_seconds)
    window = min(max(lookback or USUAL_WINDOW, SHORTEST_WINDOW), LONGEST_WINDOW)
    more: dict[str, dict[str, str]] = {}
    for alert in beginning[:MOST_ALERTS]:
        found = _annotations(alert, ask, eval_ts, window, clean, external_url)
        if not found:
            break  # the lake is busy: the others need not wait for it too
        more[alert.fingerprint] = found

    def told(alert: Alert) -> Alert:
        return replace(alert, annotations={**alert.annotations, **more.get(alert.fingerprint, {})})

    return replace(
        result,
        alerts={key: told(alert) if key in more else alert for key, alert in result.alerts.items()},
        transitions=[
            replace(transition, alert=told(transition.alert)) if transition.state is State.FIRING else transition
            for transition in result.transitions
        ],
    )


def _annotations(alert: Alert, ask: _Ask, eval_ts: datetime, window: timedelta, clean: Clean, external_url: str) -> dict[str, str]:
    try:
        now = _facts(alert.labels, ask, eval_ts, window)
        before = _facts(alert.labels, ask, eval_ts - BEFORE, window)
    except StorageError as error:
        structlog.get_logger(__name__).warning("an alert is told without enrichment", alertname=alert.labels["alertname"], hint=error.hint)
        return {}
    names = [str(row["name"]) for row in now.contributors]
    runs = [str(row["name"]) for row in now.runs]
    texts = clean([*((name, "tool_name") for name in names), *((run, "run_id") for run in runs)])
    base = external_url.rstrip("/")
    found = {
        "severity_score": scored(impacts(alert, now)),
        "top_contributors": "; ".join(f"{name}: {_counts(row)}" for name, row in zip(texts, now.contributors, strict=False)),
        "baseline": f"{_counts(now.totals)} in {_minutes(window)}, a day before {_counts(before.totals)}" if now.totals["calls"] else "",
        "example_runs": " ".join(f"{base}/run?run={quote(run, safe='')}" for run in texts[len(names) :]),
    }
    return {name: text for name, text in found.items() if text}


def impacts(alert: Alert, facts: Facts) -> dict[str, float]:
    """Return how much of each kind of impact an alert has, from 0 to 1: as its rule states, else as the facts say.

    business: its share of all runs or of all cost, whichever is larger, half of that outside of production; user: its share of all users;
    system: the share of its calls that failed, 1 where nothing is called any more; safety: 1 with a violation, else 0.
    """
    totals = facts.totals
    weight = 0.5 if alert.labels.get("environment", "").lower() in NOT_PRODUCTION else 1.0
    found = {
        "business": weight * max(_share(totals["runs"], totals["every_run"]), _share(totals["cost_usd"], totals["every_cost_usd"])),
        "user": _share(totals["users"], totals["every_user"]),
        "system": _share(totals["failed"], totals["calls"]) if totals["calls"] else 1.0,
        "safety": 1.0 if totals["violations"] else 0.0,
    }
    return {name: _stated(alert.annotations.get(STATED + name), measured) for name, measured in found.items()}


def scored(impact: Mapping[str, float]) -> str:
    """Return the severity score as text: `0.62 high (business 0.80, user 0.50, system 0.40, safety 0.00)`."""
    score = round(sum(weight * impact[name] for name, weight in WEIGHTS.items()), 6)
    level = next(word for least, word in LEVELS if score >= least)
    return f"{score:.2f} {level} ({', '.join(f'{name} {impact[name]:.2f}' for name in WEIGHTS)})"


def _facts(labels: Mapping[str, str], ask: _Ask, to_time: datetime, window: timedelta) -> Facts:
    begin = to_time - window
    about: dict[str, Any] = {name: None if labels.get(name) in (None, OTHER) else labels[name] for name in SCOPE}
    params = {**about, "from_time": begin.replace(tzinfo=None), "to_time": to_time.replace(tzinfo=None)}
    from_ns, to_ns = (int(moment.timestamp()) * 1_000_000_000 for moment in (begin, to_time + timedelta(seconds=1)))
    rows = ask.lake.query(_sql(), params=params, timeout_seconds=ask.timeout_seconds, from_ns=from_ns, to_ns=to_ns).to_pylist()
    of = {what: [row for row in rows if row["what"] == what] for what in ("all", "contributor", "run")}
    return Facts(totals=of["all"][0], contributors=of["contributor"], runs=of["run"])


@cache
def _sql() -> str:
    return Path(__file__).with_name("sql").joinpath("enrichment.sql").read_text(encoding="utf-8")


def _stated(text: str | None, measured: float) -> float:
    try:
        return min(max(float(text), 0.0), 1.0) if text else measured
    except ValueError:
        return measured


def _share(part: float | None, whole: float | None) -> float:
    return min(part / whole, 1.0) if part and whole else 0.0


def _counts(row: Mapping[str, Any]) -> str:
    cost = f", ${row['cost_usd']:.2f}" if row["cost_usd"] else ""
    return f"{row['failed']} of {row['calls']} calls failed{cost}"


def _minutes(window: timedelta) -> str:
    return f"{window // timedelta(minutes=1)} minutes"
