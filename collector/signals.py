"""The three signals of OTLP: which messages carry them, and where they are sent (OTLP 1.11, sections 2 and 3)."""

from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

Message = Any
"""A protobuf message; the generated classes carry no types that a checker can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal: its request and response messages, and the names that its answers use."""

    name: str
    request: type[Message]
    response: type[Message]
    rejected_field: str  # of ExportPartialSuccess
    record_noun: str
    grpc_service: str


TRACES: Final = Signal(
    name="traces",
    request=trace_service_pb2.ExportTraceServiceRequest,
    response=trace_service_pb2.ExportTraceServiceResponse,
    rejected_field="rejected_spans",
    record_noun="spans",
    grpc_service="opentelemetry.proto.collector.trace.v1.TraceService",
)
LOGS: Final = Signal(
    name="logs",
    request=logs_service_pb2.ExportLogsServiceRequest,
    response=logs_service_pb2.ExportLogsServiceResponse,
    rejected_field="rejected_log_records",
    record_noun="log records",
    grpc_service="opentelemetry.proto.collector.logs.v1.LogsService",
)
METRICS: Final = Signal(
    name="metrics",
    request=metrics_service_pb2.ExportMetricsServiceRequest,
    response=metrics_service_pb2.ExportMetricsServiceResponse,
    rejected_field="rejected_data_points",
    record_noun="data points",
    grpc_service="opentelemetry.proto.collector.metrics.v1.MetricsService",
)

SIGNALS: Final[dict[str, Signal]] = {signal.name: signal for signal in (TRACES, LOGS, METRICS)}
