"""AutoGen: GenAI spans of scope `autogen-core`, and the messages between agents as spans of its runtime.

Every message starts a trace that links to the one that caused it: the links are what makes them one run. The span that creates an
agent links to nothing: it belongs to the first run in which that agent is invoked afterwards.
"""

from typing import Any, Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import ADOPTS, JOINS, OFFERS, Attributes, Dialect, Fields, Join, SpanView, no_logs
from collector.dialects.values import integer, parsed, text

NAMES: Final[Names] = {**genai.NAMES, "operation": (text, ("gen_ai.operation.name", "messaging.operation"))}
TABLE: Final = NameTable(NAMES, COMMON)
_USAGE: Final = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
_ROLES: Final = {"create_agent": ADOPTS, "invoke_agent": OFFERS}


def read_span(span: SpanView) -> Fields | None:
    """Read a span of AutoGen."""
    if not span.scope.startswith("autogen"):
        return None
    if "messaging.operation" in span.attributes:
        message = {**TABLE.read(span.attributes), "step_kind": "message", **_handoff(span.attributes)}
        genai.without_call(message)
        return {**message, **_usage(span.attributes)}
    fields = genai.read(span, TABLE)
    role = _ROLES.get(fields.get("operation", ""))
    process = text(span.resource.get("service.instance.id"))
    if role is not None and process is not None and "agent_name" in fields and (role == OFFERS or span.is_root):
        fields[JOINS] = (Join(f"agent:{process}:{fields['agent_name']}", role),)
    return fields


def _usage(attributes: Attributes) -> Fields:
    """Say what the answer took that a message is: known of the message, which goes to all who listen; AutoGen records no calls to count."""
    if '"prompt_tokens"' not in str(attributes.get("message")):
        return {}
    told: Any = parsed(attributes["message"])
    for name in ("response", "chat_message", "message"):
        told = told.get(name, told) if isinstance(told, dict) else None
    usage = told.get("models_usage") if isinstance(told, dict) else None
    if not isinstance(usage, dict):
        return {}
    counts = {column: integer(usage.get(name)) for column, name in _USAGE.items()}
    return {column: count for column, count in counts.items() if count is not None}


def _handoff(attributes: Attributes) -> Fields:
    """Say who hands over to whom in the answer of an agent to the manager of its group; to the others it goes as a copy."""
    if "GroupChatManager" not in str(attributes.get("recipient_agent_class", "")):
        return {}
    answer: Any = parsed(attributes.get("message"))
    for name in ("response", "chat_message"):
        answer = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or answer.get("type") != "HandoffMessage":
        return {}
    found = {"agent_name": text(answer.get("source")), "handoff_to": text(answer.get("target"))}
    return {column: value for column, value in found.items() if value is not None}


DIALECT: Final = Dialect(
    "autogen",
    3,
    read_span,
    no_logs,
    recognised_by="scope `autogen…`",
    reads="AutoGen; messages between agents are steps of kind `message`, with the tokens that an answer took (not summed)",
    scopes=("autogen",),
    marks=frozenset(),
)
