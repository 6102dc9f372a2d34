"""Requests full of canaries: every field of every signal, and everything that a sender can get wrong."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
from google.protobuf.json_format import MessageToDict

from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Message, Signal
from tests.canaries import Canaries, control
from tests.canary_collector import STAGES
from tests.collector.otlp_fields import ALL_PATHS, IDS, plant, with_record
from tests.collector.otlp_samples import set_attribute

PROTOBUF = "application/x-protobuf"


@dataclass
class Planted:
    """The requests by signal, and which control words must be found in the table of each."""

    requests: dict[str, Message] = field(default_factory=dict)
    controls: dict[str, dict[int, str]] = field(default_factory=dict)  # signal → number → the field that it stands in


def every_field(canaries: Canaries) -> Planted:
    """One group of each request for each string and bytes field, with canaries and a control word of its own in it."""
    planted = Planted({name: signal.request() for name, signal in SIGNALS.items()}, {name: {} for name in SIGNALS})
    number = 0
    for signal, path in ALL_PATHS:
        for value, found in _values(canaries, number, path):
            message = with_record(signal)
            plant(message, path, value)
            planted.requests[signal.name].MergeFrom(message)
            if found:
                planted.controls[signal.name][number] = ".".join(path)
            number += 1
    for shape in _shapes(canaries, number):
        for name in SIGNALS:
            planted.requests[name].MergeFrom(_with_attribute(SIGNALS[name], shape))
            planted.controls[name][number] = "value"
        number += 1
    return planted


def _values(canaries: Canaries, number: int, path: tuple[str, ...]) -> Iterator[tuple[str | bytes, bool]]:
    """Yield what a field is set to, and whether its control word must be found."""
    text = canaries.text(number)
    if path[-1] in IDS:
        yield (canaries.card(number).encode() if path[-1] == "trace_id" else canaries.short_mail.encode()), False
    elif path[-1] == "bytes_value":
        yield text.encode(), True
        yield text.encode() + b"\xff", False
        yield text.encode("utf-16"), False
    else:
        yield text, True


def _shapes(canaries: Canaries, number: int) -> Iterator[Any]:
    """Yield values of several shapes, each with the control word of its number (they are numbered by who asks)."""
    yield json.dumps({control(number): {canaries.mail(number): [canaries.card(number), {"token": canaries.token(number)}]}})
    number += 1
    escaped = canaries.text(number).replace("@", "\\u0040")
    yield json.dumps({"outer": json.dumps({"inner": "%s"})}).replace("%s", escaped.replace("\\", "\\\\\\\\"))
    number += 1
    yield [control(number), [canaries.pem()[0], canaries.pem_lines[0]], *canaries.pem()[2:]]
    number += 1
    yield {control(number): {"lines": dict(enumerate_texts(canaries.pem()))}, "and": [canaries.text(number)]}
    number += 1
    yield control(number) + "\n" + "\n".join(canaries.pem())
    number += 1
    yield [control(number), int(canaries.card(number)), -int(canaries.card(number)), float(canaries.card(number))]


def enumerate_texts(texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield texts with keys line0, line1 …"""
    for number, text in enumerate(texts):
        yield f"line{number}", text


def _with_attribute(signal: Signal, value: Any) -> Message:
    message = with_record(signal)
    if signal is TRACES:
        attributes = message.resource_spans[0].scope_spans[0].spans[0].attributes
    elif signal is LOGS:
        attributes = message.resource_logs[0].scope_logs[0].log_records[0].attributes
    else:
        attributes = message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].attributes
    set_attribute(attributes, "shape", value)
    return message


def with_unknown_fields(canaries: Canaries) -> Message:
    """A span with canaries in fields that the protocol does not have, at every level."""
    message = with_record(TRACES)
    group = message.resource_spans[0]
    span = group.scope_spans[0].spans[0]
    span.name = "unknown fields"
    span.attributes.add(key="k").value.string_value = "v"
    text = canaries.text(0).encode()
    unknown = b"\xba\x3e" + bytes([len(text)]) + text  # field 999, length-delimited
    for each in (span, span.attributes[0].value, span.attributes[0], group.scope_spans[0], group.resource, group, message):
        each.MergeFromString(unknown)
    assert message.SerializeToString().count(text) == 7
    return message


def failing(stage: str, canaries: Canaries) -> bytes:
    """A request on which a stage fails."""
    message = with_record(TRACES)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.name = f"fault-{stage}"
    set_attribute(span.attributes, "note", f"fault-{stage} {canaries.text(0)}")
    set_attribute(message.resource_spans[0].resource.attributes, "stage", stage)
    return bytes(message.SerializeToString())


def as_json(message: Message) -> dict[str, Any]:
    """A request in OTLP's JSON, whose ids are hexadecimal."""
    document: dict[str, Any] = _with_hex_ids(MessageToDict(message))
    return document


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in {"traceId", "spanId", "parentSpanId"} else _with_hex_ids(item)
            for key, item in value.items()
        }
    return [_with_hex_ids(item) for item in value] if isinstance(value, list) else value


