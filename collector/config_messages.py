"""What pydantic says about a value, in the words of those who write YAML."""

from collections.abc import Mapping
from typing import Any, Final

_SAID: Final = {
    "dict_type": "must be a mapping, {key: value}",
    "model_type": "must be a mapping, {key: value}",
    "tuple_type": "must be a list, [one, another]",
    "list_type": "must be a list, [one, another]",
    "string_type": "must be text: put it in quotes",
}
_PATTERNS: Final = {r"^https?://\S+$": "must be a URL that begins with http:// or https://", r"^/\S*$": "must begin with a slash"}


def worded(detail: Mapping[str, Any]) -> str:
    """Return the message of one error of a validation."""
    said = _SAID.get(detail["type"]) or _PATTERNS.get(detail.get("ctx", {}).get("pattern", ""))
    message = said or str(detail["msg"]).removeprefix("Value error, ").replace("Field required", "is required")
    return message.replace("Input should be", "must be")
