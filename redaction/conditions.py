"""When a recognizer can find something, and all such conditions compiled into one database.

Every recognizer states a condition: expressions of which one is contained in each of its matches, words without which it is not sure
enough, and perhaps a closer look. Hyperscan searches all expressions at once, in its PREFILTER mode, which finds a superset of what
the expressions mean. What Hyperscan cannot express, or a platform without it, makes a candidate of every text: slower, with the same
result. Compiling takes seconds, so the scanner process does it and keeps the result on disk.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import regex  # type: ignore[import-untyped]

from redaction.characters import disagreements
from redaction.database import compiled, hyperscan
from redaction.log import warn
from redaction.prefilter import FORMAT, Gate, sealed, unsealed

SHORT_WORD_CHARS: Final = 3
"""Longer words are looked for anywhere: inside of others they are rare."""

KEPT_FILES: Final = 32
"""Compiled prefilters of so many policies stay on disk."""

_PASSED_ON: Final = regex.I | regex.S | regex.M | regex.X
_HARMLESS: Final = regex.U | regex.V0
_ONLY_REGEX: Final = re.compile(r"\{[^}]*[eisd]\s*(?:<|[}])|\\[LmMRXKGN]|\(\?[|&R0-9]|\[\[")
_NO_MINIMUM: Final = re.compile(r"(?<!\\)\{,(?=\d)")
_CLASS: Final = re.compile(r"\\[\[\]]|\[\^?\]?(?:[^\]\\]|\\.)*\]")
_ANCHOR: Final = re.compile(r"(?<!\\)[\^$]|\\[AZzG]")
_ASCII_BEGINNING: Final = re.compile(r"[0-9a-z]*")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]|\\[uUpP]|\\x(?:[89A-Fa-f]|\{)")

Translated = tuple[str, int]
"""An expression and its flags, as Hyperscan takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a recognizer can find something; without expressions always."""

    expressions: tuple[tuple[str, int], ...] = ()  # each with flags of the `regex` module; one of them is contained in every match
    worded: tuple[tuple[str, int], ...] = ()  # further ones, that count only together with one of the words
    words: tuple[str, ...] = ()  # the first word of one of these phrases stands in the text or in its key
    searched: tuple[tuple[str, int], ...] = ()  # like `expressions`, but looked for by the `regex` module itself
    check: str = ""  # a closer look at short texts, by its name in `CHECKS`
    in_identifiers: bool = True  # whether it also counts in ids that the pipeline needs
    long: bool = False  # whether what is found may be longer than a chunk
    hint: str = ""  # it is no recognizer's, and only says that the text may be more than it seems: `encoded`, `told`


def open_gate(conditions: Sequence[Condition], folder: Path | None = None) -> Gate:
    """Return the gate of these conditions: from `folder` when it was compiled before, else compiled and kept there.

    A folder that cannot be written costs only the time to compile again. What stands in the file are the policy's expressions.
    """
    path = folder / f"prefilter-{identity(conditions)}" if folder is not None else None
    if path is not None:
        try:
            return Gate(path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            warn("the compiled prefilter is made anew", error=type(error).__name__)
    gate = Gate(compiled_gate(conditions, folder))
    if path is not None and gate.is_fast:
        try:
            _keep(path, gate.blob)
        except OSError as error:
            warn("the compiled prefilter cannot be kept: it is compiled at every start", error=type(error).__name__)
    return gate


def compiled_gate(conditions: Sequence[Condition], folder: Path | None = None) -> bytes:
    """Return the conditions compiled: a line of JSON and Hyperscan's databases, of which there is none on a platform without it.

    One database has what is looked for in every text. Weak expressions would make it three times slower, so those of each condition
    have one of their own, which is asked where one of its words stands; and so have shapes whose places are looked at closer.
    In `folder` the classes of characters are kept on which the engines disagree: they take a second to find.
    """
    compiler = _Compiler(conditions)
    database = compiled(compiler.expressions)
    if database is None or None in compiler.weak_databases:
        refused = [each for each in (*compiler.expressions, *compiler.weak_expressions) if compiled([each]) is None]
        compiler = _Compiler(conditions, refused=refused)
        database = compiled(compiler.expressions)
        if database is None:
            warn("the prefilter cannot be compiled: every recognizer looks at every text")
    return sealed(compiler.blob(database, _known_disagreements(folder) if database else {}))


class _Compiler:
    """Numbers the expressions of all conditions, each distinct one once, and compiles them together."""

    def __init__(self, conditions: Sequence[Condition], refused: Collection[Translated] = ()) -> None:
        """`refused` are the expressions that Hyperscan cannot compile."""
        self._conditions = conditions
        self._refused = refused
        self._ids: dict[Translated, int] = {}
        self._shapes: dict[int, int] = {}
        self._words: dict[int, int] = {}
        self._key_words: dict[str, int] = {}
        self._always = self._not_ascii = 0
        self._inside: dict[int, int] = {}
        self._worded: dict[int, tuple[list[Translated], list[Translated]]] = {}
        self._anchored = 0
        for index, condition in enumerate(conditions):
            self._add(index, condition)

    def _add(self, index: int, condition: Condition) -> None:
        bit = 1 << index
        certain, worded = ([_translated(*each) for each in group] for group in (condition.expressions, condition.worded))
        translated = [*certain, *worded]
        if not (translated or condition.searched) or any(each is None or each in self._refused for each in translated):
            self._always |= bit
            return
        if any(_ANCHOR.search(_CLASS.sub("", expression)) for expression, _ in condition.searched):
            self._anchored |= bit
        for relaxed in self._of_parts(bit, condition.expressions):
            self._note(self._inside, relaxed, bit)
        if any(_NOT_ASCII.search(expression) for expression, _ in (*condition.expressions, *condition.worded)):
            self._not_ascii |= bit
        for each in filter(None, certain):
            self._note(self._shapes, each, bit)
        if worded:
            self._worded[index] = (list(filter(None, worded)), self._of_parts(bit, condition.worded))
        for phrase in condition.words:
            first, *more = phrase.split(" ")
            self._key_words[first] = self._key_words.get(first, 0) | bit
            for expression, flags in _in_texts(first, more):
                self._note(self._words, (expression, _flags(flags, prefilter=False)), bit)

    def _note(self, bits: dict[int, int], expression: Translated, bit: int) -> None:
        identifier = self._ids.setdefault(expression, len(self._ids))
        bits[identifier] = bits.get(identifier, 0) | bit

    def _of_parts(self, bit: int, expressions: Iterable[tuple[str, int]]) -> list[Translated]:
        """Return what a text contains of which a part, between quotes or other punctuation, has an expression with anchors."""
        found = []
        for expression, flags in expressions:
            bare = _CLASS.sub("", expression)
            if not _ANCHOR.search(bare):
                continue
            inner = expression.removeprefix("^").removesuffix("$")
            relaxed = _translated(f"(?:^|[^0-9A-Za-z]){inner}(?:$|[^0-9A-Za-z])", flags)
            if _ANCHOR.search(_CLASS.sub("", inner)) or relaxed is None or relaxed in self._refused or expression.endswith("\\$"):
                self._anchored |= bit
                continue
            found.append(relaxed)
        return found

    @property
    def expressions(self) -> Sequence[Translated]:
        """What every text is searched for, in the order of the numbers."""
        return list(self._ids)

    @property
    def weak_expressions(self) -> Sequence[Translated]:
        """What is searched for beside words only."""
        return [each for groups in self._worded.values() for group in groups for each in group]

    @cached_property
    def weak_databases(self) -> list[bytes | None]:
        """Return the compiled expressions of each condition that has weak ones."""
        return [compiled([*certain, *relaxed]) for certain, relaxed in self._worded.values()]

    def blob(self, database: bytes | None, disagreeing: Mapping[str, object]) -> bytes:
        """Return everything that a `Gate` is made of."""
        weak = self.weak_databases if database else []
        checked = [(index, each.check, _places(each)) for index, each in enumerate(self._conditions) if each.check] if database else []
        meta = self._meta(disagreeing) | {
            "size": len(database or b""),
            "worded": [
                (index, len(certain), len(each or b"")) for (index, (certain, _)), each in zip(self._worded.items(), weak, strict=False)
            ],
            "checks": [(index, name, len(places)) for index, name, places in checked],
        }
        databases = [database or b"", *(each or b"" for each in weak), *(places for _, _, places in checked)]
        return json.dumps(meta, separators=(",", ":")).encode() + b"\n" + b"".join(databases)

    def _meta(self, disagreeing: Mapping[str, object]) -> dict[str, object]:
        expressions = range(len(self._ids))
        return {
            "conditions": len(self._conditions),
            "identifiers": sum(1 << index for index, each in enumerate(self._conditions) if each.in_identifiers),
            "long": sum(1 << index for index, each in enumerate(self._conditions) if each.long or each.hint == "encoded"),
            "searched": [(index, *each) for index, condition in enumerate(self._conditions) for each in condition.searched],
            "hints": {each.hint: 1 << index for index, each in enumerate(self._conditions) if each.hint},
            "anchored": self._anchored,
            "inside": [self._inside.get(each, 0) for each in expressions],
            "always": self._always,
            "not_ascii": self._not_ascii,
            "shapes": [self._shapes.get(each, 0) for each in expressions],
            "words": [self._words.get(each, 0) for each in expressions],
            "key_words": self._key_words,
            "disagreeing": disagreeing,
        }


def not_lost(condition: Condition) -> Condition:
    """Return the condition of expressions that others have written, of which Hyperscan may lose no match.

    Vectorscan 5.4.12 loses short alternatives (see `redaction.shapes.apart`), and nobody tests these expressions: those with
    alternatives are looked for by the module that the recognizer uses, which costs microseconds a text.
    """
    with_bars = [each for each in (*condition.expressions, *condition.worded) if "|" in _CLASS.sub("", each[0])]
    return replace(
        condition,
        expressions=tuple(each for each in condition.expressions if each not in with_bars),
        worded=tuple(each for each in condition.worded if each not in with_bars),
        searched=tuple(with_bars),
    )


def _in_texts(word: str, more: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield what a text contains in which `redaction.context` finds a phrase; short words only where a word can begin and end."""
    if more:
        second = _ASCII_BEGINNING.match(more[0])
        yield f"{re.escape(word)}[^0-9A-Za-z]*{second.group() if second else ''}", regex.I
        return
    if len(word) > SHORT_WORD_CHARS:
        yield re.escape(word), regex.I
        return
    yield rf"(?:^|[^0-9A-Za-z]){re.escape(word)}(?:$|[^0-9A-Za-z])", regex.I
    if len(word) < SHORT_WORD_CHARS:
        return
    yield rf"(?:^|[^a-z]){re.escape(word)}(?:$|[^a-z])", 0
    yield rf"(?:^|[^A-Z]){re.escape(word.upper())}(?:$|[^A-Z])", 0
    yield rf"{re.escape(word.capitalize())}(?:$|[^a-z])", 0


