"""The decision: every check, what could not be measured, what is obligatory, and why the gate is closed when it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from storage.controls import ControlResult
from storage.gate.checks import Check, Comparison, compare, limited, too_few
from storage.gate.estimates import Estimate
from storage.gate.facts import Fact, facts_of
from storage.gate.measures import EVALUATIONS, Measure
from storage.gate.obligations import ContractResult, check_contract, damage, evaluate_controls, unstated
from storage.gate.pairs import Pairs, make_pairs
from storage.gate.randomisation import p_relabelled
from storage.gate.reading import ReleaseData, Scope, measures_of, read_releases
from storage.gate.thresholds import ABSOLUTE, Rule, Thresholds
from storage.lake import Lake

LESS_KNOWN: Final = 0.05
"""So much smaller a share of runs whose cost or tokens are known is as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: may `release` go on?"""

    release: str
    baseline: str | None = None
    scope: Scope = field(default_factory=Scope)
    thresholds: Thresholds = field(default_factory=Thresholds)
    contract: Path | None = None
    shadow: bool = False
    pair_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer with its evidence. The gate is open only where nothing speaks against it."""

    question: Question
    reasons: tuple[str, ...]  # why it is closed
    release: ReleaseData | None = None
    baseline: ReleaseData | None = None
    facts: tuple[Fact, ...] = ()
    pairs: Pairs | None = None
    comparisons: int = 0
    level: float | None = None  # the chance of a false alarm of each comparison
    checks: tuple[Check, ...] = ()
    observed: tuple[tuple[Measure, Estimate], ...] = ()  # measured, and neither compared nor limited
    not_measured: tuple[tuple[str, str], ...] = ()  # name, why; none of them required
    contract: ContractResult | None = None
    controls: tuple[ControlResult, ...] = ()

    @property
    def open(self) -> bool:
        """Whether the release may go on."""
        return not self.reasons


def closed(question: Question, reason: str) -> Verdict:
    """Return the verdict where the lake could not be asked."""
    return Verdict(question=question, reasons=(reason,))


def judge(lake: Lake, question: Question) -> Verdict:
    """Answer a question. Raises `StorageError` where the lake cannot say; the caller closes the gate then (`closed`)."""
    names = [question.release, *([question.baseline] if question.baseline is not None else [])]
    gaps = question.thresholds.checks.get("contract_gap_rate") is not False
    data = read_releases(lake, names, question.scope, gaps=gaps)
    release, baseline = data[question.release], data.get(question.baseline or "")
    verdict = replace(
        decide(question, release, baseline),
        facts=facts_of(lake, release, question.scope),
        contract=None if question.contract is None else check_contract(lake, question.contract, release, question.thresholds),
        controls=evaluate_controls(lake, release, question.thresholds),
    )
    kept_back = unstated(lake, release, baseline, question.thresholds)
    missing = damage(lake, question.scope)
    damaged = [f"{path} is damaged: its rows are missing from the evidence" for path in missing]
    return replace(verdict, reasons=(*verdict.reasons, *_unmet(verdict), *kept_back, *damaged))


def decide(question: Question, release: ReleaseData, baseline: ReleaseData | None) -> Verdict:
    """Judge the numbers alone."""
    present = [release, *([baseline] if baseline is not None else [])]
    verdict = Verdict(question=question, reasons=(), release=release, baseline=baseline)
    if release.runs or release.evaluations:
        verdict = _measured(verdict, release, baseline)
    return replace(verdict, reasons=(*_missing(present), *_speaking(verdict)))


def _measured(verdict: Verdict, release: ReleaseData, baseline: ReleaseData | None) -> Verdict:
    thresholds = verdict.question.thresholds
    measures = measures_of(release, *([baseline] if baseline is not None else []), named=thresholds.evaluations)
    ruled = [(measure, rule) for measure in measures if (rule := _rule(verdict, measure)) is not None]
    left_out = [(measure.name, "left out by the thresholds") for measure in measures if _rule(verdict, measure) is None]
    limits = _limits(ruled, release, thresholds)
    if baseline is None:
        judged = {check.measure.name for check in limits}
        return replace(verdict, checks=limits, not_measured=tuple(left_out), observed=_observed(ruled, release, judged, thresholds))
    pairs = make_pairs(release, baseline, by=verdict.question.pair_by, enough=thresholds.min_samples) if verdict.question.shadow else None
    compared = [(measure, rule, _compared(measure, release, baseline, pairs)) for measure, rule in ruled]
    absent = [measure.name for measure, rule, _ in compared if not rule.required and not _has(measure, release, baseline)]
    wanted = [each for each in compared if each[0].name not in absent]
    enough = sum(1 for *_, data in wanted if too_few(data, thresholds.min_samples) is None)
    level = thresholds.alpha / max(1, enough)
    checks = [
        _kept_back(measure, rule, release, baseline, level) or _check(measure, rule, data, thresholds.min_samples, level)
        for measure, rule, data in wanted
    ]
    return replace(
        verdict, pairs=pairs, comparisons=enough, level=level, checks=(*checks, *limits),
        not_measured=(*left_out, *((name, "neither release has any") for name in absent)),
    )  # fmt: skip