class HttpSender:
    """Sends over OTLP/HTTP and keeps all that was answered."""

    def __init__(self, port: int, canaries: Canaries) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._canaries = canaries
        self.answers: list[bytes] = []

    def post(self, path: str, body: bytes, **headers: str) -> int:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            answer = httpx.post(f"{self._url}{path}", content=body, headers={"content-type": PROTOBUF} | names, timeout=120, verify=False)
        except httpx.TransportError:
            return 0
        self.answers.append(answer.content + str(answer.headers.multi_items()).encode())
        return answer.status_code

    def send_what_is_wrong(self, max_body_bytes: int) -> None:
        """Everything that a sender can get wrong, each with canaries in it; each answer must be the one for that mistake."""
        text = self._canaries.text(0)
        raw, secret = text.encode(), self._canaries.token(0)
        assert self.post("/v1/traces", b"\x0a\xff" + raw) == 400
        assert self.post("/v1/traces", b'{"resourceSpans": [' + raw, content_type="application/json") == 400
        assert self.post("/v1/logs", json.dumps({"resourceLogs": text}).encode(), content_type="application/json") == 400
        assert (
            self.post("/v1/logs", json.dumps({text: [text], "resourceLogs": [{text: 1}]}).encode(), content_type="application/json") == 200
        )
        assert self.post("/v1/traces", raw, content_type=f"text/{secret}") == 415
        assert self.post("/v1/traces", raw, content_encoding=secret) == 415
        assert self.post("/v1/traces", b"\x1f\x8b" + raw, content_encoding="gzip") == 400
        assert self.post("/v1/traces", gzip.compress(raw)[:-4], content_encoding="gzip") == 400
        assert self.post("/v1/traces", gzip.compress(b"\x0a\xff" + raw), content_encoding="gzip") == 400
        assert self.post("/v1/traces", raw * (max_body_bytes // len(raw) + 1)) in {413, 0}
        assert self.post("/v1/traces", gzip.compress(raw * (max_body_bytes // len(raw) + 1)), content_encoding="gzip") == 413
        assert self.post(f"/v1/{secret}", raw) == 404
        assert self.post(f"/v1/traces?key={secret}", b"", user_agent=secret, authorization=f"Bearer {secret}", x_note=secret) == 200
        assert httpx.get(f"{self._url}/{secret}", verify=False).status_code == 404

    def send_what_fails(self) -> None:
        """A request for each stage of the pipeline that has to fail."""
        for stage in STAGES:
            code = self.post("/v1/traces", failing(stage, self._canaries))
            assert code == (200 if stage in {"answer", "decode"} else 500), stage


def send_over_grpc(port: int, requests: dict[str, Message], canaries: Canaries, max_message_bytes: int) -> list[bytes]:
    """Send good and bad messages over OTLP/gRPC and return all that was answered."""
    text, secret = canaries.text(0), canaries.token(0)
    metadata = (("x-note", secret), ("authorization", f"Bearer {secret}"), ("user-agent", secret))
    answers: list[bytes] = []
    options = [("grpc.primary_user_agent", secret), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:

        def call(method: str, body: bytes) -> grpc.StatusCode:
            try:
                answers.append(channel.unary_unary(method)(body, timeout=120, metadata=metadata))
            except grpc.RpcError as error:
                answers.append(f"{error.details()} {error.trailing_metadata()}".encode())  # type: ignore[attr-defined]
                return error.code()  # type: ignore[attr-defined,no-any-return]
            return grpc.StatusCode.OK

        export = {name: f"/{SIGNALS[name].grpc_service}/Export" for name in SIGNALS}
        for name, message in requests.items():
            assert call(export[name], message.SerializeToString()) is grpc.StatusCode.OK
        assert call(export["traces"], b"\x0a\xff" + text.encode()) is grpc.StatusCode.INVALID_ARGUMENT
        assert call(export["traces"], b"\x1f\x8b\x08" + text.encode()) is grpc.StatusCode.INVALID_ARGUMENT
        assert call(f"/{secret}/Export", text.encode()) is grpc.StatusCode.UNIMPLEMENTED
        assert call(export["logs"], text.encode() * (max_message_bytes // len(text) + 1)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        for stage in STAGES[:2]:
            assert call(export["traces"], failing(stage, canaries)) is grpc.StatusCode.INTERNAL
    return answers


def marked(requests: dict[str, Message], protocol: str) -> dict[str, Message]:
    """Copies that are no resends: each group of records says which protocol it came over."""
    copies: dict[str, Message] = {}
    for name, message in requests.items():
        copy = copies[name] = SIGNALS[name].request()
        copy.CopyFrom(message)
        for group in getattr(copy, {TRACES: "resource_spans", LOGS: "resource_logs", METRICS: "resource_metrics"}[SIGNALS[name]])[:1]:
            set_attribute(group.resource.attributes, "protocol", protocol)
    return copies
