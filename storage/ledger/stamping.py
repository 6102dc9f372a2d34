"""Time-stamps of a log: has checkpoints stamped by an authority, and keeps each beside its answer.

Both stand in `<data>/ledger/<origin>/timestamps/`, named after the size of the log and the time: `<size>-<time>.checkpoint` and `.tsr`.
None is ever replaced: each proves that everything up to its size existed at its time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from storage.durable import DISK, FileSystem, hint_for, write_file
from storage.ledger.errors import LedgerError
from storage.ledger.log import Log
from storage.ledger.note import MAX_NOTE_BYTES, Checkpoint, split
from storage.ledger.timestamp import MOST_ANSWER_BYTES, Timestamp, request, verify

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Ask = Callable[[bytes], bytes]
"""Sends a TimeStampReq and returns the answer. Raises `LedgerError` when there is none."""
NAME: Final = "{size:020}-{time:010}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A checkpoint and what the authority says of it."""

    checkpoint: Checkpoint
    timestamp: Timestamp
    path: Path  # of the answer


def stamp(log: Log, ask: Ask, roots: "Sequence[Certificate]", *, nonce: int, fs: FileSystem = DISK) -> Stamped | None:
    """Have the newest checkpoint stamped, unless one of its size is; None when there is nothing to stamp.

    Raises `TimestampError` when the answer is not valid, `LedgerError` when something cannot be read or written.
    """
    note = log.checkpoint()
    if note is None:
        return None
    checkpoint = Checkpoint.parse(split(note)[0])
    if not checkpoint.size or any(_size_of(path) == checkpoint.size for path in answers(log)):
        return None
    answer = ask(request(note.encode(), nonce))
    timestamp = verify(answer, note.encode(), roots, nonce=nonce, subject=log.origin)
    path = _folder(log) / (NAME.format(size=checkpoint.size, time=int(timestamp.time.timestamp())) + ".tsr")
    try:
        write_file(path.with_suffix(".checkpoint"), note.encode(), fs)
        write_file(path, answer, fs)
    except OSError as error:
        raise LedgerError("keep a time-stamp", path, hint=hint_for(error)) from error
    return Stamped(checkpoint=checkpoint, timestamp=timestamp, path=path)


def stamped(log: Log, roots: "Sequence[Certificate]") -> Iterator[Stamped]:
    """Yield the valid time-stamps of a log, the oldest first. Raises `LedgerError` at the end when one cannot be read or is not valid."""
    wrong: list[LedgerError] = []
    for path in answers(log):
        try:
            yield _stamped(log, path, roots)
        except LedgerError as error:
            wrong.append(error)
    if wrong:
        raise wrong[0]


def _stamped(log: Log, path: Path, roots: "Sequence[Certificate]") -> Stamped:
    """Return one time-stamp of a log. Raises `LedgerError`."""
    try:
        answer, note = _read(path, MOST_ANSWER_BYTES), _read(path.with_suffix(".checkpoint"), MAX_NOTE_BYTES)
    except OSError as error:
        raise LedgerError("read a time-stamp", path, hint=hint_for(error)) from error
    timestamp = verify(answer, note, roots, subject=str(path))
    checkpoint = Checkpoint.parse(split(note)[0])
    if checkpoint.origin != log.origin:
        raise LedgerError("read a time-stamp", path, hint=f"it is about another log than {log.origin}: delete it")
    return Stamped(checkpoint=checkpoint, timestamp=timestamp, path=path)


def _read(path: Path, most: int) -> bytes:
    """Return what a file holds; one that is longer than it can be comes cut off, which is not valid. Raises OSError."""
    with path.open("rb") as file:
        return file.read(most + 1)


def answers(log: Log) -> list[Path]:
    """Return the files of a log's time-stamps, the oldest first."""
    return sorted(_folder(log).glob("*.tsr"))


def _size_of(path: Path) -> int:
    size = path.stem.partition("-")[0]
    return int(size) if size.isdecimal() else -1


def _folder(log: Log) -> Path:
    return log.folder / "timestamps"
