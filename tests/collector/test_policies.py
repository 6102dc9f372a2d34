"""What the walk asks of a policy beyond cleaning texts: whose data it is, how content is captured, what a key decides, what is told."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from collector.findings import Findings
from collector.redact import Walker
from collector.signals import LOGS, METRICS, TRACES, Message, Signal
from redaction.secrets import spread_key_lines
from tests.collector.otlp_samples import logs, set_attribute, traces
from tests.fakes import FakeCleaned, FakeCleaner

KEY = b"k" * 32
LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"
PEM = [f"-----BEGIN {'PRIVATE'} KEY-----", LINE, LINE[::-1], f"-----END {'PRIVATE'} KEY-----"]


def clean(signal: Signal, message: Message, policy: FakeCleaner, **options: Any) -> Findings:
    options.setdefault("captures", isinstance(policy, Capturing))
    return asyncio.run(Walker(policy, id_key=KEY, **options).clean(signal, message))


def first_span(message: Message) -> Message:
    return message.resource_spans[0].scope_spans[0].spans[0]


class OfSubject(FakeCleaner):
    """Replaces the canary by whose it is."""

    def __init__(self, subject: str | None) -> None:
        super().__init__()
        self.subject = subject

    def replace(self, text: str) -> str:
        return text.replace(self.canary, f"<{self.subject}>")


class Vaulting(OfSubject):
    """A policy that vaults."""

    subject_keys = ("enduser.id", "user.id")

    def __init__(self) -> None:
        super().__init__("policy")
        self.subjects: list[str | None] = []

    def for_subject(self, subject: str | None) -> FakeCleaner:
        self.subjects.append(subject)
        return OfSubject(subject)


def test_the_subject_of_a_record_is_its_own_else_that_of_its_resource() -> None:
    message = traces(
        {"name": "canary", "attributes": {"user.id": "span-user", "enduser.id": "end-user"}, "events": [("canary", {})]},
        {"name": "canary", "attributes": {"k": "canary"}},
        {"name": "canary", "attributes": {"user.id": 17}},
        resource={"user.id": "resource-user", "k": "canary"},
        scope="canary",
    )
    policy = Vaulting()
    clean(TRACES, message, policy)
    spans = message.resource_spans[0].scope_spans[0].spans
    assert [span.name for span in spans] == ["<end-user>", "<resource-user>", "<17>"]
    assert spans[0].events[0].name == "<end-user>"
    assert message.resource_spans[0].resource.attributes[1].value.string_value == "<resource-user>"
    assert message.resource_spans[0].scope_spans[0].scope.name == "<resource-user>"
    assert policy.subjects == ["resource-user", "end-user", "17"]


def test_the_subject_is_read_before_it_is_cleaned() -> None:
    message = traces({"name": "canary", "attributes": {"user.id": "canary@home"}})
    clean(TRACES, message, Vaulting())
    assert first_span(message).name == "<canary@home>"


def test_data_points_have_subjects_of_their_own() -> None:
    message = METRICS.request()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="canary")
    for user in ("a", "b"):
        point = metric.gauge.data_points.add()
        set_attribute(point.attributes, "user.id", user)
        set_attribute(point.attributes, "k", "canary")
        set_attribute(point.exemplars.add().filtered_attributes, "k", "canary")
    set_attribute(metric.gauge.data_points.add().attributes, "k", "canary")
    clean(METRICS, message, Vaulting())
    assert metric.name == "<None>"
    first, second, third = metric.gauge.data_points
    assert [point.attributes[-1].value.string_value for point in (first, second, third)] == ["<a>", "<b>", "<None>"]
    assert second.exemplars[0].filtered_attributes[0].value.string_value == "<b>"


class Captures:
    """Content is what stands under `content`, and the bodies of events that begin with gen_ai."""

    def __init__(self, how: str) -> None:
        self._how = how

    def mode(self, key: str) -> str | None:
        return self._how if key == "content" else None

    def body_mode(self, event_name: str) -> str | None:
        return self._how if event_name.startswith("gen_ai.") else None

    def applied(self, mode: str, text: str, cleaned: FakeCleaned | None) -> FakeCleaned:
        if mode == "truncated":
            assert cleaned is not None
            return FakeCleaned(text=cleaned.text[:10], receipts={**cleaned.receipts, ("CONTENT", mode, ""): 1})
        assert cleaned is None
        return FakeCleaned(text=f"<{mode}:{len(text)}>", receipts={("CONTENT", mode, ""): 1})


class Capturing(FakeCleaner):
    """A policy with another capture for one tenant in production."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self._how = how
        self.asked_for: list[tuple[str | None, str | None]] = []

    def capture(self, tenant: str | None, environment: str | None) -> Captures | None:
        self.asked_for.append((tenant, environment))
        return Captures(self._how) if (tenant, environment) == ("a canary", "prod") else None


