"""Rule files: Prometheus' grammar with SQL where PromQL would stand.

`groups: [{name, type: duckdb, interval, query_offset, lookback, limit, labels, params, rules: [{alert | record, expr, for,
keep_firing_for, no_data, labels, annotations}]}]`. Three keys are additions: `params`, values bound to `$name` in the expressions of the
group, so that thresholds stand in one place; `lookback`, how far back the expressions look, so that older files are not opened; and
`no_data`, what becomes of an alert whose row has no value. An expression is one read-only SELECT: its numeric column `value` is the
value, every other column a label.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import ValidationError

from alerts.documents import Document, read_document
from alerts.errors import Problem, RuleFileError
from alerts.expressions import EVAL_TS, parameters
from alerts.rule_checks import check_file, digest
from alerts.rule_model import EPOCH, NAME, RECORDING, VALUE_COLUMN, CheckSql, Group, Rule, RuleFile
from alerts.sections import explain, read_text

__all__ = [
    "EPOCH",
    "NAME",
    "VALUE_COLUMN",
    "CheckSql",
    "LoadedGroup",
    "LoadedRule",
    "ReadFile",
    "Rule",
    "Source",
    "load_rules",
    "read_rules",
]


class Source(Protocol):
    """What answers for a rule whose condition is no single query, such as the burn rate of an error budget."""

    def rows(
        self, lake: Any, *, eval_ts: datetime, clean: Callable[[Sequence[tuple[str, str | None]]], list[str]], timeout_seconds: float
    ) -> list[dict[str, Any]]:
        """Return rows as an expression would, all with the same columns, as seen at `eval_ts` (aware).

        Raises StorageError, AlertsError, and NotYet while it cannot tell.
        """

    def forget(self) -> None:
        """Somebody was erased: answer from nothing that was known before."""


AHEAD: Final = timedelta(minutes=1)
"""Files whose records all begin later than this after `$eval_ts` are not opened."""


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
    source: "Source | None" = None  # answers in the place of the expression

    @property
    def name(self) -> str:
        """The name of what it raises or records."""
        return self.rule.name

    @property
    def records(self) -> bool:
        """Whether it is a recording rule."""
        return self.rule.record is not None

    def bind(self, eval_ts: object) -> dict[str, Any]:
        """Return the parameters of one evaluation."""
        bound = dict(self.parameters)
        if EVAL_TS in parameters(self.rule.expr):
            bound[EVAL_TS] = eval_ts
        return bound

    def from_ns(self, eval_ts: datetime) -> int | None:
        """Return from when on (unix ns) the expression needs records when it is evaluated at `eval_ts` (naive UTC); None: all."""
        begin = None if self.lookback is None else (eval_ts - EPOCH - self.lookback) // timedelta(microseconds=1) * 1000
        return begin if begin is not None and begin > 0 else None

    def to_ns(self, eval_ts: datetime) -> int:
        """Return until when (unix ns) it needs records then: a little longer than it looks, for its own bounds decide."""
        return (eval_ts - EPOCH + AHEAD) // timedelta(microseconds=1) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedGroup:
    """A group that was found in order."""

    key: str  # `<file name>;<group>`, as in Prometheus
    file: str
    name: str
    interval: timedelta | None
    query_offset: timedelta | None
    rules: tuple[LoadedRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """A file as it is written."""

    document: Document
    model: RuleFile


def load_rules(paths: Sequence[Path], *, check_sql: CheckSql | None = None) -> tuple[LoadedGroup, ...]:
    """Read and check rule files; raises RuleFileError with every problem of all of them, each with file, line and key path."""
    groups: list[LoadedGroup] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found = [_loaded(path, group) for group in read_rules(path, check_sql=check_sql).model.groups]
        except RuleFileError as error:
            problems += error.problems
            continue
        for group in found:
            if any(group.key == other.key for other in groups):
                problems.append(Problem(file=str(path), line=1, path="groups", message=f"the group {group.name!r} is loaded twice"))
        groups += found
    if problems:
        raise RuleFileError(problems)
    return tuple(groups)


def read_rules(path: Path, *, check_sql: CheckSql | None = None) -> ReadFile:
    """Read and check one rule file; raises RuleFileError with every problem."""
    text, problems = read_text(path)
    document, wrong = read_document(text, str(path))
    if problems or wrong:
        raise RuleFileError(problems or wrong)
    try:
        model = RuleFile.model_validate(document.values if document.values is not None else {})
    except ValidationError as error:
        found = [explain(document, dict(item), RuleFile) for item in error.errors(include_url=False, include_input=False)]
        raise RuleFileError(found) from None
    if problems := list(check_file(document, model, check_sql)):
        raise RuleFileError(problems)
    return ReadFile(document=document, model=model)


def _loaded(path: Path, group: Group) -> LoadedGroup:
    key = f"{path.name};{group.name}"
    rules = []
    for rule in group.rules:
        labels = {**group.labels, **rule.labels}
        used = parameters(rule.expr)
        rules.append(
            LoadedRule(
                key=f"{key};{rule.name};{digest(labels)}{RECORDING if rule.record is not None else ''}",
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
