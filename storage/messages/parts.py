"""Content blocks of every dialect → parts: OpenTelemetry, OpenAI (chat and Responses), Anthropic, Bedrock, Gemini, Vercel, LangChain,
Semantic Kernel, Pydantic AI. Plain tables say which word means which type and where its fields stand; what no table knows becomes text.
"""

from collections.abc import Mapping
from typing import Any, Final

from storage.messages import media
from storage.messages.form import Part, as_text, part, raised, text_part
from storage.messages.json_text import NOTHING, loads

TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "refusal", "compaction", "markdown", "text-delta"), "text"),
    **dict.fromkeys(("user-prompt", "system-prompt", "retry-prompt"), "text"),
    **dict.fromkeys(("reasoning", "reasoning_text", "thinking", "redacted_thinking", "redacted-reasoning", "thought"), "reasoning"),
    **dict.fromkeys(("tool_call", "tool-call", "tool_use", "toolUse", "function", "function_call", "functionCall"), "tool_call"),
    **dict.fromkeys(("server_tool_call", "server_tool_use", "builtin-tool-call", "custom_tool_call", "mcp_call"), "tool_call"),
    **dict.fromkeys(("mcp_tool_use", "web_search_call", "file_search_call", "computer_call", "local_shell_call"), "tool_call"),
    **dict.fromkeys(("code_interpreter_call", "image_generation_call", "invalid_tool_call", "shell_call"), "tool_call"),
    **dict.fromkeys(("tool_call_response", "tool_result", "tool-result", "toolResult", "tool-return"), "tool_result"),
    **dict.fromkeys(("tool_call_output", "function_call_output", "functionResponse", "function_response"), "tool_result"),
    **dict.fromkeys(("function_result", "custom_tool_call_output", "server_tool_call_response"), "tool_result"),
    **dict.fromkeys(("builtin-tool-return", "web_search_tool_result", "mcp_tool_result", "computer_call_output"), "tool_result"),
    **dict.fromkeys(("code_execution_tool_result", "local_shell_call_output", "tool-error"), "tool_result"),
    **dict.fromkeys(media.TYPES, "media"),
}
"""The word by which a block says what it is → its type."""

NAMED_BY: Final = ("type", "part_kind", "content_type", "kind")
"""Where a block says what it is."""

WRAPPERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("message_content", "prompt", "completion"), ""),
    **dict.fromkeys(("toolUse", "functionCall", "function_call", "tool_call", "function"), "tool_call"),
    **dict.fromkeys(("toolResult", "functionResponse", "function_response"), "tool_result"),
    **dict.fromkeys(("reasoningContent", "reasoningText"), "reasoning"),
}
"""Keys under which a block nests its fields, and what it then is (Bedrock, Gemini, OpenAI chat, OpenInference)."""

_ID: Final = ("call_id", "toolCallId", "tool_call_id", "toolUseId", "tool_use_id", "id")
_NAME: Final = ("name", "toolName", "tool_name", "function_name")
FIELDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "text": {"text": ("text", "content", "refusal", "value", "summary", "message")},
    "reasoning": {"text": ("text", "content", "thinking", "reasoning", "summary", "data", "encrypted_content", "redactedContent")},
    "tool_call": {"id": _ID, "name": _NAME, "arguments": ("arguments", "args", "input", "parameters", "action", "kwargs", "params")},
    "tool_result": {"id": _ID, "name": _NAME, "result": ("response", "result", "output", "content", "error")},
}
"""Type → its fields and where they stand, the best first."""

_FAILED: Final = frozenset({"error", "failed", "failure"})
_USUAL: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning", "reasoning_text", "thinking"})
_ABSENT: Final[tuple[Any, ...]] = (None, "", [])


def parts_of(value: Any, sort: str | None = None) -> list[Part]:
    """Return the parts of any content: text, one block or a list of them. `sort` is what a block is that does not say so."""
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return [found for item in value for found in parts_of(item, sort)]
    if isinstance(value, dict):
        return _plain(value) or _block(value, sort)
    return [text_part(as_text(value))]


