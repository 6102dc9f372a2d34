"""Values of any dialect → messages: single messages, items of the Responses API, and the requests and answers that hold them.

What is recognised is a message's own shape (a role, parts, the wrappers of LangChain and AutoGen); the tables say where the rest stands.
Whatever is not understood is one message with the JSON as its text: never dropped, never an exception.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from storage.messages.form import Message, Part, as_text, part, raised, text_part
from storage.messages.parts import NAMED_BY, TYPES, blocks_in, parts_of

ROLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("human", "humanmessage", "humanmessagechunk", "user-prompt"), "user"),
    **dict.fromkeys(("ai", "model", "bot", "aimessage", "aimessagechunk"), "assistant"),
    **dict.fromkeys(("developer", "systemmessage", "system-prompt"), "system"),
    **dict.fromkeys(("function", "toolmessage", "functionmessage"), "tool"),
    "request": "user",
    "response": "assistant",
}
"""Words of dialects → roles."""

CONTENT: Final = ("parts", "contents", "content", "items", "text", "message", "prompt", "completion")
"""Where a message has its content, the best first."""
CALLS: Final = ("tool_calls", "toolCalls", "function_call", "invalid_tool_calls")
THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking")
FINISH: Final = ("finish_reason", "stop_reason", "finishReason", "stopReason")
_ID: Final = ("tool_call_id", "toolCallId", "call_id")
_LANGCHAIN: Final = frozenset({"human", "ai", "system", "tool", "function", "chat", "AIMessageChunk", "HumanMessageChunk"})
_SPEAKERS: Final[Mapping[str, str]] = {"tool_call": "assistant", "reasoning": "assistant", "tool_result": "tool"}

REQUEST: Final = (
    "chat_history", "messages", "contents", "input", "prompt", "prompts", "message", "inner_messages", "chat_message", "response",
)  # fmt: skip
ANSWER: Final = (
    "choices", "output", "generations", "candidates", "messages", "content", "message", "response", "outputs", "answer", "text",
)  # fmt: skip
SYSTEM: Final = ("system", "system_instruction", "systemInstruction", "instructions")
"""Where requests and answers have their messages, and requests their system prompt (Gemini: in `config`)."""
_HOLDING: Final = {REQUEST: frozenset({*REQUEST, *SYSTEM, "config"}), ANSWER: frozenset(ANSWER)}


def messages_of(value: Any, role: str) -> list[Message]:
    """Return the messages of any value; `role` is whose they are unless they say so: `user` and `system` for what was given."""
    if value is None or value in ("", {}, []):
        return []
    if isinstance(value, list):
        return joined((message, is_bare(item)) for item in value for message in messages_of(item, role))
    if not isinstance(value, dict):
        return [Message(role=role, parts=(text_part(as_text(value)),))]
    unwrapped, word = _unwrapped(value), _word(value)
    if _is_message(unwrapped, word if unwrapped is value else _word(unwrapped)):
        return _message(unwrapped, role)
    if word in TYPES:
        return _alone(value, role)
    return envelope(value, role) or _alone(value, role)


def joined(messages: Iterable[tuple[Message, bool]]) -> list[Message]:
    """Return messages with content that has no speaker of its own, and stands side by side, as one."""
    found: list[Message] = []
    open_ended = False
    for message, bare in messages:
        if bare and open_ended and found[-1].role == message.role and message.extra is None:
            found[-1] = replace(found[-1], parts=found[-1].parts + message.parts)
        else:
            found.append(message)
        open_ended = bare
    return found


def is_bare(value: Any) -> bool:
    """Whether this is content without a speaker: what stands next to it in a list is of the same message."""
    if not isinstance(value, dict):
        return True
    unwrapped, word = _unwrapped(value), _word(value)
    return (word in TYPES and "role" not in value) or not _is_message(unwrapped, word if unwrapped is value else _word(unwrapped))


def _word(value: Mapping[str, Any]) -> str:
    for key in NAMED_BY:
        if isinstance(word := value.get(key), str):
            return word
    return ""


def _unwrapped(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message inside LangChain's, OpenInference's and choices' wrappers, with what they said themselves."""
    if isinstance(value.get("kwargs"), dict) and isinstance(value.get("id"), list) and "lc" in value:
        fields = {key: said for key, said in raised(value, "kwargs").items() if key not in {"lc", "type", "id"} or said != value.get(key)}
        return {"role": str(value["id"][-1]) if value["id"] else "", **fields}
    if isinstance(value.get("data"), dict) and str(value.get("type")) in _LANGCHAIN:
        return raised({"role": value["type"], **value}, "data")
    for key in ("message", "delta"):
        inner = value.get(key)
        if (
            isinstance(inner, dict)
            and "role" not in value
            and (_is_message(inner, _word(inner)) or "index" in value or "finish_reason" in value)
        ):
            return raised({**value, key: _unwrapped(inner)}, key)
    return value


def _is_message(value: Mapping[str, Any], word: str) -> bool:
    """Whether a value is one message; `word` is what it calls itself."""
    if isinstance(value.get("role"), str) or word == "message" or (word in _LANGCHAIN and "content" in value):
        return True
    if word in TYPES:
        return False
    if isinstance(value.get("source"), str) and "content" in value:
        return True  # AutoGen
    return "parts" in value or any(key in value for key in CALLS) or (isinstance(value.get("content"), str) and len(value) <= 3)


