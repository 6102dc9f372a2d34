"""Traceloop / OpenLLMetry: `traceloop.*` on workflows, tasks, agents, tools and hand-offs, OpenTelemetry's GenAI names on model calls.

Model calls outside a workflow, and searches in vector databases, are read by `otel-genai`, whose table has the older, indexed
attributes (`gen_ai.prompt.N.*`, `gen_ai.completion.N.*`, `llm.usage.total_tokens`) too.
"""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Dialect, Fields, SpanView, no_logs
from collector.dialects.values import text

NAMES: Final[Names] = {
    **genai.NAMES,
    "prompt_version": (
        text,
        ("gen_ai.prompt.version", "traceloop.prompt.version", "traceloop.prompt.version_name", "traceloop.prompt.version_hash"),
    ),
    "agent_version": (text, ("gen_ai.agent.version", "traceloop.entity.version")),
}
TABLE: Final = NameTable(NAMES, COMMON)
_SPAN_KIND: Final = "traceloop.span.kind"
_ENTITY: Final = "traceloop.entity.name"
_STEPS: Final = {  # span kind → step kind, operation
    "workflow": ("agent", "invoke_workflow"),
    "agent": ("agent", "invoke_agent"),
    "tool": ("tool", "execute_tool"),
    "task": ("other", "task"),
    "handoff": ("other", "handoff"),
    "guardrail": ("policy", "guardrail"),
}


def read_span(span: SpanView) -> Fields | None:
    """Read a span of a workflow, or of what a workflow called. Other model calls of OpenLLMetry are OpenTelemetry's GenAI spans."""
    attributes = span.attributes
    kind = attributes.get(_SPAN_KIND)
    if kind is None:
        return genai.read(span, TABLE) if "traceloop.workflow.name" in attributes else None
    step, operation = _STEPS.get(str(kind), ("other", None))
    fields = TABLE.read(attributes)
    if step == "other" and any(name in attributes for name in genai.GUARDRAILS):
        step, operation = "policy", "guardrail"
    if operation != "invoke_agent":
        fields.pop("agent_version", None)  # a workflow's or tool's
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
    2,
    read_span,
    no_logs,
    recognised_by="`traceloop.span.kind` or `traceloop.workflow.name`",
    reads="Traceloop / OpenLLMetry: workflows, tasks, agents, tools, hand-offs, guardrails and what they call",
    marks=frozenset({_SPAN_KIND, "traceloop.workflow.name"}),
)
