"""Plain JSON events: what each field means, what is wrong with a bad one, and that it costs itself alone."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.admission import MemoryLimiter
from collector.committer import Committer
from collector.errors import Malformed, TooLarge
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.receivers.events import MAX_EVENTS, SCOPE, TOLD_PROBLEMS, EventsEncoding, read_events
from collector.receivers.http import HttpLimits, HttpReceiver
from collector.receivers.plain_values import MAX_DEPTH
from collector.resends import Resends
from collector.signals import LOGS, Message
from collector.telemetry import Telemetry
from storage.wal import BatchHeader, Counters, RecordType
from tests.collector.policies_in_force import fake_policy
from tests.fakes import FakeCleaner, FakeWriter

NOW_NS = 1_800_000_000_000_000_000
JSON, NDJSON = "application/json", "application/x-ndjson"


def one(body: dict[str, Any] | bytes) -> Message:
    """The record of one event."""
    events = read_events(body if isinstance(body, bytes) else json.dumps(body).encode(), EventsEncoding.JSON)
    ((record,),) = [scope.log_records for group in events.message.resource_logs for scope in group.scope_logs]
    return record


def problem(body: dict[str, Any] | bytes) -> str:
    """Why an event is refused."""
    with pytest.raises(Malformed) as refused:
        one(body)
    return str(refused.value)


def attributes(record: Message) -> dict[str, Any]:
    return {pair.key: pair.value for pair in record.attributes}


def test_an_event_is_a_log_record_of_our_scope() -> None:
    """Short names become the keys of the vocabulary, tenant and environment stand on the resource, everything else is an attribute."""
    body = {
        "event": "heartbeat", "time": "2026-11-21T12:00:00.25+01:00", "severity": "warn", "body": "all well", "agent": "support",
        "tenant": "acme", "environment": "prod", "run_id": "r-1", "status": "idle", "interval_seconds": 60, "id": "hb-7",
        "trace_id": "0AF7651916CD43DD8448EB211C80319C", "span_id": "b7ad6b7169203331", "queue": {"depth": 3, "names": ["a", None]},
        "none": None,
    }  # fmt: skip
    (group,) = read_events(json.dumps(body).encode(), EventsEncoding.JSON).message.resource_logs
    assert {pair.key: pair.value.string_value for pair in group.resource.attributes} == {
        "auditlake.tenant": "acme",
        "deployment.environment.name": "prod",
    }
    (scope,) = group.scope_logs
    assert scope.scope.name == SCOPE
    (record,) = scope.log_records
    assert (record.event_name, record.severity_number, record.severity_text) == ("heartbeat", 13, "warn")
    assert record.time_unix_nano == 1_795_258_800_250_000_000
    assert (record.trace_id.hex(), record.span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert record.body.string_value == "all well"
    found = attributes(record)
    assert set(found) == {
        "gen_ai.agent.name", "auditlake.run.id", "auditlake.heartbeat.status", "auditlake.heartbeat.interval_seconds", "log.record.uid",
        "queue",
    }  # fmt: skip
    assert found["auditlake.heartbeat.interval_seconds"].double_value == 60.0
    assert found["log.record.uid"].string_value == "hb-7"
    depth, names = found["queue"].kvlist_value.values
    assert (depth.key, depth.value.int_value, names.key) == ("depth", 3, "names")
    assert [value.WhichOneof("value") for value in names.value.array_value.values] == ["string_value", None]


@pytest.mark.parametrize(
    ("said", "nanoseconds"),
    [
        ("2026-11-21T12:00:00Z", 1_795_262_400_000_000_000),
        ("2026-11-21t12:00:00.123456789123z", 1_795_262_400_123_456_789),
        ("2026-11-21 07:00:00-05:00", 1_795_262_400_000_000_000),
        ("2026-12-31T23:59:60Z", 1_798_761_600_000_000_000),
        (1_795_262_400, 1_795_262_400_000_000_000),
        (1_795_262_400.25, 1_795_262_400_250_000_000),
        (1_795_262_400_250, 1_795_262_400_250_000_000),
        (1_795_262_400_250_000, 1_795_262_400_250_000_000),
        (1_795_262_400_250_000_001, 1_795_262_400_250_000_001),
    ],
)
def test_time_is_rfc_3339_or_a_unix_time_whose_size_tells_its_unit(said: str | float, nanoseconds: int) -> None:
    assert one({"event": "e", "time": said}).time_unix_nano == nanoseconds


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("time", "2026-11-21T12:00:00", "time must be RFC 3339"),
        ("time", "2026-02-30T12:00:00Z", "time is no date"),
        ("time", "2026-11-21T12:00:00+24:00", "time is no date"),
        ("time", True, "time must be RFC 3339"),
        ("time", -1, "time must be RFC 3339"),
        ("time", 0, "time must be after 1970"),
        ("time", 10**19, "time must be after 1970"),
        ("severity", "loud", "severity must be"),
        ("severity", 25, "severity must be"),
        ("severity", True, "severity must be"),
        ("trace_id", "00" * 16, "trace_id must be 32"),
        ("span_id", "xyz", "span_id must be 16"),
        ("span_id", "é" * 16, "span_id must be 16"),
        ("id", 1.5, "id must be text"),
        ("attributes", [1], "attributes must be a JSON object"),
        ("status", 1, "status must be text"),
        ("interval_seconds", "60", "interval_seconds must be a number"),
        ("interval_seconds", True, "interval_seconds must be a number"),
        ("auditlake.heartbeat.memory_bytes", 1.5, "auditlake.heartbeat.memory_bytes must be a whole number"),
        ("tool_requires_approval", "yes", "tool_requires_approval must be true or false"),
        ("retrieval_source_ids", ["a", 1], "retrieval_source_ids must be an array of texts"),
        ("tenant", 7, "tenant must be text"),
        ("heartbeat_status", "idle", "heartbeat_status is given twice"),
        ("auditlake.heartbeat.status", "idle", "auditlake.heartbeat.status is given twice"),
        ("", 1, "an attribute has no name"),
        ("x", 1 << 63, "an attribute holds a number that is no 64-bit integer"),
        ("\ud800", 1, "an attribute holds half of a surrogate pair"),
        ("body", ["\udfff"], "body holds half of a surrogate pair"),
    ],
)
def test_what_is_wrong_with_a_field_is_said_by_its_name(field: str, value: object, message: str) -> None:
    assert message in problem({"event": "heartbeat", "status": "busy"} | {field: value})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no event in the body"),
        (b" \r\n", "no event in the body"),
        (b"[]", "no event in the body"),
        (b"null", "an event must be a JSON object"),
        (b'{"event": "e",}', "no valid JSON at column 15"),
        (b'{"event": "e"}{"event": "e"}', "application/x-ndjson"),
        (b'{"status": "idle"}', "event is missing"),
        (b'{"event": " "}', "event must be the name"),
        (b'{"event": 7}', "event must be the name"),
        (b'{"event": "e", "x": 1, "x": 2}', "a name comes twice"),
        (b'{"event": "e", "y": {"x": 1, "x": 2}}', "an object in which a name comes twice"),
        (b'{"event": "e", "attributes": {"x": 1, "x": 2}}', "no name comes twice"),
        (b'{"event": "e", "x": NaN}', "not finite"),
        (b'{"event": "e", "x": [-Infinity]}', "not finite"),
        (b'{"event": "e", "x": 1e999}', "not finite"),
        (b'{"event": "e", "x": ' + b"9" * 5000 + b"}", "more than 20 digits"),
        (b'{"event": "\xff"}', "no valid UTF-8"),
        (b'{"event": "e", "x": ' + b"[" * 40 + b"]" * 40 + b"}", f"nested deeper than {MAX_DEPTH} levels"),
        (b"[" * 100_000, f"nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_every_sort_of_bad_body_has_its_answer(body: bytes, message: str) -> None:
    assert message in problem(body)


def test_what_a_sender_wrote_is_never_repeated() -> None:
    """Neither values nor names of attributes that are not ours."""
    for body in ({"event": "e", "canary": float("nan")}, {"event": "e", "x": {"canary": 1 << 70}}, {"event": "e", "severity": "canary"}):
        assert "canary" not in problem(body)
    assert "canary" not in problem(b'{"event": "e", "canary"}')


def test_a_byte_order_mark_crlf_and_blank_lines_are_no_mistakes() -> None:
    body = b'\xef\xbb\xbf{"event": "a"}\r\n\r\n  {"event": "b"}\n'
    events = read_events(body, EventsEncoding.LINES)
    (group,) = events.message.resource_logs
    assert [record.event_name for record in group.scope_logs[0].log_records] == ["a", "b"]
    assert events.rejected == 0


def test_bad_lines_are_named_by_their_number_and_the_others_are_kept() -> None:
    body = b'{"event": "a"}\n{"event":\n\xff\n{"event": "b", "time": "now"}\n{"event": "c"}'
    events = read_events(body, EventsEncoding.LINES)
    assert events.rejected == 3
    assert [text.split(":")[0] for text in events.problems.split("; ")] == ["line 2", "line 3", "line 4"]
    array = read_events(b'[{"event": "a"}, {"event": "b", "time": "now"}, 7]', EventsEncoding.JSON)
    assert [text.split(":")[0] for text in array.problems.split("; ")] == ["event 2", "event 3"]


def test_an_answer_explains_some_problems_and_counts_the_others() -> None:
    body = b'{"event": "a"}\n' + b"7\n" * (TOLD_PROBLEMS + 5)
    assert read_events(body, EventsEncoding.LINES).problems.endswith("; and 5 more")


def test_events_of_several_tenants_do_not_mix() -> None:
    """Content rules and whose data it is go by the resource."""
    body = [{"event": "a", "tenant": "x"}, {"event": "b", "tenant": "y"}, {"event": "c", "tenant": "x"}]
    groups = read_events(json.dumps(body).encode(), EventsEncoding.JSON).message.resource_logs
    assert [[record.event_name for record in group.scope_logs[0].log_records] for group in groups] == [["a", "c"], ["b"]]


def test_there_is_a_limit_to_the_events_of_a_request() -> None:
    with pytest.raises(TooLarge, match=str(MAX_EVENTS)):
        read_events(b'{"event":"a"}\n' * (MAX_EVENTS + 1), EventsEncoding.LINES)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_taken_or_refused(value: Any) -> None:
    """Nothing but Malformed is ever raised, and what is taken can be written down."""
    for event in (value, {"event": "e", "x": value}, {"event": "task", "state": value}, {"event": "e", "time": value}):
        try:
            record = one(json.dumps(event).encode())
        except Malformed:
            continue
        assert record.SerializeToString()


@given(st.binary())
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    for encoding in EventsEncoding:
        try:
            read_events(body, encoding)
        except Malformed:
            continue


class Endpoint:
    """The HTTP receiver over a pipeline whose WAL is in memory."""

    def __init__(self) -> None:
        self.writer = FakeWriter()
        self.telemetry = Telemetry("node", NOW_NS)
        self.answers: list[tuple[int, dict[str, Any]]] = []

    def post(self, *requests: tuple[str, bytes]) -> list[tuple[int, dict[str, Any]]]:
        """Post bodies of some Content-Type; returns status and JSON of each answer."""

        async def main() -> None:
            committer = Committer(self.writer)
            policies = Policies(fake_policy(FakeCleaner()))
            pipeline = Pipeline(
                policies=policies, committer=committer, resends=Resends(b"k" * 32), telemetry=self.telemetry, time_ns=lambda: NOW_NS
            )
            receiver = HttpReceiver(
                pipeline,
                MemoryLimiter(None),
                paths={"/v1/logs": LOGS, "/v1/events": LOGS},
                events_path="/v1/events",
                limits=HttpLimits(body_bytes=1 << 24, body_seconds=5.0),
            )
            running = asyncio.create_task(committer.run())
            for content_type, body in requests:
                await self._call(receiver, content_type, body)
            await committer.close()
            await running

        asyncio.run(main())
        return self.answers

    async def _call(self, receiver: HttpReceiver, content_type: str, body: bytes) -> None:
        said: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            said.append(message)

        headers = [(b"content-type", content_type.encode())] if content_type else []
        scope = {
            "type": "http", "method": "POST", "path": "/v1/events", "headers": headers, "http_version": "1.1", "client": ("192.0.2.7", 9),
        }  # fmt: skip
        await receiver(scope, receive, send)
        assert dict(said[0]["headers"])[b"content-type"] == b"application/json"
        self.answers.append((said[0]["status"], json.loads(said[1]["body"])))

    @property
    def stored(self) -> list[tuple[BatchHeader, Message]]:
        """What is in the WAL."""
        return [
            (BatchHeader.from_bytes(header), LOGS.request.FromString(payload))
            for kind, header, payload in self.writer.records
            if kind == RecordType.BATCH
        ]


def test_an_event_is_redacted_durable_and_acknowledged_like_any_record() -> None:
    """And observed when it came in, if it does not say when it happened."""
    endpoint = Endpoint()
    assert endpoint.post((JSON, b'{"event": "agent_action", "resource": "my canary"}')) == [(200, {})]
    ((header, message),) = endpoint.stored
    assert (header.signal, header.records) == ("logs", 1)
    assert b"canary" not in message.SerializeToString()
    record = message.resource_logs[0].scope_logs[0].log_records[0]
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (0, NOW_NS)
    shown = {metric["name"]: metric["points"] for metric in endpoint.telemetry.snapshot()["metrics"]}
    taken = {labels: sum(value["counts"]) for labels, value in shown["auditlake.ack.duration"]}
    assert taken == {(("class", "audit"),): 1, (("class", "bulk"),): 0}, "a sender waits for an audit action: it takes the audit lane"


def test_bad_lines_are_a_partial_success_and_counted_as_received_and_rejected() -> None:
    endpoint = Endpoint()
    ((status, answer),) = endpoint.post((NDJSON, b'{"event": "a"}\n{"event": "b", "time": "x"}\n7'))
    assert status == 200
    assert answer["partialSuccess"]["rejectedLogRecords"] == "2"
    assert "line 2: time must be" in answer["partialSuccess"]["errorMessage"]
    (counters,) = [Counters.from_bytes(header) for kind, header, _ in endpoint.writer.records if kind == RecordType.COUNTERS]
    assert (counters.received, counters.rejected) == (3, 2)
    assert len(endpoint.stored) == 1


def test_when_all_are_bad_the_request_is_refused() -> None:
    ((status, answer),) = Endpoint().post((NDJSON, b"7\n8"))
    assert (status, answer["code"]) == (400, 3)
    assert "line 1" in answer["message"]
    assert "line 2" in answer["message"]


def test_equal_events_with_a_time_or_an_id_are_resends_and_others_are_not() -> None:
    """Three equal heartbeats without either are three."""
    timed, known, bare = (b'{"event": "e", "time": 1795262400}', b'{"event": "e", "id": "7"}', b'{"event": "e"}')
    endpoint = Endpoint()
    assert {answer for answer, _ in endpoint.post(*[(JSON, body) for body in (timed, known, bare) for _ in range(3)])} == {200}
    assert len(endpoint.stored) == 1 + 1 + 3


def test_many_events_are_read_beside_the_loop_and_all_of_them_stored() -> None:
    endpoint = Endpoint()
    assert endpoint.post((NDJSON, b'{"event": "e", "time": 1795262400}\n' * 2000)) == [(200, {})]
    ((header, _),) = endpoint.stored
    assert header.records == 2000


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded", "application/x-protobuf", "text/plain"])
def test_another_content_type_is_answered_with_the_remedy(content_type: str) -> None:
    ((status, answer),) = Endpoint().post((content_type, b'{"event": "e"}'))
    assert status == 415
    assert "curl --json" in answer["message"]
