"""One rule evaluated at one instant: its query, and what its answer means. The scheduler, replays and unit tests all come through here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from alerts.evaluate import Alert, SameLabels, Sample, Step, Waits, fingerprint, step
from alerts.recordings import Recording
from alerts.rules import LoadedRule
from alerts.samples import Clean, Queryable, read_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a rule says: what becomes of its alerts, or what it records."""

    step: Step
    rows: int | None  # None: it failed
    no_data: int = 0  # rows without a value
    recordings: tuple[Recording, ...] = ()


def answer(
    rule: LoadedRule,
    before: Mapping[str, Alert],
    lake: Queryable,
    *,
    at: datetime,
    eval_ts: datetime,
    clean: Clean,
    timeout_seconds: float = 60,
) -> Answer:
    """Evaluate a rule at `at`, where it sees the lake as of `eval_ts`; raises StorageError, AlertsError, SameLabels: nothing changes.

    `before` holds its alerts until now. A rule that exceeds its limit is an error of the step: its alerts are cleared.
    """
    samples = read_samples(rule, lake, eval_ts=eval_ts, clean=clean, timeout_seconds=timeout_seconds)
    without = sum(sample.value is None for sample in samples)
    if rule.records:
        return _recorded(rule, samples, eval_ts, without)
    waits = Waits(wait=rule.rule.wait, keep_firing_for=rule.rule.keep_firing_for, limit=rule.limit, no_data=rule.rule.no_data)
    return Answer(step=step(before, samples, waits, at=at), rows=len(samples), no_data=without)


def _recorded(rule: LoadedRule, samples: list[Sample], eval_ts: datetime, without: int) -> Answer:
    """Return the values to record, as Prometheus' `RecordingRule.Eval`: unique label sets, and none at all beyond the limit."""
    known = [(sample, sample.value) for sample in samples if sample.value is not None]
    if len({fingerprint(sample.labels) for sample, _ in known}) < len(known):
        raise SameLabels("two rows have the same labels: group by every column that is not `value`")
    if rule.limit and len(known) > rule.limit:
        error = f"exceeded limit of {rule.limit} with {len(known)} series"
        return Answer(step=Step(alerts={}, transitions=(), error=error), rows=len(samples), no_data=without)
    recordings = tuple(
        Recording(name=rule.name, rule_group=rule.group, time=eval_ts, labels=sample.labels, value=value) for sample, value in known
    )
    return Answer(step=Step(alerts={}, transitions=()), rows=len(samples), no_data=without, recordings=recordings)
