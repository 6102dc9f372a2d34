"""One server for the whole suite, and the proof after every test that nobody else was harmed."""

import os
from collections.abc import Iterator

import pytest

from collector.signals import TRACES
from tests.collector_process import CollectorProcess, settle
from tests.conformance.target import CONFIG, Target, a_body
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


@pytest.fixture(autouse=True)
def _unharmed(target: Target, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test sent: connections that were open before, and the process, go on working."""
    yield
    body = a_body(TRACES, "unharmed")
    assert target.post(TRACES, body).status_code == 200
    target.call(TRACES, body)
