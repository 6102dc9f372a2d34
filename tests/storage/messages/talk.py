"""Calls as a reconstruction has them, short to write."""

import json
from typing import Any

from storage.messages import conversation, turns
from tests.dashboards.steps import step

Step = dict[str, Any]


def text(role: str, words: str) -> dict[str, Any]:
    """A message of OpenTelemetry's current conventions."""
    return {"role": role, "parts": [{"type": "text", "content": words}]}


def call(
    name: str, at: float, given: list[Any] | None = None, answered: str | list[Any] | None = None, *, system: str = "", **columns: Any
) -> Step:
    """A model call that takes half a second."""
    attributes = {} if given is None else {"gen_ai.input.messages": json.dumps(given)}
    if answered is not None:
        said = [text("assistant", answered)] if isinstance(answered, str) else answered
        attributes["gen_ai.output.messages"] = json.dumps(said)
    if system:
        attributes["gen_ai.system_instructions"] = json.dumps([{"type": "text", "content": system}])
    return step(name, at, at + 0.5, kind="model", **({"agent_name": "agent", "attributes": attributes} | columns))


def spoken(attributes: dict[str, str], **columns: Any) -> list[dict[str, Any]]:
    """The conversation of one model call with these attributes."""
    return conversation([step("m", 0, 1, kind="model", attributes=attributes, **columns)])


def parts(attributes: dict[str, str]) -> list[dict[str, Any]]:
    """All parts of that conversation."""
    return [part for message in spoken(attributes) for part in message["parts"]]


def shown(steps: list[Step]) -> list[list[str]]:
    """Turn by turn the texts that are new, answers included."""
    return [[part["text"] for message in (*turn.given, *turn.answered) for part in message.parts] for turn in turns(steps)]
