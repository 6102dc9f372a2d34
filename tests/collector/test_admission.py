"""Ids are ids, and bytes in flight have a limit."""

import pytest

from collector.admission import MEMORY_PER_BYTE, MemoryLimiter, admit, is_audit
from collector.errors import Overloaded, TooLarge
from collector.signals import LOGS, METRICS, TRACES, Message

TRACE, SPAN = b"t" * 16, b"s" * 8


def spans(*ids: tuple[bytes, bytes, bytes]) -> Message:
    message = TRACES.request()
    target = message.resource_spans.add().scope_spans.add().spans
    for number, (trace_id, span_id, parent) in enumerate(ids):
        target.add(trace_id=trace_id, span_id=span_id, parent_span_id=parent, name=str(number))
    return message


def kept(message: Message) -> list[str]:
    return [span.name for span in message.resource_spans[0].scope_spans[0].spans]


def test_spans_with_malformed_ids_are_rejected_and_the_rest_stays_in_order() -> None:
    message = spans(
        (TRACE, SPAN, b""),
        (b"", SPAN, b""),
        (bytes(16), SPAN, b""),
        (TRACE, b"x", b""),
        (TRACE, bytes(8), b""),
        (TRACE, SPAN, b"xy"),
        (TRACE, SPAN, SPAN),
    )
    admitted = admit(TRACES, message)
    assert kept(message) == ["0", "6"]
    assert admitted.records == 2
    assert sum(admitted.rejected.values()) == 5
    assert "2 spans rejected: trace_id must be 16 bytes and not zero" in admitted.message


def test_a_parent_of_zeros_is_no_parent() -> None:
    message = spans((TRACE, SPAN, bytes(8)))
    assert admit(TRACES, message).records == 1
    assert not message.resource_spans[0].scope_spans[0].spans[0].parent_span_id


def test_malformed_ids_of_links_and_exemplars_are_emptied() -> None:
    message = spans((TRACE, SPAN, b""))
    link = message.resource_spans[0].scope_spans[0].spans[0].links.add(trace_id=b"a raw text", span_id=SPAN)
    admitted = admit(TRACES, message)
    assert (admitted.records, admitted.rejected) == (1, {})
    assert admitted.message == "1 ids of links, exemplars or log records left out: they have the wrong length", "a warning"
    assert (link.trace_id, link.span_id) == (b"", SPAN)
    metrics = METRICS.request()
    point = metrics.resource_metrics.add().scope_metrics.add().metrics.add().histogram.data_points.add()
    point.exemplars.add(trace_id=b"raw", span_id=b"raw")
    assert admit(METRICS, metrics).records == 1
    assert point.exemplars[0].trace_id == point.exemplars[0].span_id == b""


def test_log_records_need_no_ids_but_those_they_have_are_ids() -> None:
    message = LOGS.request()
    records = message.resource_logs.add().scope_logs.add().log_records
    for trace_id, span_id in [(b"", b""), (TRACE, SPAN), (bytes(16), bytes(8)), (b"short", b""), (b"", b"short")]:
        records.add(trace_id=trace_id, span_id=span_id)
    admitted = admit(LOGS, message)
    assert (admitted.records, sum(admitted.rejected.values())) == (3, 2)
    assert [record.trace_id for record in message.resource_logs[0].scope_logs[0].log_records] == [b"", TRACE, b""]


def test_every_point_of_every_metric_type_is_a_record() -> None:
    message = METRICS.request()
    metrics = message.resource_metrics.add().scope_metrics.add().metrics
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        for _ in range(2):
            getattr(metrics.add(name=kind), kind).data_points.add()
    metrics.add(name="without data")
    assert admit(METRICS, message).records == 10


def test_a_request_is_audit_when_all_of_its_records_are_audit_events() -> None:
    def logs(*names: str) -> Message:
        message = LOGS.request()
        for name in names:
            message.resource_logs.add().scope_logs.add().log_records.add(event_name=name)
        return message

    assert is_audit(LOGS, logs("approval"))
    assert is_audit(LOGS, logs("agent_action", "checkpoint"))
    for other in (("heartbeat", "approval"), ("approval", "heartbeat"), ("approval", ""), ("heartbeat",), ()):
        assert not is_audit(LOGS, logs(*other)), "all records, or it is somebody's batch"
    assert not is_audit(TRACES, spans((TRACE, SPAN, b"")))


def test_bytes_in_flight_are_limited_and_given_back() -> None:
    limiter = MemoryLimiter(10 * MEMORY_PER_BYTE)
    with limiter.reserve() as first:
        first.grow_to(4)
        first.grow_to(6)
        first.grow_to(5)
        assert limiter.in_flight_bytes == 6 * MEMORY_PER_BYTE
        with limiter.reserve() as second:
            second.grow_to(3)
            with pytest.raises(Overloaded):
                second.grow_to(5)
    assert limiter.in_flight_bytes == 0


def test_what_never_fits_is_too_large_and_not_to_be_sent_again() -> None:
    limiter = MemoryLimiter(10 * MEMORY_PER_BYTE)
    with limiter.reserve() as first, pytest.raises(TooLarge, match="memory_limiter"):
        first.grow_to(11)
    assert limiter.in_flight_bytes == 0


def test_without_a_limit_everything_fits() -> None:
    with MemoryLimiter(None).reserve() as reservation:
        reservation.grow_to(1 << 40)


def test_requests_of_one_tenant_hold_half_of_what_may_be_in_flight_and_leave_the_rest_to_others() -> None:
    limiter = MemoryLimiter(100 * MEMORY_PER_BYTE)
    with limiter.reserve(("acme", True)) as first, limiter.reserve(("acme", True)) as second, limiter.reserve(("acme", False)) as other:
        first.grow_to(30)
        with pytest.raises(Overloaded, match="of this sender"):
            second.grow_to(21)
        second.grow_to(20)
        other.grow_to(40)
    assert limiter.in_flight_bytes == 0
    with limiter.reserve(("acme", True)) as alone:
        alone.grow_to(100)
