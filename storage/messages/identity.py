"""When two parts are the same: a resent history is rarely the same bytes, and two different things must never be taken for one.

Roles, kinds and content count. Not: white space, the order of keys, arguments as text or as JSON, how parts are spread over messages,
and what stands in `extra` (ids of messages, signatures, marks of caches).
"""

import json
from collections.abc import Hashable, Sequence
from typing import Any, Final

from storage.messages.form import Message, Part
from storage.messages.json_text import NOTHING, loads

LONG: Final = 24
"""Characters from which on a text is hardly said twice by chance."""
_SPEAKING: Final = frozenset({"text", "reasoning", "blob", "file"})


class Identities:
    """Numbers for identities: lists of small numbers compare at the speed of C."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self.telling: list[bool] = []
        """By number: whether this alone tells a conversation from others."""

    def of(self, message: Message, *, scope: str | None = None) -> tuple[int, ...]:
        """Return one number a part; `scope` makes them different from those of every other scope (a message's own id)."""
        return tuple(self._number((scope, identity(message.role, part)), part) for part in message.parts)

    def _number(self, key: Hashable, part: Part) -> int:
        number = self._numbers.setdefault(key, len(self._numbers))
        if number == len(self.telling):
            self.telling.append(part["type"] not in _SPEAKING or len(part.get("text", "")) >= LONG)
        return number


def identity(role: str, part: Part) -> Hashable:
    """Return what makes a part the part that it is. Calls and their results say themselves who speaks."""
    match part["type"]:
        case "text" | "reasoning" as sort:
            return sort, role, " ".join(part["text"].split())
        case "tool_call":
            return "call", part.get("id"), part.get("name"), _canonical(part.get("arguments"))
        case "tool_result":
            return "result", part.get("id"), _canonical(part.get("result"))
        case "file":
            return "file", part.get("uri"), part.get("id"), part.get("name")
        case sort:
            return sort, part.get("mime_type"), part.get("size"), part.get("reference"), part.get("data")


def _canonical(value: Any) -> str:
    if isinstance(value, str):
        known = loads(value) if value[:1] in {"{", "[", '"'} else NOTHING
        return " ".join(value.split()) if known is NOTHING else _canonical(known)
    if isinstance(value, Sequence) and not value:
        return ""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
