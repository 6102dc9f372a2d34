"""LangGraph's interrupts, whichever instrumentation records the graph: exceptions that are no errors.

A graph that asks a person raises `GraphInterrupt` through every step that is under way, down to the graph itself, which stops and keeps its
state; it goes on in another trace, with `Command(resume=…)` as its input, and runs the step that asked once more. `ParentCommand`
hands over to another graph in the same way.
"""

import re
from typing import Any, Final

from collector.dialects.record import ADOPTS, JOINS, OFFERS, Fields, Join, SpanView
from collector.dialects.values import parsed, text

WAITING: Final = "waiting"
HANDED_OVER: Final = "handed_over"
"""The outcomes of steps that ended by an exception and have not failed: one that stopped to ask, and one that goes on elsewhere."""
_RAISED: Final = re.compile(r"(?:[\w.]+\.)?(?P<name>GraphInterrupt|NodeInterrupt|ParentCommand|GraphBubbleUp)\b")
_ASKED: Final = "__interrupt__"
"""Under this key a graph's output has what it asks."""
_RESUMED: Final = re.compile(r"\bCommand\((?:[^()]*, )?resume=(?!None\b)(?P<answer>.+)", re.DOTALL)
_ANSWER: Final = re.compile(
    r"\b(?:(?P<yes>true|yes|ok|approved?|accept(?:ed)?|allow(?:ed)?)|(?P<no>false|no|reject(?:ed)?|den(?:y|ied)|declined?))\b",
    re.IGNORECASE,
)
_DEPTH: Final = 2


def stopped(span: SpanView, fields: Fields) -> bool:
    """Say of a span that failed whether it only stopped, and then what for."""
    name = _raised(span, fields)
    if name is None:
        return False
    fields.pop("error_type", None)
    if name == "ParentCommand":
        fields["outcome"] = HANDED_OVER
    else:
        asks(fields)
    return True


def asks(fields: Fields) -> None:
    """Say that a step asks a person; a tool that did so has not run."""
    fields |= {"outcome": WAITING, "approval_state": "requested", "requires_approval": True}
    if fields["step_kind"] == "tool":
        fields["step_kind"] = "approval"
        fields.setdefault("action", fields.get("tool_name"))
    _share(fields, ADOPTS)


def read_graph(fields: Fields, given: Any, answered: Any) -> None:
    """Say of a step that may be a graph whether it was resumed with an answer, by its input, or asks something, by its output."""
    if isinstance(given, str) and "resume" in given and (answer := _resumed(given)) is not None:
        _share(fields, OFFERS)
        words = {found.lastgroup for found in _ANSWER.finditer(answer)}
        if len(words) == 1:
            fields["approval_state"] = "granted" if "yes" in words else "denied"
    if isinstance(answered, str) and _ASKED in answered and f'"{_ASKED}": []' not in answered:
        asks(fields)


def _raised(span: SpanView, fields: Fields) -> str | None:
    """Return the exception by which a step stopped, if it is one of LangGraph's: by its type, else as it was printed."""
    said = [fields.get("error_type"), span.status_message]
    for name, attributes in span.events:
        if name == "exception":
            said += [text(attributes.get("exception.type")), text(attributes.get("exception.message"))]
    found = (_RAISED.match(word) for word in said if word)
    return next((match["name"] for match in found if match is not None), None)


def _resumed(given: str) -> str | None:
    """Return the answer that a graph was resumed with, as text; None when it was not."""
    printed = _RESUMED.search(given)
    if printed is not None:
        return printed["answer"]
    command: Any = parsed(given)
    for _ in range(_DEPTH):
        if isinstance(command, dict) and "resume" not in command:
            command = next(iter(command.values()), None) if len(command) == 1 else command.get("inputs", command.get("input"))
    if (
        not isinstance(command, dict)
        or command.get("resume") is None
        or not command.keys() <= {"resume", "goto", "update", "graph", "lg_name"}
    ):
        return None
    return str(command["resume"])


def _share(fields: Fields, role: str) -> None:
    """Share the thread: one that waits is of the run of whoever resumes it."""
    thread = fields.get("session_id")
    if thread is not None:
        fields[JOINS] = (*fields.get(JOINS, ()), Join(f"langgraph:{thread}", role))