def _rule(verdict: Verdict, measure: Measure) -> Rule | None:
    """The rule of a measure; where there is no baseline and no limit at all, those that are built in."""
    question = verdict.question
    limits = any(rule and (rule.min is not None or rule.max is not None) for rule in question.thresholds.checks.values())
    rule = question.thresholds.rule(measure)
    if rule is None or question.baseline is not None or limits or measure.name not in ABSOLUTE:
        return rule
    return rule.model_copy(update={"min": ABSOLUTE[measure.name].min, "max": ABSOLUTE[measure.name].max})


def _compared(measure: Measure, release: ReleaseData, baseline: ReleaseData, pairs: Pairs | None) -> Comparison:
    if pairs is not None:
        return pairs.compared(measure, release, baseline)
    return Comparison(candidate=release.sample(measure), baseline=baseline.sample(measure))


def _has(measure: Measure, *releases: ReleaseData) -> bool:
    return any(release.units(measure) for release in releases)


def _kept_back(measure: Measure, rule: Rule, release: ReleaseData, baseline: ReleaseData, level: float) -> Check | None:
    """Where the release knows cost or tokens of fewer of its runs than the baseline: those that it knows do not stand for the rest."""
    ours, theirs = release.coverage(measure), baseline.coverage(measure)
    if not ours or not theirs or ours.value >= theirs.value - LESS_KNOWN:
        return None
    if p_relabelled(ours, theirs, f"{measure.name} known", worse=-1, level=level) > level:
        return None
    reason = f"known of {ours.value:.0%} of the release's runs, and of {theirs.value:.0%} of the baseline's"
    return Check(name=measure.name, state="not enough data", reason=reason, measure=measure, rule=rule)


def _check(measure: Measure, rule: Rule, data: Comparison, min_samples: int, level: float) -> Check:
    reason = too_few(data, min_samples)
    if reason is not None:
        return Check(name=measure.name, state="not enough data", reason=reason, measure=measure, rule=rule)
    return compare(measure, rule, data, level)


def _limits(ruled: Sequence[tuple[Measure, Rule]], release: ReleaseData, thresholds: Thresholds) -> tuple[Check, ...]:
    """The checks against `min` and `max`."""
    wanted = [(measure, rule) for measure, rule in ruled if rule.min is not None or rule.max is not None]
    found = []
    for measure, rule in wanted:
        data = release.sample(measure)
        reason = too_few(Comparison(candidate=data, baseline=data), thresholds.min_samples)
        if reason is None:
            check = limited(measure, rule, data, thresholds.alpha / len(wanted))
        elif not len(data) and not rule.required and measure.name in ABSOLUTE and measure.name not in thresholds.checks:
            continue  # a limit that nobody set, of what the agent does not do
        else:
            check = Check(name=measure.name, state="not enough data", reason=reason, measure=measure, rule=rule)
        found.append(replace(check, name=f"{measure.name}.limit"))
    return tuple(found)


def _observed(
    ruled: Iterable[tuple[Measure, Rule]], release: ReleaseData, judged: set[str], thresholds: Thresholds
) -> tuple[tuple[Measure, Estimate], ...]:
    found = []
    for measure, rule in ruled:
        data = release.sample(measure)
        if measure.name not in judged and len(data) >= 2:
            checked = limited(measure, rule.model_copy(update={"min": None, "max": None}), data, thresholds.alpha)
            if checked.release is not None:
                found.append((measure, checked.release))
    return tuple(found)


def _missing(releases: Sequence[ReleaseData]) -> list[str]:
    """Releases without anything to judge."""
    found = []
    for who, data in zip(("release", "baseline"), releases, strict=False):
        if not data.known:
            found.append(f"the {who} {data.release} is unknown: the lake has no record of it")
        elif not data.runs and not data.evaluations:
            found.append(f"the {who} {data.release} has no run in the scope that was asked for")
    return found


def _speaking(verdict: Verdict) -> list[str]:
    """The checks that speak against the release."""
    found = [f"{check.name}: {check.state}: {check.reason}" for check in verdict.checks if check.state != "passed"]
    if not verdict.checks and verdict.release is not None and (verdict.release.runs or verdict.release.evaluations):
        found.append("there is no check: the thresholds leave nothing to judge by")
    rule = verdict.question.thresholds.checks.get(EVALUATIONS)
    wanted = rule and (rule.required or rule.min is not None or rule.max is not None)
    if wanted and not any(check.name.startswith(EVALUATIONS) for check in verdict.checks):
        found.append("eval: not enough data: there is no evaluation")
    return found


def _unmet(verdict: Verdict) -> list[str]:
    """The obligations that are not met."""
    found = [f"control {control.name}: {control.failed} of {control.checked} failed" for control in verdict.controls if not control.passed]
    if verdict.contract is not None and not verdict.contract.passed:
        found.insert(0, f"contract {verdict.contract.file}: {verdict.contract.reason}")
    return found
