"""How often the release gate is wrong: closed for identical releases, open for a release that does harm.

python -m benchmarks.gate [--rounds N] [--json FILE]

Every round draws the runs of two releases and asks the whole gate, with all its comparisons: success, durations (log-normal), cost
(log-normal, heavy-tailed), tokens, tool calls that fail in bad runs together, policy denials, scores. Tolerances are 0 for the false
alarms, which is the hardest case, and as built in for the power. `interval alone` is what the intervals would do without the
randomisation test.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from storage.gate import Question, Thresholds
from storage.gate.measures import MEASURES
from storage.gate.reading import ReleaseData
from storage.gate.thresholds import Rule
from storage.gate.verdict import decide

BEGIN = datetime(2026, 11, 21)  # noqa: DTZ001 - naive UTC, as the lake gives it
EXACT = {**{measure.name: Rule(tolerance=0.0) for measure in MEASURES}, "eval": Rule(tolerance=0.0)}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """How a release is."""

    success: float = 0.95
    slower: float = 1.0
    dearer: float = 1.0
    tool_errors: float = 0.03
    denials: float = 0.05
    score: float = 0.85


HARMS = {
    "success 95 → 90 %": Truth(success=0.90),
    "success 95 → 85 %": Truth(success=0.85),
    "20 % slower": Truth(slower=1.2),
    "50 % slower": Truth(slower=1.5),
    "30 % dearer": Truth(dearer=1.3),
    "twice as dear": Truth(dearer=2.0),
    "tool errors 3 → 10 %": Truth(tool_errors=0.10),
    "score 0.85 → 0.80": Truth(score=0.80),
}


def main() -> None:
    """Print a table of false alarms and one of power; write both as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=600, help="of each case of identical releases; a third of it for each harm")
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    results: dict[str, Any] = {"false_alarms": [], "power": []}
    for title, runs, shadow in (("50 against 1,000", (50, 1000), False), ("300 against 300", (300, 300), False),
                                ("1,000 against 150", (1000, 150), False), ("100 shadow pairs", (100, 100), True)):  # fmt: skip
        rounds = given.rounds // 6 if shadow else given.rounds
        found = {"case": title, **_false_alarms(runs, rounds, shadow=shadow)}
        results["false_alarms"].append(found)
        told = "" if shadow else f", interval alone {found['interval_alone']:.3f}"
        print(f"identical, {title:20} closed {found['closed']:.3f} of {rounds} (stated at most {found['alpha']}){told}", flush=True)
    for harm, truth in HARMS.items():
        for runs in (120, 400, 1600):
            power = _share(_closed(truth, (runs, runs), max(1, given.rounds // 15)))
            results["power"].append({"harm": harm, "runs": runs, "closed": power})
            print(f"{harm:22} {runs:5} runs each: closed {power:.2f}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


def _false_alarms(runs: tuple[int, int], rounds: int, *, shadow: bool) -> dict[str, Any]:
    thresholds = Thresholds(controls="none", checks=EXACT)
    closed = alone = 0
    begun = time.process_time()
    for number in range(rounds):
        rng = np.random.default_rng([number, *runs])
        release, baseline = _release("a", Truth(), runs[0], rng), _release("b", Truth(), runs[1], rng)
        verdict = decide(Question(release="a", baseline="b", thresholds=thresholds, shadow=shadow), release, baseline)
        closed += any(check.state == "failed" for check in verdict.checks)
        alone += any(check.p_value is not None for check in verdict.checks)
    seconds = (time.process_time() - begun) / rounds
    return {"alpha": thresholds.alpha, "rounds": rounds, "closed": closed / rounds, "interval_alone": alone / rounds, "seconds": seconds}


def _closed(truth: Truth, runs: tuple[int, int], rounds: int) -> Iterator[bool]:
    thresholds = Thresholds(controls="none")
    for number in range(rounds):
        rng = np.random.default_rng([7, number, *runs])
        release, baseline = _release("a", truth, runs[0], rng), _release("b", Truth(), runs[1], rng)
        verdict = decide(Question(release="a", baseline="b", thresholds=thresholds), release, baseline)
        yield any(check.state == "failed" for check in verdict.checks)


def _share(answers: Iterator[bool]) -> float:
    found = list(answers)
    return sum(found) / len(found)


def _release(name: str, truth: Truth, runs: int, rng: np.random.Generator) -> ReleaseData:
    ok = rng.random(runs) < truth.success
    durations = rng.lognormal(8, 0.8, runs) * truth.slower
    costs = rng.lognormal(-4, 1.2, runs) * truth.dearer
    calls = rng.poisson(3, runs)
    failures = rng.binomial(calls, rng.beta(0.5, 0.5 * (1 / truth.tool_errors - 1), runs))
    denials = rng.binomial(2, truth.denials, runs)
    scores = np.clip(rng.normal(truth.score, 0.12, runs), 0, 1)
    tokens = rng.lognormal(7, 0.6, runs).astype(int)
    same = {
        "release": name, "started_at": BEGIN, "last_at": BEGIN, "unpriced_calls": 0, "model_calls": 1, "output_tokens": 100,
        "decisions": 2, "short": False, "case_key": None, "session_key": None, "input_key": None,
    }  # fmt: skip
    rows = tuple(
        same
        | {
            "run_id": f"{name}-{number}",
            "task_key": str(number),
            "status": "ok" if ok[number] else "error",
            "duration_ms": durations[number],
            "cost_usd": costs[number],
            "input_tokens": int(tokens[number]),
            "tool_calls": int(calls[number]),
            "tool_errors": int(failures[number]),
            "denials": int(denials[number]),
        }
        for number in range(runs)
    )
    scored = tuple(
        {"release": None, "run_id": f"{name}-{number}", "unit": f"{name}-{number}", "eval_score": scores[number], "eval_passed": None}
        for number in range(runs)
    )
    return replace(ReleaseData(release=name, known=True, runs=rows), evaluations={"helpfulness": scored})


if __name__ == "__main__":
    main()
