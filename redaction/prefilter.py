"""Which recognizers can match a text: one multi-pattern database of everything that is looked for, asked in microseconds.

What it finds is a superset of what the recognizers find, so a text without candidates needs no recognizer, and of a text with some
only those have to look. Where Hyperscan's Unicode tables disagree with those of the `regex` module, characters are exchanged for ones
of the same classes on which both agree. Tests hold this against the recognizers themselves. How it is made stands in
`redaction.conditions`.
"""

import bisect
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import regex  # type: ignore[import-untyped]

from redaction.candidates import CHECKS, Span
from redaction.database import Database
from redaction.encodings import stretches
from redaction.escapes import may_mean_more, meanings, views
from redaction.expressions import LIMIT_SECONDS

LOOKED_AT_CHARS: Final = 4096
"""Up to this length the whole of a text is looked at closer where a recognizer's shape stands at too many places."""

AROUND_CHARS: Final = 128
"""On both sides of the place where a shape ends; longer than what is recognised, as far as it is one of them."""

FORMAT: Final = 10
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
        header, _, databases = unsealed(blob).partition(b"\n")
        meta = json.loads(header)
        self.everything: int = (1 << meta["conditions"]) - 1
        self.identifiers: int = meta["identifiers"]
        self.long: int = meta["long"]
        self.hints: Mapping[str, int] = meta["hints"]
        self.encoded: int = self.hints.get("encoded", 0)
        self.hinting: int = sum(self.hints.values())
        self._anchored: int = meta["anchored"]
        self._inside: list[int] = meta["inside"]
        self._always: int = meta["always"]
        self._not_ascii: int = meta["not_ascii"]
        self._shapes: list[int] = meta["shapes"]
        self._words: list[int] = meta["words"]
        self._key_words: dict[str, int] = meta["key_words"]
        self._searched = tuple((1 << index, regex.compile(expression, flags)) for index, expression, flags in meta["searched"])
        self._exchange = _exchange(meta["disagreeing"])
        self._agreed = {chr(code) for code in range(0x80)}
        of_size = _in_turn(databases)
        self._database = Database(content) if (content := of_size(meta["size"])) else None
        self._worded = tuple((1 << index, certain, Database(of_size(size))) for index, certain, size in meta["worded"])
        self._with_words: int = sum(bit for bit, _, _ in self._worded)
        self._checks = tuple((1 << index, CHECKS[name], Database(of_size(size))) for index, name, size in meta["checks"])
        self._checked: int = sum(bit for bit, _, _ in self._checks)

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
        mask = self._always | (self._anchored if parts else 0)
        if text.isascii():
            forms = [text.encode()]
        else:
            forms, uncertain = self._forms(text)
            mask |= uncertain
        hits: list[int] = []
        for form in forms:
            self._database.search(form, hits)
        words = 0
        shapes, of_words = self._shapes, self._words
        for hit in hits:
            mask |= shapes[hit]
            words |= of_words[hit]
        for hit in hits if parts else ():
            mask |= self._inside[hit]
        for bit, expression in self._searched:
            if not mask & bit and _found(expression, text):
                mask |= bit
        for word in context:
            words |= self._key_words.get(word, 0)
        if words := words & self._with_words & ~mask:
            mask |= self._search_worded(words, forms, parts)
        return self._looked_at(mask, text, forms, context) if mask & self._checked else mask

    def _search_worded(self, words: int, forms: Sequence[bytes], parts: bool) -> int:
        """Return those of the conditions `words` of which a text has an expression, too: few texts come so far."""
        mask = 0
        for bit, certain, database in self._worded:
            if words & bit:
                hits: list[int] = []
                for form in forms:
                    database.search(form, hits)
                if hits and (parts or min(hits) < certain):
                    mask |= bit
        return mask

    def _looked_at(self, mask: int, text: str, forms: Sequence[bytes], context: Sequence[str]) -> int:
        """Return `mask` without those that a closer look at the places of their shapes rules out."""
        for bit, check, database in self._checks:
            if mask & bit and (spans := _spans(text, forms, database)) is not None and not check(text, context, spans):
                mask &= ~bit
        return mask

    def _forms(self, text: str) -> tuple[list[bytes], int]:
        """Return the bytes to search for a text that is not ASCII, and the conditions that only recognizers themselves can tell about."""
        if self._agreed.issuperset(characters := set(text)) or self._agree_on(characters):
            return [text.encode()], 0
        forms = [text.translate(self._exchange).encode()]
        if "\u0130" in text or "\u0131" in text:
            forms.append(text.translate(DOTTED).translate(self._exchange).encode())
        return forms, self._not_ascii

    def _agree_on(self, characters: set[str]) -> bool:
        """Whether both engines class these characters alike; remembers those of which they do."""
        agreed = {character for character in characters if self._exchange[ord(character)] == ord(character)}
        if len(self._agreed) < REMEMBERED_CHARACTERS:
            self._agreed |= agreed
        return len(agreed) == len(characters)