@pytest.mark.parametrize("tenant_key", ["auditlake.tenant", "tenant", "tenant.id", "tenant_id"])
@pytest.mark.parametrize("environment_key", ["deployment.environment.name", "deployment.environment"])
def test_the_resource_as_it_was_sent_decides_the_capture(tenant_key: str, environment_key: str) -> None:
    message = traces({"attributes": {"content": "secret words"}}, resource={tenant_key: "a canary", environment_key: "prod"})
    message.resource_spans.add().CopyFrom(traces({"attributes": {"content": "secret words"}}).resource_spans[0])
    policy = Capturing("hash")
    findings = clean(TRACES, message, policy)
    assert policy.asked_for == [("a canary", "prod"), (None, None)]
    assert first_span(message).attributes[0].value.string_value == "<hash:12>"
    assert message.resource_spans[1].scope_spans[0].spans[0].attributes[0].value.string_value == "secret words"
    assert ("CONTENT", "hash", "content", 1) in findings.by_record[0]


def test_the_tenant_of_the_sender_overrules_the_resource_for_the_capture() -> None:
    message = traces({"attributes": {"content": "secret words"}}, resource={"tenant": "lax", "deployment.environment": "prod"})
    walker = Walker(Capturing("hash"), id_key=KEY, captures=True)
    asyncio.run(walker.clean(TRACES, message, "a canary"))
    assert first_span(message).attributes[0].value.string_value == "<hash:12>"


RESOURCE = {"tenant": "a canary", "deployment.environment": "prod"}


@pytest.mark.parametrize("value", ["words", ["words"], {"role": "user"}, b"words", b"\xff\x00", 17, 1.5, True])
def test_hashed_and_absent_content_is_gone_whatever_its_type(value: object) -> None:
    message = traces({"attributes": {"content": value}}, resource=RESOURCE)
    clean(TRACES, message, Capturing("none"))
    stored = first_span(message).attributes[0].value
    assert stored.WhichOneof("value") == "string_value"
    assert stored.string_value.startswith("<none:")


def test_truncated_content_is_cleaned_before_it_is_cut_leaf_by_leaf() -> None:
    value = {"parts": ["a long canary text", {"text": "another canary text"}], "n": 17}
    message = traces({"attributes": {"content": value, "other": "a long canary text"}}, resource=RESOURCE)
    findings = clean(TRACES, message, Capturing("truncated"))
    kvlist = first_span(message).attributes[0].value.kvlist_value.values
    assert kvlist[0].value.array_value.values[0].string_value == "a long <CA"
    assert kvlist[0].value.array_value.values[1].kvlist_value.values[0].value.string_value == "another <C"
    assert kvlist[1].value.int_value == 17
    assert first_span(message).attributes[1].value.string_value == "a long <CANARY> text"
    assert ("CONTENT", "truncated", "content.parts[]", 1) in findings.by_record[0]


@pytest.mark.parametrize(
    "named",
    [
        {"event_name": "gen_ai.user.message"},
        {"attributes": {"event.name": "gen_ai.choice"}},
        {"attributes": {"event_name": "gen_ai.content.prompt"}},
    ],
)
def test_bodies_of_model_events_are_content(named: dict[str, Any]) -> None:
    message = logs({"body": {"content": "words"}, **named}, {"body": "words", "event_name": "other"}, resource=RESOURCE)
    clean(LOGS, message, Capturing("hash"))
    first, second = message.resource_logs[0].scope_logs[0].log_records
    assert first.body.string_value.startswith("<hash:")
    assert second.body.string_value == "words"


def test_a_blocked_key_stays_blocked_where_content_is_captured() -> None:
    class Blocking(Capturing):
        def __init__(self) -> None:
            super().__init__("hash")
            self.blocked_keys = ("content",)

    message = traces({"attributes": {"content": 5}}, resource=RESOURCE)
    clean(TRACES, message, Blocking())
    assert first_span(message).attributes[0].value.string_value == "<BLOCKED>"


class Sensitive(FakeCleaner):
    """A policy under which the key `account` decides about its values."""

    def lookup(self, text: str, key: str | None) -> FakeCleaned | None:
        return FakeCleaned(text="<ACCOUNT>", receipts={("ACCOUNT", "key", ""): 1}) if key == "account" else super().lookup(text, key)

    def may_hold(self, number: str, key: str | None) -> bool:
        return key == "account"


@pytest.mark.parametrize("value", ["x", 7, -1, 0.5, float("nan"), float("inf"), 1e308, True, False, b"x", b"\xff\x00"])
def test_a_key_that_decides_decides_for_every_type(value: object) -> None:
    message = traces({"attributes": {"account": value, "outer": {"account": [value]}, "other": value}})
    before = first_span(message).attributes[2].value.WhichOneof("value")
    clean(TRACES, message, Sensitive())
    for attributes in (first_span(message).attributes, first_span(message).attributes[1].value.kvlist_value.values):
        pair = attributes[0]
        leaf = pair.value.array_value.values[0] if pair.value.HasField("array_value") else pair.value
        assert (leaf.string_value or leaf.bytes_value.decode()) == "<ACCOUNT>"
    assert first_span(message).attributes[2].value.WhichOneof("value") in {before, "string_value"}


