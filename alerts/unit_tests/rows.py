"""Rows of `input_tables`: from what a test says of a record to a row in the schema of its table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from alerts.documents import Document
from alerts.durations import parse_duration
from alerts.errors import Problem
from storage.schema import TABLES, TIME
from storage.wording import KeyPath, unknown

INPUT_TABLES: Final = ("spans", "events", "metrics")
OFFSET, TIMES, DURATION = "offset", "times", "duration"
"""What a row says beside its columns: when it happened, after time zero; how many there are of it; of a span, how long it took."""

BEGINS: Final = {"spans": ("start_time", "start_ns"), "events": ("time", "time_ns"), "metrics": ("time", "time_ns")}
OTHERS: Final = {
    "spans": (("end_time", "end_ns"),),
    "events": (("observed_time", "observed_ns"),),
    "metrics": (("start_time", "start_ns"),),
}
"""The columns (µs, ns) that `offset` sets; what the row itself says goes before."""

OURS: Final = frozenset({"entry", "entry_row", "salt", "schema_version"})
"""Columns that say where a row stands in the lake: each row has its own."""

MOST_ROWS: Final = 100_000
NUMBER: Final = "{n}"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRow:
    """One record, readable from `visible_at` on: a span when it ended."""

    table: str
    visible_at: datetime
    values: Mapping[str, Any]


def input_rows(tables: Mapping[str, Sequence[Mapping[str, Any]]], *, start: datetime, interval: timedelta) -> list[InputRow]:
    """Return the records of a test in the order in which they become readable; raises ValueError for rows that `row_problems` names."""
    rows = [row for table, listed in tables.items() for each in listed for row in _expanded(table, each, start, interval)]
    return sorted(rows, key=lambda row: row.visible_at)


def row_problems(
    document: Document, path: KeyPath, tables: Mapping[str, Sequence[Mapping[str, Any]]], *, start: datetime, interval: timedelta
) -> Iterator[Problem]:
    """Yield what is wrong with the rows at `path` of a document."""
    for table, listed in tables.items():
        if table not in INPUT_TABLES:
            yield document.problem((*path, table), unknown("table", table, INPUT_TABLES))
            continue
        for index, row in enumerate(listed):
            yield from _problems(document, (*path, table, index), table, row, start, interval)


def _problems(
    document: Document, here: KeyPath, table: str, row: Mapping[str, Any], start: datetime, interval: timedelta
) -> Iterator[Problem]:
    schema = TABLES[table]
    steering = {OFFSET, TIMES, *((DURATION,) if table == "spans" else ())}
    wrong = False
    for name, value in row.items():
        message = None
        if name in OURS:
            message = "is set by auditlake: each row has its own"
        elif name in steering:
            message = _steering_problem(name, value)
        elif name not in schema.names:
            message = unknown("column", name, [*schema.names, *steering])
        else:
            message = _cell_problem(schema.field(name).type, value)
        if message is not None:
            wrong = True
            yield document.problem((*here, name), message)
    if OFFSET not in row:
        yield document.problem(here, "offset is missing: when it happened, after start_timestamp, for example 0m or -2d")
    elif not wrong:
        try:
            next(_expanded(table, row, start, interval))
        except OverflowError:
            yield document.problem((*here, OFFSET), "is a time that no calendar has")


def _steering_problem(name: str, value: object) -> str | None:
    if name == TIMES:
        whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_ROWS
        return None if whole else f"must be a whole number from 1 to {MOST_ROWS}"
    try:
        duration = offset(value)
    except ValueError as error:
        return str(error)
    return "must not be negative" if name == DURATION and duration < timedelta() else None


def _cell_problem(kind: pa.DataType, value: object) -> str | None:
    try:
        pa.array([cell(kind, value)], type=kind)
    except (pa.ArrowException, ValueError, TypeError, AttributeError, OverflowError):
        return f"must be {_wording(kind)}"
    return None


def offset(value: object) -> timedelta:
    """Return a duration that may be negative; raises ValueError."""
    text = str(value) if value == 0 and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise ValueError("not a duration: write it like 30s, 5m or -2d")
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)


def _expanded(table: str, row: Mapping[str, Any], start: datetime, interval: timedelta) -> Iterator[InputRow]:
    times = row.get(TIMES, 1)
    schema = TABLES[table]
    given = {name: value for name, value in row.items() if name not in (OFFSET, TIMES, DURATION)}
    for number in range(times):
        begin = start + offset(row[OFFSET]) + number * interval
        end = begin + offset(row.get(DURATION, "0"))
        named = {name: _numbered(value, number) for name, value in given.items()} if TIMES in row else given
        values = {name: cell(schema.field(name).type, value) for name, value in named.items()}
        _set_time(values, BEGINS[table], begin)
        for pair in OTHERS[table]:
            _set_time(values, pair, end)
        values.setdefault("received_ns", _ns(end))
        yield InputRow(table=table, visible_at=end, values=values)


def _set_time(values: dict[str, Any], pair: tuple[str, str], moment: datetime) -> None:
    micro, nano = pair
    if values.get(nano) is not None:
        values.setdefault(micro, values[nano] // 1000)
    elif values.get(micro) is not None:
        values[nano] = values[micro] * 1000
    else:
        values.update({micro: _ns(moment) // 1000, nano: _ns(moment)})


def _numbered(value: Any, number: int) -> Any:
    match value:
        case str():
            return value.replace(NUMBER, str(number))
        case dict():
            return {name: _numbered(part, number) for name, part in value.items()}
        case list():
            return [_numbered(part, number) for part in value]
        case _:
            return value


def cell(kind: pa.DataType, value: Any) -> Any:
    """Return a value as its column takes it; raises ValueError or TypeError where it cannot."""
    if value is None:
        return None
    if kind == TIME:
        return _ns(_moment(value)) // 1000
    if pa.types.is_map(kind):
        texts = pa.types.is_large_string(kind.item_type)
        return [(str(name), _attribute(part) if texts else part) for name, part in value.items()]
    if pa.types.is_list(kind):
        return [cell(kind.value_type, part) for part in value]
    if pa.types.is_struct(kind):
        value = {name: cell(kind.field(name).type, part) for name, part in value.items()}
    elif pa.types.is_integer(kind) and isinstance(value, bool):
        raise ValueError("not a number")
    elif pa.types.is_large_string(kind) and isinstance(value, dict | list):
        value = _attribute(value)
    return value


def _attribute(value: Any) -> str:
    """Strings as they are, every other value as JSON, as in the lake."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ValueError("not a time")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000


def _wording(kind: pa.DataType) -> str:
    if kind == TIME:
        return "a time, like 2026-11-21T12:00:00Z"
    if pa.types.is_map(kind):
        return "a mapping of names to values"
    if pa.types.is_large_string(kind):
        return "text: put it in quotes"
    if pa.types.is_list(kind):
        return "a list"
    if pa.types.is_boolean(kind):
        return "true or false"
    return "a whole number" if pa.types.is_integer(kind) else "a number"
