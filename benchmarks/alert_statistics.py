"""How often the statistical rules are wrong, and how soon they are right: CostSpike, BehaviourDrift, QualityDrop.

python -m benchmarks.alert_statistics [--scale N] [--json FILE]

Each rule's own SQL, out of its file and with its parameters, is asked about many made-up histories at once (benchmarks/alert_series.py),
at every instant at which its answer can change: a false alarm is one that begins in a history in which nothing happened. Then something is
made to happen. Everything is drawn from fixed seeds.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from alerts.rules import LoadedRule, load_rules
from benchmarks import alert_series as series_of
from benchmarks.alert_series import BEGIN, COSTS, MIXES, QUALITY
from storage.views import MACROS, created

PACKS = Path(__file__).parent.parent / "alerts/packs"
YEAR_DAYS = 365.0
YOUNG_DAYS = 14 + 35
"""Until then no weekday has five samples, and all days are the baseline of CostSpike."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A rule of the packs, and the tables that it is asked about."""

    rule: LoadedRule
    connection: duckdb.DuckDBPyConnection

    def fire(self, at: datetime, **changed: Any) -> list[str]:
        """Return the agents that fire at an instant, some as often as they have alerts; `changed` are other parameters."""
        bound = {**self.rule.bind(at), **changed}
        answer = self.connection.sql(self.rule.rule.expr, params=bound)
        return [str(name) for (name,) in answer.project("agent_name").fetchall()]


