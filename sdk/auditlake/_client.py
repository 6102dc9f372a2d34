"""One configured connection to the collector: providers, queues, audit writer and spool, wired together."""

import os
import time
import weakref
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from auditlake import vocabulary as names
from auditlake._batcher import Batcher, Limits
from auditlake._drops import DropKey, Drops
from auditlake._export import LogQueue, Metrics, SpanQueue, log_bytes, run_of_log, run_of_span, span_bytes
from auditlake._instruments import Instruments
from auditlake._scope import LogStamp, SpanStamp, current
from auditlake._settings import Settings, transport
from auditlake._spool import Spool
from auditlake._values import Value, attributes

_SCOPE_NAME: Final = "auditlake"
_REPORT_TIMEOUT_SECONDS: Final = 2.0


def _installed_version() -> str:
    try:
        return version("auditlake-sdk")
    except PackageNotFoundError:
        return "0"


class Client:
    """Everything between the public functions and the collector."""

    def __init__(self, settings: Settings) -> None:
        """Wire everything; connects only when there is something to send."""
        self.settings = settings
        self.drops = Drops()
        self.transport = transport(settings)
        self.closed = False
        self._common = settings.common()
        self._resource = Resource.create(dict(settings.resource()))
        self._log_limits = LogRecordLimits(
            max_log_record_attributes=LogRecordLimits.UNSET, max_log_record_attribute_length=LogRecordLimits.UNSET
        )
        self._scope = InstrumentationScope(_SCOPE_NAME, _installed_version())
        self._stamp = LogStamp(self._common)
        self.spool = self._open_spool()
        self._wire_traces()
        self._wire_logs()
        self._wire_metrics()
        reset = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: (method := reset()) and method())

    def emit(
        self, event: str, values: Mapping[str, object], *, message: str | None = None, severity: SeverityNumber = SeverityNumber.INFO
    ) -> None:
        """Queue an event in the current context; never blocks."""
        self.log(attributes(values), event=event, body=message, severity=severity)

    def log(self, values: Mapping[str, Value], *, event: str | None, body: str | None, severity: SeverityNumber) -> None:
        """Queue a log record in the current context; never blocks."""
        now = time.time_ns()
        self.logger.emit(
            timestamp=now,
            observed_timestamp=now,
            context=otel_context.get_current(),
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            attributes=values,
            event_name=event,
        )

    def record(self, event: str, values: Mapping[str, object], *, message: str | None = None) -> ReadableLogRecord:
        """Return an event as it would be queued, stamped, for a synchronous export."""
        now = time.time_ns()
        log_record = LogRecord(
            timestamp=now,
            observed_timestamp=now,
            context=otel_context.get_current(),
            severity_number=SeverityNumber.INFO,
            severity_text=SeverityNumber.INFO.name,
            body=message,
            attributes=dict(attributes(values)),
            event_name=event,
        )
        writable = ReadWriteLogRecord(log_record, self._resource, self._scope, self._log_limits)
        self._stamp.on_emit(writable)
        return ReadableLogRecord(log_record, self._resource, self._scope, self._log_limits)

    def set_queue_depth(self, depth: int, values: Mapping[str, object]) -> None:
        """Set the gauge of a queue; sent with the next collection of metrics."""
        self._instruments.set_queue_depth(depth, {**self._common, **_agent_of_run(), **attributes(values)})

    def measure(self, metric: str, value: float, labels: Mapping[str, object]) -> None:
        """Record a value of a metric of the vocabulary; sent with the next collection of metrics."""
        self._instruments.record(metric, value, {**self._common, **_agent_of_run(), **attributes(labels)})

    def flush(self, timeout_seconds: float) -> bool:
        """Send what waits; return whether all of it was settled in time."""
        deadline = time.monotonic() + timeout_seconds
        settled = [batcher.flush(_left(deadline)) for batcher in (self._logs, self._spans)]
        self._report_drops(_left(deadline))
        return self._flush_metrics(_left(deadline)) and all(settled)

    def close(self, timeout_seconds: float) -> bool:
        """Send what waits and stop; what could not be sent in time is counted. Idempotent."""
        if self.closed:
            return True
        self.closed = True
        deadline = time.monotonic() + timeout_seconds
        settled = self.flush(timeout_seconds)
        settled &= self._logs.close(_left(deadline))
        settled &= self._spans.close(_left(deadline))
        self._report_drops(_left(deadline))
        self._metrics.timeout_seconds = _left(deadline)
        self.meter_provider.shutdown(_left(deadline) * 1000)
        if self.spool is not None:
            self.spool.close(_left(deadline))
        self.transport.close()
        return settled

    def _flush_metrics(self, timeout_seconds: float) -> bool:
        usual = self.settings.timeout_seconds
        self._metrics.timeout_seconds = min(usual, timeout_seconds)
        try:
            return self.meter_provider.force_flush(timeout_seconds * 1000)
        finally:
            self._metrics.timeout_seconds = usual

    def _open_spool(self) -> Spool | None:
        key = self.settings.key()
        if key is None or self.settings.spool_dir is None:
            return None
        spool = Spool(
            self.settings.spool_dir, key, transport=self.transport, limit_bytes=self.settings.spool_bytes,
            timeout_seconds=self.settings.export_timeout_seconds,
        )  # fmt: skip
        spool.resume()
        return spool

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            queue_size=settings.queue_size,
            batch_size=min(settings.batch_size, settings.queue_size),
            delay_seconds=settings.delay_seconds,
            export_timeout_seconds=settings.export_timeout_seconds,
            request_bytes=settings.request_bytes,
        )

    def _wire_traces(self) -> None:
        unlimited = SpanLimits.UNSET
        limits = SpanLimits(
            max_events=unlimited, max_links=unlimited, max_span_attributes=unlimited, max_event_attributes=unlimited,
            max_link_attributes=unlimited, max_attribute_length=unlimited, max_span_attribute_length=unlimited,
        )  # fmt: skip
        self._spans: Batcher[ReadableSpan] = Batcher(
            signal="traces", encode=span_bytes, run_of=run_of_span, transport=self.transport, drops=self.drops, limits=self._limits(),
            delivered=self._report_drops,
        )  # fmt: skip
        self.tracer_provider = TracerProvider(ALWAYS_ON, self._resource, shutdown_on_exit=False, span_limits=limits)
        self.tracer_provider.add_span_processor(SpanStamp(self._common))
        self.tracer_provider.add_span_processor(SpanQueue(self._spans, timeout_seconds=self.settings.timeout_seconds))
        self.tracer = self.tracer_provider.get_tracer(_SCOPE_NAME, self._scope.version)

    def _wire_logs(self) -> None:
        self._logs: Batcher[ReadableLogRecord] = Batcher(
            signal="logs", encode=log_bytes, run_of=run_of_log, transport=self.transport, drops=self.drops, limits=self._limits(),
            delivered=self._report_drops,
        )  # fmt: skip
        self.logger_provider = LoggerProvider(self._resource, shutdown_on_exit=False, log_record_limits=self._log_limits)
        self.logger_provider.add_log_record_processor(self._stamp)
        self.logger_provider.add_log_record_processor(
            LogQueue(self._logs, resource=self._resource, timeout_seconds=self.settings.timeout_seconds)
        )
        self.logger = self.logger_provider.get_logger(_SCOPE_NAME, self._scope.version)

    def _wire_metrics(self) -> None:
        self._metrics = Metrics(self.transport, self.drops, timeout_seconds=self.settings.timeout_seconds)
        reader = PeriodicExportingMetricReader(
            self._metrics, self.settings.metrics_interval_seconds * 1000, self.settings.timeout_seconds * 1000
        )
        self.meter_provider = MeterProvider([reader], self._resource, shutdown_on_exit=False)
        meter = self.meter_provider.get_meter(_SCOPE_NAME, self._scope.version)
        self._instruments = Instruments(meter)
        unit = names.UNITS[names.METRIC_DROPPED]
        meter.create_observable_counter(names.METRIC_DROPPED, [self._observe_drops], unit, "records that could not be delivered")

    def _observe_drops(self, _: CallbackOptions) -> Sequence[Observation]:
        return [
            Observation(count, {names.DROPPED_SIGNAL: signal, names.DROPPED_REASON: reason})
            for (signal, reason), count in self.drops.totals().items()
        ]

    def _report_drops(self, timeout_seconds: float = _REPORT_TIMEOUT_SECONDS) -> None:
        """Tell the collector what was dropped since the last report: after a delivery, when it is known to be reachable."""
        taken = self.drops.take()
        if not taken:
            return
        records = [self._drop_record(key, count) for key, count in taken.items()]
        if not self.transport.send("logs", log_bytes(records), min(timeout_seconds, _REPORT_TIMEOUT_SECONDS)).delivered:
            self.drops.restore(taken)

    def _drop_record(self, key: DropKey, count: int) -> ReadableLogRecord:
        values: dict[str, Value] = {
            **self._common,
            **attributes(
                {
                    names.DROPPED_COUNT: count,
                    names.DROPPED_SIGNAL: key.signal,
                    names.DROPPED_REASON: key.reason,
                    names.RUN_ID: key.run_id,
                }
            ),
        }
        now = time.time_ns()
        log_record = LogRecord(
            timestamp=now,
            observed_timestamp=now,
            context=Context({"auditlake-report": True}),  # not the context of whoever flushes: an empty one would mean that
            severity_number=SeverityNumber.WARN,
            severity_text=SeverityNumber.WARN.name,
            attributes=values,
            event_name=names.EVENT_DROPPED,
        )
        return ReadableLogRecord(log_record, self._resource, self._scope, self._log_limits)

    def _after_fork(self) -> None:
        """Start afresh in a child process: its parent sends what was waiting, and sockets cannot be shared."""
        self.transport.reset()
        self.drops.reset()
        self._spans.reset()
        self._logs.reset()
        if self.spool is not None:
            self.spool.reset()


def _agent_of_run() -> dict[str, Value]:
    scope = current()
    return {name: item for name, item in (scope.attributes if scope else {}).items() if name == names.AGENT_NAME}


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.05)
