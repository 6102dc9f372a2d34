"""Which recognizers can match a text: one multi-pattern database of everything that is looked for, asked in microseconds.

What it finds is a superset of what the recognizers find, so a text without candidates needs no recognizer, and of a text with some
only those have to look. Where Hyperscan's Unicode tables disagree with those of the `regex` module, characters are exchanged for ones
of the same classes on which both agree. Tests hold this against the recognizers themselves. How it is made stands in
`redaction.conditions`.
"""

import bisect
import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import regex  # type: ignore[import-untyped]

from redaction.candidates import CHECKS, Check
from redaction.encodings import stretches
from redaction.escapes import meanings, views
from redaction.expressions import LIMIT_SECONDS

LOOKED_AT_CHARS: Final = 4096
"""Up to this length a text that has a recognizer's shape is looked at closer before the recognizer is called."""

FORMAT: Final = 7
REMEMBERED_CHARACTERS: Final = 20_000
CLASSES: Final = {r"\d": "\u0660", r"\w": "\u00aa", r"\s": "\u2003", "": "\u00a1"}
"""By the narrowest class of a character: one of the same class on which both engines agree, and that no ASCII set contains."""

DOTTED: Final = {0x130: "i", 0x131: "i"}
"""Letters that the `regex` module takes for an i when case is ignored."""


class Gate:
    """A compiled set of conditions; bit *i* of a mask stands for condition *i*. Safe in any thread."""

    def __init__(self, blob: bytes) -> None:
        """`blob` is what `compiled_gate` returned. Raises `ValueError` when it is something else, or made for another machine."""
        self.blob = blob
        header, _, database = unsealed(blob).partition(b"\n")
        meta = json.loads(header)
        self.everything: int = (1 << meta["conditions"]) - 1
        self.identifiers: int = meta["identifiers"]
        self.long: int = meta["long"]
        self.hints: Mapping[str, int] = meta["hints"]
        self.encoded: int = self.hints.get("encoded", 0)
        self.hinting: int = sum(self.hints.values())
        self._anchored: int = meta["anchored"]
        self._inside: list[int] = meta["inside"]
        self._inside_worded: list[int] = meta["inside_worded"]
        self._always: int = meta["always"]
        self._not_ascii: int = meta["not_ascii"]
        self._shapes: list[int] = meta["shapes"]
        self._worded: list[int] = meta["worded"]
        self._words: list[int] = meta["words"]
        self._key_words: dict[str, int] = meta["key_words"]
        self._searched = tuple((1 << index, regex.compile(expression, flags)) for index, expression, flags in meta["searched"])
        self._checks: tuple[tuple[int, Check], ...] = tuple((1 << index, CHECKS[name]) for index, name in meta["checks"])
        self._checked = sum(bit for bit, _ in self._checks)
        self._exchange = _exchange(meta["disagreeing"])
        self._agreed = {chr(code) for code in range(0x80)}
        self._database = _loaded(database) if database else None
        self._scratch = threading.local()

    @property
    def is_fast(self) -> bool:
        """Whether Hyperscan is at work; otherwise every recognizer looks at every text."""
        return self._database is not None

    def candidates(self, text: str, context: Sequence[str], *, parts: bool = False) -> int:
        """Return the conditions that `text` fulfils under a key with these words; a condition whose bit is 0 finds nothing.

        With `parts`, also those that any part of the text may fulfil by itself: an expression may be anchored where a part begins.
        """
        if self._database is None:
            return self.everything
        hits: list[int] = []
        mask = self._always | (self._anchored if parts else 0)
        if text.isascii():
            self._search(text, hits)
        else:
            mask |= self._search_unicode(text, hits)
        worded = words = 0
        shapes, of_worded, of_words = self._shapes, self._worded, self._words
        for hit in hits:
            mask |= shapes[hit]
            worded |= of_worded[hit]
            words |= of_words[hit]
        for hit in hits if parts else ():
            mask |= self._inside[hit]
            worded |= self._inside_worded[hit]
        for bit, expression in self._searched:
            if not mask & bit and _found(expression, text):
                mask |= bit
        if worded := worded & ~mask:
            for word in context:
                words |= self._key_words.get(word, 0)
            mask |= worded & words
        if mask & self._checked and len(text) <= LOOKED_AT_CHARS:
            for bit, check in self._checks:
                if mask & bit and not check(text, context):
                    mask &= ~bit
        return mask

    def _search_unicode(self, text: str, hits: list[int]) -> int:
        """Search in a text that is not ASCII; returns the conditions that only the recognizers themselves can tell about."""
        if self._agreed.issuperset(characters := set(text)) or self._agree_on(characters):
            self._search(text, hits)
            return 0
        self._search(text.translate(self._exchange), hits)
        if "\u0130" in text or "\u0131" in text:
            self._search(text.translate(DOTTED).translate(self._exchange), hits)
        return self._not_ascii

    def _agree_on(self, characters: set[str]) -> bool:
        """Whether both engines class these characters alike; remembers those of which they do."""
        agreed = {character for character in characters if self._exchange[ord(character)] == ord(character)}
        if len(self._agreed) < REMEMBERED_CHARACTERS:
            self._agreed |= agreed
        return len(agreed) == len(characters)

    def _search(self, text: str, hits: list[int]) -> None:
        try:
            scratch = self._scratch.own
        except AttributeError:
            scratch = self._scratch.own = _scratch(self._database)
        self._database.scan(text.encode(), match_event_handler=_note, context=hits, scratch=scratch)  # type: ignore[union-attr]


