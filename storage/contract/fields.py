"""The event contract: the fields that eight event types must carry, as the view `internal.contract_checks` checks them.

The view's SQL is the one definition of it: what is required where is read from its text, so that names in a contract file and in the
docs can be checked against it.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from storage.contract.report import Gap
from storage.views import view_sql

CHECKS: Final = "_contract_checks"
NOT_RECORDED: Final = "not recorded"
_COMMENT: Final = re.compile(r"--.*")
_EVENT_OR_FIELD: Final = re.compile(
    r"(?:AS time, |WHEN )'(?P<event>\w+)'(?: THEN| AS event)|'field': (?:CASE WHEN .* THEN )?'(?P<field>[^']+)'"
)


@cache
def required_fields() -> dict[str, tuple[str, ...]]:
    """Return the event types with their required fields, in the order of the view's text."""
    found: dict[str, list[str]] = {}
    event = ""
    for match in _EVENT_OR_FIELD.finditer(_COMMENT.sub("", view_sql(CHECKS))):
        event = match["event"] or event
        found.setdefault(event, [])
        if match["field"]:
            found[event].append(match["field"])
    return {name: tuple(fields) for name, fields in found.items() if fields}


def requirement(event: str, field: str) -> str:
    """Return how a required field is named: `tool: idempotency key`."""
    return f"{event}: {field}"


def gaps(rows: Iterable[Mapping[str, Any]]) -> tuple[Gap, ...]:
    """Return the gaps among rows of the view, the run's own first, then in the order of time."""
    missing = [row for row in rows if not row["met"]]
    missing.sort(key=lambda row: (row["record_id"] is not None, row["time"], str(row["record_id"])))
    return tuple(
        Gap(
            record_id=row["record_id"],
            requirement=requirement(row["event"], row["field"]),
            event=row["event"],
            field=row["field"],
            problem=NOT_RECORDED,
        )
        for row in missing
    )
