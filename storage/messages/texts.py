"""Attributes → messages, without reading twice what was read before.

Every call resends its history, so most of a text stands in the text of the call before. A list is read element by element: stretches
that are the same bytes as before are taken over whole, and only the rest is decoded. A list that ends in the middle gives its elements,
and the rest as text.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from storage.messages.form import Message, text_part
from storage.messages.identity import Identities
from storage.messages.indexed import Pairs, Spread, layout, unfolded
from storage.messages.json_text import NOTHING, decode, loads
from storage.messages.normalise import envelope, is_bare, messages_of

LISTS: Final = frozenset({"messages", "contents", "input"})
"""Keys of a request whose list is the history."""
_HOLDS_LIST: Final = re.compile(r'"(?:messages|contents|input)"\s*:\s*\[')
_LIST: Final = re.compile(r"\s*\[\s*[\[\]{\"]")
"""Other texts that begin with a bracket are hardly JSON."""
_BETWEEN: Final = re.compile(r"[\s,]*")
_COLON: Final = re.compile(r"\s*:\s*")
_QUOTED_AT_MOST: Final = 3
_NEAR: Final = 8


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it stood in a record: its parts' identities, and whether it had no speaker of its own."""

    message: Message
    atoms: tuple[int, ...]
    system: bool
    bare: bool


Element = tuple[Said, ...]


@dataclass(slots=True)
class _Array:
    """The list in a text: where its elements stand, and what they are."""

    text: str
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    rest: list[Element] = field(default_factory=list)
    _places: dict[int, int] | None = None

    def find(self, element: Element, at: int) -> int | None:
        """Return the number of an element, looked for from `at` on first: what was read twice is the same object."""
        near = next((place for place in range(at, min(at + _NEAR, len(self.elements))) if self.elements[place] is element), None)
        if near is not None:
            return near
        if self._places is None:
            self._places = {id(known): at for at, known in enumerate(self.elements)}
        return self._places.get(id(element))

    def same(self, at: int, text: str, start: int) -> int:
        """Return how many elements from number `at` on stand in `text` from `start` on, byte by byte."""
        if at >= len(self.starts):
            return 0
        begin = self.starts[at]
        if self.text[begin] not in "{[" or not text.startswith(self.text[begin : self.ends[at]], start):
            return 0
        if text.startswith(self.text[begin : self.ends[-1]], start):
            return len(self.ends) - at
        rest = range(at + 1, len(self.ends))
        return 1 + bisect_left(rest, True, key=lambda last: not text.startswith(self.text[begin : self.ends[last]], start))

    def take(self, other: "_Array", at: int, count: int, to: int) -> None:
        """Take elements over that now begin at `to`."""
        shift = to - other.starts[at]
        self.starts += [start + shift for start in other.starts[at : at + count]]
        self.ends += [end + shift for end in other.ends[at : at + count]]
        self.elements += other.elements[at : at + count]

    def add(self, start: int, end: int, element: Element) -> None:
        """Add one element."""
        self.starts.append(start)
        self.ends.append(end)
        self.elements.append(element)


