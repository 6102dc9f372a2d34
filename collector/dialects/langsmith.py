"""LangSmith: LangChain's and LangGraph's runs as its SDK exports them to OpenTelemetry (scope `langsmith`).

Every span has GenAI names, but a chain repeats the usage that it finds in its outputs, a retriever is called `embeddings` and a prompt
`chat`: what a span is says `langsmith.span.kind` alone. Messages are JSON in `gen_ai.prompt` and `gen_ai.completion`, and there is what no
attribute tells: details of the usage, the answer's id and model, why it finished, which call a tool answered. A span that is exported
after its parent has ended begins a trace of its own: `langsmith.trace.id` says that it belongs to the others.
"""

import re
from typing import Final

from collector.dialects import answers, genai, langgraph
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import provider
from collector.dialects.record import JOINS, Attributes, Dialect, Fields, Join, SpanView, no_logs
from collector.dialects.usage import make_inclusive
from collector.dialects.values import integer, parsed, text

KIND: Final = "langsmith.span.kind"
NAMES: Final[Names] = {
    **genai.NAMES,
    "session_id": (
        text,
        (
            "langsmith.metadata.session_id",
            "langsmith.metadata.conversation_id",
            "langsmith.metadata.thread_id",
            *genai.NAMES["session_id"][1],
        ),
    ),
    "actor": (text, ("langsmith.metadata.user_id", "langsmith.metadata.user", *genai.NAMES["actor"][1])),
    "tenant": (text, ("langsmith.metadata.tenant", "langsmith.metadata.tenant_id", *genai.NAMES["tenant"][1])),
    "project": (text, ("langsmith.trace.session_name",)),
    "environment": (text, ("langsmith.metadata.environment", "langsmith.metadata.env")),
    "release": (text, ("langsmith.metadata.release", "langsmith.metadata.version")),
    "agent_name": (text, ("langsmith.metadata.lc_agent_name", "langsmith.metadata.agent_name", "langsmith.metadata.agent")),
    "provider": (provider, ("langsmith.metadata.ls_provider", *genai.NAMES["provider"][1])),
    "model_requested": (text, ("gen_ai.request.model", "langsmith.metadata.ls_model_name")),
    "prompt_version": (text, ("langsmith.metadata.lc_hub_commit_hash", "langsmith.metadata.prompt_version")),
    "tool_name": (text, ("gen_ai.tool.name", "langsmith.metadata.tool_name")),
}
TABLE: Final = NameTable(NAMES, COMMON)
_KINDS: Final = {  # span kind → step kind, operation
    "llm": ("model", "chat"),
    "embedding": ("model", "embeddings"),
    "tool": ("tool", "execute_tool"),
    "retriever": ("retrieval", "retrieval"),
    "agent": ("agent", "invoke_agent"),
    "chain": ("other", "chain"),
    "prompt": ("other", "prompt"),
    "parser": ("other", "parser"),
}
_NAME: Final = "langsmith.trace.name"
_TRACE, _PARENT = "langsmith.trace.id", "langsmith.span.parent_id"
_UNNAMED: Final = ("Runnable", "LangGraph", "AgentExecutor")
"""What a chain or graph is called that was given no name."""
_COMPLETION: Final = "gen_ai.completion"
_DETAILS: Final = {  # where details of the usage stand, under each name that a column has there
    "cache_read_tokens": ("input_token_details", ("cache_read",)),
    "cache_write_tokens": ("input_token_details", ("cache_creation", "cache_write")),
    "reasoning_tokens": ("output_token_details", ("reasoning",)),
}


def read_span(span: SpanView) -> Fields | None:
    """Read a span of LangSmith's exporter."""
    sent = span.attributes.get(KIND)
    if sent is None:
        return None
    fields = TABLE.read(span.attributes)
    fields["step_kind"], fields["operation"] = _KINDS.get(str(sent), ("other", str(sent)))
    if (trace := text(span.attributes.get(_TRACE))) is not None and (span.is_root or _PARENT not in span.attributes):
        fields[JOINS] = (Join(f"langsmith:{trace}"),)
    kind, name = fields["step_kind"], text(span.attributes.get(_NAME)) or span.name
    if kind == "model":
        _complete_call(fields, span.attributes)
        return fields
    genai.without_call(fields)
    for column in ("provider", "model", "model_requested"):
        fields.pop(column, None)
    if kind == "tool":
        _complete_tool(fields, span.attributes, name)
    elif kind in {"other", "agent"}:
        langgraph.read_graph(fields, span.attributes.get("gen_ai.prompt"), span.attributes.get(_COMPLETION))
    if kind == "other":
        if span.is_root:
            fields["step_kind"] = "run"
            if not name.startswith(_UNNAMED):
                fields.setdefault("agent_name", name)
        elif (agent := fields.get("agent_name")) is not None and agent == name:
            fields["step_kind"], fields["operation"] = "agent", "invoke_agent"
    return fields


def _complete_call(fields: Fields, attributes: Attributes) -> None:
    """Fill what stands in the answer alone, and make the counts inclusive."""
    answers.complete(fields, parsed(attributes.get(_COMPLETION)))
    for column, (holder, names) in _DETAILS.items():
        if column not in fields and (sent := text(attributes.get(f"gen_ai.usage.{holder}"))) is not None:
            fields[column] = _of_printed(sent, names)
    make_inclusive(fields, genai.total_of(attributes))


def _of_printed(sent: str, names: tuple[str, ...]) -> int | None:
    """Return a count from details that were sent as Python prints a dictionary."""
    for name in names:
        match = re.search(rf"['\"]{name}['\"]: (\d+)", sent)
        if match is not None:
            return integer(match[1])
    return None


def _complete_tool(fields: Fields, attributes: Attributes, name: str) -> None:
    fields.setdefault("tool_name", text(attributes.get("gen_ai.serialized.name")) or name)
    answers.of_tool(fields, parsed(attributes.get(_COMPLETION)))


DIALECT: Final = Dialect(
    "langsmith",
    3,
    read_span,
    no_logs,
    recognised_by=f"the attribute `{KIND}`",
    reads="LangChain, LangGraph and `@traceable` functions by the OpenTelemetry exporter of LangSmith's SDK",
    marks=frozenset({KIND}),
)
