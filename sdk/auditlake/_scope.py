"""Which run the current code belongs to, and the number of the next record in it.

The scope travels in OpenTelemetry's context, beside the current span: through `await`, and through threads that are given a
copy of the context. Span and log processors stamp it on *every* record that begins inside a run, those of other
instrumentation included, so that one sequence numbers the whole run.
"""

import os
import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from auditlake import vocabulary as names
from auditlake._values import Value

_KEY: Final = otel_context.create_key("auditlake-scope")


class Numbering:
    """Numbers the records of one run, in one process."""

    def __init__(self, after: int = 0) -> None:
        """Start after the number `after`: 0, or the last number of the part of the run that came before."""
        self._last = after
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def last(self) -> int:
        """The last number that was given."""
        return self._last

    def next(self) -> int | None:
        """Return the next number; None in a fork, which cannot number records of its parent's run without repeating numbers."""
        if os.getpid() != self._pid:
            return None
        with self._lock:
            self._last += 1
            return self._last


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What every record of the current run has in common."""

    run_id: str
    numbering: Numbering
    attributes: Mapping[str, Value]  # session, actor, agent

    def with_agent(self, attributes: Mapping[str, Value]) -> "Scope":
        """Return this scope for a sub-agent of the run: its name, id and version replace those of the agent."""
        kept = {name: item for name, item in self.attributes.items() if name not in _AGENT}
        return replace(self, attributes={**kept, **attributes})

    def stamp(self, attributes: Mapping[str, object]) -> dict[str, Value]:
        """Return what a record with `attributes` still lacks: its run, its number, the session, the actor, the agent."""
        missing: dict[str, Value] = {name: item for name, item in self.attributes.items() if name not in attributes}
        if attributes.get(names.RUN_ID, self.run_id) == self.run_id:
            missing[names.RUN_ID] = self.run_id
            if names.SEQ not in attributes and (number := self.numbering.next()) is not None:
                missing[names.SEQ] = number
        return missing


_AGENT: Final = (names.AGENT_NAME, names.AGENT_ID, names.AGENT_VERSION)


def current(context: Context | None = None) -> Scope | None:
    """Return the scope of `context` (default: of the calling code); None outside a run."""
    found = otel_context.get_value(_KEY, context)
    return found if isinstance(found, Scope) else None


def entered(scope: Scope, context: Context | None = None) -> Context:
    """Return `context` with `scope` in it."""
    return otel_context.set_value(_KEY, scope, context)


def outside(context: Context) -> Context:
    """Return `context` without a current span and run, for a trace of its own; the rest (baggage) stays."""
    return otel_context.set_value(_KEY, None, trace.set_span_in_context(trace.INVALID_SPAN, context))


class SpanStamp(SpanProcessor):
    """Stamps spans when they start."""

    def __init__(self, common: Mapping[str, Value]) -> None:
        """Put `common` (the agent of this process) on spans outside runs too."""
        self._common = common

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Complete the attributes of a span that is being recorded and will be exported."""
        if span.get_span_context().trace_flags.sampled:
            span.set_attributes(_missing(span.attributes or {}, self._common, current(parent_context)))

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing: everything is known at the start."""

    def shutdown(self) -> None:
        """Nothing to release."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - OpenTelemetry's interface
        """Nothing waits here."""
        return True


class LogStamp(LogRecordProcessor):
    """Stamps log records when they are emitted."""

    def __init__(self, common: Mapping[str, Value]) -> None:
        """Put `common` (the agent of this process) on records outside runs too."""
        self._common = common

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Complete the attributes of a record."""
        attributes = log_record.log_record.attributes
        if isinstance(attributes, MutableMapping):
            attributes.update(_missing(attributes, self._common, current(log_record.log_record.context)))

    def shutdown(self) -> None:
        """Nothing to release."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - OpenTelemetry's interface
        """Nothing waits here."""
        return True


def _missing(attributes: Mapping[str, object], common: Mapping[str, Value], scope: Scope | None) -> dict[str, Value]:
    missing = scope.stamp(attributes) if scope is not None else {}
    return {**{name: item for name, item in common.items() if name not in attributes}, **missing}
