"""The same contract over gRPC: durable audit records, partial success, overload, a server that is away."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import auditlake
import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.sdk.otlp_server import wait_for

Configure = Callable[..., auditlake.Handle]


class Services(logs_service_pb2_grpc.LogsServiceServicer, trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what arrives; refuses with the codes in `codes` first."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        self.metadata: dict[str, str] = {}
        self.codes: list[grpc.StatusCode] = []
        self.rejected = 0

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.metadata = dict(context.invocation_metadata())
        if self.codes:
            context.abort(self.codes.pop(0), "not now")
        if isinstance(request, logs_service_pb2.ExportLogsServiceRequest):
            self.logs += [log for group in request.resource_logs for scope in group.scope_logs for log in scope.log_records]
            return logs_service_pb2.ExportLogsServiceResponse(partial_success={"rejected_log_records": self.rejected})
        self.spans += [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def services() -> Iterator[tuple[Services, str]]:
    server, mine = grpc.server(ThreadPoolExecutor(4)), Services()
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(mine, server)
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(mine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield mine, f"grpc://127.0.0.1:{port}"
    server.stop(0).wait(5)


def test_a_run_and_an_audit_record_arrive(services: tuple[Services, str], configure: Configure) -> None:
    """Spans, events and audit records, with the metadata of `headers`."""
    mine, endpoint = services
    handle = configure(endpoint=endpoint, headers={"Authorization": "Bearer t"}, compression="gzip")
    with auditlake.run(), auditlake.tool_call("lookup"):
        receipt = auditlake.audit("a", "b", "success")
    handle._client._spans.flush(5)
    assert receipt.acknowledged
    assert {span.name for span in mine.spans} == {"execute_tool lookup", "invoke_agent support-agent"}
    assert {log.event_name for log in mine.logs} == {"run.started", "agent_action"}
    assert mine.metadata["authorization"] == "Bearer t"


def test_overload_is_retried_and_a_refusal_is_not(services: tuple[Services, str], configure: Configure) -> None:
    """UNAVAILABLE passes, INVALID_ARGUMENT is final, and a rejection is a refusal."""
    mine, endpoint = services
    configure(endpoint=endpoint)
    mine.codes = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert auditlake.audit("a", "b", "success").attempts == 3
    mine.codes = [grpc.StatusCode.UNAUTHENTICATED]
    with pytest.raises(auditlake.AuditError, match="Bearer"):
        auditlake.audit("a", "b", "success")
    mine.rejected = 1
    with pytest.raises(auditlake.AuditError, match="refused"):
        auditlake.audit("a", "b", "success")


def test_an_absent_server_is_an_error_in_time_or_the_spool_s_case(configure: Configure, tmp_path: Path) -> None:
    """Without a spool it raises with the remedy; with one the record waits encrypted."""
    configure(endpoint="grpc://127.0.0.1:1", timeout_seconds=0.5)
    with pytest.raises(auditlake.AuditError, match="auditlake up"):
        auditlake.audit("a", "b", "success")
    auditlake.shutdown(timeout_seconds=0.2)
    handle = configure(endpoint="grpc://127.0.0.1:1", timeout_seconds=0.5, spool_dir=tmp_path, spool_key=b"k" * 32)
    assert not auditlake.audit("a", "b", "success").acknowledged
    wait_for(lambda: handle.spooled == 1)


def test_http_to_a_grpc_port_says_what_to_give(services: tuple[Services, str], configure: Configure) -> None:
    """A port other than 4317 does not tell the protocol; the error does."""
    _, endpoint = services
    configure(endpoint=endpoint.replace("grpc://", "http://"))
    with pytest.raises(auditlake.AuditError, match="grpc://"):
        auditlake.audit("a", "b", "success")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4317", "grpc://collector:9000", "grpcs://collector"])
def test_the_endpoint_decides_the_protocol(configure: Configure, endpoint: str) -> None:
    """Port 4317 is gRPC everywhere, and so is the scheme grpc://."""
    handle = configure(endpoint=endpoint)
    assert type(handle._client.transport).__name__ == "GrpcTransport"