class Reader:
    """Reads the contents of one run's records. What it has read it knows, by the bytes and by where they stood."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._known: dict[Hashable, Element] = {}
        self._arrays: dict[Hashable, _Array] = {}
        self._spread: dict[tuple[str, str], Spread[Element]] = {}
        self._numbered: dict[tuple[str, tuple[str, ...]], dict[Any, Element]] = {}

    def text(self, text: str, role: str, shelf: Hashable) -> list[Element]:
        """Return the messages of an attribute or a body; those before it were read with the same `shelf`."""
        before = self._arrays.get(shelf)
        if before is not None and before.text == text:
            return before.elements + before.rest
        for _ in range(_QUOTED_AT_MOST):
            inner = loads(text) if text.startswith('"') else NOTHING
            text = inner if isinstance(inner, str) else text
        begin = text.lstrip()[:1]
        if begin == "[" and _LIST.match(text) is not None:
            array, end = self._split(text, text.index("[") + 1, role, before)
            self._arrays[shelf] = array
            array.rest = self._rest(text, end, role)
            return array.elements + array.rest
        if begin == "{" and _HOLDS_LIST.search(text) is not None and (found := self._request(text, role, shelf)) is not None:
            return found
        known = self._known.get((role, text))
        if known is None:
            value = loads(text) if begin in {"{", "["} else NOTHING
            known = self._known[role, text] = self._said(text if value is NOTHING else value, role, text)
        return [known]

    def known(self, key: Hashable, value: Callable[[], Any], role: str) -> list[Element]:
        """Return the messages of a value that `key` stands for; it is made when it was not read before."""
        known = self._known.get((role, key))
        if known is None:
            known = self._known[role, key] = self._said(value(), role, str(key))
        return [known]

    def value(self, value: Any, role: str) -> list[Element]:
        """Return the messages of a value that is not text."""
        return [self._said(value, role, "content that is nested too deep")]

    def indexed(self, attributes: Mapping[str, str], prefix: str, role: str) -> list[Element]:
        """Return the messages of `prefix` + `N.…`, in the order of N."""
        numbers = layout(tuple(attributes), prefix)
        if not numbers:
            return []
        spread = self._spread.get((prefix, role))
        if spread is None or spread.numbers is not numbers:
            spread = self._spread[prefix, role] = Spread(numbers, lambda names: self._numbered.setdefault((role, names), {}))

        def element(pairs: Pairs) -> Element:
            return self._said(_as_message(unfolded(pairs), role), role, "\n".join(text for _, text in pairs))

        return spread.read(list(attributes.values()), element)

    def _said(self, value: Any, role: str, raw: str) -> Element:
        try:
            return self._all(messages_of(value, role), bare=is_bare(value))
        except RecursionError:
            return self._all([Message(role=role, parts=(text_part(raw),))], bare=False)

    def _all(self, messages: Iterable[Message], *, bare: bool) -> Element:
        kept = (message for message in messages if message.parts or message.finish_reason)
        return tuple(Said(message, self._identities.of(message), message.role == "system", bare) for message in kept)

    def _split(self, text: str, at: int, role: str, before: _Array | None) -> tuple[_Array, int]:
        """Return the elements of the list whose first may begin at `at`, and where the list ends."""
        array, before = _Array(text), before or _Array("")
        expected = 0
        while (at := _between(text, at)) < len(text) and text[at] != "]":
            count = 0
            for place in (expected, expected + 1):
                if count := before.same(place, text, at):
                    array.take(before, place, count, at)
                    expected = place + count
                    break
            if not count:
                read_before = self._decode(array, text, at, role)
                found = before.find(array.elements[-1], expected) if read_before and expected < len(before.elements) else None
                expected = expected if found is None else found + 1
            at = array.ends[-1]
        return array, at + 1

    def _rest(self, text: str, at: int, role: str) -> list[Element]:
        """What stands behind a list or an object that was read: a mark that something was cut off, perhaps."""
        rest = text[at:]
        return [self._said(rest, role, rest)] if rest.strip() else []

    def _decode(self, array: _Array, text: str, at: int, role: str) -> bool:
        """Add the element that begins at `at`, and return whether it is known; what is no JSON any more is text to the end."""
        try:
            value, end = decode(text, at)
        except ValueError:
            value, end = text[at:], len(text)
        raw = text[at:end]
        key = raw if isinstance(value, dict) and "role" in value else (role, raw)
        known = self._known.get(key)
        if known is None:
            self._known[key] = self._said(value, role, raw)
        array.add(at, end, self._known[key])
        return known is not None

    def _request(self, text: str, role: str, shelf: Hashable) -> list[Element] | None:
        """The messages of an object that has a history as a list; None for any other object."""
        around: dict[str, Any] = {}
        found: list[Element] = []
        at = text.index("{") + 1
        try:
            while (at := _between(text, at)) < len(text) and text[at] != "}":
                key, at = decode(text, at)
                at = _end(_COLON.match(text, at), at)
                if key in LISTS and text[at : at + 1] == "[":
                    array, at = self._split(text, at + 1, role, self._arrays.get((shelf, key)))
                    self._arrays[shelf, key] = array
                    found += array.elements
                else:
                    around[key], at = decode(text, at)
            found += self._rest(text, at + 1, role)
        except (ValueError, TypeError):
            return [*found, self._said(text[at:], role, text[at:])] if found else None
        if not found or "role" in around:
            return None
        return [self._all(envelope(around, role), bare=False), *found]


def _as_message(tree: Any, role: str) -> Any:
    """Indexed attributes are messages, whatever they hold; some conventions say so once more."""
    if not isinstance(tree, dict):
        return tree
    inner = tree.get("message")
    fields = {**{key: value for key, value in tree.items() if key != "message"}, **inner} if isinstance(inner, dict) else tree
    return fields if isinstance(fields.get("role"), str) else {**fields, "role": role, "role_": fields.get("role")}


def _between(text: str, at: int) -> int:
    return _end(_BETWEEN.match(text, at), at)


def _end(match: re.Match[str] | None, at: int) -> int:
    return at if match is None else match.end()
