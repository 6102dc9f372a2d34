"""Strands Agents: OpenTelemetry's GenAI names, messages in span events, the framework's name where the provider's belongs."""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Dialect, Fields, SpanView, no_logs
from collector.dialects.values import text


def tool_outcome(value: object) -> str | None:
    """Return how a tool's call ended; the status of its span is good also where the tool tells the model of a failure."""
    status = text(value)
    return "failure" if status == "error" else status


NAMES: Final[Names] = {
    **genai.NAMES,
    "outcome": (tool_outcome, ("gen_ai.tool.status", "tool.status")),
    "resource": (text, ("gen_ai.data_source.id", "gen_ai.memory.store.id", "memory.id", "memory.store.id", "memory.namespace")),
}
TABLE: Final = NameTable(NAMES, COMMON)


def read_span(span: SpanView) -> Fields | None:
    """Read a span of Strands' tracer."""
    if not span.scope.startswith("strands"):
        return None
    fields = genai.read(span, TABLE, totals=False)
    if fields["step_kind"] in {"other", "run"} and _is_of_memory(span):
        fields["step_kind"] = "memory"
    return fields


def _is_of_memory(span: SpanView) -> bool:
    """Return whether a span reads or writes the agent's memory."""
    return span.name.startswith("memory") or any(name.startswith("memory.") for name in span.attributes)


DIALECT: Final = Dialect(
    "strands",
    3,
    read_span,
    no_logs,
    recognised_by="scope `strands…`",
    reads="Strands Agents; messages in span events, memory as `memory.*`",
    scopes=("strands",),
    marks=frozenset(),
)
