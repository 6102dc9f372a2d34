"""The normal form of conversation content: a message is a role and its parts, whatever convention carried it.

Parts are plain dictionaries, ready for JSON; a key without a value is left out. Their `type`, and what they have beside it:

* `text`: `text`
* `reasoning`: `text`, what a model thought before it answered
* `tool_call`: `id`, `name`, `arguments` (JSON when they were JSON, else the text)
* `tool_result`: `id`, `name`, `result` (text, or JSON as it was sent), `is_error`
* `blob`: `modality`, `mime_type`, `size` (bytes), `reference` (a digest or the redaction's placeholder), `data` only when it is short
* `file`: `uri` or `id`, `modality`, `mime_type`, `name`

`extra` holds what the sender said beyond that, so that no text is lost.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Part = Mapping[str, Any]

PART_TYPES: Final = ("text", "tool_call", "tool_result", "reasoning", "blob", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation. `role`: system, user, assistant or tool, else the sender's own word."""

    role: str
    parts: tuple[Part, ...]
    name: str | None = None
    finish_reason: str | None = None
    extra: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it, without what is not known."""
        told = {"role": self.role, "name": self.name, "finish_reason": self.finish_reason, "parts": [dict(part) for part in self.parts]}
        return {key: value for key, value in (told | {"extra": self.extra}).items() if value is not None}


def part(sort: str, extra: Mapping[str, Any] | None = None, **fields: Any) -> Part:
    """Return a part of a type, without fields that have no value; `extra` without what is empty."""
    known = {"type": sort} | {name: value for name, value in fields.items() if value is not None}
    rest = {key: value for key, value in (extra or {}).items() if value is not None and value not in ("", [], {})}
    return known | {"extra": rest} if rest else known


def raised(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the fields with those nested under `key` beside them; where both say something else, the outer counts and both stay."""
    inner = fields[key]
    outer = {name: value for name, value in fields.items() if name != key}
    hidden = {name: value for name, value in inner.items() if name in outer and outer[name] != value}
    return {**inner, **outer, f"{key}_": hidden} if hidden else {**inner, **outer}


def text_part(text: str) -> Part:
    """Return a part that is text alone."""
    return {"type": "text", "text": text}


def as_text(value: Any) -> str:
    """Return texts as they are and everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
