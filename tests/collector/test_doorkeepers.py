"""Who may send, over real sockets and both protocols: what is refused, when, how that is told, and whose the records are."""

import base64
import gzip
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from structlog.testing import capture_logs

from collector.sealer import seal_pending
from collector.signals import LOGS, METRICS, TRACES, Message, Signal
from storage.catalog import Catalog
from storage.wal import WalWriter
from tests.collector.otlp_samples import NOW_NS, logs, set_attribute, traces
from tests.collector.served import CONFIG, PROTOBUF, Served, a_trace
from tests.collector.test_sealer import rows
from tests.tokens import made_token

ACME, UMBRELLA, FREE, UNKNOWN = map(made_token, ("acme", "umbrella", "free", "unknown"))
PASSWORD = made_token("password", 9)
HASH = hashlib.sha256(FREE.encode()).hexdigest()
SHA1 = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest()).decode()

LARGE = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000000\r\n"

EXTENSIONS = f"""
extensions:
  bearertokenauth:
    tokens:
      - {{name: agent-7, tenant: acme, token: "{ACME}"}}
      - {{name: agent-8, tenant: umbrella, token: "{UMBRELLA}"}}
      - {{name: free, token_hash: "sha256:{HASH}"}}
  basicauth: {{htpasswd: {{inline: "alice:{{SHA}}{SHA1}"}}, tenants: {{alice: acme}}}}
  health_check:"""

GUARDED = (
    CONFIG.replace("max_recv_msg_size_mib: 1", "max_recv_msg_size_mib: 1, auth: {authenticator: bearertokenauth}")
    .replace("max_request_body_size: 1048576", "max_request_body_size: 1048576, auth: {authenticator: bearertokenauth}")
    .replace("\nextensions:\n  health_check:", EXTENSIONS)
    .replace("[health_check]", "[health_check, bearertokenauth, basicauth]")
)
LIMITS = """    limits:
      tenants:
        umbrella: {requests_per_second: 0.1, requests_burst: 2}
        acme: {max_request_bytes: 4096}
processors:"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    running = Served(GUARDED)
    yield running
    running.close()


@pytest.fixture
def limited() -> Iterator[Served]:
    """Receivers with limits of their own, unspent."""
    running = Served(GUARDED.replace("processors:", LIMITS, 1))
    yield running
    running.close()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def post(served: Served, token: str, body: bytes = b"", **headers: str) -> httpx.Response:
    return served.post("/v1/traces", body or a_trace(secrets.token_hex(8)), PROTOBUF | bearer(token) | headers)


def call(served: Served, *metadata: tuple[str, str | bytes], body: bytes = b"") -> tuple[grpc.StatusCode, status_pb2.Status]:
    """What a gRPC sender is answered."""
    try:
        served.call(TRACES, body or a_trace(secrets.token_hex(8)), *metadata)
    except grpc.RpcError as error:
        details = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
        return error.code(), status_pb2.Status.FromString(details[0])
    return grpc.StatusCode.OK, status_pb2.Status()


def retry_seconds(status: status_pb2.Status) -> int | None:
    info = error_details_pb2.RetryInfo()
    return info.retry_delay.seconds if any(detail.Unpack(info) for detail in status.details) else None


def tenants(served: Served) -> list[str | None]:
    return [header.tenant for header, _ in served.batches]


def raw(served: Served, head: bytes, *, until: bytes = b"\r\n\r\n") -> bytes:
    """Send a head and nothing of its body, and read the answer's head."""
    with socket.create_connection(("127.0.0.1", served.listeners.ports.http), timeout=10) as connection:
        connection.sendall(head)
        answer = b""
        while until not in answer and (part := connection.recv(4096)):
            answer += part
        return answer


def test_a_token_is_taken_over_both_protocols_and_says_the_tenant(guarded: Served) -> None:
    before = len(guarded.batches)
    for token in (ACME, UMBRELLA, FREE):
        assert post(guarded, token).status_code == 200
        assert call(guarded, ("authorization", f"Bearer {token}"))[0] is grpc.StatusCode.OK
    assert tenants(guarded)[before:] == ["acme", "acme", "umbrella", "umbrella", None, None]


@pytest.mark.parametrize("sent", [None, "", "Bearer", f"Bearer {UNKNOWN}", f"Basic {ACME}", f"Bearer {ACME}x", ACME])
def test_who_has_no_token_is_told_so_over_both_protocols(guarded: Served, sent: str | None) -> None:
    before = len(guarded.batches)
    headers = {} if sent is None else {"authorization": sent}
    answer = guarded.post("/v1/traces", a_trace(), PROTOBUF | headers)
    status = status_pb2.Status.FromString(answer.content)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="auditlake"')
    assert (answer.headers["content-type"], "retry-after" in answer.headers) == ("application/x-protobuf", False)
    code, told = call(guarded, *headers.items())
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert (told.code, told.message, retry_seconds(told)) == (status.code, status.message, None)
    assert len(guarded.batches) == before


