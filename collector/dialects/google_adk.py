"""Google's Agent Development Kit: `call_llm`, `execute_tool`, `invoke_agent` and `gcp.vertex.agent.*` beside OpenTelemetry's GenAI names.

One invocation is one run, whatever traces it takes. Output tokens were sent in three ways over the versions: with the reasoning
tokens, without them, and through LiteLLM, whose counts include them already, with them twice. The model's answer, which ADK keeps as
JSON beside the counts, has the total that tells which of the three it is; without it the counts stay as sent.
"""

import re
from typing import Any, Final

from collector.dialects import genai, openinference
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import finish_reason, handed_to, operation, provider
from collector.dialects.record import JOINS, Attributes, Dialect, Fields, Join, SpanView, no_logs
from collector.dialects.record import NAMES as NAMES_RUN
from collector.dialects.usage import make_inclusive
from collector.dialects.values import integer, parsed, text

_ADK: Final = "gcp.vertex.agent."
_UNSPECIFIED: Final = frozenset({"<not specified>", "N/A", "unknown"})


def specified(value: object) -> str | None:
    """Return text that is no placeholder for what was not known."""
    found = text(value)
    return None if found in _UNSPECIFIED else found


NAMES: Final[Names] = {
    **genai.NAMES,
    "operation": (operation, ("gen_ai.operation.name",)),
    "session_id": (text, ("gen_ai.conversation.id", _ADK + "session_id")),
    "actor": (text, ("user.id", _ADK + "user_id")),
    "agent_name": (text, ("gen_ai.agent.name", _ADK + "agent_name")),
    "tool_call_id": (specified, ("gen_ai.tool.call.id",)),
}
TABLE: Final = NameTable(NAMES, openinference.NAMES, COMMON)
"""OpenInference's instrumentation writes its names into ADK's spans."""
_INVOCATION: Final = _ADK + "invocation_id"
_ANSWER: Final = _ADK + "llm_response"
_ARGUMENTS: Final = (_ADK + "tool_call_args", "gen_ai.tool.call.arguments")
_MARKS: Final = frozenset({_INVOCATION, _ANSWER, _ADK + "event_id", _ADK + "session_id", _ADK + "associated_event_ids"})
_BRACKETS: Final = re.compile(r"\[([^\]]+)\]\s*$")
_MERGED: Final = "(merged"
_USAGE: Final = {  # column → its name in the JSON of the model's answer
    "input_tokens": "prompt_token_count",
    "cache_read_tokens": "cached_content_token_count",
    "reasoning_tokens": "thoughts_token_count",
}


def read_span(span: SpanView) -> Fields | None:
    """Read a span of ADK's tracer."""
    attributes = span.attributes
    if span.scope != "gcp.vertex.agent" and attributes.keys().isdisjoint(_MARKS):
        return None
    fields = genai.read(span, TABLE)
    _by_name(span, fields)
    if fields["step_kind"] == "model":
        _complete_call(span, fields)
    else:
        genai.without_call(fields)
    if fields["step_kind"] == "tool":
        _hand_over(attributes, fields)
    invocation = text(attributes.get(_INVOCATION))
    if invocation is not None:
        fields[JOINS] = (Join(f"invocation:{invocation}", NAMES_RUN),)
    return fields


def _by_name(span: SpanView, fields: Fields) -> None:
    """Say what a span is where only its name does, as in the first versions."""
    name = span.name
    if name.startswith("call_llm"):
        fields |= {"step_kind": "model", "operation": "generate_content"}
    elif name.startswith("agent_run"):
        fields |= {"step_kind": "agent", "operation": "invoke_agent"}
        if (named := _BRACKETS.search(name)) is not None:
            fields.setdefault("agent_name", named[1])
    elif name.startswith("invocation"):
        fields |= {"step_kind": "run" if span.is_root else "agent", "operation": "invoke_workflow"}
    elif name.startswith("send_data"):
        fields["step_kind"] = "message"
    if fields["step_kind"] == "tool" and _MERGED in f"{name} {fields.get('tool_name', '')}":
        fields |= {"step_kind": "other", "tool_name": None}  # the answers of several calls together, each of which has a span


def _complete_call(span: SpanView, fields: Fields) -> None:
    for column, value in TABLE.read(span.attributes).items():
        fields.setdefault(column, value)
    answer = parsed(span.attributes.get(_ANSWER))
    usage = answer.get("usage_metadata") if isinstance(answer, dict) else None
    if isinstance(answer, dict):
        for column, value in (("model", text(answer.get("model_version"))), ("finish_reason", finish_reason(answer.get("finish_reason")))):
            if value is not None:
                fields.setdefault(column, value)
    if isinstance(usage, dict):
        _count(usage, fields)
    else:
        make_inclusive(fields, integer(span.attributes.get("llm.token_count.total")))
    prefix, slash, _ = str(fields.get("model_requested", "")).partition("/")
    if slash and "provider" not in fields:  # LiteLLM's: openai/gpt-4o-mini
        fields["provider"] = provider(prefix)


def _count(usage: dict[str, Any], fields: Fields) -> None:
    """Fill the counts by the usage in the model's answer, and make those that were sent inclusive by its total."""
    for column, name in _USAGE.items():
        if column not in fields and (tokens := integer(usage.get(name))) is not None:
            fields[column] = tokens
    if "output_tokens" not in fields and (tokens := integer(usage.get("candidates_token_count"))) is not None:
        fields["output_tokens"] = tokens
    total = integer(usage.get("total_token_count"))
    of_tools = integer(usage.get("tool_use_prompt_token_count")) or 0
    if total is not None and fields.get("input_tokens") == integer(usage.get("prompt_token_count")):
        total = max(total - of_tools, 0)
    make_inclusive(fields, total)


def _hand_over(attributes: Attributes, fields: Fields) -> None:
    arguments = next((attributes[name] for name in _ARGUMENTS if name in attributes), None)
    agent = handed_to(str(fields.get("tool_name", "")), arguments)
    if agent is not None:
        fields["handoff_to"] = agent


DIALECT: Final = Dialect(
    "google-adk",
    2,
    read_span,
    no_logs,
    recognised_by="scope `gcp.vertex.agent`, or `gcp.vertex.agent.{invocation_id,session_id,event_id,llm_response}`",
    reads="Google ADK, all its languages; one invocation is one run",
    scopes=("gcp.vertex.agent",),
    marks=_MARKS,
)
