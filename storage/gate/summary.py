"""The evidence summary: a verdict as one JSON document.

The same lake and question give the same bytes: there is no time of evaluation in it, `as_of` is the newest record that was judged.
What nobody said is null.
"""

import math
from typing import Any, Final

from storage.gate.checks import Check
from storage.gate.estimates import Change, Estimate
from storage.gate.randomisation import PER_LEVEL, RESAMPLES, SEED
from storage.gate.reading import ReleaseData
from storage.gate.verdict import Verdict

VERSION: Final = 1
_STATES: Final = {"pass": "passed", "fail": "failed"}  # nosec B105 - no password
"""Of controls, in the words of checks; a control that found nothing to check is not applicable."""
Document = dict[str, Any]
_INTERVALS: Final = (
    "MOVER of Wilson's (rates, with the design effect of calls within a run), Student's (means) and order-statistic (quantiles) bounds"
)
_PAIRED_INTERVALS: Final = f"paired bootstrap: at most {RESAMPLES} resamples of pairs, expanded percentiles"
_TEST: Final = f"relabelling of runs: Fisher's exact test for one trial a run, else {PER_LEVEL} relabellings per 1/level"
_PAIRED_TEST: Final = f"swaps within pairs: {PER_LEVEL} per 1/level"


def document(verdict: Verdict) -> Document:
    """Return everything about a verdict in JSON's types; times are naive UTC datetimes."""
    question, scope = verdict.question, verdict.question.scope
    return {
        "version": VERSION,
        "gate": "open" if verdict.open else "closed",
        "reasons": list(verdict.reasons),
        "release": question.release,
        "baseline": question.baseline,
        "mode": "shadow" if question.shadow else "comparison" if question.baseline is not None else "absolute",
        "scope": scope.params(),
        "as_of": max((row["last_at"] for data in (verdict.release, verdict.baseline) if data for row in data.runs), default=None),
        "facts": {
            fact.name: {
                "value": fact.value,
                "source": fact.source,
                "observed": [{"value": value, "runs": runs} for value, runs in fact.observed],
            }
            for fact in verdict.facts
        },
        "data": {"release": _data(verdict.release), "baseline": _data(verdict.baseline)},
        "pairs": _pairs(verdict),
        "statistics": _statistics(verdict),
        "checks": [_check(check) for check in verdict.checks],
        "observed": [{"name": measure.name, "unit": measure.unit, **_estimate(found)} for measure, found in verdict.observed],
        "not_measured": [{"name": name, "reason": reason} for name, reason in verdict.not_measured],
        "contract": _contract(verdict),
        "controls": [_control(control) for control in verdict.controls],
    }


def _data(data: ReleaseData | None) -> Document | None:
    if data is None:
        return None
    evaluations = {name: len(rows) for name, rows in sorted(data.evaluations.items())}
    return {"known": data.known, **data.counts(), "evaluations": evaluations}


def _pairs(verdict: Verdict) -> Document | None:
    pairs = verdict.pairs
    if pairs is None:
        return None
    return {
        "key": pairs.key, "text": pairs.text, "count": len(pairs.ids),
        "unpaired_release": pairs.unpaired[0], "unpaired_baseline": pairs.unpaired[1],
        "repeated_release": pairs.repeated[0], "repeated_baseline": pairs.repeated[1],
    }  # fmt: skip


def _statistics(verdict: Verdict) -> Document:
    thresholds = verdict.question.thresholds
    return {
        "alpha": thresholds.alpha,
        "min_samples": thresholds.min_samples,
        "comparisons": verdict.comparisons,
        "level": verdict.level,
        "seed": SEED,
        "intervals": _PAIRED_INTERVALS if verdict.question.shadow else _INTERVALS,
        "test": _PAIRED_TEST if verdict.question.shadow else _TEST,
    }


def _check(check: Check) -> Document:
    return {
        "name": check.name,
        "state": check.state,
        "reason": check.reason,
        "what": check.measure.text,
        "unit": check.measure.unit,
        "better": "higher" if check.measure.higher_is_better else "lower",
        "release": _estimate(check.release),
        "baseline": _estimate(check.baseline),
        "change": _change(check.change),
        "tolerance": check.rule.tolerance,
        "min": check.rule.min,
        "max": check.rule.max,
        "prove": check.rule.prove,
        "p_value": check.p_value,
        "detectable": _finite(check.detectable),
    }


def _estimate(found: Estimate | None) -> Document:
    if found is None:
        return {"value": None, "lower": None, "upper": None, "samples": None}
    return {"value": _finite(found.value), "lower": _finite(found.lower), "upper": _finite(found.upper), "samples": found.units}


def _change(found: Change | None) -> Document | None:
    if found is None:
        return None
    return {"kind": found.kind, "value": _finite(found.value), "lower": _finite(found.lower), "upper": _finite(found.upper)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _contract(verdict: Verdict) -> Document | None:
    found = verdict.contract
    if found is None:
        return None
    names = ("file", "passed", "reason", "runs", "checked")
    return {**{name: getattr(found, name) for name in names}, "short": [dict(each) for each in found.short]}


def _control(control: Any) -> Document:
    return {
        "name": control.name, "title": control.title, "state": _STATES.get(control.state, control.state), "passed": control.passed,
        "checked": control.checked, "failed": control.failed,
        "evidence": [dict(row) for row in control.evidence],
    }  # fmt: skip
