"""Every string of every field is cleaned: proven over the protocol's descriptors, so that a new field cannot be forgotten."""

import asyncio
import random
import time
from typing import Any

import pytest

from collector.admission import admit
from collector.findings import Findings
from collector.redact import Walker
from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Message, Signal
from tests.collector.otlp_fields import ALL_PATHS, IDS, plant, with_record
from tests.fakes import FakeCleaner

CANARY = "canary"
KEY = b"k" * 32


def clean(signal: Signal, message: Message, cleaner: FakeCleaner | None = None) -> Findings:
    """Admit and walk as the pipeline does."""
    admit(signal, message)
    return asyncio.run(Walker(cleaner or FakeCleaner(), id_key=KEY).clean(signal, message))


def counts(findings: Findings) -> dict[int, dict[str, int]]:
    """Return record → entity → count."""
    sums: dict[int, dict[str, int]] = {}
    for index, receipts in findings.by_record.items():
        of_record = sums.setdefault(index, {})
        for entity, _, _, count in receipts:
            of_record[entity] = of_record.get(entity, 0) + count
    return sums


def test_the_walk_over_the_descriptors_sees_the_fields_that_people_forget() -> None:
    """The generator of the next test is not empty by accident."""
    joined = {".".join(path) for _, path in ALL_PATHS}
    for ending in (
        "links.trace_state",
        "exemplars.filtered_attributes.key",
        "entity_refs.id_keys",
        "status.message",
        "metadata.key",
        "unit",
    ):
        assert any(path.endswith(ending) for path in joined), ending
    assert len(joined) > 150


@pytest.mark.parametrize("signal", list(SIGNALS.values()), ids=lambda signal: signal.name)
def test_no_canary_survives_in_any_string_or_bytes_field(signal: Signal) -> None:
    for path in [path for owner, path in ALL_PATHS if owner is signal]:
        field_is_bytes = path[-1] in {*IDS, "bytes_value"}
        for value in (
            [CANARY.encode(), CANARY.encode() + b"\xff", b"\0".join(CANARY.encode()[i : i + 1] for i in range(6))]
            if field_is_bytes
            else [CANARY]
        ):
            message = with_record(signal)
            plant(message, path, value)
            assert admit(signal, message).records == (0 if path[-1] in IDS and path[-2] in {"spans", "log_records"} else 1), path
            clean(signal, message)
            kept = bytes(message.SerializeToString())
            assert CANARY.encode() not in kept, path
            assert CANARY.encode() not in kept.replace(b"\0", b""), path


@pytest.mark.parametrize("signal", list(SIGNALS.values()), ids=lambda signal: signal.name)
def test_all_fields_at_once_also_from_the_cache(signal: Signal) -> None:
    """The second walk takes the hot path: every text is known by then."""
    cleaner = FakeCleaner()
    for _ in range(2):
        message = with_record(signal)
        for path in [path for owner, path in ALL_PATHS if owner is signal and path[-1] not in IDS]:
            plant(message, path, CANARY.encode() if path[-1] == "bytes_value" else CANARY)
        clean(signal, message, cleaner)
        assert CANARY.encode() not in message.SerializeToString()


def span_with(**attributes: Any) -> tuple[Message, Message]:
    """A traces request with one span, and the span."""
    message = with_record(TRACES)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    for key, value in attributes.items():
        pair = span.attributes.add(key=key)
        field = {str: "string_value", int: "int_value", float: "double_value", bool: "bool_value", bytes: "bytes_value"}[type(value)]
        setattr(pair.value, field, value)
    return message, span


def test_keys_that_become_equal_by_cleaning_stay_distinct() -> None:
    message, span = span_with()
    for key in ("x canary", "x canary", "x <CANARY>", "other"):
        span.attributes.add(key=key).value.int_value = len(span.attributes)
    clean(TRACES, message)
    assert [pair.key for pair in span.attributes] == ["x <CANARY>", "x <CANARY>#2", "x <CANARY>#3", "other"]


