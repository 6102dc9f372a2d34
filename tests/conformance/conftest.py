"""One server for the whole suite, and the proof after every test that nobody else was harmed."""

import http.client
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import grpc
import pytest

from collector.signals import TRACES
from tests.collector_process import CollectorProcess, settle
from tests.conformance.target import CONFIG, PROTOBUF, Target, a_body
from tests.lake_checks import check_lake


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The server under test: of ours, its lake is whole at the end and its log has no errors."""
    url, grpc_target = os.environ.get("CONFORMANCE_HTTP_URL"), os.environ.get("CONFORMANCE_GRPC_TARGET")
    if url and grpc_target:
        server = Target(url, grpc_target)
        yield server
        server.close()
        return
    process = CollectorProcess(tmp_path_factory.mktemp("conformance"))
    process.config.write_text(CONFIG)
    with process:
        server = Target(f"http://127.0.0.1:{process.ports['http']}", f"127.0.0.1:{process.ports['grpc']}", process)
        yield server
        server.close()
        assert process.terminate() == 0
    settle(process.data)
    check_lake(process.data)
    assert "error" not in process.log.read_text(), process.log.read_text()[-4000:]


class Bystander:
    """Another sender: one connection of each protocol that stays open all the time, and a request that nobody sent before at each turn.

    A connection of another server may end meanwhile (its idle timeout is not ours), and is opened anew then.
    """

    def __init__(self, target: Target) -> None:
        self.names: list[str] = []
        self._ours = target.collector is not None
        address = urlsplit(target.http_url)
        self._http = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        self._http.connect()
        self._http.auto_open = int(not self._ours)
        self._channel = grpc.insecure_channel(target.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)])
        grpc.channel_ready_future(self._channel).result(60)
        self._states: list[grpc.ChannelConnectivity] = []
        self._channel.subscribe(self._states.append)

    def turn(self) -> None:
        """Send over both, and see that neither connection was lost since the last time."""
        if not self._ours:
            self._http.close()
        self._http.request("POST", f"/v1/{TRACES.name}", self._body("http"), PROTOBUF)
        answer = self._http.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        export = self._channel.unary_unary(f"/{TRACES.grpc_service}/Export")
        assert export(self._body("grpc"), timeout=60) == b""
        if self._ours:
            assert set(self._states) <= {grpc.ChannelConnectivity.READY}, self._states

    def close(self) -> None:
        """Close both connections."""
        self._http.close()
        self._channel.close()

    def _body(self, protocol: str) -> bytes:
        self.names.append(f"unharmed {protocol} {len(self.names)}")
        return a_body(TRACES, self.names[-1])


@pytest.fixture(scope="package")
def bystander(target: Target) -> Iterator[Bystander]:
    """Who sends all the time; what was acknowledged is stored, whatever others sent in between."""
    sender = Bystander(target)
    sender.turn()  # at once: who connects and says nothing is let go sooner than who was served before
    yield sender
    sender.close()
    if target.collector is not None:
        found = target.rows("SELECT name FROM {spans} WHERE starts_with(name, 'unharmed ')", len(sender.names))
        assert sorted(name for (name,) in found) == sorted(sender.names)


@pytest.fixture(autouse=True)
def _unharmed(bystander: Bystander) -> Iterator[None]:
    """Whatever a test sent: connections that were open before, and the process, go on working, and what comes over them is stored."""
    yield
    bystander.turn()
