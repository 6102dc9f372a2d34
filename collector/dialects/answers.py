"""A model's answer as its client returned it: what it tells of the call where a framework keeps it whole, as JSON, and copies little of it.

OpenAI's chat completions and responses, Anthropic's messages, and the messages and generations that LangChain wraps them in.
"""

from collections.abc import Iterator
from typing import Any, Final

from collector.dialects.normalise import finish_reason
from collector.dialects.record import Fields
from collector.dialects.values import integer, objects, text

_DEPTH: Final = 4
_CALL_ID: Final = "tool_call_id"
_WRAPPERS: Final = ("generations", "message", "kwargs", "output")
_DESCRIPTIONS: Final = ("response_metadata", "generation_info", "llm_output")
_IDS: Final = ("id", "response_id", "responseId")
_CHOICES: Final = ("choices", "candidates")
_MODELS: Final = ("model_name", "model", "model_version", "modelVersion")
_REASONS: Final = ("finish_reason", "stop_reason", "done_reason", "finishReason", "stopReason")
_USAGES: Final = ("usage_metadata", "usage", "token_usage")
_COUNTS: Final = {  # column → names in a usage object
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_write_tokens": ("cache_creation_input_tokens",),
}
_DETAILS: Final = {  # column → the objects in a usage object that tell it, and its names there
    "cache_read_tokens": (("input_token_details", "prompt_tokens_details", "input_tokens_details"), ("cache_read", "cached_tokens")),
    "cache_write_tokens": (("input_token_details",), ("cache_creation", "cache_write")),
    "reasoning_tokens": (
        ("output_token_details", "completion_tokens_details", "output_tokens_details"),
        ("reasoning", "reasoning_tokens"),
    ),
}


def parts(answer: Any, depth: int = _DEPTH) -> Iterator[dict[str, Any]]:
    """Yield the answer, and the first generation, message and constructor's arguments in it, outermost first."""
    while isinstance(answer, list):
        answer = answer[0] if answer else None
    if not isinstance(answer, dict) or depth == 0:
        return
    yield answer
    for name in _WRAPPERS:
        yield from parts(answer.get(name), depth - 1)


def of_tool(fields: Fields, answer: Any) -> None:
    """Say of a tool's answer that is a message of LangChain's which call it answers, and whether it tells the model of a failure."""
    for part in parts(answer):
        if (call := text(part.get(_CALL_ID))) is not None:
            fields.setdefault("tool_call_id", call)
            if part.get("status") == "error":
                fields.setdefault("outcome", "failure")


def complete(fields: Fields, answer: Any) -> None:
    """Fill the columns of a call that `answer` tells and that are not known yet."""
    for part in parts(answer):
        for described in (*(part.get(name) for name in _DESCRIPTIONS), part):
            if isinstance(described, dict):
                _describe(fields, described)
                for name in _USAGES:
                    _count(fields, described.get(name))


def describe(fields: Fields, answer: Any) -> None:
    """Fill of the same the model, the answer's id and why it finished, but no counts."""
    for part in parts(answer):
        for described in (*(part.get(name) for name in _DESCRIPTIONS), part):
            if isinstance(described, dict):
                _describe(fields, described)


def _describe(fields: Fields, described: dict[str, Any]) -> None:
    firsts = [objects(described.get(name))[:1] for name in _CHOICES]
    reasons = [sent.get(name) for sent in (described, *(first for found in firsts for first in found)) for name in _REASONS]
    found = {
        "finish_reason": finish_reason(next((reason for reason in reasons if reason), _reason_of_response(described))),
        "model": _first_word(described, _MODELS),
        "response_id": _first_word(described, _IDS),
    }
    for column, value in found.items():
        if value is not None:
            fields.setdefault(column, value)


def _first_word(described: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the first of the names that is text: LangChain's `id` is also the path of a class."""
    return next((word for name in names if isinstance(word := described.get(name), str) and word), None)


def _reason_of_response(described: dict[str, Any]) -> str | None:
    """Return why a response of OpenAI's Responses API ended, which says so by its status and what it holds."""
    if described.get("object") != "response" and not isinstance(described.get("output"), list):
        return None
    if any(item.get("type") == "function_call" for item in objects(described.get("output"))):
        return "tool_calls"
    status = described.get("status")
    return status if status in {"completed", "incomplete", "failed"} else None


def _count(fields: Fields, usage: Any) -> None:
    if not isinstance(usage, dict):
        return
    for column, names in _COUNTS.items():
        _fill(fields, column, usage, names)
    for column, (holders, names) in _DETAILS.items():
        for holder in holders:
            _fill(fields, column, usage.get(holder), names)


def _fill(fields: Fields, column: str, counts: Any, names: tuple[str, ...]) -> None:
    if column not in fields and isinstance(counts, dict):
        count = next((known for name in names if (known := integer(counts.get(name))) is not None), None)
        if count is not None:
            fields[column] = count
