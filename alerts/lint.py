"""What is wrong with rules that would run: labels that nobody can route by, rules that stand twice, alerts that say nobody what to do.

These are warnings: the rules mean something, but on-call will not like it. `auditlake alerts check --strict` refuses them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from alerts.errors import AlertsError, Problem
from alerts.expressions import EVAL_TS, parameters
from alerts.rule_model import EPOCH, Group, Rule
from alerts.rules import ReadFile
from alerts.templates import labels_read
from storage import sandbox
from storage.errors import StorageError
from storage.wording import KeyPath

SEVERITIES: Final = ("critical", "warning", "info", "page", "ticket", "none")
"""What routes are written for: Prometheus' usual words, Sloth's, and that of a dead man's switch."""

RUNBOOKS: Final = ("runbook", "runbook_url")
ONE_A_RECORD: Final = frozenset({"record_id", "trace_id", "span_id", "parent_span_id", "tool_call_id", "response_id"})
"""Columns that have another value for every record: as labels, they make an alert of each."""

Columns = Callable[[str, Mapping[str, Any]], Mapping[str, str]]
"""Takes an expression and its parameters; returns the labels of its answer, with their types. Raises StorageError or AlertsError."""
_Identity = tuple[str, str, tuple[tuple[str, str], ...]]


def lint(files: Sequence[ReadFile], columns: Columns) -> list[Problem]:
    """Return the warnings about rule files that were found in order, as if one process ran all of them."""
    seen: dict[_Identity, str] = {}
    return [problem for file in files for problem in _of_file(file, columns, seen)]


def _of_file(file: ReadFile, columns: Columns, seen: dict[_Identity, str]) -> Iterator[Problem]:
    for index, group in enumerate(file.model.groups):
        for position, rule in enumerate(group.rules):
            here: KeyPath = ("groups", index, "rules", position)
            place = (*here, "alert" if rule.alert is not None else "record")
            labels = {**group.labels, **rule.labels}
            identity = (str(place[-1]), rule.name, tuple(sorted(labels.items())))
            where = f"{Path(file.document.file).name}, group {group.name!r}"
            if identity in seen:
                message = f"the same rule, by name and labels, is in {seen[identity]}: rename one, or give them different labels"
                yield file.document.problem(place, message)
            seen.setdefault(identity, where)
            answered = _columns(rule, group, columns)
            said = [*_of_labels(labels, answered), *(_of_alert(rule, labels, answered) if rule.alert is not None else ())]
            yield from (file.document.problem(place if key is None else (*here, *key), message) for key, message in said)


def _columns(rule: Rule, group: Group, columns: Columns) -> Mapping[str, str]:
    used = parameters(rule.expr)
    try:
        return columns(rule.expr, {name: value for name, value in {**group.params, EVAL_TS: EPOCH}.items() if name in used})
    except (StorageError, AlertsError):
        return {}


def _of_labels(labels: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[tuple[KeyPath | None, str]]:
    for name in sorted(columns.keys() & labels.keys()):
        yield ("labels", name), f"hides the column {name} of the expression: leave one of them out"
    for name in [*columns, *labels]:
        if name.lower() != name:
            yield None, f"the label {name!r} is not in lower case: write {name.lower()!r}, as all others are"
        if name.startswith("__"):
            yield None, f"the label {name!r} begins with __, which is for what Prometheus keeps to itself"
    for name in sorted(columns.keys() & ONE_A_RECORD):
        yield ("expr",), f"the label {name} has another value for each record, so each is an alert of its own: group by less"


def _of_alert(rule: Rule, labels: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[tuple[KeyPath | None, str]]:
    severity = labels.get("severity", "")
    if not severity and "severity" not in columns:
        yield None, f"it has no label severity, by which alerts are routed: add one of {', '.join(SEVERITIES)}"
    elif severity and "{" not in severity and severity not in SEVERITIES:
        yield ("labels", "severity"), f"the severity {severity!r} is none that routes are written for: use one of {', '.join(SEVERITIES)}"
    if not any(rule.annotations.get(name) for name in RUNBOOKS):
        yield None, "it has no runbook: add the annotation runbook, with the page that says what to do"
    if not rule.annotations.get("summary"):
        yield None, "it has no summary: add the annotation summary, one sentence for a pager"
    known = {*columns, *labels, "alertname"}
    texts = [(("labels", name), text) for name, text in rule.labels.items()]
    texts += [(("annotations", name), text) for name, text in rule.annotations.items()]
    for place, text in texts:
        for name in sorted(labels_read(text) - known) if columns else ():
            yield place, f"reads the label {name!r}, which this alert never has"
    if EVAL_TS not in parameters(rule.expr) and sandbox.check(rule.expr).tables:
        yield ("expr",), f"does not look at ${EVAL_TS}, so that it says of the past what is true now: bound its times"
