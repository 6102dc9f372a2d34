"""The messages of a model call and the content of other steps, whatever convention carried them. Pure.

Reads the redacted attributes as stored; nothing here decides what is canonical (the dialects do), only what there is to read. Anything
that is not understood is shown as it is rather than dropped.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who spoke, what sort of content, and the text (pretty JSON where it was JSON)."""

    role: str
    text: str
    sort: str = "text"  # text | tool_call | tool_result


_INPUT_JSON: Final = ("gen_ai.input.messages", "ai.prompt.messages", "gen_ai.prompt")
_OUTPUT_JSON: Final = ("gen_ai.output.messages", "gen_ai.completion")
_INPUT_FLAT: Final = ("llm.input_messages", "gen_ai.prompt")
_OUTPUT_FLAT: Final = ("llm.output_messages", "gen_ai.completion")
_ARGUMENTS: Final = (
    "gen_ai.tool.call.arguments",
    "ai.toolCall.args",
    "tool.parameters",
    "traceloop.entity.input",
    "input.value",
    "mlflow.spanInputs",
    "tool_arguments",
)
_RESULT: Final = (
    "gen_ai.tool.call.result",
    "ai.toolCall.result",
    "traceloop.entity.output",
    "output.value",
    "mlflow.spanOutputs",
    "tool_response",
)


def inputs(attributes: Attributes) -> list[Message]:
    """What the model was given, oldest first, system instructions at the start."""
    found = _system(attributes)
    for key in _INPUT_JSON:
        if key in attributes and (messages := _of_json(attributes[key], "user")):
            return found + messages
    for prefix in _INPUT_FLAT:
        if messages := _of_flat(attributes, prefix):
            return found + messages
    if "input.value" in attributes:
        return found + (_of_json(attributes["input.value"], "user") or [Message("user", pretty(attributes["input.value"]))])
    return found


def outputs(attributes: Attributes) -> list[Message]:
    """What the model answered."""
    for key in _OUTPUT_JSON:
        if key in attributes and (messages := _of_json(attributes[key], "assistant")):
            return messages
    for prefix in _OUTPUT_FLAT:
        if messages := _of_flat(attributes, prefix):
            return messages
    if text := attributes.get("ai.response.text"):
        return [Message("assistant", text)]
    if "output.value" in attributes:
        return [Message("assistant", pretty(attributes["output.value"]))]
    return []


def of_events(events: Sequence[Mapping[str, Any]]) -> tuple[list[Message], list[Message]]:
    """What a model was given and answered, where a framework says so in span events instead of attributes."""
    given: list[Message] = []
    answered: list[Message] = []
    for event in events:
        name, attributes = str(event.get("name") or ""), dict(event.get("attributes") or {})
        if name == "gen_ai.client.inference.operation.details":
            given, answered = given + inputs(attributes), answered + outputs(attributes)
        elif name == "gen_ai.choice":
            answered += _of_json(str(attributes.get("message") or attributes.get("content") or ""), "assistant")
        elif match := _ROLE_EVENT.match(name):
            given += _of_json(str(attributes.get("content") or ""), match[1])
    return given, answered


_ROLE_EVENT: Final = re.compile(r"^gen_ai\.(system|user|assistant|tool)\.message$")


def spoken(step: Mapping[str, Any]) -> tuple[list[Message], list[Message]]:
    """What the model of a step was given and what it answered: from its attributes, else from its span events."""
    attributes = step.get("attributes") or {}
    given, answered = inputs(attributes), outputs(attributes)
    if given and answered:
        return given, answered
    given_too, answered_too = of_events(step.get("events") or [])
    return given or given_too, answered or answered_too


def arguments(attributes: Attributes) -> str | None:
    """A tool's arguments, pretty where they are JSON."""
    return _first(attributes, _ARGUMENTS)


def result(attributes: Attributes) -> str | None:
    """What a tool gave back."""
    return _first(attributes, _RESULT)


