"""Conversations → the JSON of `gen_ai.input.messages`, `gen_ai.output.messages` and `gen_ai.system_instructions`."""

from collections.abc import Mapping, Sequence

from auditlake._values import as_json


def messages(conversation: object, *, role: str | None) -> str | None:
    """Return `conversation` as JSON text; None when there is none.

    A text becomes one message of `role`; `{"role", "content"}` becomes a message with one text part; whatever already has
    `parts` stays as it is. Without a role (system instructions) the parts stand alone, as the convention has it.
    """
    if conversation is None or conversation == "":
        return None
    items: Sequence[object] = conversation if isinstance(conversation, list | tuple) else [conversation]
    if role is None:
        return as_json([{"type": "text", "content": item} if isinstance(item, str) else item for item in items])
    return as_json([_message(item, role) for item in items])


def _message(item: object, role: str) -> object:
    match item:
        case str():
            return {"role": role, "parts": [{"type": "text", "content": item}]}
        case Mapping() if "parts" not in item and "content" in item:
            rest = {key: value for key, value in item.items() if key != "content"}
            return {"role": role, **rest, "parts": [{"type": "text", "content": item["content"]}]}
        case _:
            return item
