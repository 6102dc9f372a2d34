"""What is wrong with a rule file that its keys and types alone do not tell: names, templates, parameters and the SQL."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from hashlib import sha256

from alerts.documents import Document
from alerts.durations import format_duration, parse_duration
from alerts.errors import AlertsError, Problem
from alerts.expressions import EVAL_TS, findings, parameter_line, parameters
from alerts.rule_model import EPOCH, NAME, VALUE_COLUMN, CheckSql, Group, Rule, RuleFile
from alerts.templates import template_problem
from storage.errors import StorageError
from storage.wording import KeyPath, unknown


def digest(labels: Mapping[str, str]) -> str:
    """Return 8 hex digits that tell label sets apart."""
    return sha256(repr(sorted(labels.items())).encode()).hexdigest()[:8]


def check_file(document: Document, model: RuleFile, check_sql: CheckSql | None) -> Iterator[Problem]:
    """Yield every problem of a file."""
    names: set[str] = set()
    for index, group in enumerate(model.groups):
        here: KeyPath = ("groups", index)
        if group.name in names:
            yield document.problem((*here, "name"), f"the group {group.name!r} stands twice in this file")
        names.add(group.name)
        yield from _check_labels(document, (*here, "labels"), group.labels)
        yield from _check_parameters(document, here, group)
        seen: set[tuple[str, bool, str]] = set()
        for position, rule in enumerate(group.rules):
            place = (*here, "rules", position)
            kind = "alert" if rule.alert is not None else "record"
            identity = (rule.name, kind == "alert", digest({**group.labels, **rule.labels}))
            if identity in seen:
                yield document.problem((*place, kind), f"the same {kind} with the same labels stands twice in this group")
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
