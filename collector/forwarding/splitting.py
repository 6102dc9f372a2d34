"""Taking records out of an OTLP request: what a filter leaves, or one half of them. Groups that end up empty go, too.

What is erased leaves its place behind (`blank`), because records are known by their number among those of their entry.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError

from collector.admission import data_points
from collector.signals import LOGS, METRICS, TRACES, Message, Signal

Keep = Callable[[Message, Message, Message], bool]
"""(resource, named, record) → whether the record stays. `named` is what has the name: the span or log record itself, or the metric."""

_GROUPS: Final = {
    TRACES.name: ("resource_spans", "scope_spans", "spans"),
    LOGS.name: ("resource_logs", "scope_logs", "log_records"),
    METRICS.name: ("resource_metrics", "scope_metrics", "metrics"),
}


def retain(signal: Signal, message: Message, keep: Keep) -> int:
    """Take out of `message` what is not to be kept, and return the number of spans, log records or data points that stay.

    `keep` is asked about each in document order.
    """
    groups, scopes, records = _GROUPS[signal.name]
    stay = 0
    for of_resource in getattr(message, groups):
        for of_scope in getattr(of_resource, scopes):
            holders = getattr(of_scope, records)
            if signal is METRICS:
                for metric in holders:
                    points = data_points(metric)
                    stay += _reduce(points, [keep(of_resource.resource, metric, point) for point in points])
                _reduce(holders, [bool(data_points(metric)) for metric in holders])
            else:
                stay += _reduce(holders, [keep(of_resource.resource, record, record) for record in holders])
        _reduce(getattr(of_resource, scopes), [bool(getattr(of_scope, records)) for of_scope in getattr(of_resource, scopes)])
    _reduce(getattr(message, groups), [bool(getattr(group, scopes)) for group in getattr(message, groups)])
    return stay


def blank(signal: Signal, message: Message, numbers: Collection[int]) -> bool:
    """Empty the records of these numbers, in document order from 0, which keep their places; returns whether any was not empty before.

    What stands around records and tells of nobody else goes with them: resources, scopes, names of metrics.
    """
    gone = [record for number, record in enumerate(each_record(signal, message)) if number in numbers and not is_blank(record)]
    for record in gone:
        record.Clear()
    if gone:
        groups, scopes, records = _GROUPS[signal.name]
        for of_resource in getattr(message, groups):
            for of_scope in getattr(of_resource, scopes):
                for metric in getattr(of_scope, records) if signal is METRICS else ():
                    _clear(metric, ("name", "description", "unit", "metadata"), data_points(metric))
                _clear(of_scope, ("scope", "schema_url"), _of_scope(signal, of_scope))
            within = [record for of_scope in getattr(of_resource, scopes) for record in _of_scope(signal, of_scope)]
            _clear(of_resource, ("resource", "schema_url"), within)
    return bool(gone)


def is_blank(record: Message) -> bool:
    """Whether nothing stands in a record, as in one that was erased."""
    return bool(record.ByteSize() == 0)


def _clear(holder: Message, fields: Collection[str], records: Collection[Message]) -> None:
    if all(map(is_blank, records)):
        for name in fields:
            holder.ClearField(name)


def resources(signal: Signal, message: Message) -> Iterator[Message]:
    """Yield the resources of a request."""
    for group in getattr(message, _GROUPS[signal.name][0]):
        yield group.resource


def each_record(signal: Signal, message: Message) -> Iterator[Message]:
    """Yield the spans, log records or data points of a request."""
    groups, scopes, _ = _GROUPS[signal.name]
    for of_resource in getattr(message, groups):
        for of_scope in getattr(of_resource, scopes):
            yield from _of_scope(signal, of_scope)


def _of_scope(signal: Signal, of_scope: Message) -> list[Message]:
    holders = getattr(of_scope, _GROUPS[signal.name][2])
    return [point for metric in holders for point in data_points(metric)] if signal is METRICS else list(holders)


def halves(signal: Signal, body: bytes) -> list[tuple[bytes, int]] | None:
    """Return two requests with half the records of `body` each, and how many; None when it cannot be divided."""
    try:
        records = retain(signal, signal.request.FromString(body), lambda *_: True)
    except DecodeError:
        return None
    if records < 2:
        return None
    middle = records // 2
    return [_range(signal, body, range(middle)), _range(signal, body, range(middle, records))]


def _range(signal: Signal, body: bytes, wanted: range) -> tuple[bytes, int]:
    message = signal.request.FromString(body)
    numbers: Iterator[int] = iter(range(wanted.stop))
    kept = retain(signal, message, lambda *_: next(numbers, -1) in wanted)
    return bytes(message.SerializeToString()), kept


def _reduce(items: Any, stays: list[bool]) -> int:
    """Leave the items that stay in a repeated field, and return their number."""
    if not all(stays):
        kept = [item for item, stay in zip(items, stays, strict=True) if stay]
        del items[:]
        items.extend(kept)
    return len(items)
