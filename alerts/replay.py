"""Rules evaluated at past instants, one after the other, as a scheduler would have: nothing is stored, nobody is told."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from alerts.answers import Answer, answer
from alerts.durations import align
from alerts.errors import AlertsError
from alerts.evaluate import Alert, SameLabels, State
from alerts.recordings import Recorder, Remembering
from alerts.rules import LoadedGroup, LoadedRule
from alerts.samples import Clean, Queryable
from storage.errors import StorageError

MOST_STEPS: Final = 10
EVER: Final = timedelta(days=36_525)
"""Longer than any replay goes on, and no time before 1970 by much."""


class Reader(Queryable, Remembering, Protocol):
    """What rules read: `storage.lake.Lake`."""


class Replay:
    """Remembers what each rule's alerts were at the instant before."""

    def __init__(self, lake: Reader, *, clean: Clean, set_clock: Callable[[datetime], None] | None = None) -> None:
        """`set_clock` sets the clock of the lake: what is running at an instant, what has been waiting for how long."""
        self._lake = lake
        self._set_clock = set_clock
        self._clean = clean
        self._recorder = Recorder(lake, remembered=EVER)
        self._alerts: dict[str, Mapping[str, Alert]] = {}

    def evaluate(self, rule: LoadedRule, *, at: datetime, eval_ts: datetime) -> Answer:
        """Evaluate a rule at `at`, where it sees the lake as of `eval_ts`; raises like `answers.answer`."""
        if self._set_clock is not None:
            self._set_clock(at)
        found = answer(rule, self.alerts(rule), self._lake, at=at, eval_ts=eval_ts, clean=self._clean)
        self._recorder.take(found.recordings)
        self._alerts[rule.key] = found.step.alerts
        return found

    def alerts(self, rule: LoadedRule) -> Mapping[str, Alert]:
        """Return the rule's alerts now: fingerprint → alert."""
        return self._alerts.get(rule.key, {})


def settle(replay: Replay, rule: LoadedRule, *, at: datetime, eval_ts: datetime, interval: timedelta) -> Answer:
    """Evaluate a rule until `at` as often as its `for` and `keep_firing_for` reach back; return the last answer.

    It is evaluated every `interval` or, when those are long, `MOST_STEPS` times.
    """
    for back in _instants(rule.rule.wait + rule.rule.keep_firing_for, interval):
        replay.evaluate(rule, at=at - back, eval_ts=eval_ts - back)
    return replay.evaluate(rule, at=at, eval_ts=eval_ts)


def _instants(reach: timedelta, interval: timedelta) -> Iterator[timedelta]:
    """Yield how far back each evaluation before the last lies, from `reach` on."""
    steps = min(-(-reach // interval), MOST_STEPS)
    for number in range(steps, 0, -1):
        yield reach * number / steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A time during which an alert would have fired."""

    rule: LoadedRule
    alert: Alert  # as it was when it resolved, or at the end
    resolved_at: datetime | None  # None: it fires at the end


def firings(
    replay: Replay,
    group: LoadedGroup,
    instants: Iterable[tuple[datetime, datetime]],
    *,
    since: datetime,
    failed: Callable[[LoadedRule, Exception], None],
) -> Iterator[Firing]:
    """Evaluate a group at its instants (`at`, `eval_ts`), and yield what would have fired at or after `since`; what fires on comes last.

    A rule that cannot be evaluated is told to `failed`, each time: as in life, nothing changes.
    """
    for at, eval_ts in instants:
        for rule in group.rules:
            try:
                found = replay.evaluate(rule, at=at, eval_ts=eval_ts)
            except (StorageError, AlertsError, SameLabels) as error:
                failed(rule, error)
                continue
            if found.step.error is not None:
                failed(rule, AlertsError("evaluate the rule", rule.name, hint=found.step.error))
            ended = [transition.alert for transition in found.step.transitions if transition.state is State.RESOLVED and at >= since]
            yield from (Firing(rule=rule, alert=alert, resolved_at=at) for alert in ended)
    for rule in group.rules:
        fire = [alert for alert in replay.alerts(rule).values() if alert.state is State.FIRING]
        yield from (Firing(rule=rule, alert=alert, resolved_at=None) for alert in fire)


def past_instants(group: LoadedGroup, *, since: datetime, until: datetime, every: timedelta) -> list[datetime]:
    """Return the aligned instants from `since` to `until` at which a group is evaluated, and those before that its waits reach back to."""
    reach = max((rule.rule.wait + rule.rule.keep_firing_for for rule in group.rules), default=timedelta())
    first = align(since - reach, every)
    return [first + number * every for number in range((until - first) // every + 1)]