def _plain(block: Mapping[str, Any]) -> list[Part]:
    """What most blocks are: text, and nothing else."""
    text = block.get("content", block.get("text")) if len(block) == 2 and block.get("type") == "text" else None
    return [text_part(text)] if isinstance(text, str) and text else []


def blocks_in(text: str) -> Any:
    """Return the list of content blocks that a text is the JSON of, or the text itself: other JSON is what somebody said."""
    value = loads(text) if text.startswith("[") else NOTHING
    return value if isinstance(value, list) and value and all(map(is_block, value)) else text


def is_block(value: Any) -> bool:
    """Whether this is a content block, by its word or by its only key."""
    if not isinstance(value, dict):
        return False
    nested = len(value) <= 2 and any(isinstance(value.get(key), dict) for key in WRAPPERS)
    return nested or _word(value) in TYPES or (value.keys() == {"text"} and isinstance(value["text"], str))


def result_of(value: Any) -> Any:
    """Return what a tool gave back: text where it is text alone, content blocks in normal form, everything else as it was sent."""
    if isinstance(value, dict) and "value" in value and value.keys() <= {"type", "value", "providerOptions"}:
        return result_of(value["value"])  # Vercel says how to read the value
    if not (isinstance(value, list) and value and all(is_block(item) for item in value)):
        return value
    found = parts_of(value)
    return _joined(found) or [dict(item) for item in found]


def _word(block: Mapping[str, Any]) -> str:
    return next((word for key in NAMED_BY if isinstance(word := block.get(key), str)), "")


def _block(block: Mapping[str, Any], sort: str | None) -> list[Part]:
    word = _word(block)
    found = TYPES.get(word) or sort
    fields = {key: value for key, value in block.items() if word not in TYPES or value != word or key not in NAMED_BY}
    for key, means in WRAPPERS.items():
        if isinstance(fields.get(key), dict) and (found is None or means in {"", found}):
            return _block(raised(fields, key), found or means or None)
    if found is None and any(key in fields for key in media.WRAPPERS):
        found = "media"
    if found is None and isinstance(fields.get("text"), str):
        found = "reasoning" if fields.get("thought") is True else "text"
    if found is None:
        return [text_part(as_text(block))] if block else []
    return media.parts_of(fields, word, parts_of) if found == "media" else _built(found, fields, word)


def _built(sort: str, fields: dict[str, Any], word: str) -> list[Part]:
    taken = {name: _take(fields, keys) for name, keys in FIELDS[sort].items()}
    if sort in {"text", "reasoning"}:
        text = _string(taken["text"])
        unusual = {"type": word} if word in TYPES and word not in _USUAL else {}
        return [part(sort, fields | unusual, text=text)] if text or any(value not in _ABSENT for value in fields.values()) else []
    known = {name: None if taken[name] is None else as_text(taken[name]) for name in ("id", "name")}
    if sort == "tool_call":
        named = known["name"] or (word if word.endswith("_call") and word not in {"tool_call", "function_call"} else None)
        return [part(sort, fields, id=known["id"], name=named, arguments=_arguments(taken["arguments"]))]
    failed = next((fields.pop(key) for key in ("is_error", "isError") if fields.get(key) is not None), None)
    if failed is None and str(fields.get("status")).lower() in _FAILED:
        failed = True
    return [part(sort, fields, **known, result=result_of(taken["result"]), is_error=failed)]


def _take(fields: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Return and remove the best value there is; the others stay."""
    return next((fields.pop(key) for key in keys if fields.get(key) not in _ABSENT), None)


def _string(value: Any) -> str:
    if isinstance(value, list):
        return _joined(parts_of(value)) or as_text(value)
    if isinstance(value, dict) and value.keys() == {"value"}:
        return as_text(value["value"])
    return "" if value is None else as_text(value)


def _joined(parts: list[Part]) -> str | None:
    """The text of parts that are nothing but text."""
    plain = all(item.keys() == {"type", "text"} for item in parts)
    return "\n".join(item["text"] for item in parts) if plain else None


def _arguments(value: Any) -> Any:
    known = loads(value) if isinstance(value, str) and value[:1] in {"{", "["} else NOTHING
    return value if known is NOTHING else known
