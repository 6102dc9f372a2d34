"""Requests of the size that a peer takes: joined without being parsed, divided without loss."""

from hypothesis import given
from hypothesis import strategies as st

from collector.forwarding.requests import Bounds, Outgoing, Part, divided, outgoing
from collector.forwarding.splitting import blank, each_record, halves, is_blank, retain
from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Message, Signal
from tests.collector.otlp_samples import traces


def request(signal: Signal, groups: list[list[int]]) -> tuple[Message, int]:
    """A request with one resource a group, one scope or metric for each number in it, and so many records in that."""
    message, number = signal.request(), 0
    for group in groups:
        resource = {"traces": "resource_spans", "logs": "resource_logs", "metrics": "resource_metrics"}[signal.name]
        of_resource = getattr(message, resource).add()
        for count in group:
            if signal is METRICS:
                points = of_resource.scope_metrics.add().metrics.add(name="m").gauge.data_points
                records = [points.add() for _ in range(count)]
            elif signal is TRACES:
                records = [of_resource.scope_spans.add().spans.add() for _ in range(count)]
            else:
                records = [of_resource.scope_logs.add().log_records.add() for _ in range(count)]
            for record in records:
                number += 1
                record.attributes.add(key="number").value.int_value = number
    return message, number


def numbers(signal: Signal, body: bytes) -> list[int]:
    """The numbers of all records, in order."""
    message, found = signal.request.FromString(body), []

    def walk(part: Message) -> None:
        for field, value in part.ListFields():
            if field.name == "attributes":
                found.extend(pair.value.int_value for pair in value)
            elif field.message_type is not None:
                for child in value if field.is_repeated else [value]:
                    walk(child)

    walk(message)
    return found


GROUPS = st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=4)


@given(signal=st.sampled_from(list(SIGNALS.values())), groups=GROUPS, most=st.integers(1, 6))
def test_parts_hold_every_record_once_in_order_and_no_more_than_allowed(signal: Signal, groups: list[list[int]], most: int) -> None:
    message, count = request(signal, groups)
    parts = list(divided(Outgoing(signal, message.SerializeToString(), count), Bounds(size_bytes=1 << 20, records=most)))
    assert [number for part in parts for number in numbers(signal, part.body)] == list(range(1, count + 1))
    assert [part.records for part in parts] == [len(numbers(signal, part.body)) for part in parts]
    assert max((part.records for part in parts), default=0) <= most


@given(signal=st.sampled_from(list(SIGNALS.values())), groups=GROUPS, gone=st.sets(st.integers(0, 30)))
def test_erased_records_are_empty_in_their_places_and_nothing_tells_of_them(
    signal: Signal, groups: list[list[int]], gone: set[int]
) -> None:
    message, count = request(signal, groups)
    for group in getattr(message, message.DESCRIPTOR.fields[0].name):
        group.resource.attributes.add(key="number").value.int_value = 0
    whole = message.SerializeToString()
    assert blank(signal, message, gone) == any(number < count for number in gone)
    assert [is_blank(record) for record in each_record(signal, message)] == [number in gone for number in range(count)]
    assert not blank(signal, message, gone)
    again = signal.request.FromString(whole)
    at = iter(range(count))
    retain(signal, again, lambda *_: next(at) not in gone)
    assert retain(signal, message, lambda *found: not is_blank(found[2])) == count - len(gone & set(range(count)))
    assert message == again


@given(signal=st.sampled_from(list(SIGNALS.values())), batches=st.lists(GROUPS, max_size=5), most=st.integers(1, 9))
def test_joined_batches_hold_every_record_once_in_order(signal: Signal, batches: list[list[list[int]]], most: int) -> None:
    made = [request(signal, groups) for groups in batches]
    parts = [Part(message.SerializeToString(), count, None) for message, count in made]
    sent = list(outgoing(signal.name, parts, None, Bounds(size_bytes=1 << 20, records=most)))
    expected = [number for _, count in made for number in range(1, count + 1)]
    assert [number for each in sent for number in numbers(signal, each.body)] == expected


def test_a_single_record_is_not_divided() -> None:
    message, count = request(LOGS, [[1]])
    assert halves(LOGS, message.SerializeToString()) is None
    (part,) = divided(Outgoing(LOGS, message.SerializeToString(), count), Bounds(size_bytes=1))
    assert part.records == 1


def test_what_is_no_request_is_sent_as_it_is() -> None:
    assert halves(TRACES, b"\xff") is None
    assert [part.body for part in divided(Outgoing(TRACES, b"\xff", 2), Bounds(size_bytes=0))] == [b"\xff"]


def test_both_halves_keep_resource_and_scope() -> None:
    message = traces({"name": "a"}, {"name": "b"})
    message.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "s"
    both = halves(TRACES, message.SerializeToString())
    assert both is not None
    for body, count in both:
        half = TRACES.request.FromString(body)
        assert count == 1
        assert half.resource_spans[0].resource == message.resource_spans[0].resource
        assert half.resource_spans[0].scope_spans[0].scope == message.resource_spans[0].scope_spans[0].scope
