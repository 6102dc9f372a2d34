"""Rule files: Prometheus' grammar with SQL where PromQL would stand.

`groups: [{name, type: duckdb, interval, query_offset, lookback, limit, labels, params, rules: [{alert, expr, for, keep_firing_for,
labels, annotations}]}]`. Two keys are additions: `params`, values bound to `$name` in the expressions of the group, so that
thresholds stand in one place, and `lookback`, how far back the expressions look, so that older files are not opened. An expression
is one read-only SELECT: its numeric column `value` is the alert's value, every other column a label.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from alerts.documents import Document, read_document
from alerts.durations import format_duration, parse_duration
from alerts.errors import AlertsError, Problem, RuleFileError
from alerts.expressions import EVAL_TS, findings, parameter_line, parameters
from alerts.sections import Duration, Parameter, Section, Text, explain, read_text
from alerts.templates import template_problem
from storage.errors import StorageError
from storage.wording import KeyPath, unknown

NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
VALUE_COLUMN: Final = "value"
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC, as every time of the lake

CheckSql = Callable[[str, Mapping[str, Any]], None]
"""Takes an expression and its parameters; raises StorageError or AlertsError when no rule may use it."""


class Rule(Section):
    """One alerting rule."""

    alert: Text = Field(min_length=1)  # the alert's name: label `alertname`
    expr: Text = Field(min_length=1)  # one SELECT; a row is an alert: column `value` is its value, the other columns are its labels
    wait: Duration = Field(timedelta(), alias="for")  # how long the row must be there before the alert fires
    keep_firing_for: Duration = timedelta()  # how long it keeps firing after its row vanished
    labels: dict[str, Text] = {}  # added to every alert of the rule; templates over `labels`
    annotations: dict[str, Text] = {}  # sentences and links; templates over `labels` and `value`


class Group(Section):
    """Rules that are evaluated one after the other at the same instant."""

    name: Text = Field(min_length=1)  # unique in the file
    type: Literal["duckdb"] = "duckdb"  # the language of the expressions
    interval: Annotated[Duration, Field(gt=timedelta())] | None = None  # how often; default: the scheduler's interval
    query_offset: Annotated[Duration, Field(ge=timedelta())] | None = None  # how far $eval_ts lies behind; default: the scheduler's
    lookback: Annotated[Duration, Field(gt=timedelta())] | None = None  # how far behind $eval_ts expressions look; default: everything
    limit: int = Field(0, ge=0)  # most alerts a rule may have; more is an error and clears them; 0: no limit
    labels: dict[str, Text] = {}  # added to every alert of the group; a rule's own labels win
    params: dict[str, Parameter] = {}  # values of $name in the expressions
    rules: tuple[Rule, ...] = ()


class RuleFile(Section):
    """One file."""

    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRule:
    """A rule in its group, with the identity under which its state is kept."""

    key: str  # stays the same when the expression, waits or annotations change
    group: str
    rule: Rule
    labels: Mapping[str, str]  # of group and rule
    parameters: Mapping[str, Any]  # those that the expression uses, without $eval_ts
    lookback: timedelta | None  # of the group; None: everything
    limit: int

    def bind(self, eval_ts: object) -> dict[str, Any]:
        """Return the parameters of one evaluation."""
        bound = dict(self.parameters)
        if EVAL_TS in parameters(self.rule.expr):
            bound[EVAL_TS] = eval_ts
        return bound

    def from_ns(self, eval_ts: datetime) -> int | None:
        """Return from when on (unix ns) the expression needs records when it is evaluated at `eval_ts` (naive UTC); None: all."""
        if self.lookback is None:
            return None
        return max((eval_ts - EPOCH - self.lookback) // timedelta(microseconds=1) * 1000, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedGroup:
    """A group that was found in order."""

    key: str  # `<file name>;<group>`, as in Prometheus
    file: str
    name: str
    interval: timedelta | None
    query_offset: timedelta | None
    rules: tuple[LoadedRule, ...]


def load_rules(paths: Sequence[Path], *, check_sql: CheckSql | None = None) -> tuple[LoadedGroup, ...]:
    """Read and check rule files; raises RuleFileError with every problem of all of them, each with file, line and key path."""
    groups: list[LoadedGroup] = []
    problems: list[Problem] = []
    for path in paths:
        found, wrong = _load(path, check_sql)
        problems += wrong
        for group in found:
            if any(group.key == other.key for other in groups):
                problems.append(Problem(file=str(path), line=1, path="groups", message=f"the group {group.name!r} is loaded twice"))
        groups += found
    if problems:
        raise RuleFileError(problems)
    return tuple(groups)


def _load(path: Path, check_sql: CheckSql | None) -> tuple[list[LoadedGroup], list[Problem]]:
    text, problems = read_text(path)
    if problems:
        return [], problems
    document, problems = read_document(text, str(path))
    if problems:
        return [], problems
    try:
        model = RuleFile.model_validate(document.values if document.values is not None else {})
    except ValidationError as error:
        return [], [explain(document, dict(item), RuleFile) for item in error.errors(include_url=False, include_input=False)]
    problems = list(_check_file(document, model, check_sql))
    if problems:
        return [], problems
    return [_loaded(path, group) for group in model.groups], []


def _loaded(path: Path, group: Group) -> LoadedGroup:
    key = f"{path.name};{group.name}"
    rules = []
    for rule in group.rules:
        labels = {**group.labels, **rule.labels}
        used = parameters(rule.expr)
        rules.append(
            LoadedRule(
                key=f"{key};{rule.alert};{_digest(labels)}",
                group=group.name,
                rule=rule,
                labels=labels,
                parameters={name: value for name, value in group.params.items() if name in used},
                lookback=group.lookback,
                limit=group.limit,
            )
        )
    return LoadedGroup(
        key=key, file=str(path), name=group.name, interval=group.interval, query_offset=group.query_offset, rules=tuple(rules)
    )


def _digest(labels: Mapping[str, str]) -> str:
    return sha256(repr(sorted(labels.items())).encode()).hexdigest()[:8]


def _check_file(document: Document, model: RuleFile, check_sql: CheckSql | None) -> Iterator[Problem]:
    names: set[str] = set()
    for index, group in enumerate(model.groups):
        here: KeyPath = ("groups", index)
        if group.name in names:
            yield document.problem((*here, "name"), f"the group {group.name!r} stands twice in this file")
        names.add(group.name)
        yield from _check_labels(document, (*here, "labels"), group.labels)
        yield from _check_parameters(document, here, group)
        seen: set[tuple[str, str]] = set()
        for position, rule in enumerate(group.rules):
            place = (*here, "rules", position)
            identity = (rule.alert, _digest({**group.labels, **rule.labels}))
            if identity in seen:
                yield document.problem((*place, "alert"), "the same alert with the same labels stands twice in this group")
            seen.add(identity)
            yield from _check_rule(document, place, rule, group, check_sql)


def _check_parameters(document: Document, here: KeyPath, group: Group) -> Iterator[Problem]:
    used = frozenset[str]().union(*(parameters(rule.expr) for rule in group.rules))
    for name in group.params:
        path = (*here, "params", name)
        if name == EVAL_TS:
            yield document.problem(path, "eval_ts is the time of the evaluation: choose another name")
        elif not NAME.fullmatch(name):
            yield document.problem(path, "a parameter's name is letters, digits and _")
        elif name not in used:
            yield document.problem(path, f"no expression of the group uses ${name}")
        elif group.lookback is not None and (window := _window(group.params[name])) > group.lookback:
            message = f"the lookback {format_duration(group.lookback)} is shorter than ${name} ({format_duration(window)}): make it as long"
            yield document.problem((*here, "lookback"), message)


def _window(value: object) -> timedelta:
    """Return a parameter that is a duration, such as the length of a window; zero for all others."""
    try:
        return parse_duration(value) if isinstance(value, str) else timedelta()
    except ValueError:
        return timedelta()


def _check_rule(document: Document, place: KeyPath, rule: Rule, group: Group, check_sql: CheckSql | None) -> Iterator[Problem]:
    yield from _check_labels(document, (*place, "labels"), rule.labels)
    for name, text in rule.annotations.items():
        path = (*place, "annotations", name)
        if not NAME.fullmatch(name):
            yield document.problem(path, "an annotation's name is letters, digits and _")
        if (wrong := template_problem(text)) is not None:
            yield document.problem(path, wrong[1], text_line=wrong[0])
    place = (*place, "expr")
    for finding in findings(rule.expr):
        yield document.problem(place, finding.message, text_line=finding.line)
    known = {EVAL_TS, *group.params}
    strangers = sorted(parameters(rule.expr) - known)
    for name in strangers:
        message = unknown("parameter", f"${name}", [f"${other}" for other in known])
        yield document.problem(place, message, text_line=parameter_line(rule.expr, name))
    if check_sql is not None and not strangers:
        yield from _check_expression(document, place, rule, group, check_sql)


def _check_labels(document: Document, path: KeyPath, labels: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in labels.items():
        here = (*path, name)
        if name in ("alertname", VALUE_COLUMN):
            yield document.problem(here, f"{name} is set by auditlake: choose another name")
        elif not NAME.fullmatch(name):
            yield document.problem(here, "a label's name is letters, digits and _")
        elif (wrong := template_problem(text, names=("labels",))) is not None:
            yield document.problem(here, f"{wrong[1]} (a changing value is never a label)", text_line=wrong[0])


def _check_expression(document: Document, place: KeyPath, rule: Rule, group: Group, check_sql: CheckSql) -> Iterator[Problem]:
    used = parameters(rule.expr)
    bound = {name: value for name, value in {EVAL_TS: EPOCH, **group.params}.items() if name in used}
    try:
        check_sql(rule.expr, bound)
    except (StorageError, AlertsError) as error:
        yield document.problem(place, str(error))
