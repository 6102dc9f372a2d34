"""TLS of both protocols: who is let in, what a certificate must be, and new ones while connections go on."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from pydantic import ValidationError
from structlog.testing import capture_logs

from collector import handshakes
from collector.config_admission import GrpcTlsConfig, TlsConfig
from collector.errors import CollectorError
from collector.signals import TRACES
from collector.tls import MOST_PEM_BYTES, Certificates
from tests.collector.certificates import Pair, pair
from tests.collector.served import CONFIG, PROTOBUF, Served, a_trace
from tests.polling import wait_until

WHERE = "receivers.otlp.protocols.http.tls"


@pytest.fixture(scope="module")
def authority() -> Pair:
    return pair("authority")


@pytest.fixture(scope="module")
def server(authority: Pair) -> Pair:
    return pair("server", authority)


@pytest.fixture
def files(tmp_path: Path, authority: Pair, server: Pair) -> Path:
    """A folder with the certificates of a server and its authority."""
    server.write(tmp_path, "server")
    authority.write(tmp_path, "authority")
    return tmp_path


def section(files: Path, **keys: object) -> TlsConfig:
    return TlsConfig(**{"cert_file": files / "server.pem", "key_file": files / "server.key"} | keys)


def served(files: Path, keys: str = "", protocols: str = "grpc http") -> Iterator[Served]:
    tls = f'tls: {{cert_file: "{files}/server.pem", key_file: "{files}/server.key", reload_interval: 1s{keys}}}'
    text = CONFIG
    for protocol in protocols.split():
        text = text.replace(f'{protocol}: {{endpoint: "127.0.0.1:0"', f'{protocol}: {{endpoint: "127.0.0.1:0", {tls}')
    running = Served(text)
    yield running
    running.close()


@pytest.fixture
def secure(files: Path) -> Iterator[Served]:
    yield from served(files)


@pytest.fixture
def mutual(files: Path) -> Iterator[Served]:
    yield from served(files, f', client_ca_file: "{files}/authority.pem"')


def trusting(authority: Pair, sender: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if sender is not None:
        context.load_cert_chain(*sender)
    return context


def post(served: Served, context: ssl.SSLContext, name: str = "span") -> int:
    url = f"https://127.0.0.1:{served.listeners.ports.http}/v1/traces"
    return httpx.post(url, content=a_trace(name), headers=PROTOBUF, verify=context, timeout=10).status_code


def call(served: Served, authority: Pair, sender: Pair | None = None, name: str = "rpc") -> grpc.StatusCode:
    keys = (None, None) if sender is None else (sender.key_pem, sender.pem)
    credentials = grpc.ssl_channel_credentials(authority.pem, *keys)
    with grpc.secure_channel(served.target, credentials) as channel:
        try:
            channel.unary_unary(f"/{TRACES.grpc_service}/Export")(a_trace(name), timeout=10)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def shown(served: Served) -> bytes:
    """The certificate that a new HTTP connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", served.listeners.ports.http or 0), timeout=10).encode()


def test_both_protocols_speak_tls_and_nothing_else(secure: Served, authority: Pair) -> None:
    assert post(secure, trusting(authority)) == 200
    assert call(secure, authority) is grpc.StatusCode.OK
    assert len(secure.batches) == 2
    with pytest.raises(httpx.TransportError):
        secure.post("/v1/traces", a_trace(), PROTOBUF)
    with pytest.raises(grpc.RpcError):
        secure.call(TRACES, a_trace())


def test_exporters_that_are_told_the_authority_by_the_environment_connect(
    secure: Served, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(files / "authority.pem"))
    for preferred in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # by the library of the HTTP exporter
        monkeypatch.delenv(preferred, raising=False)
    http_endpoint = f"https://localhost:{secure.listeners.ports.http}/v1/traces"
    for exporter in (HttpSpanExporter(endpoint=http_endpoint), GrpcSpanExporter(endpoint=f"https://{secure.target}")):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        provider.get_tracer("test").start_span("secure").end()
        provider.shutdown()
    assert len(secure.batches) == 2


def test_who_trusts_another_authority_does_not_connect(secure: Served) -> None:
    stranger = pair("stranger")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        post(secure, trusting(stranger))
    assert call(secure, stranger) is grpc.StatusCode.UNAVAILABLE


def test_mutual_tls_lets_in_who_has_a_certificate_of_the_authority(mutual: Served, authority: Pair, tmp_path: Path) -> None:
    sender, stranger = pair("sender", authority), pair("stranger", pair("another authority"))
    assert post(mutual, trusting(authority, sender.write(tmp_path, "sender"))) == 200
    assert call(mutual, authority, sender) is grpc.StatusCode.OK
    for keys in (None, stranger.write(tmp_path, "stranger")):
        with pytest.raises(httpx.TransportError):
            post(mutual, trusting(authority, keys))
    for pair_of_keys in (None, stranger):
        assert call(mutual, authority, pair_of_keys) is grpc.StatusCode.UNAVAILABLE
    assert len(mutual.batches) == 2


