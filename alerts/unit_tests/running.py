"""Running rule unit tests as promtool does: every rule at every evaluation interval from time zero on, then what fires is compared.

An expectation for a time between two evaluations is about the one before. Rules see only what had been recorded by then.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.durations import format_duration
from alerts.errors import AlertsError
from alerts.evaluate import SameLabels, State
from alerts.expressions import EVAL_TS, parameters
from alerts.replay import Replay
from alerts.rules import VALUE_COLUMN, LoadedGroup
from alerts.unit_tests.files import AlertCase, Case, ExpressionCase, LoadedTests
from alerts.unit_tests.lake import TimedLake, timed_lake
from alerts.unit_tests.rows import input_rows
from storage.errors import StorageError
from storage.wording import KeyPath, unknown

ALERTNAME: Final = "alertname"
FUZZY: Final = 2**-52
"""What `fuzzy_compare` leaves out of account, relative: the last bit of the mantissa."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An expectation that was not met, or a rule that could not be evaluated."""

    file: str
    line: int
    test: str
    subject: str  # `alertname: X`, `expr` or `rule: X`
    time: timedelta
    expected: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    error: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: {self.test}, {self.subject}, time: {format_duration(self.time)}"
        if self.error is not None:
            return f"{place}: {self.error}"
        return "\n".join([place, *_listed("exp", self.expected), *_listed("got", self.got)])


def _listed(word: str, texts: Sequence[str]) -> Iterator[str]:
    yield f"    {word}: {texts[0] if texts else 'nothing'}"
    yield from (f"         {text}" for text in texts[1:])


def run_tests(tests: LoadedTests, groups: Sequence[LoadedGroup]) -> list[Failure]:
    """Run every test of a file over the rules of its rule files; return what failed, none when all is well."""
    order = {name: number for number, name in enumerate(tests.model.group_eval_order)}
    ordered = sorted(groups, key=lambda group: order.get(group.name, len(order)))
    return [failure for index, case in enumerate(tests.model.tests) for failure in _Run(tests, index, case, ordered).failures()]


