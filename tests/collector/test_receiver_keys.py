"""Every key of the receiver that people know works, or is accepted with a warning that says why it does not; others are errors by name."""

import contextlib
import gzip
import socket
import struct
import zlib
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from collector.config import DEFAULT, ConfigError, parse
from collector.config_receivers import GrpcConfig, HttpConfig
from collector.connection import MOST_PIPELINED
from tests.collector.served import CONFIG, PROTOBUF, Served, a_trace, exchange
from tests.polling import wait_until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ENHANCE_YOUR_CALM = 11


def configured(protocol: str, keys: str) -> str:
    """The configuration of the tests with more keys for one protocol."""
    return CONFIG.replace(f'{protocol}: {{endpoint: "127.0.0.1:0", ', f'{protocol}: {{endpoint: "127.0.0.1:0", {keys}, ')


@contextlib.contextmanager
def serving(protocol: str, keys: str) -> Iterator[Served]:
    served = Served(configured(protocol, keys))
    try:
        yield served
    finally:
        served.close()


def a_post(body: bytes) -> bytes:
    return b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_response_headers_are_in_every_answer_and_connections_end_without_keep_alives() -> None:
    with serving(
        "http", "keep_alives_enabled: false, response_headers: {X-Served-By: lake, Strict-Transport-Security: max-age=1}"
    ) as served:
        for body, status in ((a_trace(), 200), (b"\x0a\x05", 400)):
            answer = served.post("/v1/traces", body, PROTOBUF)
            assert (answer.status_code, answer.headers["x-served-by"], answer.headers["connection"]) == (status, "lake", "close")
            assert answer.headers["strict-transport-security"] == "max-age=1"
        assert exchange(served, a_post(a_trace("once"))).count(b"HTTP/1.1 200") == 1, "and the connection ends"


def test_idle_connections_end_after_the_idle_timeout() -> None:
    with serving("http", "idle_timeout: 1s") as served:
        assert exchange(served, a_post(a_trace()), b"\r\n").startswith(b"HTTP/1.1 200"), "blank lines are no request"


def test_answers_that_nobody_reads_cost_the_connection() -> None:
    """Its buffers are full, and the sender takes nothing out of them."""
    padding = ", ".join(f"X-{number}: {'x' * 8000}" for number in range(8))
    with serving("http", f"write_timeout: 300ms, response_headers: {{{padding}}}") as served:
        with deaf_connection(served) as connection:
            connection.sendall(b"GET /v1/traces HTTP/1.1\r\nHost: a\r\n\r\n" * MOST_PIPELINED)
            wait_until(lambda: connections(served) == 1)
            wait_until(lambda: connections(served) == 0)
        assert served.post("/v1/traces", a_trace(), PROTOBUF).status_code == 200


def test_requests_are_not_taken_far_ahead_of_their_answers() -> None:
    """Each costs memory, however short it is."""
    with serving("http", "write_timeout: 30s") as served, deaf_connection(served) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /v1/traces HTTP/1.1\r\nHost: a\r\n\r\n" * 10 * MOST_PIPELINED)
        wait_until(lambda: connections(served) == 0)