def test_a_new_certificate_is_shown_to_new_connections_while_old_ones_go_on(
    secure: Served, files: Path, authority: Pair, server: Pair
) -> None:
    with httpx.Client(verify=trusting(authority), base_url=f"https://127.0.0.1:{secure.listeners.ports.http}") as client:
        client.post("/v1/traces", content=a_trace("old"), headers=PROTOBUF).raise_for_status()
        fresh_authority = pair("fresh authority")
        fresh = pair("fresh", fresh_authority)
        fresh.write(files, "server")
        wait_until(lambda: shown(secure) == fresh.pem)
        client.post("/v1/traces", content=a_trace("still"), headers=PROTOBUF).raise_for_status()
    assert post(secure, trusting(fresh_authority), "new") == 200
    assert call(secure, fresh_authority) is grpc.StatusCode.OK
    assert call(secure, authority, name="old trust") is grpc.StatusCode.UNAVAILABLE


def test_a_bad_certificate_changes_nothing_is_logged_once_and_told_by_health(secure: Served, files: Path, server: Pair) -> None:
    with capture_logs() as logged:
        (files / "server.key").write_bytes(pair("another").key_pem)
        wait_until(lambda: secure.listeners.doors.state() != "ok")
        assert "the key is not that of the certificate" in secure.listeners.doors.state()
        assert shown(secure) == server.pem
        server.write(files, "server")
        wait_until(lambda: secure.listeners.doors.state() == "ok")
    sections = [line["section"] for line in logged if line["log_level"] == "error"]
    assert sorted(sections) == [WHERE.replace("http", "grpc"), WHERE]


def test_a_silent_handshake_ends_and_does_not_keep_others_out(files: Path, authority: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 0.2)
    for running in served(files, protocols="http"):
        with socket.create_connection(("127.0.0.1", running.listeners.ports.http), timeout=10) as silent:
            assert post(running, trusting(authority)) == 200
            assert silent.recv(1) == b""


def test_half_open_connections_count_against_the_limit(files: Path) -> None:
    """Otherwise senders that begin handshakes and stop could take the file descriptors that the WAL needs."""

    async def main() -> None:
        certificates = Certificates(WHERE, section(files))
        with contextlib.closing(socket.socket()) as bound:
            bound.bind(("127.0.0.1", 0))
            listener = handshakes.TlsListener(
                bound, asyncio.Protocol, context=lambda: certificates.context, has_room=lambda open_now: open_now < 2, backlog=16
            )
            listener.start()
            connections = [await asyncio.open_connection(*bound.getsockname()) for _ in range(3)]
            assert await asyncio.wait_for(connections[2][0].read(), 10) == b""
            assert not connections[0][0].at_eof()
            await listener.stop()
            for _, writer in connections:
                writer.close()

    asyncio.run(main())


def test_the_limits_of_connections_hold_under_tls_too(secure: Served, authority: Pair) -> None:
    """A head that is too long, and one that is no HTTP."""
    for sent in (b"POST / HTTP/1.1\r\nX: " + b"x" * (200 << 10), b"\x16\x03\x01 no HTTP\r\n\r\n"):
        plain = socket.create_connection(("127.0.0.1", secure.listeners.ports.http), timeout=10)
        with trusting(authority).wrap_socket(plain, server_hostname="127.0.0.1") as connection, contextlib.suppress(OSError):
            connection.sendall(sent)
            answer = connection.recv(100)
            assert not answer or answer.split()[1] in {b"400", b"431"}