def main() -> None:
    """Print the tables and write them as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scale", type=float, default=1.0, help="more or fewer series")
    arguments.add_argument("--only", choices=["CostSpike", "BehaviourDrift", "QualityDrop"])
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    results: dict[str, Any] = json.loads(given.json.read_text()) if given.json and given.json.exists() else {}
    for name, measure in {"CostSpike": cost_spike, "BehaviourDrift": behaviour_drift, "QualityDrop": quality_drop}.items():
        if given.only in (None, name):
            begun = time.perf_counter()
            results[name] = {"scale": given.scale, **measure(given.scale)}
            print(f"{name}: {time.perf_counter() - begun:.0f} s\n", flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


def asked(alert: str, tables: Mapping[str, pa.Table]) -> Asked:
    """Return a rule of the packs over these tables."""
    groups = load_rules([PACKS / "agent-ops.yaml", PACKS / "agent-quality.yaml"])
    [rule] = [rule for group in groups for rule in group.rules if rule.rule.alert == alert]
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
    for macro in MACROS:
        connection.execute(created(macro))
    for name, rows in tables.items():
        connection.register("incoming", rows)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
        connection.unregister("incoming")
    return Asked(rule=rule, connection=connection)


def cost_spike(scale: float) -> dict[str, Any]:
    """False alarms by day of history, against simpler rules; detection of a day that costs more."""
    series, days = max(1, round(150 * scale)), 14 + 365
    rng = np.random.default_rng(7)
    daily = {kind: series_of.costs(kind, series, days, rng) for kind in COSTS}
    question = asked("CostSpike", {"spent": series_of.cost_rows(daily)})
    question.connection.execute("SET VARIABLE dearer = 1.0; SET VARIABLE today = DATE '1970-01-01'")
    question.connection.execute(
        "CREATE VIEW steps AS SELECT * REPLACE (cost_usd * CASE WHEN started_at::DATE = getvariable('today') "
        "THEN getvariable('dearer') ELSE 1 END AS cost_usd) FROM spent"
    )
    looked = range(14, days, 5)  # verdicts of a day do not depend on those of others, and every fifth meets all weekdays
    young, old, factor = ([] for _ in range(3))
    for day in looked:
        (young if day < YOUNG_DAYS else old).extend(question.fire(_end_of(day)))
        factor.extend(question.fire(_end_of(day), cost_robust_z=-1e9))
    early = sum(day < YOUNG_DAYS for day in looked)
    rows = []
    for kind in COSTS:
        simple = sum(int((daily[kind][:, day] > 2 * daily[kind][:, day - 7 : day].mean(axis=1)).sum()) for day in looked)
        rows.append({
            "history": kind, "series_years": series * len(looked) / YEAR_DAYS,
            "young": _rate(_of(kind, young), series * early), "old": _rate(_of(kind, old), series * (len(looked) - early)),
            "without_z": _rate(_of(kind, factor), series * len(looked)), "seven_days": _rate(simple, series * len(looked)),
        })  # fmt: skip
    _print(rows)
    found = list(_dear_days(question, range(60, days, 23), series))
    _print(found)
    return {"false_alarms_a_year": rows, "detected": found}


def _dear_days(question: Asked, days: Sequence[int], series: int) -> Iterator[dict[str, Any]]:
    fired: dict[tuple[str, float], int] = {}
    factors = (2.5, 4.0, 10.0)
    for day in days:
        for factor in factors:
            moment = _end_of(day)
            question.connection.execute(f"SET VARIABLE today = DATE '{moment:%Y-%m-%d}'; SET VARIABLE dearer = {factor}")
            names = question.fire(moment)
            for kind in COSTS:
                fired[kind, factor] = fired.get((kind, factor), 0) + _of(kind, names)
    for kind in COSTS:
        yield {"history": kind, **{f"{factor:g} times": fired[kind, factor] / len(days) / series for factor in factors}}


def behaviour_drift(scale: float) -> dict[str, Any]:
    """False alarms step by step; how sure and how soon a moved mix is told."""
    series, days = max(1, round(16 * scale)), 17 + 42
    rng = np.random.default_rng(11)
    tables = [series_of.mix_rows(kind, series, days, rng) for kind in MIXES]
    question = asked("BehaviourDrift", {"tool_calls": pa.concat_tables(tables)})
    steps = [BEGIN + timedelta(hours=hour) for hour in range(17 * 24, days * 24 + 1, 6)]
    begun = _beginnings(question, steps)
    weak = [name for moment in steps[::8] for name in question.fire(moment, drift_effect=0.0, drift_p_value=0.05)]
    rows = [
        {
            "history": kind,
            "series_years": series * (days - 17) / YEAR_DAYS,
            "alarms": _rate(_of(kind, begun), series * (days - 17)),
            "both_windows_p_0.05_without_floor": _of(kind, weak) / len(steps[::8]) / series,
        }
        for kind in MIXES
    ]
    _print(rows)
    found = []
    for moved in (0.1, 0.2, 0.3, 0.5):
        changed = [series_of.mix_rows(kind, series, 24, rng, moved=moved, from_day=19.4) for kind in MIXES]
        harmed = asked("BehaviourDrift", {"tool_calls": pa.concat_tables(changed)})
        found += _delays(harmed, MIXES, series, at=19.4, hours=range(0, 97, 6), what={"moved": moved})
    _print(found)
    return {"false_alarms_a_year": rows, "detected": found}


def quality_drop(scale: float) -> dict[str, Any]:
    """False alarms step by step; how sure and how soon a fall is told."""
    series, days = max(1, round(40 * scale)), 16 + 45
    rng = np.random.default_rng(13)
    question = _graded([series_of.quality_rows(kind, series, days, rng) for kind in QUALITY])
    begun = _beginnings(question, [BEGIN + timedelta(hours=hour) for hour in range(16 * 24, days * 24 + 1)])
    exposed = 2 * series * (days - 16)  # a pass rate and a satisfaction each
    rows = [
        {"history": kind, "measure_years": exposed / YEAR_DAYS, "alarms": _rate(_of(kind, begun), exposed)} for kind in QUALITY
    ]  # fmt: skip
    _print(rows)
    found = []
    for fall in (0.05, 0.1, 0.2, 0.4):
        harmed = _graded([series_of.quality_rows(kind, series, 20, rng, fall=fall, from_day=17.4) for kind in QUALITY])
        found += _delays(harmed, QUALITY, series, at=17.4, hours=range(49), what={"fall": fall})
    _print(found)
    return {"false_alarms_a_year": rows, "detected": found}


def _graded(tables: Sequence[pa.Table]) -> Asked:
    question = asked("QualityDrop", {"graded": pa.concat_tables(tables)})
    question.connection.execute(
        "CREATE VIEW evals AS SELECT *, run_id AS record_id, 'helpfulness' AS eval_name, NULL::DOUBLE AS eval_score, "
        "NULL::DOUBLE AS eval_threshold FROM graded;"
        "CREATE VIEW spans AS SELECT *, run_id AS record_id, time AS start_time, NULL::DOUBLE AS quality_score FROM graded;"
        "CREATE VIEW events AS SELECT *, run_id AS record_id FROM graded LIMIT 0"
    )
    return question


def _beginnings(question: Asked, steps: Sequence[datetime]) -> list[str]:
    """Return an agent for each alert that began to fire at one of the steps."""
    begun: list[str] = []
    before: dict[str, int] = {}
    for moment in steps:
        now: dict[str, int] = {}
        for name in question.fire(moment):
            now[name] = now.get(name, 0) + 1
        begun += [name for name, number in now.items() for _ in range(number - before.get(name, 0))]
        before = now
    return begun


def _delays(
    question: Asked, kinds: Mapping[str, object], series: int, *, at: float, hours: range, what: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return for each kind of history how many series were told within the hours after the change, and the median delay of those."""
    first: dict[str, int] = {}
    change = BEGIN + timedelta(days=at)
    for hour in hours:
        for name in question.fire(change + timedelta(hours=hour)):
            first.setdefault(name, hour)
    found = []
    for kind in kinds:
        delays = [delay for name, delay in first.items() if name.startswith(f"{kind}/")]
        found.append({**what, "history": kind, "told": len(delays) / series, "hours": float(np.median(delays)) if delays else None})
    return found


def _end_of(day: int) -> datetime:
    return BEGIN + timedelta(days=day + 1, seconds=-1)


def _of(kind: str, names: Sequence[str]) -> int:
    return sum(name.startswith(f"{kind}/") for name in names)


def _rate(number: int, days: float) -> dict[str, float]:
    """Return alarms, their rate a year, and the rate that 95 % of such counts exclude from above (Poisson)."""
    years = days / YEAR_DAYS
    low, high = float(number), number + 10 + 5 * math.sqrt(number + 1)
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(math.exp(-middle + count * math.log(middle) - math.lgamma(count + 1)) for count in range(number + 1)) if middle else 1.0
        low, high = (middle, high) if below > 0.05 else (low, middle)
    return {"alarms": number, "a_year": number / years, "at_most": high / years}


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        cells = [f"{row['history']:42}"]
        for name, cell in row.items():
            if isinstance(cell, dict):
                cells.append(f"{name} {cell['a_year']:.3g} a year (at most {cell['at_most']:.2g})")
            elif name != "history" and cell is not None:
                cells.append(f"{name} {cell:.3g}")
        print(" · ".join(cells), flush=True)


if __name__ == "__main__":
    main()
