"""Where a run went in circles: the same tool call again and again, calls that failed until they succeeded, more steps than sensible.

Two calls are the same when tool and arguments are; of a call whose arguments were not recorded or were withheld nobody can say. Where
redaction replaced parts of the arguments, they may have differed in what was replaced: such a loop says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from storage.run_row import ARGUMENTS
from storage.runs.clocks import begin_ns

Step = Mapping[str, Any]

IN_A_ROW: Final = 3
"""So many same calls, one after the other, are a loop."""
IN_THE_RUN: Final = 5
"""So many, whatever lies between, are one too."""
MOST_STEPS: Final = 500
"""A run with more model and tool calls has exploded."""
_NAMED_AT_MOST: Final = 100
_WITHHELD: Final = "<WITHHELD"


def loops(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what repeats in a run, the worst first; `steps` in the order of the story.

    Each has `kind` (`repeated_tool_call`, `retry` or `step_explosion`), `tool_name`, `count` and `record_ids` (at most 100). A repeated
    call also has `in_a_row`, `failures` and `redacted` (part of the arguments was); a retry has `succeeded` (None: not known).
    """
    calls = _calls(steps)
    by_key: dict[tuple[str, str], list[Step]] = {}
    for key, step in calls:
        by_key.setdefault(key, []).append(step)
    retried = {key: _retries(of_key) for key, of_key in by_key.items()}
    failed_first = {step["record_id"] for attempts in retried.values() for step in attempts}
    left = [(key, step) for key, step in calls if step["record_id"] not in failed_first]
    observed = {key[0] for key, attempts in retried.items() if attempts}
    found = [*_repeated(left), *_retried(retried, by_key), *_stated(steps, observed), *_explosion(steps)]
    return sorted(found, key=lambda loop: (-loop["count"], loop["kind"], loop["record_ids"]))


def _calls(steps: Sequence[Step]) -> list[tuple[tuple[str, str], Step]]:
    """Tool calls whose arguments are known, by when they began; a call that two instrumentations tell of, or an event too, is one."""
    tools = [step for step in steps if step["kind"] == "tool"]
    in_spans = {step.get("tool_call_id") for step in tools if step["source"] == "span"}
    keys: dict[str, tuple[str, str]] = {}
    found = []
    for step in sorted(tools, key=begin_ns):
        arguments = _arguments(step)
        told = step["source"] == "event" and (step.get("tool_call_id") in in_spans if step.get("tool_call_id") else bool(in_spans))
        if arguments is None or told:
            continue
        key = keys[step["record_id"]] = (str(step.get("tool_name") or step["name"]), arguments)
        if keys.get(step["parent_record_id"] or "") != key:
            found.append((key, step))
    return found


def _arguments(step: Step) -> str | None:
    """What a tool was called with, whatever the order of its keys."""
    attributes = step.get("attributes") or {}
    text = next((value for key in ARGUMENTS if (value := attributes.get(key)) is not None), None)
    if text is None or _WITHHELD in text:
        return None
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return str(text)


def _retries(calls: Sequence[Step]) -> list[Step]:
    """Of one call's attempts, those that failed and were followed by one that did not."""
    found: list[Step] = []
    failed: list[Step] = []
    for step in calls:
        if step["status"] == "error":
            failed.append(step)
        else:
            found += failed
            failed = []
    return found


def _repeated(calls: Sequence[tuple[tuple[str, str], Step]]) -> list[dict[str, Any]]:
    by_key: dict[tuple[str, str], list[Step]] = {}
    longest: dict[tuple[str, str], int] = {}
    last, length = None, 0
    for key, step in calls:
        length = length + 1 if key == last else 1
        last = key
        by_key.setdefault(key, []).append(step)
        longest[key] = max(longest.get(key, 0), length)
    found = []
    for key, of_key in by_key.items():
        if longest[key] >= IN_A_ROW or len(of_key) >= IN_THE_RUN:
            told = {"in_a_row": longest[key], "failures": sum(step["status"] == "error" for step in of_key)}
            found.append(_loop("repeated_tool_call", key[0], of_key) | told | {"redacted": any(step.get("redactions") for step in of_key)})
    return found


def _retried(retried: Mapping[tuple[str, str], Sequence[Step]], by_key: Mapping[tuple[str, str], Sequence[Step]]) -> list[dict[str, Any]]:
    return [
        _loop("retry", key[0], attempts) | {"succeeded": by_key[key][-1]["status"] != "error"}
        for key, attempts in retried.items() if attempts
    ]  # fmt: skip


def _stated(steps: Sequence[Step], observed: set[str]) -> list[dict[str, Any]]:
    """Retries that the agent counted itself, where the attempts before are no records of their own."""
    found = []
    for step in steps:
        count, name = step.get("retry_count") or 0, str(step.get("tool_name") or step["name"])
        if count and name not in observed:
            found.append(_loop("retry", name, [step]) | {"count": count, "succeeded": step["status"] != "error"})
    return found


def _explosion(steps: Sequence[Step]) -> list[dict[str, Any]]:
    calls = [step for step in steps if step["kind"] in {"model", "tool"} and step["source"] == "span"]
    return [_loop("step_explosion", None, calls)] if len(calls) > MOST_STEPS else []


def _loop(kind: str, tool_name: str | None, steps: Sequence[Step]) -> dict[str, Any]:
    ids = [step["record_id"] for step in steps[:_NAMED_AT_MOST]]
    return {"kind": kind, "tool_name": tool_name, "count": len(steps), "record_ids": ids}
