"""The contents of one record, by the tables of names: what was given and what was answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from storage.messages import sources
from storage.messages.json_text import NOTHING, loads
from storage.messages.sources import DETAILS, EVENTS, SOURCES, Event, Source
from storage.messages.texts import Element, Reader

Attributes = Mapping[str, str]
Shelf = tuple[str, ...]
_NUMBERED: Final = frozenset(prefix for source in SOURCES for prefix in (*source.given_indexed, *source.answered_indexed))
_PREFIXES: Final = tuple(_NUMBERED)
_NAMES: Final = frozenset(name for source in SOURCES for name in source.names) - _NUMBERED
_JSON_FIELDS: Final = ("message", "tool_calls", "function_call", "parts")


@dataclass(slots=True)
class Spoken:
    """What was given and what was answered."""

    given: list[Element] = field(default_factory=list)
    answered: list[Element] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return bool(self.given or self.answered)

    def or_else(self, other: "Spoken") -> "Spoken":
        """Return this, with the other's where this has nothing."""
        return Spoken(self.given or other.given, self.answered or other.answered)

    @staticmethod
    def together(several: Iterable["Spoken"]) -> "Spoken":
        """Return all that was said as that of one call."""
        every = list(several)
        return Spoken([item for one in every for item in one.given], [item for one in every for item in one.answered])


def of_attributes(attributes: Attributes, reader: Reader, shelf: Shelf, *, agent: bool) -> Spoken:
    """Return what the attributes of a span hold; `agent`: only what also means messages on agents."""
    found = Spoken()
    system: list[Element] = []
    held = _NAMES.intersection(attributes)
    if any(name.startswith(_PREFIXES) for name in attributes):
        held |= _NUMBERED
    for source in _held(held, agent=agent):
        if source.histories and not found:
            found = found.or_else(_history(source, attributes, reader, shelf))
        system = system or _first(source.system, attributes, reader, "system", shelf)
        found.given = found.given or _given(source, attributes, reader, shelf)
        found.answered = found.answered or _answered(source, attributes, reader, shelf)
        if source.files is not None:
            _uploaded(source.files, attributes, reader, found)
        if found.given and found.answered:
            break
    found.given = [*system, *found.given] if system else found.given
    return found


@lru_cache(maxsize=1024)
def _held(names: frozenset[str], *, agent: bool) -> tuple[Source, ...]:
    """The tables that have some of these names, without the others."""
    return tuple(
        replace(
            source,
            system=_among(names, source.system),
            given=_among(names, source.given),
            answered=_among(names, source.answered),
            histories=_among(names, source.histories),
        )
        for source in SOURCES
        if not names.isdisjoint(source.names) and (source.agents or not agent)
    )


def _among(names: frozenset[str], listed: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in listed if name in names)


def of_events(events: Sequence[Mapping[str, Any]], reader: Reader, shelf: Shelf) -> list[Spoken]:
    """Return what events hold, call by call: what is given after an answer is given to another call."""
    calls = [Spoken()]
    for event in events:
        name, attributes = sources.event_name(event), event.get("attributes") or {}
        if name == DETAILS:
            said = of_attributes(attributes, reader, shelf, agent=True)
        else:
            elements = _event(name, EVENTS[name], event, reader, shelf)
            said = Spoken(answered=elements) if EVENTS[name].role == "assistant" else Spoken(given=elements)
        if said.given and calls[-1].answered:
            calls.append(Spoken())
        calls[-1] = Spoken.together((calls[-1], said))
    return calls


def _given(source: Source, attributes: Attributes, reader: Reader, shelf: Shelf) -> list[Element]:
    return _first(source.given, attributes, reader, "user", shelf) or _numbered(source.given_indexed, attributes, reader, "user")


def _answered(source: Source, attributes: Attributes, reader: Reader, shelf: Shelf) -> list[Element]:
    return (
        _first(source.answered, attributes, reader, "assistant", shelf)
        or _numbered(source.answered_indexed, attributes, reader, "assistant")
        or _pieces(source.pieces or {}, attributes, reader)
    )


def _first(names: Sequence[str], attributes: Attributes, reader: Reader, role: str, shelf: Shelf) -> list[Element]:
    for name in names:
        text = attributes.get(name)
        if text and (found := reader.text(text, role, (*shelf, name))) and any(found):
            return found
    return []


