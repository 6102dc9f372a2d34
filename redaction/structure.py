r"""Strings that hold JSON are walked, not scanned as text; pure.

Only positions are taken from the text and only what changed is written back, so numbers keep their digits, keys their order and
everything untouched its bytes. Escapes cannot hide anything (`\u0040` is read before anyone looks), a replaced number becomes a
string, and valid JSON stays valid. Cut-off JSON, lines of JSON and JSON followed by prose are walked too: telemetry is full of them.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

_TOKEN: Final = re.compile(
    r'[\s,:]*+(?:(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+(?P<end>"?+))|(?P<open>[{\[])|(?P<close>[}\]])'
    r"|(?P<scalar>-?(?:\d[\d.eE+\-]*+|Infinity)|true|false|null|NaN)(?=[\s,:}\]]|\Z)|(?P<done>\Z))",
    re.DOTALL,
)
_LABEL_KEYS: Final = frozenset({"name", "key", "Name", "Key"})
_LABELLED_KEYS: Final = frozenset({"value", "Value", "values", "val"})
_LABEL: Final = re.compile(r"[\w.\- /]{1,128}")
_COLON: Final = re.compile(r"\s*+:")
_ESCAPED: Final = re.compile(r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|.", re.DOTALL)


class Kind(Enum):
    """What a leaf is, which decides how a replacement is written."""

    STRING = "string"
    KEY = "key"
    SCALAR = "scalar"
    CONTAINER = "container"  # an object or array that is the value of a key
    RAW = "raw"  # text outside of JSON: behind it, or cut off


@dataclass(frozen=True, slots=True)
class Leaf:
    """`text` is what the range means; `key` is the nearest object key around it, or the name that a sibling gives a `value`."""

    start: int
    end: int
    kind: Kind
    text: str
    key: str | None


def walk(text: str) -> tuple[Leaf, ...] | None:
    """Return the leaves of the JSON in `text` in the order in which they end, or None when it is not JSON."""
    return _Walk(text).leaves() if may_be_json(text) else None


def may_be_json(text: str) -> bool:
    """Whether `text` begins like JSON; False is certain for `walk`."""
    start = text[:1] if text[:1] > " " else text[:64].lstrip()[:1]
    return start in {"{", "["} or (start == '"' and text[-64:].rstrip()[-1:] == '"')


@dataclass(slots=True)
class _Members:
    """Of an object: what `name` or `key` says, and which leaves stand under `value`."""

    label: str | None = None
    values: list[int] = field(default_factory=list)


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._leaves: list[Leaf] = []
        self._open: list[tuple[str, int, str | None]] = []  # bracket, where, the key it is the value of
        self._members: list[_Members] = []  # of the open brackets
        self._key: str | None = None
        self._closed = False

    def leaves(self) -> tuple[Leaf, ...] | None:
        position = 0
        while True:
            token = _TOKEN.match(self._text, position)
            if token is None:
                return self._with_rest(position)
            position = token.end()
            kind = token.lastgroup
            if kind == "done":
                return self._all() if self._leaves or self._closed else None
            if kind == "open":
                self._open.append((token["open"], token.start("open"), self._key))
                self._members.append(_Members())
            elif kind == "close":
                if not self._close(token["close"], position):
                    return None
            elif kind == "scalar":
                self._add(Leaf(token.start(kind), position, Kind.SCALAR, token[kind], self._key))
            elif not self._string(token.start("string"), position, terminated=bool(token["end"])):
                return None

    def _with_rest(self, position: int) -> tuple[Leaf, ...] | None:
        if self._open or not self._closed:
            return None
        return (*self._leaves, Leaf(position, len(self._text), Kind.RAW, self._text[position:], None))

    def _all(self) -> tuple[Leaf, ...]:
        """All leaves; containers that were cut off reach to the end of the text."""
        labels = [None, *(members.label for members in self._members)]
        for members in self._members:
            self._name_values(members)
        cut = [
            Leaf(start, len(self._text), Kind.CONTAINER, "", label if label is not None and key in _LABELLED_KEYS else key)
            for (_, start, key), label in zip(self._open, labels, strict=False)
            if key is not None
        ]
        return (*self._leaves, *cut)

    def _close(self, bracket: str, end: int) -> bool:
        if not self._open or self._open[-1][0] != {"}": "{", "]": "["}[bracket]:
            return False
        _, start, self._key = self._open.pop()
        self._name_values(self._members.pop())
        if self._key is not None and (not self._open or self._open[-1][0] == "{"):
            self._add(Leaf(start, end, Kind.CONTAINER, "", self._key))
        self._closed = True
        return True

    def _string(self, start: int, end: int, *, terminated: bool) -> bool:
        if not terminated:  # cut off in the middle: the rest is text
            if not self._open:
                return False
            self._add(Leaf(start + 1, end, Kind.RAW, self._text[start + 1 : end], self._key))
            return True
        inner = self._text[start + 1 : end - 1]
        if "\\" in inner:
            try:
                inner = json.loads(self._text[start:end], strict=False)
            except ValueError:
                self._add(Leaf(start + 1, end - 1, Kind.RAW, inner, self._key))
                return True
        if self._open and self._open[-1][0] == "{" and _COLON.match(self._text, end):
            self._key = inner
            self._leaves.append(Leaf(start, end, Kind.KEY, inner, None))
        else:
            self._add(Leaf(start, end, Kind.STRING, inner, self._key))
        return True

    def _add(self, leaf: Leaf) -> None:
        """Keep the leaf of a value; a member of an object may be the name of a sibling, or a value that a sibling names."""
        if self._open and self._open[-1][0] == "{":
            if leaf.key in _LABELLED_KEYS:
                self._members[-1].values.append(len(self._leaves))
            elif leaf.key in _LABEL_KEYS and leaf.kind in (Kind.STRING, Kind.RAW) and _LABEL.fullmatch(leaf.text):
                self._members[-1].label = leaf.text
        self._leaves.append(leaf)

    def _name_values(self, members: "_Members") -> None:
        if members.label is not None:
            for index in members.values:
                self._leaves[index] = replace(self._leaves[index], key=members.label)


def rewritten(text: str, replacements: Iterable[tuple[Leaf, str]]) -> str:
    """Return `text` with the meaning of some leaves replaced; `replacements` are in order and do not overlap.

    Keys that become equal are numbered (`<EMAIL_ADDRESS>#2`), so that no value is lost to a reader that keeps one of them.
    """
    pieces: list[str] = []
    seen: dict[str, int] = {}
    position = 0
    for leaf, replacement in replacements:
        meaning = replacement
        if leaf.kind is Kind.KEY:
            seen[replacement] = seen.get(replacement, 0) + 1
            meaning = replacement if seen[replacement] == 1 else f"{replacement}#{seen[replacement]}"
        pieces += (text[position : leaf.start], meaning if leaf.kind is Kind.RAW else _encoded(meaning))
        position = leaf.end
    pieces.append(text[position:])
    return "".join(pieces)


def _encoded(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair is legal in JSON's escapes only
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def positions(text: str, leaf: Leaf) -> list[int]:
    """Return where in `text` each character of `leaf.text` begins, and, last, where the final one ends."""
    if leaf.kind in (Kind.RAW, Kind.SCALAR):
        return list(range(leaf.start, leaf.end + 1))
    inner = leaf.start + 1
    return [match.start() for match in _ESCAPED.finditer(text, inner, leaf.end - 1)] + [leaf.end - 1]