def test_a_hundred_thousand_colliding_keys_cost_linear_time() -> None:
    message, span = span_with()
    for _ in range(100_000):
        span.attributes.add(key="canary")
    begun = time.process_time()
    clean(TRACES, message)
    assert time.process_time() - begun < 30, "quadratic work takes minutes"
    assert len({pair.key for pair in span.attributes}) == 100_000


def test_nested_leaves_are_cleaned_with_the_nearest_key() -> None:
    message, span = span_with()
    items = span.attributes.add(key="outer").value.array_value.values
    items.add().string_value = "a canary"
    items.add().kvlist_value.values.add(key="inner").value.string_value = "b canary"
    cleaner = FakeCleaner()
    clean(TRACES, message, cleaner)
    assert {("a canary", "outer"), ("b canary", "inner")} <= set(cleaner.asked)


def test_a_value_under_a_blocked_key_is_replaced_whatever_its_type() -> None:
    message, span = span_with()
    for value in ("s", 12345, 1.5, True, b"\xff"):
        pair = span.attributes.add(key="password")
        setattr(
            pair.value,
            {str: "string_value", int: "int_value", float: "double_value", bool: "bool_value", bytes: "bytes_value"}[type(value)],
            value,
        )
    span.attributes.add(key="password").value.array_value.values.add().int_value = 7
    span.attributes.add(key="password")
    findings = clean(TRACES, message)
    assert [pair.value.string_value for pair in span.attributes] == ["<BLOCKED>"] * 6 + [""]
    assert counts(findings) == {0: {"BLOCKED_KEY": 6}}


@pytest.mark.parametrize(
    ("value", "scanned"),
    [
        (4111111111111111, True),
        (-411111111111, True),
        (219099999, True),
        (1234567, True),
        (123456, False),
        (4111111111111111.0, True),
        (378282246310005.5, True),
        (float("nan"), False),
        (float("inf"), False),
        (1e308, False),
    ],
)
def test_long_numbers_are_scanned_as_text(value: float, scanned: bool) -> None:
    """Of a number with a fraction, what stands before it."""
    message, span = span_with(card=value)
    canary = str(int(value)) if scanned else "never"
    clean(TRACES, message, FakeCleaner(canary))
    assert (span.attributes[0].value.string_value == "<CANARY>") is scanned


def test_numbers_that_can_be_nothing_are_not_looked_up() -> None:
    class Certain(FakeCleaner):
        def may_hold(self, number: str, key: str | None) -> bool:
            return key == "ssn"

    message, span = span_with(ssn=219099999, bytes=219099999)
    cleaner = Certain("219099999")
    clean(TRACES, message, cleaner)
    assert ("219099999", "ssn") in cleaner.asked
    assert span.attributes[1].value.int_value == 219099999


def test_a_number_without_findings_keeps_its_type() -> None:
    message, span = span_with(start_ns=1_700_000_000_000_000_000)
    clean(TRACES, message)
    assert span.attributes[0].value.int_value == 1_700_000_000_000_000_000


def test_bytes_that_are_clean_text_stay_and_others_become_a_digest() -> None:
    message, span = span_with(text=b"harmless", binary=b"\xff\xfe\x00")
    clean(TRACES, message)
    assert span.attributes[0].value.bytes_value == b"harmless"
    assert span.attributes[1].value.string_value.startswith("<BLOB:bytes:3:")


def test_indexes_into_string_tables_are_cleared() -> None:
    message, span = span_with(a="b")
    span.attributes[0].key_strindex = 7
    span.attributes.add(key="c").value.string_value_strindex = 9
    clean(TRACES, message)
    assert b"strindex" not in str(message).encode()


def test_findings_of_a_resource_count_on_each_of_its_records() -> None:
    message = TRACES.request()
    for name in ("canary", "clean"):
        group = message.resource_spans.add()
        group.resource.attributes.add(key="r").value.string_value = name
        for scope_name in ("canary", "s"):
            scope = group.scope_spans.add()
            scope.scope.name = scope_name
            for _ in range(2):
                scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="canary canary")
    findings = clean(TRACES, message)
    assert {index: found["CANARY"] for index, found in counts(findings).items()} == {0: 4, 1: 4, 2: 3, 3: 3, 4: 3, 5: 3, 6: 2, 7: 2}


