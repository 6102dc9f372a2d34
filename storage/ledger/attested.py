"""Which checkpoint of a log evidence is best shown with: one that covers it and that most outsiders vouch for, else the newest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from storage.durable import hint_for
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.log import Log
from storage.ledger.note import Checkpoint, signed, split
from storage.ledger.stamping import answers

_READ: Final = "read the checkpoints of a log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A checkpoint with every signature that is known here; unverified."""

    checkpoint: Checkpoint
    note: str
    timestamps: dict[str, bytes]  # answers of authorities (`.tsr`) and what each is over (`.checkpoint`), by file name
    witnesses: int = 0


def best(log: Log, size: int) -> Attested | None:
    """Return the checkpoint to show entries with that stand before index `size`; None when none covers them.

    One that is not of this log as it stands, or no note at all, is not shown beside others: `auditlake verify` names it. Raises
    `LedgerError` when one cannot be read.
    """
    lines: dict[str, dict[str, None]] = {}
    stamps: dict[str, dict[str, bytes]] = {}
    witnesses: dict[str, int] = {}
    for note, kind, files in _known(log):
        try:
            body, signatures = split(note)
            Checkpoint.parse(body)
        except NoteError:
            if kind == "log":
                raise
            continue
        lines.setdefault(body, {}).update(dict.fromkeys(signatures))
        stamps.setdefault(body, {}).update(files)
        witnesses[body] = witnesses.get(body, 0) + (kind == "witness")
    found = [
        Attested(
            checkpoint=Checkpoint.parse(body), note=signed(body, list(lines[body])), timestamps=stamps[body], witnesses=witnesses[body]
        )
        for body in lines
    ]
    covering = [each for each in found if each.checkpoint.size >= size and each.checkpoint.origin == log.origin]
    covering.sort(key=lambda each: (each.witnesses + len(each.timestamps) // 2, each.checkpoint.size), reverse=True)
    return next((each for each in covering if _is_of(log, each.checkpoint)), covering[0] if covering else None)


def _is_of(log: Log, checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is over the entries of this log."""
    try:
        return log.reader.root(checkpoint.size) == checkpoint.root
    except LedgerError:  # it has not as many, or what it needs of the log is damaged
        return False


def _known(log: Log) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    note = log.checkpoint()
    if note is not None:
        yield note, "log", {}
    try:
        for path in sorted((log.folder / "witnessed").glob("*")):
            yield path.read_bytes().decode(), "witness", {}
        for answer in answers(log):
            stamped = answer.with_suffix(".checkpoint")
            content = stamped.read_bytes()
            yield content.decode(), "timestamp", {answer.name: answer.read_bytes(), stamped.name: content}
    except OSError as error:
        raise LedgerError(_READ, log.folder, hint=hint_for(error)) from error
    except UnicodeDecodeError:
        raise LedgerError(_READ, log.folder, hint="one of them is not text: `auditlake verify` says which") from None
