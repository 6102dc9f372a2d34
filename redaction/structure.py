r"""Strings that hold JSON are walked, not scanned as text; pure.

Only positions are taken from the text and only what changed is written back, so numbers keep their digits, keys their order and
everything untouched its bytes. Escapes cannot hide anything (`\u0040` is read before anyone looks), a replaced number becomes a
string, and valid JSON stays valid. Cut-off JSON, lines of JSON and JSON followed by prose are walked too: telemetry is full of them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from redaction.findings import PATH_CHARS
from redaction.labels import HINT_KEYS, HINTED_KEYS, HINTING_KEYS, LABEL, LABEL_KEYS, LABELLED_KEYS, hint, said_before

_TOKEN: Final = re.compile(
    r'[\s,:]*+(?:(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+(?P<end>"?+))|(?P<open>[{\[])|(?P<close>[}\]])'
    r"|(?P<scalar>-?(?:\d[\d.eE+\-]*+|Infinity)|true|false|null|NaN)(?=[\s,:}\]]|\Z)|(?P<done>\Z))",
    re.DOTALL,
)
_TELLING_KEYS: Final = LABEL_KEYS | LABELLED_KEYS | HINT_KEYS | HINTED_KEYS | {"type"}
_SCHEMA_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_SCHEMA_KEYS: Final = frozenset({"$ref", "anyOf", "oneOf", "allOf", "$defs", "properties", "additionalProperties", "enum"})
_DECLARING_KEYS: Final = _SCHEMA_KEYS | {
    "type", "description", "title", "default", "const", "example", "examples", "format", "pattern", "minLength", "maxLength", "minimum",
    "maximum", "minItems", "maxItems", "uniqueItems", "items", "required", "nullable", "deprecated", "readOnly", "writeOnly", "$comment",
    "sensitive", "optional",
}  # fmt: skip
_DECLARED_VALUES: Final = frozenset({"default", "const", "example", "examples"})
"""Where a declaration holds a value of what it declares."""
_COLON: Final = re.compile(r"\s*+:")
_ESCAPED: Final = re.compile(r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|.", re.DOTALL)


class Kind(Enum):
    """What a leaf is, which decides how a replacement is written."""

    STRING = "string"
    KEY = "key"
    SCALAR = "scalar"
    CONTAINER = "container"  # an object or array that is the value of a key
    RAW = "raw"  # text outside of JSON: behind it, or cut off
    BLOB = "blob"  # an image, a sound, a document: `text` is what stands for it


_AS_IT_IS: Final = frozenset({Kind.RAW, Kind.BLOB})


class Place:
    """An object or array: where a leaf stands. What it holds is known when the walk is over."""

    __slots__ = ("bracket", "hint", "hinted", "items", "key", "keys", "label", "parent", "schema", "start", "typed", "values")

    def __init__(self, bracket: str, start: int, key: str | None, parent: "Place | None") -> None:
        self.bracket = bracket
        self.start = start
        self.key = key  # the nearest object key around it
        self.parent = parent
        self.keys: set[str] = set()  # of an object; a set, for every member asks what stands beside it
        self.label: str | None = None  # what its `name` or `key` says
        self.values: list[int] = []  # which leaves stand under its `value`
        self.hint: str | None = None  # what its `label` or `element` says
        self.hinted: list[int] = []  # which leaves stand under its `text`
        self.items: list[str] = []  # of an array, the last two strings
        self.schema = False  # it says of which type a value has to be
        self.typed = False  # it has a `type`

    def is_schema(self) -> bool:
        """Whether this is a part of a JSON schema: it describes values and holds none."""
        return self.schema or not _SCHEMA_KEYS.isdisjoint(self.keys)

    def declares(self) -> bool:
        """Whether it has nothing but words of a JSON schema: what stands under a key is then no value of it."""
        return self.bracket == "{" and bool(self.keys) and self.schema == self.typed and _DECLARING_KEYS.issuperset(self.keys)


class Leaf(NamedTuple):
    """`text` is what the range means; `key` is the nearest object key around it, or the name that a sibling gives a `value`."""

    start: int
    end: int
    kind: Kind
    text: str
    key: str | None
    place: Place | None = None
    member: str | None = None  # its own key, when it is a member of an object

    @property
    def declared(self) -> str | None:
        """The key whose value this is, when it stands in a declaration of it: `"password": {"type": "string", "default": …}`."""
        place = self.place.parent if self.place is not None and self.place.bracket == "[" else self.place
        return place.key if self.key in _DECLARED_VALUES and place is not None and place.declares() else None


def walk(text: str) -> tuple[Leaf, ...] | None:
    """Return the leaves of the JSON in `text` in the order in which they end, or None when it is not JSON."""
    return _Walk(text).leaves() if may_be_json(text) else None


def may_be_json(text: str) -> bool:
    """Whether `text` begins like JSON; False is certain for `walk`."""
    start = text[:1] if text[:1] > " " else text[:64].lstrip()[:1]
    return start in {"{", "["} or (start == '"' and text[-64:].rstrip()[-1:] == '"')


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._leaves: list[Leaf] = []
        self._open: list[Place] = []
        self._key: str | None = None
        self._closed = False

    def leaves(self) -> tuple[Leaf, ...] | None:
        match, text, position = _TOKEN.match, self._text, 0
        while True:
            token = match(text, position)
            if token is None:
                return self._with_rest(position)
            position = token.end()
            kind = token.lastgroup
            if kind == "done":
                is_row = not self._closed and not self._open and len(self._leaves) > 1  # "id","name": quoted columns
                return self._all() if (self._leaves or self._closed) and not is_row else None
            if kind == "open":
                self._open.append(Place(token["open"], token.start("open"), self._key, self._open[-1] if self._open else None))
            elif kind == "close":
                if not self._close(token["close"], position):
                    return None
            elif kind == "scalar":
                self._add(token.start(kind), position, Kind.SCALAR, token[kind])
            elif not self._string(token.start("string"), position, terminated=bool(token["end"])):
                return None

    def _with_rest(self, position: int) -> tuple[Leaf, ...] | None:
        if self._open or not self._closed:
            return None
        return (*self._leaves, Leaf(position, len(self._text), Kind.RAW, self._text[position:], None))

    def _all(self) -> tuple[Leaf, ...]:
        """All leaves; containers that were cut off reach to the end of the text."""
        for place in self._open:
            self._name_values(place)
        cut = [self._container(place, len(self._text)) for place in self._open if place.key is not None]
        return (*self._leaves, *cut)

    def _container(self, place: Place, end: int) -> Leaf:
        outer = place.parent
        named = outer is not None and outer.label is not None and outer.bracket == "{" and place.key in LABELLED_KEYS
        key = outer.label if outer is not None and named else place.key
        member = place.key if outer is not None and outer.bracket == "{" else None
        return Leaf(place.start, end, Kind.CONTAINER, "", key, outer, member)

    def _close(self, bracket: str, end: int) -> bool:
        if not self._open or self._open[-1].bracket != {"}": "{", "]": "["}[bracket]:
            return False
        place = self._open.pop()
        self._key = place.key
        self._name_values(place)
        if place.key is not None and (not self._open or self._open[-1].bracket == "{") and not place.declares():
            self._add(place.start, end, Kind.CONTAINER, "")
        self._closed = True
        return True

    def _string(self, start: int, end: int, *, terminated: bool) -> bool:
        if not terminated:  # cut off in the middle: the rest is text
            if not self._open:
                return False
            self._add(start + 1, end, Kind.RAW, self._text[start + 1 : end])
            return True
        inner = self._text[start + 1 : end - 1]
        if "\\" in inner:
            try:
                inner = json.loads(self._text[start:end], strict=False)
            except ValueError:
                self._add(start + 1, end - 1, Kind.RAW, inner)
                return True
        place = self._open[-1] if self._open else None
        if place is not None and place.bracket == "{" and _COLON.match(self._text, end):
            self._key = inner
            place.keys.add(inner)
            self._leaves.append(Leaf(start, end, Kind.KEY, inner, None, place))
        else:
            self._add(start, end, Kind.STRING, inner)
        return True

    def _add(self, start: int, end: int, kind: Kind, text: str) -> None:
        """Keep the leaf of a value; a member of an object may be the name of a sibling, or a value that a sibling names."""
        key = self._key
        place = self._open[-1] if self._open else None
        member = None
        if place is not None and place.bracket == "{":
            member = key
            if key in _TELLING_KEYS:
                self._member(place, kind, text)
        elif place is not None:
            key = self._item(place, kind, text) or key
        self._leaves.append(Leaf(start, end, kind, text, key, place, member))

    @staticmethod
    def _item(place: Place, kind: Kind, text: str) -> str | None:
        """Return what the items before say that this one is."""
        outer = place.parent
        told = said_before(place.items, text, in_array=outer is not None and outer.bracket == "[")
        place.items = [*place.items, text][-2:] if kind is Kind.STRING else ["", ""]
        return told

    def _member(self, place: Place, kind: Kind, text: str) -> None:
        if self._key in LABELLED_KEYS:
            place.values.append(len(self._leaves))
        elif self._key in HINTED_KEYS:
            place.hinted.append(len(self._leaves))
        elif kind not in (Kind.STRING, Kind.RAW):
            return
        elif self._key == "type":
            place.schema, place.typed = text in _SCHEMA_TYPES, True
        elif self._key in HINT_KEYS:
            place.hint = place.hint or hint(text)
        elif LABEL.fullmatch(text):
            place.label = text

    def _name_values(self, place: Place) -> None:
        told = place.label or place.hint
        for index in place.values if told else ():
            self._leaves[index] = self._leaves[index]._replace(key=told)
        for index in place.hinted if place.hint and not HINTING_KEYS.isdisjoint(place.keys) else ():
            self._leaves[index] = self._leaves[index]._replace(key=place.hint)


def rewritten(text: str, replacements: Iterable[tuple[Leaf, str]]) -> str:
    """Return `text` with the meaning of some leaves replaced; `replacements` are in order and do not overlap.

    Keys that become equal are numbered (`<EMAIL_ADDRESS>#2`), so that no value is lost to a reader that keeps one of them.
    """
    pieces: list[str] = []
    seen: dict[str, int] = {}
    position = 0
    for leaf, replacement in replacements:
        meaning = replacement
        while leaf.kind is Kind.KEY:
            number = seen[replacement] = seen.get(replacement, 0) + 1
            meaning = replacement if number == 1 else f"{replacement}#{number}"
            if leaf.place is None or meaning not in leaf.place.keys:
                break
        pieces += (text[position : leaf.start], meaning if leaf.kind in _AS_IT_IS else _encoded(meaning))
        position = leaf.end
    pieces.append(text[position:])
    return "".join(pieces)


class Paths:
    """Where leaves stand: `.messages[].content`, with the cleaned form of keys, cut to `PATH_CHARS`."""

    def __init__(self, cleaned_keys: Mapping[str, str]) -> None:
        self._cleaned_keys = cleaned_keys
        self._known: dict[Place | None, str] = {None: ""}

    def of(self, leaf: Leaf) -> str:
        """Return the way from the root to a leaf."""
        way: list[tuple[Place, str]] = []
        place = leaf.place
        inner = leaf.text if leaf.kind is Kind.KEY else leaf.member
        while place is not None and place not in self._known:
            way.append((place, self._step(place.parent, place.key)))
            place = place.parent
        path = self._known[place]
        for place, step in reversed(way):
            path = self._known[place] = (path + step)[:PATH_CHARS]
        return (path + self._step(leaf.place, inner))[:PATH_CHARS]

    def _step(self, outer: Place | None, key: str | None) -> str:
        if outer is None:
            return ""
        if outer.bracket == "[" or key is None:
            return "[]"
        name = self._cleaned_keys.get(key, key)
        return f".{name}" if name.isascii() else f".{name.encode(errors='replace').decode()}"


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
