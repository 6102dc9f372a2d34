"""One round of evaluations: which groups are due, what their rules say now, and everything that follows from it, committed at once."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from alerts.errors import AlertsError
from alerts.evaluate import Alert, SameLabels, State, Step, Transition, Waits, dropped, resumed, step
from alerts.notify import Receiver, notifications
from alerts.rules import LoadedGroup, LoadedRule
from alerts.samples import Clean, Queryable, read_samples
from alerts.state import AlertStore, Evaluation, Message, RuleStatus
from alerts.transitions import error_message, transition_messages
from alerts.watermark import evaluation_time, ingest_watermark
from storage.errors import StorageError

LONGEST_QUERY: Final = timedelta(seconds=30)
LONGEST_SLEEP_SECONDS: Final = 1.0
MAX_ERROR_LENGTH: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What evaluating needs besides the rules."""

    data: Path
    lake: Queryable
    store: AlertStore
    receivers: Sequence[Receiver]
    clean: Clean
    external_url: str
    interval: timedelta  # of groups that name none
    query_offset: timedelta  # of groups that name none
    stop: threading.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """One rule, evaluated: what to store, and what changed."""

    evaluation: Evaluation
    transitions: Sequence[Transition]
    messages: Sequence[Message]


def align(moment: datetime, interval: timedelta) -> datetime:
    """Return the last multiple of `interval` since 1970 that is not after `moment`."""
    return moment - (moment - _EPOCH) % interval


