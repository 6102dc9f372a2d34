"""Receipts say what was found where, and hold nothing that a sender wrote but cleaned keys."""

import asyncio

import pytest

from collector.findings import KEY_CHARS, OTHER_KEYS, RECEIPTS_OF_A_GROUP, RECEIPTS_OF_A_RECORD, Findings, Place
from collector.redact import Walker
from collector.signals import LOGS, METRICS, TRACES, Message, Signal
from storage.wal import Receipt
from tests.collector.otlp_samples import logs, set_attribute, traces
from tests.fakes import FakeCleaned, FakeCleaner

KEY = b"k" * 32


def receipts(signal: Signal, message: Message, cleaner: FakeCleaner | None = None) -> list[Receipt]:
    """The receipts of the first record; walked twice, so that the second walk finds every text known."""
    cleaner = cleaner or FakeCleaner()
    copy = signal.request()
    copy.CopyFrom(message)
    slow = asyncio.run(Walker(cleaner, id_key=KEY).clean(signal, copy)).by_record
    quick = asyncio.run(Walker(cleaner, id_key=KEY).clean(signal, message)).by_record
    assert sorted(quick.get(0, [])) == sorted(slow.get(0, []))
    return quick.get(0, [])


def keys(signal: Signal, message: Message) -> set[str]:
    return {key for _, _, key, _ in receipts(signal, message) if key is not None}


def test_every_field_of_a_span_has_its_name() -> None:
    message = traces(
        {
            "name": "canary",
            "trace_state": "canary",
            "attributes": {"note": "canary", "list": ["x canary"], "deep": {"inner": {"leaf": "y canary"}}},
            "events": [("canary", {"k": "canary"})],
            "links": [(b"l" * 16, b"s" * 8)],
        },
        scope="canary",
        resource={"host": "canary"},
    )
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.status.message = "canary"
    span.links[0].trace_state = "canary"
    set_attribute(span.links[0].attributes, "k", "canary")
    group = message.resource_spans[0]
    group.schema_url = "canary"
    group.resource.entity_refs.add(type="canary", id_keys=["canary"])
    assert keys(TRACES, message) == {
        "name", "trace_state", "status.message", "note", "list[]", "deep.inner.leaf", "events[].name", "events[].k", "links[].trace_state",
        "links[].k", "scope.name", "resource.host", "resource.schema_url", "resource.entity_refs[].type",
        "resource.entity_refs[].id_keys[]",
    }  # fmt: skip


def test_every_field_of_a_log_record_has_its_name() -> None:
    message = logs({"body": {"to": "canary"}, "event_name": "canary", "severity_text": "canary", "span_id": b"a canary"})
    assert keys(LOGS, message) == {"body.to", "event.name", "severity_text", "span_id"}
    assert keys(LOGS, logs({"body": "canary"})) == {"body"}


def test_every_field_of_a_data_point_has_its_name() -> None:
    message = METRICS.request()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="canary", description="canary", unit="canary")
    set_attribute(metric.metadata, "k", "canary")
    point = metric.gauge.data_points.add()
    set_attribute(point.attributes, "k", "canary")
    set_attribute(point.exemplars.add(span_id=b"a canary").filtered_attributes, "k", "canary")
    assert keys(METRICS, message) == {
        "metric.name", "metric.description", "metric.unit", "metric.metadata.k", "k", "exemplars[].k", "exemplars[].span_id",
    }  # fmt: skip


def test_a_key_that_holds_personal_data_stands_cleaned_in_the_receipts_of_itself_and_of_its_value() -> None:
    message = traces({"attributes": {"of canary": "canary", "plain": {"the canary": "canary"}}}, resource={"my canary": "canary"})
    assert sorted(receipts(TRACES, message)) == [
        ("CANARY", "fake", "of <CANARY>", 2),
        ("CANARY", "fake", "plain.the <CANARY>", 2),
        ("CANARY", "fake", "resource.my <CANARY>", 2),
    ]


def test_the_path_inside_a_text_follows_the_key() -> None:
    class Json(FakeCleaner):
        def lookup(self, text: str, key: str | None) -> FakeCleaned | None:
            found = {("CANARY", "fake", ".messages[].content"): 2, ("PHONE", "other", ".to"): 1}
            return FakeCleaned(text="{}", receipts=found) if text == "{canary}" else super().lookup(text, key)

    assert receipts(TRACES, traces({"attributes": {"prompt": "{canary}"}}), Json()) == [
        ("CANARY", "fake", "prompt.messages[].content", 2),
        ("PHONE", "other", "prompt.to", 1),
    ]


@pytest.mark.parametrize(("records", "limit"), [(1, RECEIPTS_OF_A_RECORD), (2, RECEIPTS_OF_A_GROUP)])
def test_many_keys_are_told_by_entity_and_rule_and_no_finding_is_lost(records: int, limit: int) -> None:
    """A header cannot be blown up by a record with a thousand blocked keys."""
    findings = Findings()
    for number in range(1000):
        findings.add(range(records), Place(None, "", f"k{number}"), {("BLOCKED_KEY", "rule", ""): 1})
    found = findings.by_record[0]
    assert (len(found), found[-1], sum(count for *_, count in found)) == (
        limit + 1,
        ("BLOCKED_KEY", "rule", OTHER_KEYS, 1000 - limit),
        1000,
    )


def test_long_keys_are_cut() -> None:
    findings = Findings()
    findings.add(range(1), Place(None, "", "k" * 1000), {("A", "r", ".path"): 1})
    assert findings.by_record[0] == [("A", "r", "k" * KEY_CHARS, 1)]


def test_withheld_values_are_counted_once_however_many_records_share_them() -> None:
    findings = Findings()
    findings.add(range(5), Place(None, "resource.", "k"), {("WITHHELD", "timeout", ""): 1, ("A", "r", ""): 1})
    assert findings.withheld == 1