def pretty(text: str) -> str:
    """JSON objects and arrays indented; every other text as it is."""
    if text[:1] not in {"{", "["}:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def new_since(previous: list[Message], now: list[Message]) -> tuple[list[Message], int]:
    """The messages of this turn that the turn before had not (its input and its answer), and how many were left out as known.

    A conversation that does not begin like the one before is shown whole: leaving something out must never be a guess.
    """
    same = 0
    for before, after in zip(previous, now, strict=False):
        if before != after:
            break
        same += 1
    if same == 0 or (same < len(previous) and same < len(now)):
        return now, 0
    return now[same:], same


def _first(attributes: Attributes, keys: tuple[str, ...]) -> str | None:
    return next((pretty(attributes[key]) for key in keys if attributes.get(key)), None)


def _system(attributes: Attributes) -> list[Message]:
    text = attributes.get("gen_ai.system_instructions")
    if not text:
        return []
    try:
        parts = json.loads(text)
    except ValueError:
        return [Message("system", text)]
    return [message for part in (parts if isinstance(parts, list) else [parts]) for message in _of_part("system", part)]


def _of_json(text: str, role: str) -> list[Message]:
    if not text:
        return []
    try:
        value = json.loads(text)
    except ValueError:
        return [Message(role, text)]
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]
    items = value if isinstance(value, list) else [value]
    return [message for item in items for message in _of_message(item, role)]


def _of_message(item: Any, role: str) -> list[Message]:
    if not isinstance(item, dict):
        return [Message(role, _text(item))]
    role = str(item.get("role") or item.get("type") or role)
    parts = item.get("parts", item.get("content", item.get("text")))
    found: list[Message] = []
    for part in parts if isinstance(parts, list) else [parts]:
        found += _of_part(role, part)
    for call in item.get("tool_calls") or []:
        function = call.get("function", call) if isinstance(call, dict) else call
        found += _of_part(role, {"type": "tool_call", **function} if isinstance(function, dict) else function)
    return found or [Message(role, _text(item))]


def _of_part(role: str, part: Any) -> list[Message]:
    if part is None:
        return []
    if not isinstance(part, dict):
        return [Message(role, _text(part))]
    sort = str(part.get("type", ""))
    if sort in {"tool_call", "tool-call", "tool_use", "function"}:
        given = part.get("arguments", part.get("args", part.get("input")))
        return [Message(role, f"{part.get('name') or part.get('toolName') or 'tool'} {_text(given)}".strip(), "tool_call")]
    if sort in {"tool_call_response", "tool-result", "tool_result"}:
        return [Message(role, _text(part.get("response", part.get("result", part.get("content", part.get("output"))))), "tool_result")]
    content = part.get("content", part.get("text"))
    return [Message(role, _text(part if content is None else content))]


_INDEXED: Final = re.compile(r"^(\d+)\.(.+)$")


def _of_flat(attributes: Attributes, prefix: str) -> list[Message]:
    """`prefix.N.role`, `prefix.N.content` (also with `message.` between) and their tool calls, in the order of N."""
    turns: dict[int, dict[str, str]] = {}
    for key, value in attributes.items():
        if key.startswith(prefix + ".") and (match := _INDEXED.match(key[len(prefix) + 1 :])):
            turns.setdefault(int(match[1]), {})[match[2].removeprefix("message.")] = value
    found: list[Message] = []
    for _, turn in sorted(turns.items()):
        role = turn.get("role", "assistant")
        text = turn.get("content") or "\n".join(value for key, value in sorted(turn.items()) if key.endswith("content.text"))
        if text:
            found.append(Message(role, pretty(text)))
        for key in sorted(turn):
            if key.startswith("tool_calls.") and key.endswith("name"):
                given = turn.get(key.removesuffix("name") + "arguments", "")
                found.append(Message(role, f"{turn[key]} {pretty(given)}".strip(), "tool_call"))
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    return pretty(value) if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
