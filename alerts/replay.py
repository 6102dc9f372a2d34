"""A rule over past instants: the state in which it would be now if a scheduler had evaluated it until now."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from alerts.evaluate import Alert, Waits, step
from alerts.rules import LoadedRule
from alerts.samples import Clean, Queryable, read_samples

MOST_STEPS: Final = 10


def replay(rule: LoadedRule, lake: Queryable, *, at: datetime, eval_ts: datetime, interval: timedelta, clean: Clean) -> Mapping[str, Alert]:
    """Return the rule's alerts at `at`, where it sees the lake as of `eval_ts`; raises like `read_samples`, and SameLabels.

    It is evaluated as often as `for` and `keep_firing_for` reach back, every `interval` or, when those are long, `MOST_STEPS` times.
    """
    waits = Waits(wait=rule.rule.wait, keep_firing_for=rule.rule.keep_firing_for, limit=rule.limit)
    alerts: Mapping[str, Alert] = {}
    for back in _instants(waits.wait + waits.keep_firing_for, interval):
        samples = read_samples(rule, lake, eval_ts=eval_ts - back, clean=clean)
        alerts = step(alerts, samples, waits, at=at - back).alerts
    return alerts


def _instants(reach: timedelta, interval: timedelta) -> Iterator[timedelta]:
    """Yield how far back each evaluation lies, from `reach` to zero."""
    steps = min(-(-reach // interval), MOST_STEPS)
    for number in range(steps, 0, -1):
        yield reach * number / steps
    yield timedelta()
