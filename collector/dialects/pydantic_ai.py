"""Pydantic AI: GenAI names and its own, agents that repeat their calls' totals, and runs that stop to ask for an approval.

A run that needs an approval (or the result of a tool that runs elsewhere) ends with the deferred calls in `final_result`. It goes
on in another trace with the same conversation, whose first new message answers those calls. Conversation and call together are what
joins the two: a conversation alone has many runs.
"""

from collections.abc import Iterator
from typing import Any, Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.openinference import from_metadata
from collector.dialects.record import JOINS, Attributes, Dialect, Fields, Join, SpanView, no_logs
from collector.dialects.values import integer, objects, parsed, text

NAMES: Final[Names] = {
    **genai.NAMES,
    "model_requested": (text, ("gen_ai.request.model", "model_name")),
    "agent_name": (text, ("gen_ai.agent.name", "agent_name")),
}
TABLE: Final = NameTable(NAMES, COMMON)
_SCOPES: Final = frozenset({"pydantic-ai", "pydantic_ai"})
_DEFERRAL: Final = "pydantic_ai.tool.deferral.name"
_DENIAL: Final = "The tool call was denied."
"""What the framework tells the model when a denial has no message of its own."""


def read_span(span: SpanView) -> Fields | None:
    """Read a span of Pydantic AI."""
    if span.scope not in _SCOPES and "gen_ai.agent.call.id" not in span.attributes:
        return None
    fields = genai.read(span, TABLE, totals=False)
    from_metadata(span.attributes, fields)
    if "operation" not in fields and "agent_name" in span.attributes and "model_name" in span.attributes:
        genai.without_call(fields)  # an agent's run by the first versions: it has its calls' totals, and no operation
        fields |= {"step_kind": "agent", "operation": "invoke_agent"}
    if fields["step_kind"] == "agent":
        _deferred_and_resumed(span.attributes, fields)
    elif "ApprovalRequired" in str(span.attributes.get(_DEFERRAL, "")):  # the tool asked and did not run
        fields |= {"step_kind": "approval", "approval_state": "requested", "requires_approval": True, "action": fields.get("tool_name")}
    return fields


def _deferred_and_resumed(attributes: Attributes, fields: Fields) -> None:
    """Say what a run stopped for, or was resumed with, and join the two."""
    result = parsed(attributes.get("final_result"))
    asked = objects(result.get("approvals")) if isinstance(result, dict) else []
    elsewhere = objects(result.get("calls")) if isinstance(result, dict) else []
    answered = list(_answers(attributes))
    if asked:
        _approval(fields, "requested", asked[0].get("tool_call_id"), asked[0].get("tool_name"))
    elif answered:
        first = answered[0]
        state = "denied" if first.get("outcome") == "denied" or first.get("result") == _DENIAL else "granted"
        _approval(fields, state, first.get("id"), first.get("name"))
    session = fields.get("session_id")
    if session is not None:
        calls = [call.get("tool_call_id") for call in (*asked, *elsewhere)] + [answer.get("id") for answer in answered]
        fields[JOINS] = tuple(Join(f"call:{session}:{call}") for call in calls if text(call))


def _approval(fields: Fields, state: str, call: object, tool: object) -> None:
    fields["approval_state"] = state
    fields["tool_call_id"] = text(call)
    fields["tool_name"] = fields["action"] = text(tool)


def _answers(attributes: Attributes) -> Iterator[dict[str, Any]]:
    """Yield the tool results that begin a resumed run: they answer calls of the run before."""
    begin = integer(attributes.get("pydantic_ai.new_message_index"))
    messages = objects(attributes.get("pydantic_ai.all_messages")) if begin else []
    if begin is None or not 0 < begin < len(messages):
        return
    for part in objects(messages[begin].get("parts")):
        if part.get("type") == "tool_call_response" and text(part.get("id")):
            yield part


DIALECT: Final = Dialect(
    "pydantic-ai",
    2,
    read_span,
    no_logs,
    recognised_by="scope `pydantic-ai`, or `gen_ai.agent.call.id`",
    reads="Pydantic AI, with or without Logfire",
    scopes=("pydantic",),
    marks=frozenset({"gen_ai.agent.call.id"}),
)
