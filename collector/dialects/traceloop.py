"""Traceloop / OpenLLMetry: `traceloop.*` on workflows, tasks, agents and tools, OpenTelemetry's GenAI names on model calls."""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Dialect, Fields, SpanView, no_logs
from collector.dialects.values import text

NAMES: Final[Names] = {
    **genai.NAMES,
    "prompt_version": (text, ("gen_ai.prompt.version", "traceloop.prompt.version")),
}
TABLE: Final = NameTable(NAMES, COMMON)
_SPAN_KIND: Final = "traceloop.span.kind"
_ENTITY: Final = "traceloop.entity.name"
_STEPS: Final = {  # span kind → step kind, operation
    "workflow": ("agent", "invoke_workflow"),
    "agent": ("agent", "invoke_agent"),
    "tool": ("tool", "execute_tool"),
    "task": ("other", "task"),
}


def read_span(span: SpanView) -> Fields | None:
    """Read a span of a workflow, or of what a workflow called. Other model calls of OpenLLMetry are OpenTelemetry's GenAI spans."""
    attributes = span.attributes
    if _SPAN_KIND not in attributes and "traceloop.workflow.name" not in attributes:
        return None
    if _SPAN_KIND not in attributes:
        return genai.read(span, TABLE)
    step, operation = _STEPS.get(str(attributes[_SPAN_KIND]), ("other", None))
    fields = TABLE.read(attributes)
    genai.without_call(fields)
    fields["operation"] = operation
    fields["step_kind"] = "run" if span.is_root and step in {"agent", "other"} and operation != "invoke_agent" else step
    entity = text(attributes.get(_ENTITY))
    if step == "tool":
        fields.setdefault("tool_name", entity)
    elif operation == "invoke_agent" and entity is not None:
        fields["agent_name"] = entity
    return fields


DIALECT: Final = Dialect(
    "traceloop",
    1,
    read_span,
    no_logs,
    recognised_by="`traceloop.span.kind` or `traceloop.workflow.name`",
    reads="Traceloop / OpenLLMetry: workflows, tasks, agents, tools and what they call",
)
