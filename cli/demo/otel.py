"""Plain OpenTelemetry, as an agent without our SDK sets it up: providers, OTLP exporters, GenAI attributes."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.metrics import Histogram
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.util.types import AnyValue, AttributeValue

from cli.demo.process import ENVIRONMENT, RELEASE, TENANT, Process


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The instruments of one agent."""

    tracer: Tracer
    logger: Logger
    tokens: Histogram
    duration: Histogram


@contextmanager
def telemetry(process: Process, agent: str, **resource: str) -> Iterator[Telemetry]:
    """Set OpenTelemetry up for the block; what waits at its end is sent. Over gRPC when the process has an endpoint for it."""
    described = Resource.create(
        {
            "service.name": agent,
            "service.version": RELEASE,
            "deployment.environment.name": ENVIRONMENT,
            "auditlake.tenant": TENANT,
            "gen_ai.agent.name": agent,
            **resource,
        }
    )
    spans, logs, points = _exporters(process)
    tracers = TracerProvider(resource=described, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=500))
    loggers = LoggerProvider(described, shutdown_on_exit=False)
    loggers.add_log_record_processor(BatchLogRecordProcessor(logs, schedule_delay_millis=500))
    meters = MeterProvider([PeriodicExportingMetricReader(points, 10_000)], described, shutdown_on_exit=False)
    meter = meters.get_meter(f"{agent}-agent", RELEASE)
    try:
        yield Telemetry(
            tracers.get_tracer(f"{agent}-agent", RELEASE),
            loggers.get_logger(f"{agent}-agent", RELEASE),
            meter.create_histogram("gen_ai.client.token.usage", "{token}", "tokens of a call"),
            meter.create_histogram("gen_ai.client.operation.duration", "s", "duration of a call"),
        )
    finally:
        tracers.shutdown()
        loggers.shutdown()
        meters.shutdown(2000)


def _exporters(process: Process) -> tuple[Any, Any, Any]:
    if process.grpc_endpoint:
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans

        endpoint = f"http://{process.grpc_endpoint}"
        return GrpcSpans(endpoint, timeout=3), GrpcLogs(endpoint, timeout=3), GrpcMetrics(endpoint, timeout=3)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    base = process.endpoint
    return (
        OTLPSpanExporter(f"{base}/v1/traces", timeout=3),
        OTLPLogExporter(f"{base}/v1/logs", timeout=3),
        OTLPMetricExporter(f"{base}/v1/metrics", timeout=3),
    )


def agent_span(tools: Telemetry, name: str, *, session: str | None = None, user: str | None = None) -> Any:
    """Begin the span of an agent or sub-agent, as a context manager."""
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    if session is not None:
        attributes["gen_ai.conversation.id"] = session
    if user is not None:
        attributes["user.id"] = user
    return tools.tracer.start_as_current_span(f"invoke_agent {name}", attributes=attributes)


@contextmanager
def chat(tools: Telemetry, agent: str, model: str, provider: str, *, operation: str = "chat") -> Iterator[Span]:
    """Record a call of a model; an exception marks it as failed and goes on."""
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.agent.name": agent,
    }
    with tools.tracer.start_as_current_span(f"{operation} {model}", kind=SpanKind.CLIENT, attributes=attributes) as span:
        yield span


def answered(
    tools: Telemetry, span: Span, model: str, *, prompt: object, answer: object, tokens: tuple[int, int], response_id: str
) -> None:
    """Set what a model was asked and answered, its usage, and the same usage as a metric."""
    span.set_attributes(
        {
            "gen_ai.response.model": model,
            "gen_ai.response.id": response_id,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": tokens[0],
            "gen_ai.usage.output_tokens": tokens[1],
            "gen_ai.input.messages": conversation("user", prompt),
            "gen_ai.output.messages": conversation("assistant", answer),
        }
    )
    for kind, count in zip(("input", "output"), tokens, strict=True):
        tools.tokens.record(count, {"gen_ai.request.model": model, "gen_ai.operation.name": "chat", "gen_ai.token.type": kind})


def conversation(role: str, content: object) -> str:
    """Return messages as JSON in OpenTelemetry's form; `content` is a text, or the messages themselves."""
    if isinstance(content, str):
        content = [{"role": role, "parts": [{"type": "text", "content": content}]}]
    return json.dumps(content, ensure_ascii=False)


@contextmanager
def tool(tools: Telemetry, agent: str, name: str, arguments: Mapping[str, object], *, call_id: str) -> Iterator[Span]:
    """Record a call of a tool; an exception marks it as failed and goes on."""
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.call.arguments": json.dumps(arguments),
        "gen_ai.agent.name": agent,
    }
    with tools.tracer.start_as_current_span(f"execute_tool {name}", attributes=attributes) as span:
        yield span


def retrieved(span: Span, query: str, documents: Sequence[str]) -> None:
    """Set what a retrieval asked for and what came back."""
    found = [{"id": document, "score": round(0.93 - 0.11 * rank, 2)} for rank, document in enumerate(documents)]
    span.set_attributes({"gen_ai.retrieval.query.text": query, "gen_ai.retrieval.documents": json.dumps(found)})


def log(tools: Telemetry, body: AnyValue, attributes: Mapping[str, AttributeValue] | None = None, *, event: str | None = None) -> None:
    """Emit a log record in the current context."""
    tools.logger.emit(
        timestamp=time.time_ns(),
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body=body,
        attributes=attributes,
        event_name=event,
    )