class GroupRunner:
    """Evaluates the groups when they are due. Its memory equals the store's: it changes only after a commit."""

    def __init__(self, context: Context, groups: Sequence[LoadedGroup]) -> None:
        self._context = context
        self._groups = groups
        self._alerts: dict[str, Mapping[str, Alert]] = dict(context.store.alerts())
        self._status: dict[str, RuleStatus] = {status.rule: status for status in context.store.rules()}
        self._last: dict[str, datetime] = {}  # group → instant of its last evaluation by this runner

    @property
    def size(self) -> int:
        """How many rules there are."""
        return sum(len(group.rules) for group in self._groups)

    def seconds_until_due(self, now: datetime) -> float:
        """Return how long to sleep, never long: a clock may be set while we do."""
        soonest = min(
            (align(now, self._interval(group)) + self._interval(group) for group in self._groups), default=now + timedelta(days=1)
        )
        return min((soonest - now).total_seconds(), LONGEST_SLEEP_SECONDS)

    def tick(self, now: datetime) -> bool:
        """Evaluate every group whose instant has come; returns whether anything was committed. Raises DatabaseError."""
        committed = self._forget_removed(now)
        for group in self._groups:
            at = align(now, self._interval(group))
            last = self._last_evaluation(group)
            if last is not None and last - now > self._interval(group):
                last = None  # the clock was set back
            if not group.rules or (last is not None and at <= last):
                continue
            if self._context.stop.is_set():
                return committed
            committed = self._evaluate(group, at, last) or committed
        return committed

    def _interval(self, group: LoadedGroup) -> timedelta:
        return group.interval or self._context.interval

    def _last_evaluation(self, group: LoadedGroup) -> datetime | None:
        known = [status.evaluated_at for rule in group.rules if (status := self._status.get(rule.key)) and status.evaluated_at]
        return max(known, default=None)

    def _evaluate(self, group: LoadedGroup, at: datetime, last: datetime | None) -> bool:
        interval = self._interval(group)
        gap = at - last - interval if last is not None else timedelta()
        downtime = max(gap, timedelta()) if group.key not in self._last else timedelta()
        offset = self._context.query_offset if group.query_offset is None else group.query_offset
        eval_ts = evaluation_time(at, offset, ingest_watermark(self._context.data))
        outcomes = []
        for rule in group.rules:
            if self._context.stop.is_set():
                return False
            outcomes.append(self._outcome(rule, at, eval_ts, interval, missed=max(gap // interval, 0), downtime=downtime))
        self._commit(outcomes, at)
        self._last[group.key] = at
        return True

    def _outcome(
        self, rule: LoadedRule, at: datetime, eval_ts: datetime, interval: timedelta, *, missed: int, downtime: timedelta
    ) -> _Outcome:
        before = resumed(self._alerts.get(rule.key, {}), downtime)
        started = time.perf_counter()
        result, rows = self._step(rule, before, at, eval_ts, interval)
        error = result.error[:MAX_ERROR_LENGTH] if result.error else None
        status = self._status.get(rule.key)
        known = status.error_since if status is not None else None
        evaluation = Evaluation(
            rule=rule.key,
            rule_group=rule.group,
            alertname=rule.rule.alert,
            interval=interval,
            at=at,
            eval_ts=eval_ts,
            duration_ms=(time.perf_counter() - started) * 1000,
            rows=rows,
            error=error,
            error_since=(known or at) if error else None,
            missed=missed,
            alerts=result.alerts,
        )
        messages = [message for transition in result.transitions for message in transition_messages(evaluation, transition)]
        if error and known is None:
            messages.append(error_message(evaluation, error, at=at, since=at))
            structlog.get_logger(__name__).warning("rule failed", alertname=rule.rule.alert, group=rule.group, error=error)
        elif known is not None and not error:
            messages.append(error_message(evaluation, None, at=at, since=known))
        return _Outcome(evaluation=evaluation, transitions=result.transitions, messages=messages)

    def _step(
        self, rule: LoadedRule, before: Mapping[str, Alert], at: datetime, eval_ts: datetime, interval: timedelta
    ) -> tuple[Step, int | None]:
        """Return what the rule says and how many rows that were; an error changes no alert."""
        timeout = min(interval, LONGEST_QUERY).total_seconds()
        try:
            samples = read_samples(rule, self._context.lake, eval_ts=eval_ts, clean=self._context.clean, timeout_seconds=timeout)
            waits = Waits(wait=rule.rule.wait, keep_firing_for=rule.rule.keep_firing_for, limit=rule.limit)
            return step(before, samples, waits, at=at), len(samples)
        except (StorageError, AlertsError, SameLabels) as error:
            [text] = self._context.clean([(str(error), None)])
            return Step(alerts=before, transitions=(), error=text), None

    def _commit(self, outcomes: Sequence[_Outcome], at: datetime) -> None:
        alerts = {**self._alerts, **{outcome.evaluation.rule: outcome.evaluation.alerts for outcome in outcomes}}
        told = [transition for outcome in outcomes for transition in outcome.transitions]
        messages = [message for outcome in outcomes for message in outcome.messages] + self._notifications(alerts, told, at)
        self._context.store.commit([outcome.evaluation for outcome in outcomes], messages)
        self._alerts = alerts
        for outcome in outcomes:
            self._status[outcome.evaluation.rule] = _status(outcome, self._status.get(outcome.evaluation.rule))

    def _notifications(self, alerts: Mapping[str, Mapping[str, Alert]], told: Sequence[Transition], at: datetime) -> list[Message]:
        changed = [transition.alert for transition in told if transition.state in (State.FIRING, State.RESOLVED)]
        known = [alert for found in alerts.values() for alert in found.values()] if changed else []
        return notifications(known, changed, self._context.receivers, at=at, external_url=self._context.external_url)

    def _forget_removed(self, now: datetime) -> bool:
        """End the alerts of rules that are in no file any more, as Prometheus does."""
        present = {rule.key for group in self._groups for rule in group.rules}
        removed = [status for key, status in self._status.items() if key not in present]
        if not removed:
            return False
        at = now.replace(microsecond=0)
        left = {key: alerts for key, alerts in self._alerts.items() if key in present}
        ends = [(status, end) for status in removed for end in dropped(self._alerts.get(status.rule, {}), at=at)]
        messages = [message for status, end in ends for message in transition_messages(status, end)]
        messages += self._notifications(left, [end for _, end in ends], at)
        self._context.store.forget([status.rule for status in removed], messages)
        self._alerts = left
        self._status = {key: status for key, status in self._status.items() if key in present}
        return True


def _status(outcome: _Outcome, before: RuleStatus | None) -> RuleStatus:
    evaluation = outcome.evaluation
    return RuleStatus(
        rule=evaluation.rule,
        rule_group=evaluation.rule_group,
        alertname=evaluation.alertname,
        interval=evaluation.interval,
        evaluated_at=evaluation.at,
        duration_ms=evaluation.duration_ms,
        rows=evaluation.rows,
        error=evaluation.error,
        error_since=evaluation.error_since,
        missed=evaluation.missed + (before.missed if before else 0),
    )
