"""What the rows of every table have in common while a segment is decoded: canonical columns, clocks, ledger columns, run identity."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from collector.columns import INT64_MAX, receipts_columns
from collector.dialects.record import ADOPTS, JOINS, NEARBY, NO_RUN, OPENS, SAME_RUN, WAITS, Fields
from collector.groups import Groups
from storage.catalog import JoinRecord
from storage.schema import TABLES
from storage.wal import Receipt

YEAR_2000_NS: Final = 946_684_800 * 1_000_000_000
DAY_NS: Final = 86_400 * 1_000_000_000
MINUTE_NS: Final = 60 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What all records of one WAL batch share."""

    number: int
    received_ns: int
    tenant: str | None
    own: bool
    redactions: Mapping[int, Sequence[Receipt]]


class RunIndex:
    """The time spans of the runs in a segment, and what its traces share with others."""

    def __init__(self) -> None:
        self.spans: dict[tuple[str | None, str], list[int]] = {}  # (trace id, provisional run id) → first and last ns
        self.joins: dict[tuple[str, str], JoinRecord] = {}

    def seen(self, trace_id: str | None, run_id: str, first_ns: int, last_ns: int) -> None:
        """Widen a run's time span by a row's."""
        span = self.spans.get((trace_id, run_id))
        if span is None:
            self.spans[trace_id, run_id] = [first_ns, max(first_ns, last_ns)]
        else:
            span[0] = min(span[0], first_ns)
            span[1] = max(span[1], last_ns)

    def join(self, trace_id: str, key: str, role: str, time_ns: int) -> None:
        """Note that a trace states a key; the earliest time it does so counts."""
        known = self.joins.get((trace_id, key))
        if known is None or time_ns < known.ns:
            self.joins[trace_id, key] = JoinRecord(trace_id=trace_id, key=key, role=role, ns=time_ns)

    def identify(self, fields: Fields, trace_id: str | None, time_ns: int) -> str | None:
        """Return the run of a row, noting what it says about its trace; a run's name stands for the trace that its row has not."""
        run_id = fields.get("run_id")
        stated_by = trace_id or run_id
        for key, role in fields.pop(JOINS, ()):
            if stated_by is not None:
                of_minute = role == OPENS or key.startswith(NEARBY)
                whole = f"{key}:{time_ns // MINUTE_NS}" if of_minute else key + WAITS if role == ADOPTS else key
                self.join(stated_by, whole, role, time_ns)
        alone = fields.pop(NO_RUN, False)
        if run_id is None:
            return None if alone else trace_id
        if trace_id is not None and run_id != trace_id:
            self.join(trace_id, f"run:{run_id}", SAME_RUN, time_ns)
        return str(run_id)


@dataclass(slots=True)
class Numbers:
    """Which resource, scope and batch each row belongs to."""

    resources: list[int] = field(default_factory=list)
    scopes: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def add(self, resource: int, scope: int, batch: int) -> None:
        """Append a row."""
        self.resources.append(resource)
        self.scopes.append(scope)
        self.batches.append(batch)


def clamped(time_ns: int) -> int:
    """Return a time that 64 bits with a sign can hold."""
    return min(time_ns, INT64_MAX)


def is_absurd(time_ns: int, received_ns: int) -> bool:
    """Return whether a clock that shows `time_ns` cannot be right: not set, before 2000, or more than a day ahead."""
    return time_ns < YEAR_2000_NS or time_ns > received_ns + DAY_NS


def field_columns(table: str, names: Iterable[str], rows: Sequence[Fields]) -> dict[str, pa.Array]:
    """Return the columns `names` of a table from what is known of each row."""
    schema, number = TABLES[table], len(rows)
    known: dict[str, list[Any]] = {name: [None] * number for name in set().union(*rows)}
    for place, row in enumerate(rows):  # most columns are known of few rows: each row is looked through once
        for name, value in row.items():
            known[name][place] = value
    kinds = {name: schema.field(name).type for name in names}
    return {name: pa.array(known[name], kind) if name in known else pa.nulls(number, kind) for name, kind in kinds.items()}


def shared_columns(groups: Groups, numbers: Numbers, redactions: Mapping[int, Sequence[Receipt]]) -> dict[str, Any]:
    """Return the columns that every table has for what its rows belong to."""
    columns = groups.columns(numbers.resources, numbers.scopes, numbers.batches)
    return columns | receipts_columns(len(numbers.batches), redactions)