def _message(value: Mapping[str, Any], role: str) -> list[Message]:
    left = dict(value)
    said = _spoken_by(left, role)
    if "function_call_name" in left:  # OpenInference's older form of one call
        left["function_call"] = {"name": left.pop("function_call_name"), "arguments": left.pop("function_call_arguments_json", None)}
    calls = [found for key in CALLS if key in left for found in parts_of(left.pop(key), "tool_call")]
    thoughts = [found for key in THOUGHTS if key in left for found in _thoughts(left, key)]
    key = next((name for name in CONTENT if left.get(name) not in (None, "", [])), None)
    content = None if key is None else left.pop(key)
    parts = _content(content)
    if "content" in left and left["content"] == "\n".join(found["text"] for found in parts if found["type"] == "text"):
        del left["content"]
    bare = said == "tool" and all(found["type"] != "tool_result" for found in parts)
    called = next((name for name in ((*_ID, "id") if bare else _ID) if left.get(name)), None)
    name = next((left.pop(word) for word in ("name", "author_name") if isinstance(left.get(word), str)), None)
    if (parts or called) and (said == "tool" or called) and all(found["type"] not in {"tool_result", "tool_call"} for found in parts):
        parts, name = _result(content, left.pop(called) if called else None, name, left), None
    if left.get("refusal"):
        parts.append(part("text", {"type": "refusal"}, text=as_text(left.pop("refusal"))))
    parts = [*thoughts, *parts, *calls]
    if said == "user" and parts and all(found["type"] == "tool_result" for found in parts):
        said = "tool"
    reason = next((left.pop(word) for word in FINISH if left.get(word) is not None), None)
    extra = {word: told for word, told in left.items() if told is not None and told not in ("", [], {})} or None
    finish = None if reason is None else as_text(reason)
    if not parts and (name or extra):
        parts, name, extra = [text_part(as_text({"name": name} | (extra or {}) if name else extra))], None, None
    return [Message(role=said, parts=tuple(parts), name=name, finish_reason=finish, extra=extra)]


def _spoken_by(left: dict[str, Any], role: str) -> str:
    word = left.pop("role", None) if isinstance(left.get("role"), str) else None
    if word is None and isinstance(left.get("source"), str):  # AutoGen names the agent
        left["name"] = word = left.pop("source")
        results = "Execution" in str(left.get("type"))
        return "user" if word == "user" else "tool" if results else "assistant"
    if word is None and str(left.get("type")) in _LANGCHAIN:
        word = left.pop("type")
    if word is None and str(left.get("kind")) in {"request", "response"}:
        word = left.pop("kind")
    if left.get("type") == "message":
        del left["type"]
    return role if word is None or word == "" else ROLES.get(str(word).lower(), str(word))


def _thoughts(left: dict[str, Any], key: str) -> list[Part]:
    value = left.get(key)
    if not value or not isinstance(value, str | list):
        return []
    return parts_of(left.pop(key) if isinstance(value, list) else {"type": "reasoning", "text": left.pop(key)}, "reasoning")


def _content(value: Any) -> list[Part]:
    value = blocks_in(value) if isinstance(value, str) else value
    return parts_of([_called(item) for item in value] if isinstance(value, list) else value)


def _called(item: Any) -> Any:
    """Return AutoGen's calls and results, which say what they are only by their fields, as blocks that do."""
    if isinstance(item, dict) and "type" not in item:
        if "arguments" in item and "name" in item:
            return {"type": "tool_call", **item}
        if "call_id" in item and "content" in item:
            return {"type": "tool_result", **item}
    return item


def _result(content: Any, called: Any, name: str | None, left: dict[str, Any]) -> list[Part]:
    """What a tool's message says as its result: its content may be text, blocks or the JSON of blocks."""
    content = blocks_in(content) if isinstance(content, str) else content
    told = {key: left.pop(key) for key in ("status", "is_error") if key in left}
    return parts_of({"type": "tool_result", "tool_call_id": called, "name": name, "content": content, **told})


def _alone(value: Any, role: str) -> list[Message]:
    """A content block without a message: calls and thoughts are the assistant's, results a tool's."""
    parts = tuple(parts_of(value))
    if not parts:
        return []
    sorts = {_SPEAKERS.get(found["type"], "") for found in parts}
    return [Message(role=(sorts.pop() or role) if len(sorts) == 1 and role != "system" else role, parts=parts)]


def envelope(value: Mapping[str, Any], role: str) -> list[Message]:
    """Return the messages of an answer (the role is `assistant`) or of a request; settings and counts around them are no conversation."""
    places = ANSWER if role == "assistant" else REQUEST
    if value.keys().isdisjoint(_HOLDING[places]):
        return []
    config = value.get("config")
    system = [] if role == "assistant" else [message for key in SYSTEM for message in messages_of(value.get(key), "system")]
    if role != "assistant" and isinstance(config, dict):
        system += [message for key in SYSTEM for message in messages_of(config.get(key), "system")]
    finish = next((as_text(value[word]) for word in FINISH if value.get(word) is not None), None)
    for key in places:
        inner = messages_of(_flat(value[key]), role) if value.get(key) not in (None, "", [], {}) else []
        if inner and role == "assistant":
            said = finish is None or inner[-1].finish_reason is not None
            return inner if said else [*inner[:-1], replace(inner[-1], finish_reason=finish)]
        system += inner
    return system


def _flat(value: Any) -> list[Any]:
    items = value if isinstance(value, list) else [value]
    return [inner for item in items for inner in (_flat(item) if isinstance(item, list) else [item])]