def _found(expression: Any, text: str) -> bool:
    try:
        return expression.search(text, timeout=LIMIT_SECONDS) is not None
    except TimeoutError:
        return True


def _note(expression: int, _start: int, _end: int, _flags: int, hits: list[int]) -> None:
    hits.append(expression)


class Prefilter:
    """What the collector's process knows of the gate: nothing until a scanner is ready, and then everything."""

    def __init__(self) -> None:
        self._gate: Gate | None = None

    @property
    def is_fast(self) -> bool:
        """Whether a gate is there, and Hyperscan at work in it."""
        return self._gate is not None and self._gate.is_fast

    def load(self, blob: bytes) -> None:
        """Take the gate that a scanner has built; the same one again changes nothing."""
        if self._gate is None or self._gate.blob != blob:
            self._gate = Gate(blob)

    def may_match(self, text: str, context: Sequence[str]) -> bool:
        """Whether a recognizer could find something in `text`, or in what it stands for; False is certain."""
        return self._gate is None or _may_match(self._gate, text, context, self._gate.everything)

    def may_match_identifier(self, text: str) -> bool:
        """The same for an id that the pipeline needs: without what is looked for on request, and the values that the policy blocks."""
        return self._gate is None or _may_match(self._gate, text, (), self._gate.identifiers)

    def may_match_long(self, text: str) -> bool:
        """Whether something longer than a chunk could be found, or has to be decoded first; False is certain."""
        gate = self._gate
        return gate is None or any(gate.candidates(each, ()) & gate.long for each in (text, *meanings(text)))

    def is_plain(self, texts: Sequence[str], context: Sequence[str]) -> bool:
        """Whether `texts`, all that a text stands for, have no candidates, nor any part of them that stands for itself; True is certain."""
        gate = self._gate
        return gate is not None and gate.is_fast and not any(gate.candidates(text, context, parts=True) for text in texts)


def _may_match(gate: Gate, text: str, context: Sequence[str], wanted: int) -> bool:
    mask = gate.candidates(text, context)
    wanted &= ~gate.hinting
    if mask & wanted:
        return True
    if mask & gate.encoded and any(gate.candidates(stretch.text, context) & wanted for stretch in stretches(text)):
        return True
    return any(gate.candidates(view, context) & wanted for view, _ in views(text))


def sealed(content: bytes) -> bytes:
    """Return what is kept on disk, or sent: the content behind its digest."""
    return hashlib.sha256(b"%d " % FORMAT + content).digest() + content


def unsealed(blob: bytes) -> bytes:
    """Return the content of what `sealed` returned. Raises `ValueError` for anything else: one wrong bit would let texts pass."""
    content = blob[hashlib.sha256().digest_size :]
    if not content or sealed(content) != blob:
        raise ValueError("not a prefilter")
    return content


def hyperscan() -> Any:
    """Return the hyperscan module, or None on a platform without it."""
    try:
        import hyperscan as module
    except ImportError:
        return None
    return module


class _Exchange(dict[int, int | str]):
    """What stands for a code point on which the engines disagree; worked out when it is met first."""

    def __init__(self, ranges: Sequence[tuple[int, int, str]]) -> None:
        super().__init__()
        self._ranges = ranges
        self._starts = [start for start, _, _ in ranges]

    def __missing__(self, code: int) -> int | str:
        index = bisect.bisect_right(self._starts, code) - 1
        known = code if index < 0 or code > self._ranges[index][1] else self._ranges[index][2]
        if len(self) < REMEMBERED_CHARACTERS:
            self[code] = known
        return known


def _exchange(disagreeing: Mapping[str, Sequence[Sequence[int]]]) -> _Exchange:
    return _Exchange(sorted((start, end, CLASSES[name]) for name, each in disagreeing.items() for start, end in each))


def _loaded(database: bytes) -> Any:
    module = hyperscan()
    if module is None:
        raise ValueError("made where hyperscan was installed")
    try:
        return module.loadb(database, module.HS_MODE_BLOCK)
    except module.error as error:
        raise ValueError(f"made for another machine: {type(error).__name__}") from None


def _scratch(database: Any) -> Any:
    return hyperscan().Scratch(database)
