"""Where each dialect has the content of conversations: tables of names, one a dialect, and nothing else.

Attributes are listed the best first. A record may speak several dialects at once (a framework on top of an instrumented client): for what
was given and for what was answered the first table counts that finds something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The attributes of one dialect that hold messages, as JSON or plain text."""

    dialect: str
    system: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    histories: tuple[str, ...] = ()  # both: what the assistant said last is the answer
    given_indexed: tuple[str, ...] = ()  # prefixes of attributes with numbers in their names
    answered_indexed: tuple[str, ...] = ()
    pieces: Mapping[str, str] | None = None  # attributes that each hold one sort of part of the answer
    marker: str = ""  # stands in every history of this dialect: the attribute's name alone says too little
    files: Mapping[str, str] | None = None  # attributes that hold the address of uploaded messages → role
    agents: bool = True  # read on agents, too; else only on model calls, as other steps mean other things by them

    @property
    def names(self) -> frozenset[str]:
        """Every attribute, and the prefixes of those with numbers."""
        some = (self.system, self.given, self.answered, self.histories, self.given_indexed, self.answered_indexed)
        return frozenset((*(name for names in some for name in names), *(self.pieces or ()), *(self.files or ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A log record or span event that is a message, or holds some."""

    dialect: str
    role: str  # user and system: was given; assistant: was answered
    content: tuple[str, ...] = ()  # attributes that hold it; none: the event itself is the message
    call: bool = False  # a tool's call and result
    part_of_call: bool = False  # one of several that together are the call of the span that they name
    echo: bool = False  # repeats what another record said, where that is recorded


SOURCES: Final[tuple[Source, ...]] = (
    Source(
        dialect="otel-genai",
        system=("gen_ai.system_instructions",),
        given=("gen_ai.input.messages",),
        answered=("gen_ai.output.messages",),
        files={"gen_ai.system_instructions_ref": "system", "gen_ai.input.messages_ref": "user", "gen_ai.output.messages_ref": "assistant"},
    ),
    Source(dialect="pydantic-ai", histories=("pydantic_ai.all_messages", "all_messages_events")),
    Source(dialect="pydantic-ai", histories=("events",), marker="gen_ai."),
    Source(dialect="openinference", given_indexed=("llm.input_messages.",), answered_indexed=("llm.output_messages.",)),
    Source(
        dialect="traceloop",
        given_indexed=("gen_ai.prompt.", "llm.prompts."),
        answered_indexed=("gen_ai.completion.", "llm.completions.", "llm.choices."),
    ),
    Source(
        dialect="vercel-ai",
        given=("ai.prompt.messages", "ai.prompt"),
        pieces={
            "ai.response.reasoning": "reasoning",
            "ai.response.text": "text",
            "ai.result.text": "text",
            "ai.response.object": "text",
            "ai.result.object": "text",
            "ai.response.toolCalls": "tool_call",
            "ai.result.toolCalls": "tool_call",
        },
        agents=False,
    ),
    Source(dialect="google-adk", given=("gcp.vertex.agent.llm_request",), answered=("gcp.vertex.agent.llm_response",), agents=False),
    Source(dialect="langsmith", given=("gen_ai.prompt",), answered=("gen_ai.completion",), agents=False),
    Source(
        dialect="mlflow",
        given=("mlflow.spanInputs",),
        answered=("mlflow.spanOutputs",),
        histories=("mlflow.chat.messages",),
        agents=False,
    ),
    Source(dialect="logfire", given=("request_data",), answered=("response_data",), agents=False),
    Source(dialect="claude-code", given=("new_context", "user_prompt"), answered=("response.model_output",)),
    Source(dialect="openinference", given=("input.value",), answered=("output.value",), agents=False),
    Source(dialect="traceloop", given=("traceloop.entity.input",), answered=("traceloop.entity.output",), agents=False),
)

EVENTS: Final[Mapping[str, Event]] = {
    "gen_ai.system.message": Event(dialect="otel-genai", role="system", part_of_call=True),
    "gen_ai.user.message": Event(dialect="otel-genai", role="user", part_of_call=True),
    "gen_ai.assistant.message": Event(dialect="otel-genai", role="user", part_of_call=True),
    "gen_ai.tool.message": Event(dialect="otel-genai", role="user", part_of_call=True),
    "gen_ai.choice": Event(dialect="otel-genai", role="assistant", part_of_call=True),
    "gen_ai.content.prompt": Event(
        dialect="otel-genai", role="user", content=("gen_ai.prompt", "content", "gen_ai.event.content"), part_of_call=True
    ),
    "gen_ai.content.completion": Event(
        dialect="otel-genai", role="assistant", content=("gen_ai.completion", "content", "gen_ai.event.content"), part_of_call=True
    ),
    "user_prompt": Event(dialect="claude-code", role="user", content=("prompt",)),
    "api_request_body": Event(dialect="claude-code", role="user", content=("body",)),
    "api_response_body": Event(dialect="claude-code", role="assistant", content=("body",)),
    "assistant_response": Event(dialect="claude-code", role="assistant", content=("response",), echo=True),
    "codex.user_prompt": Event(dialect="codex", role="user", content=("prompt",)),
    "codex.agent_response": Event(dialect="codex", role="assistant", content=("response",)),
    "codex.tool_result": Event(dialect="codex", role="assistant", call=True),
}
"""Name → what it is. Messages of the model's history are given to it, whoever said them."""

DETAILS: Final = "gen_ai.client.inference.operation.details"
"""The event whose attributes are those of a span."""

PREFIX: Final = "claude_code."
"""Stands before the names of Claude Code's events in some of its versions."""

EVENT_NAMES: Final = ("event.name", "event_name")
"""Attributes that name an event where its record does not (Claude Code, Codex, Pydantic AI)."""

EVENT_ROLES: Final[Mapping[str, str]] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
"""Who speaks in a message that does not say so itself."""

EVENT_CONTENT: Final = "gen_ai.event.content"
"""The attribute in which older clients put an event's body as JSON."""

CALL_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("call_id", "tool_use_id"),
    "name": ("tool_name",),
    "arguments": ("arguments",),
    "output": ("output",),
}
"""Fields of a call that an event tells."""

RUNTIME_MESSAGES: Final = "message"
"""AutoGen: the message that an agent's runtime hands over, on steps of kind message."""

AGENT_NAMES: Final = ("gen_ai.agent.name", "agent.name")
"""Attributes by which a step itself says which agent it is of."""

NO_CONVERSATION: Final = frozenset({"embeddings", "embedding", "rerank"})
"""Operations of models that answer with numbers."""
NO_CONVERSATION_KINDS: Final = frozenset({"EMBEDDING", "RERANKER"})
KIND_ATTRIBUTE: Final = "openinference.span.kind"

ARGUMENTS: Final = (
    "gen_ai.tool.call.arguments", "ai.toolCall.args", "gcp.vertex.agent.tool_call_args", "tool_arguments", "traceloop.entity.input",
    "input.value", "mlflow.spanInputs", "gen_ai.prompt", "tool_input", "tool_parameters", "arguments", "tool.parameters",
)  # fmt: skip
"""What a tool was called with, the best first."""

RESULTS: Final = (
    "gen_ai.tool.call.result", "ai.toolCall.result", "gcp.vertex.agent.tool_response", "tool_response", "traceloop.entity.output",
    "output.value", "mlflow.spanOutputs", "gen_ai.completion", "output",
)  # fmt: skip
"""What a tool gave back, the best first."""


def event_name(record: Mapping[str, Any]) -> str:
    """Return the name of a log record or span event as the tables have it; empty when it holds no messages."""
    attributes = record.get("attributes") or {}
    for name in (*(attributes.get(key) for key in EVENT_NAMES), record.get("event_name"), record.get("name"), record.get("body")):
        if isinstance(name, str) and (name == DETAILS or name.removeprefix(PREFIX) in EVENTS):
            return name.removeprefix(PREFIX)
    return ""
