"""One round of evaluations: which groups are due, what their rules say now, and everything that follows from it, committed at once."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from alerts.answers import Answer, answer
from alerts.dispatch import Notifier
from alerts.durations import align
from alerts.enrichment import Enrich
from alerts.errors import AlertsError, NotYet, Outdated
from alerts.evaluate import Alert, SameLabels, State, Step, Transition, dropped, resumed
from alerts.recordings import Record, Recorder, Recording, nowhere
from alerts.replay import Reader
from alerts.rules import LoadedGroup, LoadedRule
from alerts.samples import Clean, Queryable
from alerts.sharing import Sharing, one_round
from alerts.state import AlertStore, Evaluation, Message, RuleStatus
from alerts.transitions import error_message, no_data_message, transition_messages
from alerts.watermark import evaluation_time, ingest_watermark
from storage.errors import StorageError

LONGEST_QUERY: Final = timedelta(seconds=30)
LONGEST_SLEEP_SECONDS: Final = 1.0
MAX_ERROR_LENGTH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What evaluating needs besides the rules."""

    data: Path
    lake: Reader
    store: AlertStore
    notifier: Notifier
    clean: Clean
    interval: timedelta  # of groups that name none
    query_offset: timedelta  # of groups that name none
    stop: threading.Event
    record: Record = nowhere  # makes what recording rules record durable
    sharing: Sharing | None = None  # makes the tables that the rules of one round share
    enrich: Enrich | None = None  # adds to what alerts say when they begin to fire


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A group whose instant has come."""

    group: LoadedGroup
    at: datetime
    eval_ts: datetime
    last: datetime | None  # the instant of the evaluation before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """One rule, evaluated: what to store, and what changed."""

    evaluation: Evaluation
    transitions: Sequence[Transition]
    messages: Sequence[Message]


class GroupRunner:
    """Evaluates the groups when they are due. Its memory equals the store's: it changes only after a commit, and is read again when
    somebody was erased from the store."""

    def __init__(self, context: Context, groups: Sequence[LoadedGroup]) -> None:
        self._context = context
        self._groups = groups
        self._alerts: dict[str, Mapping[str, Alert]] = {}
        self._status: dict[str, RuleStatus] = {}
        self._recorder = Recorder(context.lake, self._recorded)
        self._last: dict[str, datetime] = {}  # group → instant of its last evaluation by this runner
        self._remember()

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
        """Evaluate every group whose instant has come, and tell what changed; returns whether any was due. Raises DatabaseError.

        What several groups found is committed together, at once where it is to be told, else at the end. When somebody is erased meanwhile,
        what is not committed yet is dropped: the next call evaluates again.
        """
        try:
            if self.recall():
                self._context.notifier.tick(now, self.alerts())
            return self._evaluate_due(now)
        except Outdated:
            return True

    def recall(self) -> bool:
        """Read again what is remembered if somebody was erased; returns whether that was so. Raises DatabaseError."""
        if not self._context.store.forgot():
            return False
        self._context.store.recall()
        self._remember()
        self._recorder.forget()
        for source in (rule.source for group in self._groups for rule in group.rules if rule.source is not None):
            source.forget()
        return True

    def _remember(self) -> None:
        self._alerts = dict(self._context.store.alerts())
        self._status = {status.rule: status for status in self._context.store.rules()}

    def _evaluate_due(self, now: datetime) -> bool:
        committed = self._forget_removed(now)
        due = self._due(now)
        found: list[tuple[_Due, list[_Outcome]]] = []
        with one_round(self._context.lake, self._context.sharing, [(each.group, each.eval_ts) for each in due]) as lake:
            for each in due:
                outcomes = self._evaluated(each, lake)
                if outcomes is None:
                    break
                found.append((each, outcomes))
                if any(outcome.messages for outcome in outcomes):
                    self._commit(found, now)
                    committed, found = True, []
        if found:
            self._commit(found, now)
        return committed or bool(found)

    def _due(self, now: datetime) -> list[_Due]:
        found = []
        for group in self._groups:
            at = align(now, self._interval(group))
            last = self._last_evaluation(group)
            if last is not None and last - now > self._interval(group):
                last = None  # the clock was set back
            if group.rules and (last is None or at > last):
                found.append((group, at, last))
        watermark = ingest_watermark(self._context.data) if found else None
        return [_Due(group=group, at=at, eval_ts=self._seen(group, at, watermark), last=last) for group, at, last in found]

    def _seen(self, group: LoadedGroup, at: datetime, watermark: datetime | None) -> datetime:
        offset = self._context.query_offset if group.query_offset is None else group.query_offset
        return evaluation_time(at, offset, watermark)

    def alerts(self) -> list[Alert]:
        """Return the alerts that others are told of: those that fire, and those that resolved lately."""
        told = (State.FIRING, State.RESOLVED)
        return [alert for alerts in self._alerts.values() for alert in alerts.values() if alert.state in told]

    def _interval(self, group: LoadedGroup) -> timedelta:
        return group.interval or self._context.interval

    def _last_evaluation(self, group: LoadedGroup) -> datetime | None:
        known = [status.evaluated_at for rule in group.rules if (status := self._status.get(rule.key)) and status.evaluated_at]
        return max(known, default=None)

    def _evaluated(self, due: _Due, lake: Queryable) -> list[_Outcome] | None:
        """Evaluate a group; None: stopped."""
        group, interval = due.group, self._interval(due.group)
        gap = due.at - due.last - interval if due.last is not None else timedelta()
        downtime = max(gap, timedelta()) if group.key not in self._last else timedelta()
        outcomes = []
        for rule in group.rules:
            if self._context.stop.is_set():
                return None
            outcomes.append(self._outcome(rule, due, lake, interval, missed=max(gap // interval, 0), downtime=downtime))
        return outcomes

    def _outcome(self, rule: LoadedRule, due: _Due, lake: Queryable, interval: timedelta, *, missed: int, downtime: timedelta) -> _Outcome:
        at, before = due.at, resumed(self._alerts.get(rule.key, {}), downtime)
        started = time.perf_counter()
        found = self._answer(rule, before, due, lake, interval)
        result = found.step
        error = result.error[:MAX_ERROR_LENGTH] if result.error else None
        status = self._status.get(rule.key)
        known = status.error_since if status is not None else None
        empty = status.no_data_since if status is not None else None
        evaluation = Evaluation(
            rule=rule.key,
            rule_group=rule.group,
            alertname=rule.name,
            interval=interval,
            at=at,
            eval_ts=due.eval_ts,
            duration_ms=(time.perf_counter() - started) * 1000,
            rows=found.rows,
            error=error,
            error_since=(known or at) if error else None,
            missed=missed,
            alerts=result.alerts,
            known=self._alerts.get(rule.key, {}),
            no_data=status.no_data if error and status is not None else found.no_data,
            no_data_since=empty if error else (empty or at) if found.no_data else None,
        )
        messages = [message for transition in result.transitions for message in transition_messages(evaluation, transition)]
        if error and known is None:
            messages.append(error_message(evaluation, error, at=at, since=at))
            structlog.get_logger(__name__).warning("rule failed", alertname=rule.name, group=rule.group, error=error)
        elif known is not None and not error:
            messages.append(error_message(evaluation, None, at=at, since=known))
        if not error and bool(empty) != bool(found.no_data):
            messages.append(no_data_message(evaluation, found.no_data, at=at, since=empty or at))
        return _Outcome(evaluation=evaluation, transitions=result.transitions, messages=messages)

    def _answer(self, rule: LoadedRule, before: Mapping[str, Alert], due: _Due, lake: Queryable, interval: timedelta) -> Answer:
        """Return what the rule says, and record what it records; an error changes no alert, nor does what is not known yet."""
        timeout = min(interval, LONGEST_QUERY).total_seconds()
        context = self._context
        try:
            found = answer(rule, before, lake, at=due.at, eval_ts=due.eval_ts, clean=context.clean, timeout_seconds=timeout)
            self._recorder.take(found.recordings)
        except NotYet:
            return Answer(step=Step(alerts=before, transitions=()), rows=None)
        except (StorageError, AlertsError, SameLabels) as error:
            [text] = context.clean([(str(error), None)])
            return Answer(step=Step(alerts=before, transitions=(), error=text), rows=None)
        if context.enrich is None:
            return found
        return replace(found, step=context.enrich(found.step, lake, eval_ts=due.eval_ts, lookback=rule.lookback))

    def _recorded(self, recordings: Sequence[Recording]) -> None:
        """Record, unless somebody is being erased. Raises StorageError and Outdated."""
        with self._context.store.remembered():
            if self._context.store.being_erased():
                raise StorageError("record", recordings[0].name, hint="an order of erasure is at work: the next evaluation records")
            self._context.record(recordings)

    def _commit(self, found: Sequence[tuple[_Due, Sequence[_Outcome]]], now: datetime) -> None:
        outcomes = [outcome for _, each in found for outcome in each]
        messages = [message for outcome in outcomes for message in outcome.messages]
        self._context.store.commit([outcome.evaluation for outcome in outcomes], messages)
        self._alerts |= {outcome.evaluation.rule: outcome.evaluation.alerts for outcome in outcomes}
        for outcome in outcomes:
            self._status[outcome.evaluation.rule] = _status(outcome, self._status.get(outcome.evaluation.rule))
        self._last |= {due.group.key: due.at for due, _ in found}
        self._context.notifier.tick(now, self.alerts())

    def _forget_removed(self, now: datetime) -> bool:
        """End the alerts of rules that are in no file any more, as Prometheus does."""
        present = {rule.key for group in self._groups for rule in group.rules}
        removed = [status for key, status in self._status.items() if key not in present]
        if not removed:
            return False
        at = now.replace(microsecond=0)
        ends = [(status, end) for status in removed for end in dropped(self._alerts.get(status.rule, {}), at=at)]
        messages = [message for status, end in ends for message in transition_messages(status, end)]
        self._context.store.forget([status.rule for status in removed], messages)
        self._alerts = {key: alerts for key, alerts in self._alerts.items() if key in present}
        self._status = {key: status for key, status in self._status.items() if key in present}
        self._context.notifier.tick(now, self.alerts())
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
        no_data=evaluation.no_data,
        no_data_since=evaluation.no_data_since,
    )