class _Run:
    """One test of a file."""

    def __init__(self, tests: LoadedTests, index: int, case: Case, groups: Sequence[LoadedGroup]) -> None:
        self._tests = tests
        self._place: KeyPath = ("tests", index)
        self._case = case
        self._every = tests.model.evaluation_interval
        asked = {expected.alertname for expected in case.alert_rule_test}
        self._names = {rule.name for group in groups for rule in group.rules if not rule.records}
        self._rules = [(group, rule) for group in groups for rule in group.rules if rule.records or rule.name in asked]

    def failures(self) -> Iterator[Failure]:
        """Yield what fails; an evaluation that fails is the last, as with promtool. An alert that no rule raises is no expectation."""
        case = self._case
        if strangers := list(self._strangers()):
            yield from strangers
            return
        rows = input_rows(case.input_tables, start=case.start_timestamp, interval=case.interval or self._every)
        with timed_lake(rows) as lake:
            replay = Replay(lake, clean=_as_it_is)
            for number in range(case.last // self._every + 1):
                after = number * self._every
                lake.advance(case.start_timestamp + after)
                errors = list(self._evaluated(replay, after))
                yield from errors
                if errors:
                    return
                for position, expected in enumerate(case.alert_rule_test):
                    if after <= expected.eval_time < after + self._every:
                        yield from self._compared(replay, expected, position)
                yield from self._answered(lake, after)

    def _strangers(self) -> Iterator[Failure]:
        for position, expected in enumerate(self._case.alert_rule_test):
            if expected.alertname not in self._names:
                place = (*self._place, "alert_rule_test", position)
                error = unknown("alert", expected.alertname, sorted(self._names))
                yield self._failure(place, f"alertname: {expected.alertname}", expected.eval_time, error=error)

    def _evaluated(self, replay: Replay, after: timedelta) -> Iterator[Failure]:
        at = self._case.start_timestamp + after
        for group, rule in self._rules:
            try:
                error = replay.evaluate(rule, at=at, eval_ts=at - (group.query_offset or timedelta())).step.error
            except (StorageError, AlertsError, SameLabels) as problem:
                error = str(problem)
            if error is not None:
                yield self._failure(self._place, f"rule: {rule.name}", after, error=error)

    def _compared(self, replay: Replay, expected: AlertCase, position: int) -> Iterator[Failure]:
        found = [
            alert
            for _, rule in self._rules
            if rule.name == expected.alertname and not rule.records
            for alert in replay.alerts(rule).values()
            if alert.state is State.FIRING
        ]
        wanted = [({**alert.exp_labels, ALERTNAME: expected.alertname}, alert.exp_annotations) for alert in expected.exp_alerts]
        left = [(alert.labels, alert.annotations) for alert in found]
        for labels, annotations in wanted:
            match = next((got for got in left if dict(got[0]) == labels and annotations in (None, dict(got[1]))), None)
            if match is None:
                break
            left.remove(match)
        else:
            if not left:
                return
        told = any(annotations is not None for _, annotations in wanted)
        yield self._failure(
            (*self._place, "alert_rule_test", position),
            f"alertname: {expected.alertname}",
            expected.eval_time,
            expected=tuple(sorted(_alert_text(labels, annotations) for labels, annotations in wanted)),
            got=tuple(sorted(_alert_text(alert.labels, alert.annotations if told else None) for alert in found)),
        )

    def _answered(self, lake: TimedLake, after: timedelta) -> Iterator[Failure]:
        cases = enumerate(self._case.sql_expr_test)
        due = [(position, case) for position, case in cases if after <= case.eval_time < after + self._every]
        for position, case in sorted(due, key=lambda item: item[1].eval_time):
            moment = self._case.start_timestamp + case.eval_time
            lake.advance(moment)
            place = (*self._place, "sql_expr_test", position)
            try:
                got = _rows(lake, case, moment)
            except (StorageError, AlertsError) as error:
                yield self._failure(place, "expr", case.eval_time, error=str(error))
                continue
            wanted = [(dict(sample.labels), sample.value) for sample in case.exp_samples]
            if not _same(wanted, got, fuzzy=self._tests.model.fuzzy_compare):
                texts = (tuple(sorted(_sample_text(labels, value) for labels, value in rows)) for rows in (wanted, got))
                expected, found = texts
                yield self._failure(place, "expr", case.eval_time, expected=expected, got=found)

    def _failure(self, place: KeyPath, subject: str, time: timedelta, **what: Any) -> Failure:
        problem = self._tests.document.problem(place, "")
        name = f"test {self._case.name!r}" if self._case.name else f"test {self._place[1]}"
        return Failure(file=problem.file, line=problem.line, test=name, subject=subject, time=time, **what)


def _rows(lake: TimedLake, case: ExpressionCase, moment: datetime) -> list[tuple[dict[str, str], float | None]]:
    bound = dict(case.params)
    if EVAL_TS in parameters(case.expr):
        bound[EVAL_TS] = moment.replace(tzinfo=None)
    table = lake.query(case.expr, params=bound)
    if VALUE_COLUMN not in table.schema.names:
        raise AlertsError("compare the answer", "expr", hint="it has no column named value: add `… AS value`")
    return [(_labels(row), None if row[VALUE_COLUMN] is None else float(row[VALUE_COLUMN])) for row in table.to_pylist()]


def _labels(row: Mapping[str, Any]) -> dict[str, str]:
    cells = {name: cell for name, cell in row.items() if name != VALUE_COLUMN and cell is not None}
    return {name: str(cell).lower() if isinstance(cell, bool) else str(cell) for name, cell in cells.items()}


def _same(
    wanted: Sequence[tuple[dict[str, str], float | None]], got: Sequence[tuple[dict[str, str], float | None]], *, fuzzy: bool
) -> bool:
    def equal(one: float | None, other: float | None) -> bool:
        if one is None or other is None:
            return one is other
        return one == other or (math.isnan(one) and math.isnan(other)) or (fuzzy and math.isclose(one, other, rel_tol=FUZZY))

    left = list(got)
    for labels, value in wanted:
        match = next((row for row in left if row[0] == labels and equal(value, row[1])), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _alert_text(labels: Mapping[str, str], annotations: Mapping[str, str] | None) -> str:
    said = _braced({name: text for name, text in labels.items() if name != ALERTNAME})
    return said if annotations is None else f"{said} annotations {_braced(annotations)}"


def _sample_text(labels: Mapping[str, str], value: float | None) -> str:
    return f"{_braced(labels)} {'NULL' if value is None else f'{value:.17g}'}"


def _braced(texts: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={texts[name]!r}" for name in sorted(texts)) + "}"


def _as_it_is(items: Sequence[tuple[str, str | None]]) -> list[str]:
    """Leave texts as they are: nothing is stored or sent."""
    return [text for text, _ in items]