def test_a_refusal_of_json_is_json_and_of_anything_else_too(guarded: Served) -> None:
    for content_type in ("application/json", "text/html", ""):
        answer = guarded.post("/v1/traces", b"{}", {"content-type": content_type})
        assert (answer.status_code, answer.json()["code"]) == (401, 16)


def test_nobody_learns_without_a_token_which_paths_there_are(guarded: Served) -> None:
    assert guarded.post("/v1/nothing", b"", PROTOBUF).status_code == 401
    assert httpx.get(guarded.url + "/v1/traces").status_code == 401


def test_a_token_in_the_url_is_no_credential(guarded: Served) -> None:
    answer = guarded.post(f"/v1/traces?access_token={ACME}", a_trace(), PROTOBUF)
    assert answer.status_code == 401
    assert ACME not in answer.text + str(answer.headers)


def test_two_authorization_headers_are_refused_whichever_is_right(guarded: Served) -> None:
    for first, second in ((ACME, UNKNOWN), (UNKNOWN, ACME), (ACME, ACME)):
        headers = [("authorization", f"Bearer {first}"), ("Authorization", f"Bearer {second}"), *PROTOBUF.items()]
        assert httpx.post(f"{guarded.url}/v1/traces", content=a_trace(), headers=headers).status_code == 401
        pair = (("authorization", f"Bearer {first}"), ("authorization", f"Bearer {second}"))
        assert call(guarded, *pair)[0] is grpc.StatusCode.UNAUTHENTICATED


def test_binary_metadata_is_no_credential(guarded: Served) -> None:
    assert call(guarded, ("authorization-bin", f"Bearer {ACME}".encode()))[0] is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer \xff\xfe",
        b"Authorization: Bearer " + ACME.encode() + b"\xe4",
        b"Authorization:",
        b"X-Authorization: Bearer " + ACME.encode(),
        b"Authorization : Bearer " + ACME.encode(),
        b"Authorization:\r\n Bearer " + ACME.encode(),
    ],
)
def test_odd_header_lines_let_nobody_in(guarded: Served, line: bytes) -> None:
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n"
    assert raw(guarded, head).split()[1] in {b"400", b"401"}


def test_credentials_are_checked_before_any_of_the_body(guarded: Served) -> None:
    """No "100 Continue", no byte of memory, and an answer although the body never comes."""
    for expect in (b"", b"Expect: 100-continue\r\n"):
        assert raw(guarded, LARGE + expect + b"\r\n").startswith(b"HTTP/1.1 401 ")
    assert guarded.listeners._limiter.in_flight_bytes == 0


def test_a_connection_goes_on_after_a_refusal(guarded: Served) -> None:
    with httpx.Client(base_url=guarded.url) as client:
        for token, code in ((UNKNOWN, 401), (ACME, 200), ("x", 401), (ACME, 200)):
            answer = client.post("/v1/traces", content=a_trace(secrets.token_hex(8)), headers=PROTOBUF | bearer(token))
            assert answer.status_code == code
    with grpc.insecure_channel(guarded.target) as channel:
        export = channel.unary_unary(f"/{TRACES.grpc_service}/Export")
        for token, right in ((UNKNOWN, False), (ACME, True)):
            outcome = export.future(a_trace(secrets.token_hex(8)), metadata=(("authorization", f"Bearer {token}"),), timeout=10)
            assert (outcome.exception() is None) is right


def test_no_token_and_no_header_is_logged_or_counted(guarded: Served) -> None:
    with capture_logs() as logged:
        for token in (ACME, UNKNOWN, f"{ACME}\xe4"):
            ascii_only = token.encode("ascii", "ignore").decode()
            headers = {b"authorization": f"Bearer {token}".encode("latin-1"), b"content-type": b"application/x-protobuf"}
            httpx.post(f"{guarded.url}/v1/{ascii_only}", content=a_trace(), headers=headers)
            post(guarded, ascii_only, b"\xff")
    told = repr(logged) + repr(guarded.telemetry.snapshot())
    assert ACME not in told
    assert UNKNOWN not in told
    assert "unauthenticated" in told


def test_each_protocol_asks_its_own_authenticator() -> None:
    text = GUARDED.replace("max_request_body_size: 1048576, auth: {authenticator: bearertokenauth}", "auth: {authenticator: basicauth}")
    served = Served(text)
    try:
        right = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
        for authorization, code in ((f"Basic {right}", 200), (f"Bearer {ACME}", 401)):
            answer = served.post("/v1/traces", a_trace(authorization), PROTOBUF | {"authorization": authorization})
            assert answer.status_code == code
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert call(served, ("authorization", f"Basic {right}"))[0] is grpc.StatusCode.UNAUTHENTICATED
        assert call(served, ("authorization", f"Bearer {ACME}"))[0] is grpc.StatusCode.OK
        assert tenants(served) == ["acme", "acme"]
    finally:
        served.close()