def _numbered(prefixes: Sequence[str], attributes: Attributes, reader: Reader, role: str) -> list[Element]:
    for prefix in prefixes:
        found = reader.indexed(attributes, prefix, role)
        if any(found):
            return found
    return []


def _history(source: Source, attributes: Attributes, reader: Reader, shelf: Shelf) -> Spoken:
    """What was given, and what the assistant said last."""
    for name in source.histories:
        text = attributes.get(name, "")
        found = reader.text(text, "user", (*shelf, name)) if text and source.marker in text else []
        if any(found):
            last = len(found)
            while last and all(said.message.role == "assistant" for said in found[last - 1]):
                last -= 1
            return Spoken(found[:last], found[last:])
    return Spoken()


def _pieces(pieces: Mapping[str, str], attributes: Attributes, reader: Reader) -> list[Element]:
    """One answer whose parts stand in attributes of their own."""
    blocks: dict[str, list[Any]] = {}
    for name, sort in pieces.items():
        text = attributes.get(name)
        if not text or sort in blocks:
            continue
        value = loads(text) if sort == "tool_call" else NOTHING
        if isinstance(value, list):
            blocks[sort] = [{"type": "tool_call", **item} if isinstance(item, dict) else item for item in value]
        else:
            blocks[sort] = [{"type": "text" if sort == "tool_call" else sort, "text": text}]
    parts = [block for some in blocks.values() for block in some]
    return reader.value({"role": "assistant", "parts": parts}, "assistant") if parts else []


def _uploaded(files: Mapping[str, str], attributes: Attributes, reader: Reader, found: Spoken) -> None:
    """Messages that were uploaded elsewhere: their address stands for them."""
    for name, role in files.items():
        if name in attributes:
            elements = reader.value({"role": role, "parts": [{"type": "uri", "uri": attributes[name]}]}, role)
            if role == "assistant":
                found.answered = found.answered or elements
            else:
                found.given = [*found.given, *elements]


def _event(name: str, kind: Event, event: Mapping[str, Any], reader: Reader, shelf: Shelf) -> list[Element]:
    attributes, body = event.get("attributes") or {}, event.get("body")
    for key in kind.content:
        if attributes.get(key):
            return reader.text(attributes[key], kind.role, (*shelf, name, key))
    if kind.content and not kind.part_of_call and (not body or body.removeprefix(sources.PREFIX) == name):
        return []  # what was said was not recorded: the rest only describes it
    if kind.call:
        return reader.value([_call(attributes), _result(attributes)], "assistant")
    told = loads(attributes.get(sources.EVENT_CONTENT) or body or "")
    if not isinstance(told, dict):
        told = {key: text for key, text in attributes.items() if not key.startswith(("gen_ai.", "event."))}
        told |= {"content": body} if body and not told.get("content") and body != name else {}
    return reader.known(
        (name, repr(sorted(told.items(), key=str))), lambda: _message(told, sources.EVENT_ROLES.get(name, kind.role)), kind.role
    )


def _message(told: Mapping[str, Any], role: str) -> dict[str, Any]:
    """The message of an event: older conventions nest it in `message`, and have JSON in strings."""
    fields = dict(told)
    for key in _JSON_FIELDS:
        known = loads(fields[key]) if isinstance(fields.get(key), str) else NOTHING
        if known is not NOTHING:
            fields[key] = known
    inner = fields.pop("message", None)
    if isinstance(inner, dict):
        fields = {**inner, **fields}
    elif inner is not None:
        fields = {"content": inner, **fields}
    return {"role": role, **{key: value for key, value in fields.items() if value is not None}}


def _call(attributes: Attributes) -> dict[str, Any]:
    return {"type": "tool_call", **_fields(attributes, ("id", "name", "arguments"))}


def _result(attributes: Attributes) -> dict[str, Any]:
    failed = {"is_error": True} if attributes.get("success") == "false" else {}
    return {"type": "tool_result", **_fields(attributes, ("id", "name", "output")), **failed}


def _fields(attributes: Attributes, names: Sequence[str]) -> dict[str, Any]:
    found = {name: next((attributes[key] for key in sources.CALL_FIELDS[name] if attributes.get(key)), None) for name in names}
    return {name: text for name, text in found.items() if text is not None}