def _translated(expression: str, flags: int) -> Translated | None:
    """Return an expression of the `regex` module for Hyperscan, or None when only that module can read it."""
    compiled_flags = regex.compile(expression, flags).flags
    if compiled_flags & ~(_PASSED_ON | _HARMLESS) or _ONLY_REGEX.search(expression):
        return None
    verbose = "(?x)" if compiled_flags & regex.X else ""
    return verbose + _NO_MINIMUM.sub("{0,", expression), _flags(compiled_flags)


def _flags(flags: int, *, prefilter: bool = True) -> int:
    module = hyperscan()
    if module is None:
        return 0
    own: int = module.HS_FLAG_UTF8 | module.HS_FLAG_UCP | module.HS_FLAG_SINGLEMATCH
    own |= module.HS_FLAG_PREFILTER if prefilter else 0
    own |= module.HS_FLAG_CASELESS if flags & regex.I else 0
    own |= module.HS_FLAG_DOTALL if flags & regex.S else 0
    return own | (module.HS_FLAG_MULTILINE if flags & regex.M else 0)


def _places(condition: Condition) -> bytes:
    """Return the expressions of a condition compiled so that every place is told where one of them ends."""
    module = hyperscan()
    each_once = [each for each in (_translated(*each) for each in condition.expressions) if each is not None]
    return compiled([(expression, flags & ~module.HS_FLAG_SINGLEMATCH) for expression, flags in each_once]) or b""


def _known_disagreements(folder: Path | None) -> Mapping[str, object]:
    path = folder / f"characters-{identity(())}.json" if folder is not None else None
    try:
        known: Mapping[str, object] = json.loads(unsealed(path.read_bytes())) if path is not None else {}
    except (OSError, ValueError):
        known = {}
    if not known:
        known = disagreements()
        if path is not None:
            with contextlib.suppress(OSError):
                _keep(path, sealed(json.dumps(known).encode()))
    return known


def identity(conditions: Sequence[Condition]) -> str:
    module = hyperscan()
    versions = [FORMAT, regex.__version__, module.__version__ if module else None, os.uname().machine]
    described = json.dumps([versions, [asdict(each) for each in conditions]])
    return hashlib.sha256(described.encode()).hexdigest()[:24]


def _keep(path: Path, blob: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(blob)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    for older in sorted(path.parent.glob("prefilter-*"), key=lambda each: each.stat().st_mtime)[:-KEPT_FILES]:
        older.unlink(missing_ok=True)