@pytest.mark.parametrize("header", [f"Authorization=Bearer%20{FREE}", f"authorization=Bearer {FREE}", f"x=1,authorization=bearer%20{FREE}"])
def test_the_official_exporters_send_the_token_of_the_environment(guarded: Served, monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    """OTEL_EXPORTER_OTLP_HEADERS is percent-encoded (OpenTelemetry, "Specifying headers via environment variables")."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", header)
    before = len(guarded.batches)
    for exporter in (HttpSpanExporter(endpoint=f"{guarded.url}/v1/traces"), GrpcSpanExporter(endpoint=guarded.target, insecure=True)):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        provider.get_tracer("test").start_span("authenticated").end()
        provider.shutdown()
    assert len(guarded.batches) == before + 2


def test_the_limit_of_one_tenant_holds_over_both_protocols_and_for_nobody_else(limited: Served) -> None:
    umbrella = ("authorization", f"Bearer {UMBRELLA}")
    assert post(limited, UMBRELLA).status_code == 200
    assert call(limited, umbrella)[0] is grpc.StatusCode.OK
    answer = post(limited, UMBRELLA)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    code, status = call(limited, umbrella)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 1 <= (retry_seconds(status) or 0) <= 10
    for token in (ACME, FREE):
        assert post(limited, token).status_code == 200
        assert call(limited, ("authorization", f"Bearer {token}"))[0] is grpc.StatusCode.OK


def test_a_limit_is_checked_before_any_of_the_body(limited: Served) -> None:
    for _ in range(2):
        post(limited, UMBRELLA)
    head = LARGE + b"Expect: 100-continue\r\n"
    assert raw(limited, head + f"Authorization: Bearer {UMBRELLA}\r\n\r\n".encode()).startswith(b"HTTP/1.1 429 ")
    assert limited.listeners._limiter.in_flight_bytes == 0


@pytest.mark.parametrize("compressed", [False, True])
def test_a_tenant_may_have_smaller_requests_than_others(limited: Served, compressed: bool) -> None:
    body = a_trace("x" * 5000)
    sent, headers = (gzip.compress(body), {"content-encoding": "gzip"}) if compressed else (body, {})
    assert post(limited, FREE, sent, **headers).status_code == 200
    answer = post(limited, ACME, sent, **headers)
    assert (answer.status_code, "retry-after" in answer.headers) == (413, False)
    code, status = call(limited, ("authorization", f"Bearer {ACME}"), body=body)
    assert (code, retry_seconds(status)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, None)


def claiming(signal: Signal) -> Message:
    """A request whose resource and record say that they are of another tenant."""
    claims = {"auditlake.tenant": "umbrella", "tenant.id": "umbrella", "tenant": "umbrella"}
    if signal is TRACES:
        return traces({"attributes": claims}, resource=claims)
    if signal is LOGS:
        return logs({"attributes": claims, "body": "x"}, resource=claims)
    message = METRICS.request()
    group = message.resource_metrics.add()
    point = group.scope_metrics.add().metrics.add(name="m").gauge.data_points.add(time_unix_nano=NOW_NS, as_int=1)
    for key, value in claims.items():
        set_attribute(group.resource.attributes, key, value)
        set_attribute(point.attributes, key, value)
    return message


def test_the_tenant_of_a_token_overrules_what_records_claim_in_every_table(guarded: Served, tmp_path: Path) -> None:
    before = len(guarded.writer.records)
    for signal in (TRACES, LOGS, METRICS):
        body = claiming(signal).SerializeToString()
        for token in (ACME, FREE):
            assert guarded.post(f"/v1/{signal.name}", body, PROTOBUF | bearer(token)).status_code == 200
    with closing(WalWriter(tmp_path, "node/collector")) as writer:
        writer.append(guarded.writer.records[before:])
    with closing(Catalog.open(tmp_path)) as catalog:
        seal_pending(tmp_path, catalog)
    for table in ("spans", "events", "metrics"):
        assert {row["tenant"] for row in rows(tmp_path, table)} == {"acme", "umbrella"}, table
        assert [row["tenant"] for row in rows(tmp_path, table)].count("acme") == len(rows(tmp_path, table)) / 2


def test_a_request_that_another_tenant_sent_before_is_stored(guarded: Served) -> None:
    """Otherwise whoever knows what will be sent could have it dropped."""
    before, body = len(guarded.batches), a_trace(os.urandom(8).hex())
    for token in (ACME, UMBRELLA, ACME):
        assert post(guarded, token, body).status_code == 200
    assert tenants(guarded)[before:] == ["acme", "umbrella"]
