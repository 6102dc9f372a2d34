"""What a step other than a model call was given and gave back, and how content is shown to people."""

import json
from collections.abc import Mapping, Sequence

from storage.messages.form import Part, as_text
from storage.messages.json_text import NOTHING, loads
from storage.messages.sources import ARGUMENTS, RESULTS


def arguments(attributes: Mapping[str, str]) -> str | None:
    """Return a tool's arguments, indented where they are JSON."""
    return _first(attributes, ARGUMENTS)


def result(attributes: Mapping[str, str]) -> str | None:
    """Return what a tool gave back, indented where it is JSON."""
    return _first(attributes, RESULTS)


def pretty(text: str) -> str:
    """Return JSON objects and arrays indented, every other text as it is."""
    value = loads(text) if text[:1] in {"{", "["} else NOTHING
    return text if value is NOTHING else json.dumps(value, indent=2, ensure_ascii=False)


def shown(part: Part) -> str:
    """Return a part as text for people: calls as name and arguments, files and blobs as what is known of them."""
    match part["type"]:
        case "text" | "reasoning":
            return pretty(str(part.get("text", "")))
        case "tool_call":
            given = part.get("arguments")
            return f"{part.get('name') or 'tool'} {'' if given is None else pretty(as_text(given))}".strip()
        case "tool_result":
            return pretty(as_text(part.get("result", "")))
        case _:
            names = ("modality", "mime_type", "name", "uri", "id", "reference", "data")
            words = [str(part[name]) for name in names if part.get(name) is not None]
            return " · ".join([*words, f"{part['size']} bytes"] if "size" in part else words) or str(part["type"])


def _first(attributes: Mapping[str, str], keys: Sequence[str]) -> str | None:
    return next((pretty(attributes[key]) for key in keys if attributes.get(key)), None)