def test_what_stands_in_a_list_or_map_under_a_key_that_decides_is_decided_by_it_unless_its_own_key_decides() -> None:
    class Inheriting(Sensitive):
        def inherits(self, key: str | None) -> bool:
            return key == "account"

    value = {"number": 7, "owner": {"street": "x"}, "password": 5, "account": 3}
    message = traces({"attributes": {"account": value, "other": {"number": 7}}})
    findings = clean(TRACES, message, Inheriting())
    first, second = first_span(message).attributes
    members = {pair.key: pair.value for pair in first.value.kvlist_value.values}
    assert {key: member.string_value for key, member in members.items()} == {
        "number": "<ACCOUNT>", "owner": "", "password": "<BLOCKED>", "account": "<ACCOUNT>",
    }  # fmt: skip
    assert members["owner"].kvlist_value.values[0].value.string_value == "<ACCOUNT>"
    assert second.value.kvlist_value.values[0].value.int_value == 7
    assert {key for _, _, key, _ in findings.by_record[0]} == {
        "account.number", "account.owner.street", "account.password", "account.account",
    }  # fmt: skip


def test_while_a_key_is_not_judged_yet_its_values_are_looked_up_and_nothing_is_remembered() -> None:
    class Loading(FakeCleaner):
        loaded = False

        def lookup(self, text: str, key: str | None) -> FakeCleaned | None:
            if text == "0" and not self.loaded:
                return None
            return super().lookup(text, key)

        def may_hold(self, number: str, key: str | None) -> bool:
            return True

    policy = Loading()
    walker = Walker(policy, id_key=KEY)
    asyncio.run(walker.clean(TRACES, traces({"attributes": {"n": 5}})))
    assert ("5", "n") in policy.asked
    policy.loaded = True
    for _ in range(2):
        policy.asked.clear()
        asyncio.run(walker.clean(TRACES, traces({"attributes": {"n": 6}})))
    assert policy.asked == []


@pytest.mark.parametrize(
    "value",
    [
        PEM,
        [["intro", *PEM[:2]], PEM[2:], "and prose"],
        {"first": PEM[0], "second": PEM[1], "rest": PEM[2:]},
        [line.encode() for line in PEM],
        PEM[1:],
        PEM[:-1],
    ],
)
def test_lines_of_a_private_key_that_is_spread_over_a_list_are_taken_out(value: object) -> None:
    message = logs({"body": value, "attributes": {"file": value}})
    findings = clean(LOGS, message, FakeCleaner(canary="-----"), spread_lines=spread_key_lines)
    stored = message.SerializeToString()
    assert LINE.encode() not in stored
    assert LINE[::-1].encode() not in stored
    assert sum(count for entity, _, _, count in findings.by_record[0] if entity == "PRIVATE_KEY") >= 4


def test_lists_that_hold_no_key_are_not_touched() -> None:
    message = logs({"body": ["the PRIVATE KEY is gone", LINE, "prose"]})
    clean(LOGS, message, FakeCleaner(), spread_lines=spread_key_lines)
    body = message.resource_logs[0].scope_logs[0].log_records[0].body
    assert [item.string_value for item in body.array_value.values] == ["the PRIVATE KEY is gone", LINE, "prose"]


def summary(message: Message, mode: str, *, blocked: Sequence[str] = ("password",)) -> dict[str, Any]:
    clean(TRACES, message, FakeCleaner(blocked_keys=blocked), summary=mode)
    pairs = first_span(message).attributes
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in pairs if pair.key.startswith("redaction.")}


def summarised() -> Message:
    attributes = {"password": 1, "of canary": "canary", "list": ["canary", "canary"], "clean": "x", "ignored": "y"}
    return traces({"name": "canary", "attributes": attributes}, {"attributes": {"clean": "x"}}, resource={"k": "canary"})


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("silent", {}),
        ("info", {"redaction.masked.count": 3, "redaction.ignored.count": 1}),
        ("debug", {"redaction.masked.count": 3, "redaction.masked.keys": "list,of <CANARY>,password", "redaction.ignored.count": 1}),
    ],
)
def test_the_summary_tells_of_the_attributes_of_a_record(mode: str, expected: dict[str, Any]) -> None:
    """As contrib's processor does; names, resources and records without findings get none."""
    message = summarised()
    assert summary(message, mode) == expected
    assert len(message.resource_spans[0].scope_spans[0].spans[1].attributes) == 1
    assert len(message.resource_spans[0].resource.attributes) == 1


def test_cleaned_keys_never_take_the_place_of_one_that_was_sent() -> None:
    message = traces({})
    for key in ("canary", "canary", "<CANARY>#2"):
        set_attribute(first_span(message).attributes, key, key)
    clean(TRACES, message, FakeCleaner())
    assert [pair.key for pair in first_span(message).attributes] == ["<CANARY>", "<CANARY>#3", "<CANARY>#2"]