def test_findings_of_metrics_are_indexed_by_data_point() -> None:
    message = METRICS.request()
    metrics = message.resource_metrics.add().scope_metrics.add().metrics
    first = metrics.add(name="canary")
    for _ in range(2):
        first.sum.data_points.add()
    metrics.add(name="no data: canary")
    last = metrics.add(name="clean")
    last.histogram.data_points.add().exemplars.add().filtered_attributes.add(key="k").value.string_value = "canary"
    findings = clean(METRICS, message)
    assert counts(findings) == {0: {"CANARY": 1}, 1: {"CANARY": 1}, 2: {"CANARY": 1}}


def test_each_distinct_text_is_cleaned_once() -> None:
    message = with_record(LOGS)
    records = message.resource_logs[0].scope_logs[0].log_records
    randomness = random.Random(1)
    for _ in range(100):
        records.add().body.string_value = randomness.choice(["a", "b"])
    cleaner = FakeCleaner()
    clean(LOGS, message, cleaner)
    assert sorted(cleaner.asked) == [("a", None), ("b", None)]


def test_ids_that_hold_text_are_replaced_everywhere_alike() -> None:
    """Text fits into an id: what is found in one is gone, and records that belonged together still do."""
    trace_id, span_id, parent_id, clean_id = b"jane canary here", b"a canary", b"canary\0\0", b"harmless"
    message = with_record(TRACES)
    spans = message.resource_spans[0].scope_spans[0].spans
    spans[0].CopyFrom(type(spans[0])(trace_id=trace_id, span_id=span_id, parent_span_id=parent_id))
    spans.add(trace_id=trace_id, span_id=parent_id, parent_span_id=clean_id).links.add(trace_id=trace_id, span_id=span_id)
    logs = with_record(LOGS)
    log = logs.resource_logs[0].scope_logs[0].log_records[0]
    log.trace_id, log.span_id = trace_id, span_id
    metrics = with_record(METRICS)
    exemplar = (
        metrics.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].exemplars.add(trace_id=trace_id, span_id=span_id)
    )
    cleaner = FakeCleaner()
    assert counts(clean(TRACES, message, cleaner)) == {0: {"CANARY": 3}, 1: {"CANARY": 4}}
    clean(LOGS, logs, cleaner)
    clean(METRICS, metrics, cleaner)
    first, second = spans
    assert b"canary" not in message.SerializeToString() + logs.SerializeToString() + metrics.SerializeToString()
    assert (len(first.trace_id), len(first.span_id)) == (16, 8)
    assert first.trace_id == second.trace_id == second.links[0].trace_id == log.trace_id == exemplar.trace_id
    assert first.span_id == second.links[0].span_id == log.span_id == exemplar.span_id
    assert first.parent_span_id == second.span_id
    assert second.parent_span_id == clean_id
    other = with_record(LOGS)
    other.resource_logs[0].scope_logs[0].log_records[0].trace_id = trace_id
    asyncio.run(Walker(cleaner, id_key=b"another").clean(LOGS, other))
    assert other.resource_logs[0].scope_logs[0].log_records[0].trace_id != log.trace_id


def test_findings_of_many_in_a_resource_of_many_cost_linear_time() -> None:
    message = with_record(TRACES)
    group = message.resource_spans[0]
    for _ in range(2000):
        group.resource.attributes.add(key="password").value.int_value = 1
    for _ in range(20_000):
        group.scope_spans[0].spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    begun = time.process_time()
    by_record = counts(clean(TRACES, message))
    assert time.process_time() - begun < 5, "one step for each finding of each record takes longer"
    assert (len(by_record), by_record[20_000]) == (20_001, {"BLOCKED_KEY": 2000})
