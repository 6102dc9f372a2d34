"""OpenTelemetry's processors and metric exporter over our own batches and transport."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from auditlake import vocabulary as names
from auditlake._batcher import Batcher
from auditlake._drops import Drops
from auditlake._transport import Transport


def span_bytes(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the bytes of an ExportTraceServiceRequest."""
    return bytes(encode_spans(spans).SerializeToString())


def log_bytes(records: Sequence[ReadableLogRecord]) -> bytes:
    """Return the bytes of an ExportLogsServiceRequest."""
    return bytes(encode_logs(records).SerializeToString())


def run_of_span(span: ReadableSpan) -> str | None:
    """Return the run that a span belongs to."""
    return _text((span.attributes or {}).get(names.RUN_ID))


def run_of_log(record: ReadableLogRecord) -> str | None:
    """Return the run that a log record belongs to."""
    return _text((record.log_record.attributes or {}).get(names.RUN_ID))


class SpanQueue(SpanProcessor):
    """Queues spans when they end."""

    def __init__(self, batcher: Batcher[ReadableSpan], *, timeout_seconds: float) -> None:
        """Send through `batcher`."""
        self._batcher = batcher
        self._timeout_seconds = timeout_seconds

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a sampled span."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._batcher.put(span)

    def shutdown(self) -> None:
        """Send what waits and accept nothing more."""
        self._batcher.close(self._timeout_seconds)

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Send what waits, within the time."""
        return self._batcher.flush(self._timeout_seconds if timeout_millis is None else timeout_millis / 1000)


class LogQueue(LogRecordProcessor):
    """Queues log records; the start of a run is sent at once, because its span is exported only at its end."""

    def __init__(self, batcher: Batcher[ReadableLogRecord], *, resource: Resource, timeout_seconds: float) -> None:
        """Send through `batcher`."""
        self._batcher = batcher
        self._resource = resource
        self._timeout_seconds = timeout_seconds

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a record."""
        record = ReadableLogRecord(
            log_record=log_record.log_record,
            resource=log_record.resource or self._resource,
            instrumentation_scope=log_record.instrumentation_scope,
            limits=log_record.limits,
        )
        self._batcher.put(record, urgent=record.log_record.event_name == names.EVENT_RUN_STARTED)

    def shutdown(self) -> None:
        """Send what waits and accept nothing more."""
        self._batcher.close(self._timeout_seconds)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits, within the time."""
        return self._batcher.flush(timeout_millis / 1000)


class Metrics(MetricExporter):
    """Sends the points of one collection. A failure loses nothing: sums are cumulative, and the next collection carries them."""

    def __init__(self, transport: Transport, drops: Drops, *, timeout_seconds: float) -> None:
        """Send through `transport`."""
        super().__init__()
        self._transport = transport
        self._drops = drops
        self.timeout_seconds = timeout_seconds  # of one request; a flush lowers it to what is left of its own time

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:
        """Send one collection, once: retrying is the next interval's work."""
        timeout_seconds = min(self.timeout_seconds, timeout_millis / 1000)
        payload = bytes(encode_metrics(metrics_data).SerializeToString())
        outcome = self._transport.send("metrics", payload, timeout_seconds)
        if outcome.rejected:
            self._drops.add("metrics", "rejected", outcome.rejected)
        return MetricExportResult.SUCCESS if outcome.delivered else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - OpenTelemetry's interface
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Nothing to release: the transport is shared."""


def _text(item: object) -> str | None:
    return item if isinstance(item, str) else None
