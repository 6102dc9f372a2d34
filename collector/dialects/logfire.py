"""Logfire: its instrumentations of model clients and of the OpenAI Agents SDK, its own spans, and its start markers.

What other instrumentations send through Logfire (Pydantic AI's spans, above all) is theirs to read. A `pending_span` says that a span
began: it is a child of that span, is written at once, and is no step of its own once the span itself has come.
"""

from typing import Any, Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Attributes, Dialect, Fields, SpanView, no_logs
from collector.dialects.usage import make_inclusive
from collector.dialects.values import boolean, integer, number, parsed, text

SPAN_TYPE: Final = "logfire.span_type"
PENDING: Final = "pending_span"
"""The operation of a start marker, by which the views leave it out."""
NAMES: Final[Names] = {
    **genai.NAMES,
    "session_id": (text, ("gen_ai.conversation.id", "group_id")),
    "agent_name": (text, ("gen_ai.agent.name", "agent_name")),
    "handoff_to": (text, ("to_agent",)),
}
TABLE: Final = NameTable(NAMES, COMMON)
_STEPS: Final = (  # beginning of the span's name → step kind, operation
    ("Agent run", "agent", "invoke_agent"),
    ("Function: ", "tool", "execute_tool"),
    ("Guardrail ", "policy", "guardrail"),
    ("Handoff: ", "other", "handoff"),
    ("OpenAI Agents trace: ", "agent", "invoke_workflow"),
    ("streaming response ", "model", None),
    ("Chat Completion with ", "model", "chat"),
    ("Chat completion with ", "model", "chat"),
    ("Responses API", "model", "chat"),
    ("Message with ", "model", "chat"),
    ("Text Completion with ", "model", "text_completion"),
    ("Embedding Creation with ", "model", "embeddings"),
    ("Embeddings with ", "model", "embeddings"),
)
_USAGE: Final = {  # column → where it stands in the usage of OpenAI's and Anthropic's answers
    "input_tokens": (("prompt_tokens",), ("input_tokens",)),
    "output_tokens": (("completion_tokens",), ("output_tokens",)),
    "cache_read_tokens": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("cache_read_input_tokens",),
    ),
    "cache_write_tokens": (("cache_creation_input_tokens",),),
    "reasoning_tokens": (("completion_tokens_details", "reasoning_tokens"), ("output_tokens_details", "reasoning_tokens")),
}

_OF_ANTHROPIC: Final = "cache_read_input_tokens"


def read_span(span: SpanView) -> Fields | None:
    """Read a start marker, whoever's span it announces, and the spans of Logfire itself."""
    if span.attributes.get(SPAN_TYPE) == PENDING:
        return _pending(span)
    if not span.scope.startswith("logfire") or span.scope == "logfire.mcp":
        return None
    step, operation = next(((kind, name) for start, kind, name in _STEPS if span.name.startswith(start)), (None, None))
    fields = genai.read(span, TABLE, totals=False) if step is None else TABLE.read(span.attributes)
    if step is not None:
        fields["step_kind"] = "run" if operation == "invoke_workflow" and span.is_root else step
        fields["operation"] = operation or fields.get("operation") or "chat"
        _complete(span, step, fields)
    return fields


def _pending(span: SpanView) -> Fields:
    fields = TABLE.read(span.attributes)
    genai.without_call(fields)
    return {**fields, "step_kind": "other", "operation": PENDING}


def _complete(span: SpanView, step: str, fields: Fields) -> None:
    attributes, named = span.attributes, text(span.attributes.get("name"))
    if step == "model":
        _complete_call(span, fields)
        return
    genai.without_call(fields)
    if step == "tool":
        fields.setdefault("tool_name", named)
    elif step == "agent":
        fields.setdefault("agent_name", named)
    elif step == "policy" and (triggered := boolean(attributes.get("triggered"))) is not None:
        fields["decision"] = "deny" if triggered else "allow"


def _complete_call(span: SpanView, fields: Fields) -> None:
    """Take of a call what its answer says; of a streamed call the answer is a record of its own, and the request no second call."""
    asked, answered = parsed(span.attributes.get("request_data")), _answer(span.attributes)
    if answered is None and isinstance(asked, dict) and asked.get("stream") is True and not span.failed:
        genai.without_call(fields)
        fields["step_kind"] = "other"
        return
    if isinstance(asked, dict) and (model := text(asked.get("model"))) is not None:
        fields.setdefault("model_requested", model)
    seconds = number(span.attributes.get("duration"))
    if seconds is not None and span.name.startswith("streaming response "):
        fields["latency_ms"] = seconds * 1e3
    usage = answered.get("usage") if answered is not None else None
    for column, places in _USAGE.items():
        tokens = next((found for place in places if (found := integer(_within(usage, place))) is not None), None)
        if tokens is not None:
            fields.setdefault(column, tokens)
    if fields["operation"] == "embeddings":
        fields.pop("output_tokens", None)
    total = integer(_within(usage, ("total_tokens",))) or genai.total_of(span.attributes)
    make_inclusive(fields, total, without_cached=_is_without_cached(fields, usage))


def _is_without_cached(fields: Fields, usage: Any) -> bool:
    """Return whether the input is what Anthropic counts; later versions of Logfire add the cached tokens themselves."""
    counted = integer(_within(usage, ("input_tokens",)))
    return counted is not None and counted == fields.get("input_tokens") and _OF_ANTHROPIC in usage


def _answer(attributes: Attributes) -> dict[str, Any] | None:
    found = parsed(attributes.get("response_data") or attributes.get("response"))
    return found if isinstance(found, dict) else None


def _within(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


DIALECT: Final = Dialect(
    "logfire",
    2,
    read_span,
    no_logs,
    recognised_by="scope `logfire…`; `logfire.span_type = pending_span` in any scope",
    reads="Logfire's instrumentations of OpenAI, Anthropic and the OpenAI Agents SDK, its own spans, and its start markers",
    scopes=("logfire",),
    marks=frozenset({SPAN_TYPE}),
)
