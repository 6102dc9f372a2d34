"""Reading SLO files: every problem of all of them at once, each with its file, line and key, and what is found in order."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from alerts.documents import Document, read_document
from alerts.errors import AlertsError, Problem, RuleFileError
from alerts.expressions import findings, parameter_line, parameters
from alerts.rules import EPOCH, NAME, CheckSql
from alerts.sections import explain, read_text
from alerts.slo.model import Alerting, Objective, ObjectiveFile, Severity
from alerts.slo.sql import checked_events, statement
from alerts.templates import template_problem
from storage.errors import StorageError
from storage.wording import KeyPath, unknown

PERIOD: Final = timedelta(days=30)
"""Over which an error budget is spent, as in Sloth: a rolling window."""
OWN_PARAMETERS: Final = ("from_ts", "to_ts")
"""The range that is counted; queries may use them, but need not."""
RESERVED_LABELS: Final = ("alertname", "value", "time", "slo", "service", "urgency")
_SLO_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedObjective:
    """An SLO that was found in order."""

    file: str
    service: str
    interval: timedelta
    labels: Mapping[str, str]  # of file and SLO
    slo: Objective

    @property
    def name(self) -> str:
        """The SLO's name."""
        return self.slo.name

    @property
    def budget(self) -> Fraction:
        """The share of events that may be bad, exactly."""
        return 1 - Fraction(str(self.slo.objective)) / 100

    @property
    def alertname(self) -> str:
        """The name of its alerts."""
        words = re.split(r"[^a-zA-Z0-9]+", self.name)
        return self.slo.alerting.name or "".join(word[:1].upper() + word[1:] for word in words) + "BurnRate"

    @property
    def identity(self) -> str:
        """What its counts are kept under: other queries, parameters or another lookback are other counts."""
        events = self.slo.sli.events
        parts = (events.error_query, events.total_query, sorted(self.slo.params.items()), self.slo.lookback)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def load_objectives(paths: Sequence[Path], *, check_sql: CheckSql | None = None) -> tuple[LoadedObjective, ...]:
    """Read and check SLO files; raises RuleFileError with every problem of all of them, each with file, line and key path."""
    found: list[LoadedObjective] = []
    problems: list[Problem] = []
    for path in paths:
        loaded, wrong = _load(path, check_sql)
        names = {(other.service, other.name) for other in found}
        wrong += [
            Problem(file=str(path), line=1, path="slos", message=f"the SLO {one.name!r} of {one.service!r} is loaded twice")
            for one in loaded
            if (one.service, one.name) in names
        ]
        problems += wrong
        found += loaded
    if problems:
        raise RuleFileError(problems)
    return tuple(found)


def is_objective_file(path: Path) -> bool:
    """Say whether a file means to be one with SLOs, and not one with rules."""
    document, _ = read_document(read_text(path)[0], str(path))
    return isinstance(document.values, dict) and "slos" in document.values


def _load(path: Path, check_sql: CheckSql | None) -> tuple[list[LoadedObjective], list[Problem]]:
    text, problems = read_text(path)
    document, wrong = read_document(text, str(path))
    if problems or wrong:
        return [], problems or wrong
    try:
        model = ObjectiveFile.model_validate(document.values if document.values is not None else {})
    except ValidationError as error:
        return [], [explain(document, dict(item), ObjectiveFile) for item in error.errors(include_url=False, include_input=False)]
    problems = list(_check_file(document, model, check_sql))
    return ([], problems) if problems else ([_loaded(path, model, slo) for slo in model.slos], [])


def _loaded(path: Path, model: ObjectiveFile, slo: Objective) -> LoadedObjective:
    labels = {**model.labels, **slo.labels}
    return LoadedObjective(file=str(path), service=model.service, interval=model.interval, labels=labels, slo=slo)


