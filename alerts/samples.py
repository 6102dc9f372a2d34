"""From a rule's answer to samples: which columns are labels, what they become, and what the rule says about them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from alerts.errors import AlertsError
from alerts.evaluate import Sample
from alerts.folding import ANNOTATION, fold
from alerts.rules import NAME, VALUE_COLUMN, LoadedRule
from alerts.templates import render
from storage.damage import Damage
from storage.sandbox import truncated_at

if TYPE_CHECKING:
    import pyarrow as pa

MAX_LABEL_LENGTH: Final = 256
NO_DATA: Final = "no_data"
"""The annotation of a row without a value."""
LABEL_TYPES: Final = ("string", "large_string", "string_view", "bool", "int", "uint", "dictionary", "null")
VALUE_TYPES: Final = ("double", "float", "decimal", "int", "uint", "null")
"""What the names of Arrow's types begin with."""

Clean = Callable[[Sequence[tuple[str, str | None]]], list[str]]
"""Cleans (text, name) pairs by the redaction policy, in order."""


class Queryable(Protocol):
    """Answers a rule's SQL: `storage.lake.Lake`."""

    def query(
        self,
        text: str,
        *,
        params: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_rows: int = 100_000,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> "pa.Table":
        """Run one read-only SELECT over the views, without files whose rows are all before `from_ns`, or after `to_ns`.

        Raises StorageError.
        """

    @property
    def damaged(self) -> Sequence[Damage]:
        """The files that are left out of every answer."""


def read_samples(
    rule: LoadedRule, lake: Queryable, *, eval_ts: datetime, clean: Clean, timeout_seconds: float = 60, max_rows: int = 10_000
) -> list[Sample]:
    """Return the rows of a rule as seen at `eval_ts` (aware); raises StorageError or AlertsError when there is no usable answer.

    A label that is NULL is no label; a value that is NULL or NaN means "no data". More label sets than `folding.MAX_LABEL_SETS` are folded
    into one, unless the rule's group has a limit, or the rule records.
    """
    if rule.source is not None:
        found = rule.source.rows(lake, eval_ts=eval_ts, clean=clean, timeout_seconds=timeout_seconds)
    else:
        found = _answer(rule, lake, eval_ts.replace(tzinfo=None), timeout_seconds, max_rows)
    rows, folded = (found, 0) if rule.limit or rule.records else fold(found, VALUE_COLUMN)
    samples = [_sample(rule, row) for row in rows]
    if folded:
        samples[-1] = replace(samples[-1], annotations={**samples[-1].annotations, ANNOTATION: f"{folded} label sets"})
    return _cleaned(samples, clean)


def _answer(rule: LoadedRule, lake: Queryable, moment: datetime, timeout_seconds: float, max_rows: int) -> list[dict[str, Any]]:
    table = lake.query(
        rule.rule.expr,
        params=rule.bind(moment),
        timeout_seconds=timeout_seconds,
        max_rows=max_rows,
        from_ns=rule.from_ns(moment),
        to_ns=rule.to_ns(moment),
    )
    if truncated_at(table) is not None:
        raise AlertsError("read the answer of the rule", rule.name, hint=f"more than {max_rows} rows: group by fewer columns")
    check_columns(rule.name, {field.name: str(field.type) for field in table.schema})
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def check_columns(alert: str, columns: Mapping[str, str]) -> None:
    """Raise AlertsError unless the columns (name → Arrow type) are one numeric `value` and labels that do not change by themselves."""
    if VALUE_COLUMN not in columns:
        raise AlertsError("read the answer of the rule", alert, hint="it has no column named value: add `… AS value`")
    for name, kind in columns.items():
        if name == VALUE_COLUMN:
            if not kind.startswith(VALUE_TYPES):
                raise AlertsError("read the answer of the rule", alert, hint=f"the column value is {kind}: it must be a number")
        elif not NAME.fullmatch(name) or name == "alertname":
            raise AlertsError("read the answer of the rule", alert, hint=f"the column {name!r} cannot be a label: name it with AS")
        elif not kind.startswith(LABEL_TYPES):
            hint = f"the column {name} is {kind}, and a changing value is never a label: leave it out, or make it text"
            raise AlertsError("read the answer of the rule", alert, hint=hint)


def _sample(rule: LoadedRule, row: Mapping[str, Any]) -> Sample:
    columns = {name: _label(cell) for name, cell in row.items() if name != VALUE_COLUMN and cell is not None and cell != ""}
    number = None if row[VALUE_COLUMN] is None else float(row[VALUE_COLUMN])
    value = None if number is None or math.isnan(number) else number
    if rule.records:  # its labels are no templates, as in Prometheus
        return Sample(labels={name: text for name, text in {**columns, **rule.labels}.items() if text}, value=value, annotations={})
    own = {name: render(text, columns, None) for name, text in rule.labels.items()}
    labels = {**{name: text for name, text in {**columns, **own}.items() if text}, "alertname": rule.name}
    seen = {**labels, **columns}  # as in Prometheus: what the expression returned, also where the rule has a label of that name
    annotations = {name: render(text, seen, value) for name, text in rule.rule.annotations.items()}
    if value is None:
        annotations[NO_DATA] = "there is no data for these labels"
    return Sample(labels=labels, value=value, annotations=annotations)


def _label(cell: object) -> str:
    text = str(cell).lower() if isinstance(cell, bool) else str(cell)
    if len(text) <= MAX_LABEL_LENGTH:
        return text
    return f"{text[: MAX_LABEL_LENGTH - 17]}…{sha256(text.encode()).hexdigest()[:16]}"  # still tells two long texts apart


def _cleaned(samples: Sequence[Sample], clean: Clean) -> list[Sample]:
    """Clean all texts in one call: expressions can build texts that stood in no record."""
    items = [(text, name) for sample in samples for name, text in (*sample.labels.items(), *sample.annotations.items())]
    texts = iter(clean(items)) if items else iter(())
    return [
        Sample(
            labels={name: next(texts) for name in sample.labels},
            annotations={name: next(texts) for name in sample.annotations},
            value=sample.value,
        )
        for sample in samples
    ]
