"""Every string and bytes field of OTLP, derived from the protocol's descriptors: a field of a newer version cannot be forgotten."""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from collector.signals import LOGS, SIGNALS, TRACES, Message, Signal

IDS = {"trace_id", "span_id", "parent_span_id"}
Path = tuple[str, ...]


def paths(descriptor: Descriptor, seen: tuple[Descriptor, ...] = ()) -> Iterator[Path]:
    """Yield the path of every string and bytes field below a message type; a recursive type is entered twice."""
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if seen.count(field.message_type) < 2:
                for path in paths(field.message_type, (*seen, field.message_type)):
                    yield (field.name, *path)
        elif field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
            yield (field.name,)


def plant(message: Message, path: Path, value: str | bytes) -> None:
    """Set one field in what is there already, so that it belongs to a record that is admitted; create what is missing."""
    name, *rest = path
    field = message.DESCRIPTOR.fields_by_name[name]
    if rest:
        child = getattr(message, name)
        if field.is_repeated:
            child = child[-1] if len(child) else child.add()
        plant(child, tuple(rest), value)
    elif field.is_repeated:
        getattr(message, name).append(value)
    else:
        setattr(message, name, value)


def with_record(signal: Signal) -> Message:
    """A request with one valid record, so that nothing is skipped for being empty."""
    request = signal.request()
    if signal is TRACES:
        request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    elif signal is LOGS:
        request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1)
    else:
        request.resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points.add(as_int=1)
    return request


ALL_PATHS = [(signal, path) for signal in SIGNALS.values() for path in paths(signal.request.DESCRIPTOR)]