def test_versions_and_suites_are_those_of_the_configuration(files: Path, authority: Pair) -> None:
    suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    context = Certificates(WHERE, section(files, min_version=1.2, max_version="1.2", cipher_suites=[suite])).context
    assert context.maximum_version is ssl.TLSVersion.TLSv1_2
    assert [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"] == ["ECDHE-ECDSA-AES256-GCM-SHA384"]
    assert Certificates(WHERE, section(files, min_version="1.3")).context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_keys_in_the_configuration_touch_no_file(server: Pair) -> None:
    config = TlsConfig(cert_pem=server.pem.decode(), key_pem=server.key_pem.decode())
    certificates = Certificates(WHERE, config)
    assert certificates.fresh() is None
    assert "PRIVATE" not in repr(config) + repr(vars(certificates))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"key_file": None}, "needs key_file or key_pem"),
        ({"cert_pem": "x"}, "needs cert_file or cert_pem"),
        ({"min_version": "1.1"}, "'1.2' or '1.3'"),
        ({"min_version": "1.3", "max_version": "1.2"}, "must not be older"),
        ({"cipher_suites": ["TLS_RSA_WITH_RC4_128_SHA"]}, "is not offered: known are"),
        ({"cert_flie": "x"}, "Extra inputs"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(files: Path, keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section(files, **keys)


def test_what_grpc_cannot_do_is_refused_instead_of_ignored(files: Path) -> None:
    with pytest.raises(ValidationError, match="leave out min_version"):
        GrpcTlsConfig(cert_file=files / "server.pem", key_file=files / "server.key", min_version="1.3")


def missing(files: Path) -> None:
    (files / "server.pem").unlink()


def a_folder(files: Path) -> None:
    missing(files)
    (files / "server.pem").mkdir()


def no_pem(files: Path) -> None:
    (files / "server.pem").write_bytes(b"\x30\x82")


def no_key(files: Path) -> None:
    (files / "server.key").write_bytes((files / "server.pem").read_bytes())


def of_another(files: Path) -> None:
    (files / "server.key").write_bytes(pair("another").key_pem)


def encrypted(files: Path) -> None:
    (files / "server.key").write_bytes(pair("x").encrypted_key_pem(b"password"))


def far_too_long(files: Path) -> None:
    (files / "server.pem").write_bytes(b"x" * (MOST_PEM_BYTES + 1))


def no_authorities(files: Path) -> None:
    (files / "authority.pem").write_text("nothing")


@pytest.mark.parametrize(
    ("damage", "file", "remedy"),
    [
        (missing, "server.pem", "there is no such file: create it, or correct the path"),
        (a_folder, "server.pem", "name a file in PEM"),
        (no_pem, "server.pem", "it holds none in PEM"),
        (no_key, "server.key", "it holds none in PEM"),
        (of_another, "server.key", "the key is not that of the certificate"),
        (encrypted, "server.key", "it is encrypted: decrypt it"),
        (far_too_long, "server.pem", "it is longer than"),
        (no_authorities, "authority.pem", "it holds none in PEM"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy(files: Path, damage: Callable[[Path], None], file: str, remedy: str) -> None:
    damage(files)
    with pytest.raises(CollectorError) as refused:
        Certificates(WHERE, section(files, client_ca_file=files / "authority.pem"))
    assert str(files / file) in str(refused.value)
    assert remedy in str(refused.value)
    assert WHERE in str(refused.value)


def test_authorities_are_read_again_only_when_asked_for(files: Path) -> None:
    stays = Certificates(WHERE, section(files, client_ca_file=files / "authority.pem"))
    follows = Certificates(WHERE, section(files, client_ca_file=files / "authority.pem", client_ca_file_reload=True))
    pair("another authority").write(files, "authority")
    assert stays.fresh() is None
    assert stays.fresh(authorities=True) is not None
    assert follows.fresh() is not None


def test_an_expired_certificate_is_a_warning_for_the_operator(tmp_path: Path) -> None:
    for days, words in (((-3, -1), "expired at"), ((1, 3), "is not valid before"), ((-1, 1), "")):
        pair("dated", days=days).write(tmp_path, "server")
        told = Certificates(WHERE, section(tmp_path)).warnings()
        assert words in told[0] if words else not told


def test_grpc_holds_no_more_connections_than_it_may_whether_they_say_anything_or_not(
    files: Path, authority: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent ones must not take the file descriptors that the WAL needs, and those within the limit go on."""
    monkeypatch.setattr("collector.listening.max_connections", lambda: 4)
    for running in served(files):
        with grpc.secure_channel(running.target, grpc.ssl_channel_credentials(authority.pem)) as channel:
            export = channel.unary_unary(f"/{TRACES.grpc_service}/Export")
            export(a_trace("first"), timeout=10)
            with contextlib.ExitStack() as silent:
                address = ("127.0.0.1", running.listeners.ports.grpc)
                connections = [silent.enter_context(socket.create_connection(address, timeout=10)) for _ in range(4)]
                assert connections[-1].recv(1) == b""
                export(a_trace("second"), timeout=10)


def test_a_slow_head_and_an_idle_connection_end_under_tls_too(files: Path, authority: Pair) -> None:
    tls = f'tls: {{cert_file: "{files}/server.pem", key_file: "{files}/server.key"}}, read_header_timeout: 300ms, idle_timeout: 300ms'
    running = Served(CONFIG.replace('http: {endpoint: "127.0.0.1:0"', f'http: {{endpoint: "127.0.0.1:0", {tls}'))
    for begun, code in ((b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n", b"408"), (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404")):
        plain = socket.create_connection(("127.0.0.1", running.listeners.ports.http), timeout=10)
        with trusting(authority).wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            connection.sendall(begun)
            answer = b""
            with contextlib.suppress(ssl.SSLEOFError):
                while part := connection.recv(4096):
                    answer += part
            assert answer.split()[1] == code, "and then the connection was closed"
    running.close()
