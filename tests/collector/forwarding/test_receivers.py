"""Forwarding to receivers of our own: over both protocols, plain and with TLS, whatever agents send and however large it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from collector.config_forwarding import Forward
from collector.forwarding.queue import exporter_folder
from collector.forwarding.status import state
from collector.signals import LOGS, SIGNALS
from tests.collector.certificates import Pair, pair
from tests.collector.forwarding.backends import ID, batch, forward_all, forwarding, over_grpc, over_http, queued, ready, sealed, spans
from tests.collector.otlp_samples import logs
from tests.collector.served import CONFIG, Served
from tests.polling import wait_until

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pb"))


@pytest.fixture
def served() -> Iterator[Served]:
    running = Served()
    yield running
    running.close()


def towards(served: Served, protocol: str, **fields: Any) -> Forward:
    if protocol == "http":
        return over_http(served.url, **fields)
    port = served.listeners.ports.grpc
    assert port is not None
    return over_grpc(port, **fields)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_agents_sent_arrives_whole(tmp_path: Path, served: Served, protocol: str) -> None:
    forward = towards(served, protocol)
    ready(tmp_path, forward)
    sent: dict[str, int] = {}
    batches = []
    for capture in CAPTURES:
        signal = SIGNALS[capture.stem.rpartition("-")[2]]
        records = capture.read_bytes()
        batches.append(batch(signal.request.FromString(records), signal=signal.name))
        sent[signal.name] = sent.get(signal.name, 0) + 1
    sealed(tmp_path, *batches)
    status = forward_all(tmp_path, forward)
    assert status.counts.get("rejected", 0) == 0
    assert {header.signal for header, _ in served.batches} == set(sent)
    for name in sent:
        arrived = b"".join(payload for header, payload in served.batches if header.signal == name)
        expected = [capture.read_bytes() for capture in CAPTURES if capture.stem.endswith(name)]
        assert len(SIGNALS[name].request.FromString(arrived).ListFields()[0][1]) >= len(expected)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_is_over_the_limit_of_the_receiver_arrives_in_parts(tmp_path: Path, served: Served, protocol: str) -> None:
    """Its limit is 1 MiB here; what is sent has 2."""
    forward = towards(served, protocol)
    ready(tmp_path, forward)
    sealed(tmp_path, batch(logs(*({"body": f"{number} " + "x" * 2000} for number in range(1000))), 1000, signal="logs"))
    status = forward_all(tmp_path, forward)
    assert (status.counts["sent"], status.counts.get("rejected", 0)) == (1000, 0)
    bodies = [record.body.string_value.split()[0] for _, payload in served.batches for record in records(payload)]
    assert bodies == [str(number) for number in range(1000)]


def records(payload: bytes) -> list[Any]:
    message = LOGS.request.FromString(payload)
    return [record for group in message.resource_logs for scope in group.scope_logs for record in scope.log_records]


@pytest.fixture(scope="module")
def authority() -> Pair:
    return pair("authority")


@pytest.fixture
def secure(tmp_path: Path, authority: Pair) -> Iterator[Served]:
    """Receivers that ask for a certificate of their authority."""
    pair("server", authority).write(tmp_path, "server")
    pair("sender", authority).write(tmp_path, "sender")
    authority.write(tmp_path, "authority")
    tls = f'tls: {{cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.key", client_ca_file: "{tmp_path}/authority.pem"}}'
    text = CONFIG
    for protocol in ("grpc", "http"):
        text = text.replace(f'{protocol}: {{endpoint: "127.0.0.1:0"', f'{protocol}: {{endpoint: "127.0.0.1:0", {tls}')
    running = Served(text)
    yield running
    running.close()


def over_tls(served: Served, protocol: str, **tls: Any) -> Forward:
    ports = served.listeners.ports
    if protocol == "http":
        return over_http(f"https://127.0.0.1:{ports.http}", tls=tls)
    assert ports.grpc is not None
    return over_grpc(ports.grpc, tls=tls)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_both_sides_of_tls_are_recognised(tmp_path: Path, secure: Served, protocol: str) -> None:
    data, certificates = tmp_path / "data", {"cert_file": tmp_path / "sender.pem", "key_file": tmp_path / "sender.key"}
    ready(data, over_tls(secure, protocol, **certificates))
    sealed(data, spans("a"))
    for refused in (
        over_tls(secure, protocol, ca_file=tmp_path / "authority.pem"),
        over_tls(secure, protocol, **certificates),
        over_tls(secure, protocol, ca_file=tmp_path / "authority.pem", server_name_override="other.example", **certificates),
    ):
        (exporter_folder(data, ID) / "status.json").unlink(missing_ok=True)
        with forwarding(data, refused):
            wait_until(lambda: state(data, ID).startswith("degraded"))
        assert queued(data)
    forward_all(data, over_tls(secure, protocol, ca_file=tmp_path / "authority.pem", server_name_override="localhost", **certificates))
    assert len(secure.batches) == 1


def test_any_certificate_is_believed_only_when_asked_for(tmp_path: Path, secure: Served) -> None:
    tls = {"insecure_skip_verify": True, "cert_file": tmp_path / "sender.pem", "key_file": tmp_path / "sender.key"}
    forward = over_tls(secure, "http", **tls)
    ready(tmp_path / "data", forward)
    sealed(tmp_path / "data", spans("a"))
    forward_all(tmp_path / "data", forward)
    assert len(secure.batches) == 1


def test_nothing_of_what_is_sent_stands_in_the_log(tmp_path: Path, served: Served) -> None:
    forward = over_http(served.url, headers={"authorization": "Bearer " + "s3cret" * 3})
    ready(tmp_path, forward)
    sealed(tmp_path, spans("content of a record"))
    with capture_logs() as lines:
        forward_all(tmp_path, forward)
    assert "content of a record" not in str(lines)
    assert "s3cret" not in str(lines)
    assert not list(exporter_folder(tmp_path, forward.id).glob("dead-letters/*"))
