"""Files of rule unit tests: promtool's shape, with rows of our tables where it has series, and SQL where it has PromQL.

`rule_files, evaluation_interval, group_eval_order, fuzzy_compare, tests: [{name, interval, start_timestamp, input_tables: {spans: [{offset:
0m, …}]}, alert_rule_test: [{eval_time, alertname, exp_alerts: [{exp_labels, exp_annotations}]}], sql_expr_test: [{expr, params,
eval_time, exp_samples: [{labels, value}]}]}]`. Unknown keys, tables and columns are errors that name the line.
"""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationError

from alerts.documents import Document, read_document
from alerts.errors import Problem, RuleFileError
from alerts.expressions import EVAL_TS, findings, parameter_line, parameters
from alerts.sections import Duration, Parameter, Section, Text, explain, read_text
from alerts.unit_tests.rows import row_problems
from storage.wording import KeyPath, unknown

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOST_EVALUATIONS: Final = 100_000
FIX: Final = "correct the lines below, then run again: auditlake alerts test"


def _start(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return EPOCH + timedelta(seconds=value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        raise ValueError("not a time: write it like 2026-11-21T12:00:00Z, or as Unix seconds")
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _label(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("must be text")


Label = Annotated[str, BeforeValidator(_label)]
Start = Annotated[datetime, BeforeValidator(_start)]


class ExpectedAlert(Section):
    """One alert that fires."""

    exp_labels: dict[str, Label] = Field(default_factory=dict)  # all of its labels but `alertname`
    exp_annotations: dict[str, Label] | None = None  # all of its annotations; left out: they are not compared


class AlertCase(Section):
    """What fires under one name at one time."""

    eval_time: Duration = timedelta()  # after the start
    alertname: Text = Field(min_length=1)
    exp_alerts: tuple[ExpectedAlert, ...] = ()  # all that fire; none: nothing fires


class ExpectedSample(Section):
    """One row of an answer."""

    labels: dict[str, Label] = Field(default_factory=dict)  # all columns but `value` that are not NULL
    value: float | None


class ExpressionCase(Section):
    """What a query answers at one time."""

    expr: Text = Field(min_length=1)
    params: dict[str, Parameter] = Field(default_factory=dict)  # values of $name; $eval_ts is the time
    eval_time: Duration = timedelta()
    exp_samples: tuple[ExpectedSample, ...] = ()


class Case(Section):
    """Records, and what the rules make of them."""

    name: Text = ""
    interval: Duration | None = None  # between the rows that `times` makes of one; default: evaluation_interval
    start_timestamp: Start = EPOCH  # time zero: RFC 3339, or Unix seconds
    input_tables: dict[str, tuple[dict[str, Any], ...]] = Field(default_factory=dict)  # spans, events, metrics → rows
    alert_rule_test: tuple[AlertCase, ...] = ()
    sql_expr_test: tuple[ExpressionCase, ...] = ()

    @property
    def last(self) -> timedelta:
        """The last time that is asked for."""
        times = [*(case.eval_time for case in self.alert_rule_test), *(case.eval_time for case in self.sql_expr_test)]
        return max(times, default=timedelta())


class UnitTests(Section):
    """One file."""

    rule_files: tuple[Text, ...] = ()  # paths and globs, relative to this file
    # every group is evaluated so often, from time zero on, whatever its own interval
    evaluation_interval: Annotated[Duration, Field(gt=timedelta())] = timedelta(minutes=1)
    group_eval_order: tuple[Text, ...] = ()  # groups that are evaluated first, in this order
    fuzzy_compare: bool = False  # values of sql_expr_test may differ in the last bit
    tests: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTests:
    """A file that was found in order."""

    path: Path
    document: Document
    model: UnitTests
    rule_files: tuple[Path, ...]


def load_tests(path: Path) -> LoadedTests:
    """Read and check one file of rule unit tests (not the rule files that it names); raises RuleFileError with every problem."""
    text, problems = read_text(path)
    document, wrong = read_document(text, str(path))
    if problems or wrong:
        raise RuleFileError(problems or wrong, what="test files", hint=FIX)
    try:
        model = UnitTests.model_validate(document.values if document.values is not None else {})
    except ValidationError as error:
        found = [explain(document, dict(item), UnitTests) for item in error.errors(include_url=False, include_input=False)]
        raise RuleFileError(found, what="test files", hint=FIX) from None
    files, missing = _rule_files(path, document, model.rule_files)
    problems = [*missing, *_check(document, model)]
    if problems:
        raise RuleFileError(problems, what="test files", hint=FIX)
    return LoadedTests(path=path, document=document, model=model, rule_files=tuple(files))


def _rule_files(path: Path, document: Document, names: Sequence[str]) -> tuple[list[Path], list[Problem]]:
    files: list[Path] = []
    problems: list[Problem] = []
    for index, name in enumerate(names):
        found = [Path(match) for match in sorted(glob.glob(str(path.parent / name)))]  # noqa: PTH207 - an absolute name is taken as it is
        if not found:
            problems.append(document.problem(("rule_files", index), "no file has this name, seen from this one: correct it"))
        files += [file for file in found if file not in files]
    return files, problems


def _check(document: Document, model: UnitTests) -> Iterator[Problem]:
    if not model.rule_files and any(case.alert_rule_test for case in model.tests):
        yield document.problem(("rule_files",), "is missing: name the rule files whose alerts are tested")
    for index, case in enumerate(model.tests):
        here: KeyPath = ("tests", index)
        interval = case.interval or model.evaluation_interval
        if case.last / model.evaluation_interval > MOST_EVALUATIONS:
            message = f"takes more than {MOST_EVALUATIONS} evaluations: raise evaluation_interval, or give rows negative offsets"
            yield document.problem(here, message)
        yield from row_problems(document, (*here, "input_tables"), case.input_tables, start=case.start_timestamp, interval=interval)
        for position, expression in enumerate(case.sql_expr_test):
            yield from _check_expression(document, (*here, "sql_expr_test", position), expression)


def _check_expression(document: Document, here: KeyPath, case: ExpressionCase) -> Iterator[Problem]:
    place = (*here, "expr")
    for finding in findings(case.expr):
        yield document.problem(place, finding.message, text_line=finding.line)
    known = {EVAL_TS, *case.params}
    for name in sorted(parameters(case.expr) - known):
        message = unknown("parameter", f"${name}", [f"${other}" for other in known])
        yield document.problem(place, message, text_line=parameter_line(case.expr, name))
    for name in sorted(case.params.keys() - parameters(case.expr)):
        yield document.problem((*here, "params", name), f"the expression does not use ${name}")
