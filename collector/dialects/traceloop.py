"""Traceloop / OpenLLMetry: `traceloop.*` on workflows, tasks, agents, tools and hand-offs, OpenTelemetry's GenAI names on model calls.

Model calls outside a workflow, and searches in vector databases, are read by `otel-genai`, whose table has the older, indexed
attributes (`gen_ai.prompt.N.*`, `gen_ai.completion.N.*`, `llm.usage.total_tokens`) too.
"""

from typing import Final

from collector.dialects import genai, langgraph
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import kind_of
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
_WORKFLOW: Final = "traceloop.workflow.name"
_OF_CALLS: Final = frozenset({"task", "workflow"})
"""Kinds of span that LlamaIndex's calls have."""
_CREW, _CREW_CALL = "opentelemetry.instrumentation.crewai", ".llm"
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
        return _of_crew(span) or (genai.read(span, TABLE) if _WORKFLOW in attributes else None)
    step, operation = _STEPS.get(str(kind), ("other", None))
    fields = TABLE.read(attributes)
    if kind in _OF_CALLS and _is_call(fields):
        return {"operation": "chat", **genai.read(span, TABLE)}
    if step == "other" and any(name in attributes for name in genai.GUARDRAILS):
        step, operation = "policy", "guardrail"
    if operation != "invoke_agent":
        fields.pop("agent_version", None)  # a workflow's or tool's
    if step == "agent":
        genai.keep_total(fields, genai.total_of(attributes))
    else:
        genai.without_call(fields)
    fields["operation"] = operation
    fields["step_kind"] = "run" if span.is_root and step in {"agent", "other"} and operation != "invoke_agent" else step
    entity = text(attributes.get(_ENTITY))
    if step != "tool":
        langgraph.read_graph(fields, attributes.get("traceloop.entity.input"), attributes.get("traceloop.entity.output"))
    if step == "tool":
        fields.setdefault("tool_name", (entity or span.name).removesuffix(".tool"))
    elif operation == "invoke_agent":
        if entity is not None:
            fields["agent_name"] = entity.removesuffix(".agent")
        elif "agent_name" not in fields and span.name.endswith(".agent"):
            fields["agent_name"] = span.name.removesuffix(".agent")
    return fields


def _is_call(fields: Fields) -> bool:
    """Return whether a step is a call of a model, which is not in a span of its own."""
    if kind_of(fields.get("operation")) == "model":
        return True
    return "model_requested" in fields and ("input_tokens" in fields or "output_tokens" in fields)


def _of_crew(span: SpanView) -> Fields | None:
    """Read a call of a model by CrewAI: the model is in its name, and what it took is at most in a span within."""
    if not (span.scope.startswith(_CREW) and span.name.endswith(_CREW_CALL)):
        return None
    fields = TABLE.read(span.attributes)
    fields.setdefault("model_requested", span.name.removesuffix(_CREW_CALL))
    return {**fields, "step_kind": "model", "operation": "chat"}


DIALECT: Final = Dialect(
    "traceloop",
    3,
    read_span,
    no_logs,
    recognised_by="`traceloop.span.kind` or `traceloop.workflow.name`; calls of CrewAI by scope `opentelemetry.instrumentation.crewai…`",
    reads="Traceloop / OpenLLMetry: workflows, tasks, agents, tools, hand-offs, guardrails and what they call",
    scopes=(_CREW,),
    marks=frozenset({_SPAN_KIND, _WORKFLOW}),
)