def deaf_connection(served: Served) -> socket.socket:
    """Return a connection whose own buffer for answers is as small as can be."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", served.listeners.ports.http or 0))
    return connection


def connections(served: Served) -> int:
    """Return how many connections the HTTP server has."""
    return len(served.listeners._servers[0]._server.server_state.connections)


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
}


@pytest.mark.parametrize("only", ["gzip", "zstd", '""'])
def test_compression_algorithms_are_those_that_are_named(only: str) -> None:
    with serving("http", f"compression_algorithms: [{only}]") as served:
        for coding, compress in COMPRESSED.items():
            answer = served.post("/v1/traces", compress(a_trace()), {**PROTOBUF, "content-encoding": coding})
            assert answer.status_code == (200 if coding == only.strip('"') else 415), coding


def test_paths_of_the_signals() -> None:
    with serving("http", "traces_url_path: /otlp/spans, logs_url_path: /v1/traces") as served:
        assert served.post("/otlp/spans", a_trace(), PROTOBUF).status_code == 200
        assert served.post("/v1/logs", b"", PROTOBUF).status_code == 404
        assert served.post("/v1/traces", b"", PROTOBUF).status_code == 200


def frames(connection: socket.socket) -> list[tuple[int, bytes]]:
    """Return type and payload of every HTTP/2 frame until the connection ends."""
    data, found = b"", []
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            data += chunk
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        found.append((data[3], data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def http2(served: Served, sent: bytes = b"") -> list[tuple[int, bytes]]:
    """Open an HTTP/2 connection to the gRPC port, send frames and return what is answered until it ends."""
    with socket.create_connection(("127.0.0.1", served.listeners.ports.grpc or 0), timeout=10) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, b"") + sent)
        return frames(connection)


def frame(kind: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + payload


def goodbyes(found: list[tuple[int, bytes]]) -> list[int]:
    """Return the error codes of the GOAWAY frames."""
    return [struct.unpack(">I", payload[4:8])[0] for kind, payload in found if kind == GOAWAY]


def test_senders_that_ping_too_often_are_cut_off() -> None:
    pings = frame(PING, bytes(8)) * 10
    with serving("grpc", "keepalive: {enforcement_policy: {min_time: 1h}}") as served:
        assert goodbyes(http2(served, pings)) == [ENHANCE_YOUR_CALM]
    lenient = "{enforcement_policy: {min_time: 0, permit_without_stream: true}, server_parameters: {max_connection_idle: 1s}}"
    with serving("grpc", f"keepalive: {lenient}") as served:
        found = http2(served, pings)
        assert ENHANCE_YOUR_CALM not in goodbyes(found)
        assert sum(1 for kind, _ in found if kind == PING) >= 10


@pytest.mark.parametrize("key", ["max_connection_idle: 200ms", "max_connection_age: 200ms, max_connection_age_grace: 100ms"])
def test_idle_and_old_connections_over_grpc_end(key: str) -> None:
    with serving("grpc", f"keepalive: {{server_parameters: {{{key}}}}}") as served:
        assert goodbyes(http2(served)), "senders connect anew"


def test_silent_senders_over_grpc_are_pinged_and_let_go() -> None:
    with serving("grpc", "keepalive: {server_parameters: {time: 1s, timeout: 500ms}}") as served:
        kinds = [kind for kind, _ in http2(served)]
        assert kinds.index(PING) < kinds.index(GOAWAY)


def test_streams_on_a_connection_are_limited() -> None:
    with serving("grpc", "max_concurrent_streams: 7, keepalive: {server_parameters: {max_connection_idle: 200ms}}") as served:
        settings = next(payload for kind, payload in http2(served) if kind == SETTINGS)
        pairs = dict(struct.unpack(">HI", settings[at : at + 6]) for at in range(0, len(settings), 6))
        assert pairs[3] == 7


@pytest.mark.parametrize(
    ("protocol", "keys", "says"),
    [
        ("grpc", "read_buffer_size: 524288", "grpc: read_buffer_size has no effect: gRPC sizes its buffers by itself"),
        ("grpc", "write_buffer_size: 32768", "grpc: write_buffer_size has no effect"),
        ("grpc", "include_metadata: true", "grpc: include_metadata has no effect: headers of requests are never stored"),
        ("grpc", "transport: tcp4", "grpc: transport tcp4 is tcp"),
        ("http", "include_metadata: true", "http: include_metadata has no effect"),
        ("http", 'compression_algorithms: ["", snappy, x-snappy-framed]', "snappy is not supported: such requests are answered with 415"),
        ("http", 'compression_algorithms: ["", lz4]', "lz4 is not supported"),
    ],
)
def test_keys_without_effect_are_accepted_and_explained(protocol: str, keys: str, says: str) -> None:
    warnings = parse(configured(protocol, keys), "test.yaml", {}).warnings
    assert any(f"receivers.otlp.protocols.{says}" in warning or says in warning for warning in warnings), warnings
    assert parse(CONFIG, "test.yaml", {}).warnings == ()


@pytest.mark.parametrize(
    ("protocol", "keys", "says"),
    [
        ("grpc", "max_recv_msg_size: 1", "did you mean 'max_recv_msg_size_mib'"),
        ("grpc", "transport: unix", "transport"),
        ("grpc", "keepalive: {server_parameters: {max_connection_idl: 1s}}", "did you mean 'max_connection_idle'"),
        ("grpc", "keepalive: {enforcement_policy: {min_time: soon}}", "must be a duration"),
        ("http", "idle_time: 1s", "did you mean 'idle_timeout'"),
        ("http", "compression_algorithms: [brotli]", "compression_algorithms"),
        ("http", "compression_algorithms: []", "compression_algorithms"),
        ("http", "response_headers: {'a b': c}", "'a b' is not a header that can be added"),
        ("http", "response_headers: {Content-Length: '1'}", "'Content-Length' is not a header that can be added"),
        ("http", 'response_headers: {X: "a\\r\\nb: c"}', "the value of X must be printable ASCII"),
        ("http", "logs_url_path: /v1/traces", "must differ"),
        ("http", "traces_url_path: v1/traces", "traces_url_path"),
    ],
)
def test_what_is_not_known_or_cannot_be_is_an_error_by_name(protocol: str, keys: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(configured(protocol, keys), "test.yaml", {})
    assert says in str(refused.value)


def test_zero_timeouts_are_the_defaults() -> None:
    """There is always a limit."""
    text = configured("http", "read_timeout: 0, read_header_timeout: 0s, write_timeout: 0, idle_timeout: 0s")
    http = parse(text, "test.yaml", {}).otlp.http
    assert http is not None
    assert (http.read_timeout, http.read_header_timeout, http.write_timeout, http.idle_timeout) == (60.0, 20.0, 30.0, 75.0)


def test_requests_have_64_mib_over_both_protocols_unless_it_is_set_otherwise() -> None:
    """What OTLP recommends; that the limit holds after decompression is shown with smaller ones."""
    otlp = parse(DEFAULT, "default", {}).otlp
    assert otlp.grpc is not None
    assert otlp.http is not None
    assert (otlp.grpc.max_recv_msg_size_mib << 20, otlp.http.max_request_body_size) == (64 << 20, 64 << 20)


def test_every_key_that_people_know_is_there() -> None:
    """Those of the OpenTelemetry Collector's receiver."""
    grpc = """endpoint transport tls max_recv_msg_size_mib max_concurrent_streams read_buffer_size write_buffer_size keepalive auth
        include_metadata"""
    http = """endpoint tls cors auth max_request_body_size compression_algorithms response_headers include_metadata keep_alives_enabled
        read_timeout read_header_timeout write_timeout idle_timeout traces_url_path metrics_url_path logs_url_path"""
    assert set(grpc.split()) <= set(GrpcConfig.model_fields)
    assert set(http.split()) <= set(HttpConfig.model_fields)
    assert parse(DEFAULT, "default", {}).warnings == ()
