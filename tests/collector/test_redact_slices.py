"""A long request is cleaned in slices, and however long a slice's texts take, others have their turn in between."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.findings import Findings
from collector.redact import Walker
from collector.signals import TRACES, Message
from collector.values import SLICE_ITEMS
from collector.walk import SLICE_RECORDS
from tests.collector.otlp_fields import with_record
from tests.fakes import FakeCleaned, FakeCleaner

KEY = b"k" * 32


class Other:
    """Another task of the event loop: how often it ran, and the longest that it waited, in processor time of this thread."""

    def __init__(self) -> None:
        self.turns = 0
        self.longest_seconds = 0.0

    async def run(self) -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0)
            self.turns += 1
            self.longest_seconds = max(self.longest_seconds, time.thread_time() - begun)


def beside(work: Coroutine[Any, Any, Findings]) -> tuple[Other, Findings]:
    """Clean a request beside another task; what that saw, and what was found."""

    async def both() -> tuple[Other, Findings]:
        other = Other()
        running = asyncio.create_task(other.run())
        await asyncio.sleep(0)
        findings = await work
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return other, findings

    gc.disable()  # a collection of what other tests left takes longer than a slice
    try:
        return asyncio.run(both())
    finally:
        gc.enable()


def test_a_long_request_is_worked_off_in_slices() -> None:
    """Between slices other requests run."""
    message = with_record(TRACES)
    spans = message.resource_spans[0].scope_spans[0].spans
    for _ in range(10 * SLICE_RECORDS):
        spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    other, _ = beside(Walker(FakeCleaner(), id_key=KEY).clean(TRACES, message))
    assert other.turns >= 10


def long_attributes(message: Message, size: int) -> None:
    for _ in range(size):
        message.resource_spans[0].resource.attributes.add(key="k").value.string_value = "canary"


def long_events(message: Message, size: int) -> None:
    for _ in range(size):
        message.resource_spans[0].scope_spans[0].spans[0].events.add(name="canary")


def long_array(message: Message, size: int) -> None:
    values = message.resource_spans[0].resource.attributes.add(key="k").value.array_value.values
    for _ in range(size):
        values.add().string_value = "canary"


@pytest.mark.parametrize("attributes_of_a_record", [10, 600])
def test_slices_are_short_also_when_each_text_takes_long(attributes_of_a_record: int) -> None:
    """A slice ends by time: a hundred texts that are hard to read are no reason for an audit event to wait."""

    class Slow(FakeCleaner):
        def lookup(self, text: str, key: str | None) -> FakeCleaned | None:
            end = time.perf_counter() + (0.001 if text == "slow" else 0)
            while time.perf_counter() < end:
                pass
            return super().lookup(text, key)

    message = TRACES.request()
    spans = message.resource_spans.add().scope_spans.add().spans
    for _ in range(600 // attributes_of_a_record):
        span = spans.add()
        for index in range(attributes_of_a_record):
            span.attributes.add(key=f"k{index}").value.string_value = "slow"
    other, _ = beside(Walker(Slow(), id_key=KEY).clean(TRACES, message))
    assert other.longest_seconds < 0.1


@pytest.mark.parametrize("lengthen", [long_attributes, long_events, long_array])
def test_a_long_list_in_one_record_is_worked_off_in_slices_too(lengthen: Callable[[Message, int], None]) -> None:
    message = with_record(TRACES)
    lengthen(message, 20 * SLICE_ITEMS)
    other, findings = beside(Walker(FakeCleaner(), id_key=KEY).clean(TRACES, message))
    assert other.turns >= 20
    assert findings.by_record.keys() == {0}
    assert sum(count for entity, _, _, count in findings.by_record[0] if entity == "CANARY") == 20 * SLICE_ITEMS
    assert b"canary" not in message.SerializeToString()


def test_a_list_of_very_many_items_is_not_looked_through_at_once() -> None:
    """Four bytes an item: a kilobyte of gzip would hold up everybody for seconds else, before the first slice."""
    message = TRACES.request()
    values = message.resource_spans.add().scope_spans.add().spans.add().attributes.add(key="k").value.array_value.values
    values.extend([AnyValue(int_value=5)] * 200_000)
    other, _ = beside(Walker(FakeCleaner(), id_key=KEY, spread_lines=lambda _: set()).clean(TRACES, message))
    assert other.longest_seconds < 0.1
