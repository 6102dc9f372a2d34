"""Strands Agents: OpenTelemetry's GenAI names, messages in span events, the framework's name where the provider's belongs."""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Dialect, Fields, SpanView, no_logs
from collector.dialects.values import text

NAMES: Final[Names] = {**genai.NAMES, "outcome": (text, ("gen_ai.tool.status", "tool.status"))}
TABLE: Final = NameTable(NAMES, COMMON)


def read_span(span: SpanView) -> Fields | None:
    """Read a span of Strands' tracer."""
    if not span.scope.startswith("strands"):
        return None
    return genai.read(span, TABLE)


DIALECT: Final = Dialect(
    "strands",
    1,
    read_span,
    no_logs,
    recognised_by="scope `strands…`",
    reads="Strands Agents; messages in span events",
)
