"""Whose signature counts: the keys that were given, else those remembered, else those stored beside the data; and their successors.

A key that follows another counts when the older one signed the checkpoint at which it took over (`rotations/<size>` of the log).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.log import Log
from storage.ledger.note import ED25519, Checkpoint, VerifierKey, opened, split
from storage.ledger.verdicts import Finding, Verdict

GIVEN: Final = "given"
REMEMBERED: Final = "remembered"
STORED: Final = "stored beside the data"
_SIZE: Final = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a trusted signature, or our memory, says of the log's first `size` entries."""

    size: int
    root: bytes
    source: str  # remembered | rotation | the name of an anchor or witness
    outside: bool = False  # it stands outside of the data directory: an anchor


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The keys whose signature counts for one origin."""

    keys: tuple[VerifierKey, ...]
    source: str

    def named(self) -> tuple[str, ...]:
        """The keys as texts."""
        return tuple(str(key) for key in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A checkpoint, and what its signatures are worth."""

    checkpoint: Checkpoint | None = None
    trusted: bool = False
    time_s: int | None = None
    keys: tuple[VerifierKey, ...] = ()  # trusted, successors included
    by: tuple[VerifierKey, ...] = ()
    claims: tuple[Claim, ...] = ()
    findings: tuple[Finding, ...] = ()


def trust(origin: str, *, given: Sequence[str], remembered: Sequence[str], stored: Sequence[str]) -> Trust:
    """Return the keys that count. A given key counts for every origin: one seed signs for all of a data directory.

    Raises `NoteError` for a given or remembered text that is no verifier key.
    """
    if given:
        publics = dict.fromkeys(VerifierKey.parse(text).public for text in given)
        return Trust(keys=tuple(VerifierKey(origin, ED25519, public) for public in publics), source=GIVEN)
    if remembered:
        return Trust(keys=tuple(VerifierKey.parse(text) for text in remembered), source=REMEMBERED)
    return Trust(keys=tuple(_readable(origin, stored)), source=STORED)


def _readable(origin: str, stored: Sequence[str]) -> list[VerifierKey]:
    """The stored keys of an origin; what is no key is nobody's."""
    keys = []
    for text in stored:
        try:
            key = VerifierKey.parse(text)
        except NoteError:
            continue
        if key.name == origin and key.algorithm == ED25519:
            keys.append(key)
    return keys


def signed_head(log: Log, counts: Trust) -> Signed:
    """Return the newest checkpoint of a log and whether it can be trusted; what speaks against it is among the findings."""
    origin = log.origin
    path = f"ledger/{origin}/checkpoint"
    try:
        note = log.checkpoint()
    except LedgerError as error:
        return Signed(findings=(Finding(origin=origin, verdict=Verdict.ALTERED, path=path, detail=f"its checkpoint: {error.hint}"),))
    if note is None:
        return Signed()
    keys, claims = _successors(log, counts)
    try:
        found = opened(note, [each for key in keys for each in (key, key.cosigner)])
        checkpoint = Checkpoint.parse(found.body)
        by = tuple(key for key in found.by if key.algorithm == ED25519)
        if checkpoint.origin != origin or not by:
            raise NoteError("verify a checkpoint", origin, hint="it is the checkpoint of another log, or only cosigned")
    except NoteError as error:
        detail = f"its checkpoint is not trusted: {error.hint}"
        if "none of the given keys" in error.hint:
            detail = f"no key that is {counts.source} signed its checkpoint: the key was replaced, or --key names another one"
        finding = Finding(origin=origin, verdict=Verdict.ALTERED, path=path, detail=detail)
        return Signed(checkpoint=_unsigned(note, origin), keys=keys, claims=claims, findings=(finding,))
    return Signed(checkpoint=checkpoint, trusted=True, time_s=max(found.times.values(), default=None), keys=keys, by=by, claims=claims)


def _unsigned(note: str, origin: str) -> Checkpoint | None:
    """What a checkpoint says that nobody vouches for: enough to look at the log."""
    try:
        checkpoint = Checkpoint.parse(split(note)[0])
    except NoteError:
        return None
    return checkpoint if checkpoint.origin == origin else None


def _successors(log: Log, counts: Trust) -> tuple[tuple[VerifierKey, ...], tuple[Claim, ...]]:
    """The trusted keys with those that followed them, and what the checkpoints of these rotations say."""
    keys, claims = list(counts.keys), []
    folder = log.folder / "rotations"
    for path in sorted(_numbered(folder), key=lambda each: int(each.name)):
        try:
            note = path.read_bytes()
            found = opened(note, keys)
            checkpoint = Checkpoint.parse(found.body)
            (entry,) = log.entries(checkpoint.size - 1, 1)
            new = VerifierKey.parse(str(entry["new"]))
            opened(note, [new])
        except (OSError, NoteError, LedgerError, ValueError, KeyError):
            continue  # it vouches for nothing: whether a successor is needed shows at the checkpoint
        if checkpoint.origin == log.origin and checkpoint.size == int(path.name) and new.name == log.origin and entry.get("kind") == "key":
            claims.append(Claim(size=checkpoint.size, root=checkpoint.root, source="rotation"))
            keys += [] if new in keys else [new]
    return tuple(keys), tuple(claims)


def _numbered(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if _SIZE.fullmatch(path.name)] if folder.is_dir() else []