def _check_file(document: Document, model: ObjectiveFile, check_sql: CheckSql | None) -> Iterator[Problem]:
    yield from _check_labels(document, ("labels",), model.labels)
    names: set[str] = set()
    for number, slo in enumerate(model.slos):
        here: KeyPath = ("slos", number)
        if not _SLO_NAME.fullmatch(slo.name):
            yield document.problem((*here, "name"), "a name is letters, digits, dots, - and _")
        if slo.name in names:
            yield document.problem((*here, "name"), f"the SLO {slo.name!r} stands twice in this file")
        names.add(slo.name)
        yield from _check_parameters(document, here, slo)
        yield from _check_alerting(document, here, slo)
        for key in ("error_query", "total_query"):
            yield from _check_query(document, (*here, "sli", "events", key), getattr(slo.sli.events, key), slo, check_sql)


def _check_parameters(document: Document, here: KeyPath, slo: Objective) -> Iterator[Problem]:
    events = slo.sli.events
    used = parameters(events.error_query) | parameters(events.total_query)
    for name in slo.params:
        path = (*here, "params", name)
        if name in OWN_PARAMETERS:
            yield document.problem(path, f"{name} is an end of the range that is counted: choose another name")
        elif not NAME.fullmatch(name):
            yield document.problem(path, "a parameter's name is letters, digits and _")
        elif name not in used:
            yield document.problem(path, f"no query of the SLO uses ${name}")


def _check_alerting(document: Document, here: KeyPath, slo: Objective) -> Iterator[Problem]:
    yield from _check_labels(document, (*here, "labels"), slo.labels)
    place: KeyPath = (*here, "alerting")
    told = slo.alerting
    if told.name is not None and not NAME.fullmatch(told.name):
        yield document.problem((*place, "name"), "an alert's name is letters, digits and _")
    parts: list[tuple[KeyPath, Alerting | Severity]] = [
        (place, told),
        ((*place, "page_alert"), told.page_alert),
        ((*place, "ticket_alert"), told.ticket_alert),
    ]
    for path, part in parts:
        yield from _check_labels(document, (*path, "labels"), part.labels)
        for name, text in part.annotations.items():
            if not NAME.fullmatch(name):
                yield document.problem((*path, "annotations", name), "an annotation's name is letters, digits and _")
            if (wrong := template_problem(text)) is not None:
                yield document.problem((*path, "annotations", name), wrong[1], text_line=wrong[0])


def _check_labels(document: Document, path: KeyPath, labels: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in labels.items():
        here = (*path, name)
        if name in RESERVED_LABELS:
            yield document.problem(here, f"{name} is set by auditlake: choose another name")
        elif not NAME.fullmatch(name):
            yield document.problem(here, "a label's name is letters, digits and _")
        elif (wrong := template_problem(text, names=("labels",))) is not None:
            yield document.problem(here, f"{wrong[1]} (a changing value is never a label)", text_line=wrong[0])


def _check_query(document: Document, place: KeyPath, query: str, slo: Objective, check_sql: CheckSql | None) -> Iterator[Problem]:
    if "{{" in query:
        yield document.problem(place, "there is no {{.window}}: return each event with its `time`, and auditlake adds them up")
        return
    for finding in findings(query):
        yield document.problem(place, finding.message.replace("$eval_ts", "$to_ts"), text_line=finding.line)
    known = {*OWN_PARAMETERS, *slo.params}
    strangers = sorted(parameters(query) - known)
    for name in strangers:
        message = unknown("parameter", f"${name}", [f"${other}" for other in known])
        yield document.problem(place, message, text_line=parameter_line(query, name))
    if check_sql is None or strangers:
        return
    bound = {name: value for name, value in slo.params.items() if name in parameters(query)}
    try:
        check_sql(statement(checked_events(), query), {**bound, "from_ts": EPOCH, "to_ts": EPOCH})
    except (StorageError, AlertsError) as error:
        yield document.problem(place, f"{error}; a query of events returns `time`, `value` and labels")