def _spans(text: str, forms: Sequence[bytes], database: Database) -> list[Span] | None:
    """Return the parts of a text in which a shape stands, with what stands around; None when there are too many in a long one."""
    if len(text) <= 2 * AROUND_CHARS:
        return [(0, len(text))]
    data = forms[0]
    ends = database.places(data) if len(forms) == 1 else None
    if ends is None:
        return [(0, len(text))] if len(text) <= LOOKED_AT_CHARS else None
    around = AROUND_CHARS if len(data) == len(text) else 4 * AROUND_CHARS
    spans: list[Span] = []
    for end in sorted(ends):
        start = max(0, end - around)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end + around)
        else:
            spans.append((start, end + around))
    if len(data) == len(text):
        return spans
    return [(len(data[:start].decode(errors="ignore")), len(data[:end].decode(errors="ignore"))) for start, end in spans]


def _in_turn(content: bytes) -> Callable[[int], bytes]:
    """Return what cuts `content` into parts, one after the other."""
    position = 0

    def following(size: int) -> bytes:
        nonlocal position
        position += size
        return content[position - size : position]

    return following


def _found(expression: Any, text: str) -> bool:
    try:
        return expression.search(text, timeout=LIMIT_SECONDS) is not None
    except TimeoutError:
        return True


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

    def told_at_most(self, texts: Sequence[str], context: Sequence[str]) -> bool | None:
        """Whether keys in `texts`, all that a text stands for, may tell of values; None when more may be found in a part of them.

        What is not None is certain: no recognizer finds anything in `texts`, nor in a part of them that stands for itself.
        """
        gate = self._gate
        if gate is None or not gate.is_fast:
            return None
        told = gate.hints.get("told", 0)
        found = 0
        for text in texts:
            found |= gate.candidates(text, context, parts=True)
            if found & ~told:
                return None
        return found != 0


def _may_match(gate: Gate, text: str, context: Sequence[str], wanted: int) -> bool:
    mask = gate.candidates(text, context)
    wanted &= ~gate.hinting
    if mask & wanted:
        return True
    if mask & gate.encoded and any(gate.candidates(stretch.text, context) & wanted for stretch in stretches(text)):
        return True
    return may_mean_more(text) and any(gate.candidates(view, context) & wanted for view, _ in views(text))


def sealed(content: bytes) -> bytes:
    """Return what is kept on disk, or sent: the content behind its digest."""
    return hashlib.sha256(b"%d " % FORMAT + content).digest() + content


def unsealed(blob: bytes) -> bytes:
    """Return the content of what `sealed` returned. Raises `ValueError` for anything else: one wrong bit would let texts pass."""
    content = blob[hashlib.sha256().digest_size :]
    if not content or sealed(content) != blob:
        raise ValueError("not a prefilter")
    return content


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
