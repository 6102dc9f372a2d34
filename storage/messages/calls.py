"""Steps → calls: who was given what and who answered, each call once however many records tell of it.

* A model call speaks for itself: by its attributes, by its span events, or by log records that name its span.
* A step whose children speak repeats them (agents, workflows, a model call around a model call): it only adds what they left out. So does
  a second record of the same response.
* Log records that are messages of their own (prompts of coding agents) are calls of their own.
* AutoGen's runtime hands every message to all who listen: it counts once, by its id; and not at all where the models' calls are recorded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from storage.messages import sources
from storage.messages.contents import Spoken, of_attributes, of_events
from storage.messages.family import Family, Path
from storage.messages.sources import DETAILS, EVENTS
from storage.messages.texts import Element, Reader

Step = Mapping[str, Any]
_AGENTS: Final = frozenset({"agent", "run"})


@dataclass(slots=True)
class Call:
    """What one call was given and what it answered."""

    step: Step
    path: Path  # the agents that it is of, the outermost first
    agent_name: str | None
    given: list[Element] = field(default_factory=list)
    answered: list[Element] = field(default_factory=list)
    repeats: bool = False  # others say the same: only what they do not say is new
    handed_over: bool = False  # a message of AutoGen's runtime


def calls_of(steps: Sequence[Step], reader: Reader) -> list[Call]:
    """Return the calls of a run that say something, in the order in which they began."""
    ordered = sorted(steps, key=_began)
    family, logs = Family(ordered), _Logs(ordered)
    calls = [call for step in ordered for call in _of_step(step, logs.of(step), family, reader)]
    _mark_repeats(calls, family)
    models = any(call.step["kind"] == "model" for call in calls)
    return [call for call in calls if not (models and call.handed_over)]


def _began(step: Step) -> tuple[datetime, int, int]:
    """When a step began by clocks that agree, parents before their children, then by the number that an SDK gave."""
    begun, offset_ms = step["started_at"], step.get("clock_offset_ms")
    return begun + timedelta(milliseconds=offset_ms) if offset_ms else begun, step.get("depth") or 0, step.get("sequence") or 0


def spoken(step: Step, reader: Reader) -> Spoken:
    """Return what one step was given and what it answered, whatever kind of step it is."""
    found = of_attributes(step.get("attributes") or {}, reader, (), agent=step["kind"] in _AGENTS)
    if not (found.given and found.answered):
        found = found.or_else(Spoken.together(of_events(_events(step, []), reader, ())))
    return found


def _of_step(step: Step, logs: Sequence[Step], family: Family, reader: Reader) -> list[Call]:
    is_event = step.get("source") == "event"
    if not (logs if is_event else _may_speak(step)):
        return []
    path = family.path(step)
    if _is_handed_over(step):
        found = [of_attributes({"input.value": step["attributes"][sources.RUNTIME_MESSAGES]}, reader, path, agent=False)]
    elif is_event:
        found = of_events(logs, reader, path)
    else:
        found = _of_span(step, logs, reader, path)
    calls = [Call(step, path, family.agent_name(step), said.given, said.answered) for said in found if said]
    for call in calls:
        call.handed_over = _is_handed_over(step)
        call.repeats = is_event and (event := EVENTS.get(sources.event_name(step))) is not None and event.echo
    return calls


def _of_span(step: Step, logs: Sequence[Step], reader: Reader, path: Path) -> list[Spoken]:
    said = of_attributes(step.get("attributes") or {}, reader, path, agent=step["kind"] in _AGENTS)
    if said.given and said.answered:
        return [said]
    events = of_events(_events(step, logs), reader, path)
    if step["kind"] == "model" or said:
        return [said.or_else(Spoken.together(events))]
    return events  # several calls without spans of their own


def _events(step: Step, logs: Sequence[Step]) -> list[Step]:
    return [*(event for event in step.get("events") or () if sources.event_name(event)), *logs]


def _may_speak(step: Step) -> bool:
    if step["kind"] == "model":
        kind = (step.get("attributes") or {}).get(sources.KIND_ATTRIBUTE)
        return step.get("operation") not in sources.NO_CONVERSATION and kind not in sources.NO_CONVERSATION_KINDS
    return step["kind"] in _AGENTS or _is_handed_over(step)


def _is_handed_over(step: Step) -> bool:
    return step["kind"] == "message" and step.get("source") != "event" and _holds_message(step.get("attributes") or {})


def _holds_message(attributes: Mapping[str, str]) -> bool:
    return attributes.get(sources.RUNTIME_MESSAGES, "")[:1] == "{" and attributes[sources.RUNTIME_MESSAGES] != "{}"


class _Logs:
    """Log records with content, by the step that tells them: the span that they name, else the first of those that name it."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._told_by: dict[str, list[Step]] = {}
        speaking = {str(step["record_id"]) for step in steps if step["kind"] in {"model", *_AGENTS} and step.get("source") != "event"}
        first: dict[object, str] = {}
        for step in steps:
            name = sources.event_name(step) if step.get("source") == "event" else ""
            if not name:
                continue
            record, parent = str(step["record_id"]), step.get("parent_record_id")
            if name == DETAILS or EVENTS[name].part_of_call:
                span = parent or (step.get("trace_id"), step.get("parent_span_id") or record)
                record = str(parent) if str(parent) in speaking else first.setdefault(span, record)
            self._told_by.setdefault(record, []).append(step)

    def of(self, step: Step) -> list[Step]:
        return self._told_by.get(str(step["record_id"]), [])


def _mark_repeats(calls: Sequence[Call], family: Family) -> None:
    """Find out whose words stand in other records, too."""
    around: set[str] = set()
    for call in calls:
        if call.step.get("parent_record_id") in around:
            continue
        for step in family.above(call.step):
            if str(step["record_id"]) in around:
                break
            around.add(str(step["record_id"]))
    answers = any(call.answered and not call.repeats for call in calls)
    responses: set[str] = set()
    for call in calls:
        response = call.step.get("response_id")
        inside = str(call.step["record_id"]) in around
        call.repeats = inside or (call.repeats and answers) or (response is not None and response in responses)
        if response is not None and not inside:
            responses.add(str(response))
