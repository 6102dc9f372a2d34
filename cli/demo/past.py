"""Records with times of the past, as OTLP messages: what an agent would have sent, built without waiting for it."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from cli.demo.process import ENVIRONMENT, TENANT

Attributes = Mapping[str, Any]
INTERNAL: Final = Span.SPAN_KIND_INTERNAL
CLIENT: Final = Span.SPAN_KIND_CLIENT
SECOND: Final = 1_000_000_000
INFO: Final = 9


class Run:
    """The records of one run in the past, each step after the one before; with the SDK's numbering when `numbered`."""

    def __init__(self, agent: str, start_ns: int, rng: random.Random, *, common: Attributes, numbered: bool) -> None:
        """Begin at `start_ns`; `common` goes on every record."""
        self.agent = agent
        self.spans: list[Span] = []
        self.logs: list[LogRecord] = []
        self.now_ns = start_ns
        self._rng = rng
        self._trace_id = rng.randbytes(16)
        self._root_id = rng.randbytes(8)
        self._common = dict(common)
        self.numbered = numbered
        self._last = 0
        self._start_ns = start_ns
        if numbered:
            self._common["auditlake.run.id"] = rng.randbytes(16).hex()
        self.event("run.started", {})

    def step(self, name: str, seconds: float, attributes: Attributes, *, kind: int = INTERNAL, error: str | None = None) -> None:
        """Add a step that begins now and takes `seconds`."""
        end_ns = self.now_ns + int(seconds * SECOND)
        self._add(name, self._rng.randbytes(8), self._root_id, (self.now_ns, end_ns), {**self._next(), **attributes}, kind, error)
        self.now_ns = end_ns + self._rng.randint(2, 40) * 1_000_000

    def event(self, name: str, attributes: Attributes) -> None:
        """Add an event now; agents without the SDK have none."""
        if not self.numbered:
            return
        record = LogRecord(
            time_unix_nano=self.now_ns, observed_time_unix_nano=self.now_ns, severity_number=INFO, severity_text="INFO", event_name=name,  # type: ignore[arg-type]
            trace_id=self._trace_id, span_id=self._root_id, attributes=pairs({**self._common, **self._next(), **attributes}),
        )  # fmt: skip
        self.logs.append(record)
        self.now_ns += 1_000_000

    def announce(self, name: str, attributes: Attributes) -> None:
        """Add an event now that belongs to no run: a change that concerns all of them."""
        common = {key: value for key, value in self._common.items() if key.startswith("gen_ai.agent.")}
        record = LogRecord(
            time_unix_nano=self.now_ns, observed_time_unix_nano=self.now_ns, severity_number=INFO, severity_text="INFO", event_name=name,  # type: ignore[arg-type]
            attributes=pairs({**common, **attributes}),
        )  # fmt: skip
        self.logs.append(record)

    def end(self, attributes: Attributes, *, error: str | None = None) -> None:
        """End the run now."""
        closing = {**attributes, **self._next()}
        if self.numbered:
            closing |= {
                "auditlake.kind": "run",
                "auditlake.seq.last": self._last,
                "auditlake.stop_reason": "error" if error else "completed",
            }
        self._add(f"invoke_agent {self.agent}", self._root_id, b"", (self._start_ns, self.now_ns), closing, INTERNAL, error)

    def _next(self) -> dict[str, int]:
        if not self.numbered:
            return {}
        self._last += 1
        return {"auditlake.seq": self._last}

    def _add(
        self, name: str, span_id: bytes, parent: bytes, times: tuple[int, int], attributes: Attributes, kind: int, error: str | None
    ) -> None:
        span = Span(
            trace_id=self._trace_id, span_id=span_id, parent_span_id=parent, name=name, kind=kind,  # type: ignore[arg-type]
            start_time_unix_nano=times[0], end_time_unix_nano=times[1], attributes=pairs({**self._common, **attributes}), flags=1,
        )  # fmt: skip
        if error is not None:
            span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=error))
        self.spans.append(span)


def requests(runs: Sequence[Run], release: str) -> tuple[bytes, bytes]:
    """Return the runs as the bytes of a trace request and a log request, one resource an agent."""
    traces, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    for agent in sorted({run.agent for run in runs}):
        resource = Resource(
            attributes=pairs(
                {
                    "service.name": agent,
                    "service.version": release,
                    "deployment.environment.name": ENVIRONMENT,
                    "auditlake.tenant": TENANT,
                    "gen_ai.agent.name": agent,
                }
            )
        )
        scope = InstrumentationScope(
            name="auditlake" if any(run.logs for run in runs if run.agent == agent) else f"{agent}-agent", version="0.1.0"
        )
        spans = [span for run in runs if run.agent == agent for span in run.spans]
        records = [record for run in runs if run.agent == agent for record in run.logs]
        traces.resource_spans.append(ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=spans)]))
        if records:
            logs.resource_logs.append(ResourceLogs(resource=resource, scope_logs=[ScopeLogs(scope=scope, log_records=records)]))
    return traces.SerializeToString(), logs.SerializeToString()


def pairs(attributes: Attributes) -> list[KeyValue]:
    """Return attributes as OTLP pairs."""
    return [KeyValue(key=key, value=_value(item)) for key, item in attributes.items()]


def _value(item: object) -> AnyValue:
    match item:
        case bool():
            return AnyValue(bool_value=item)
        case int():
            return AnyValue(int_value=item)
        case float():
            return AnyValue(double_value=item)
        case list() | tuple():
            return AnyValue(array_value=ArrayValue(values=[_value(part) for part in item]))
        case _:
            return AnyValue(string_value=str(item))
