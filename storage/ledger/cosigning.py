"""The log's side of c2sp.org/tlog-witness: pushes a checkpoint to a witness, and keeps the note that comes of it.

The note stands in `<data>/ledger/<origin>/witnessed/<id of the witness's key>`: the checkpoint with the log's and the witness's signatures,
which anybody who has both keys can verify offline. Two refusals are alarms: the witness knows a larger log (this one was taken back), or
another root (this one was rewritten, or somebody else signs with its key).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.durable import DISK, FileSystem, hint_for, write_file
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.log import Log
from storage.ledger.note import Checkpoint, VerifierKey, decimal, encode_base64, opened, signed, split

SIZE_TYPE: Final = "text/x.tlog.size"
ATTEMPTS: Final = 3
"""The witness's size may change between two requests only when somebody else pushes the same log."""
ATTEMPTED: Final = "have a checkpoint cosigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a witness answered."""

    status: int
    content_type: str
    body: bytes


Post = Callable[[bytes], Reply]
"""Sends the body of an `add-checkpoint` request. Raises `NotCosigned` when there is no answer."""


class NotCosigned(LedgerError):
    """A witness did not cosign; `reason` is a word for metrics and events."""

    def __init__(self, reason: str, subject: str, *, hint: str) -> None:
        super().__init__(ATTEMPTED, subject, hint=hint)
        self.reason = reason

    @property
    def is_alarm(self) -> bool:
        """Whether the witness contradicts this log, which no network failure does."""
        return self.reason in {"rolled_back", "forked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A checkpoint that a witness cosigned."""

    checkpoint: Checkpoint
    time_s: int  # unix seconds, by the witness's clock
    note: str


def note_path(log: Log, key: VerifierKey) -> Path:
    """Return where the newest note with a witness's cosignature stands."""
    return log.folder / "witnessed" / key.cosigner.id.hex()


def newest(log: Log, key: VerifierKey) -> Cosigned | None:
    """Return the newest note that this witness cosigned; None when there is none. Raises `LedgerError` when it was altered."""
    path = note_path(log, key)
    try:
        note = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError("read a cosigned checkpoint", path, hint=hint_for(error)) from error
    found = opened(note, [key.cosigner])
    checkpoint = Checkpoint.parse(found.body)
    if checkpoint.origin != log.origin:
        raise NoteError("read a cosigned checkpoint", path, hint=f"it is about another log than {log.origin}: delete it")
    return Cosigned(checkpoint=checkpoint, time_s=found.times[key.cosigner], note=note.decode())


def push(log: Log, key: VerifierKey, post: Post, fs: FileSystem = DISK) -> Cosigned | None:
    """Have the newest checkpoint of a log cosigned by the witness with this key, and keep the note. None for a log without a checkpoint.

    Raises `NotCosigned` when the witness does not, and `LedgerError` when the log cannot be read or the note not be written.
    """
    note = log.checkpoint()
    if note is None:
        return None
    body, lines = split(note)
    checkpoint = Checkpoint.parse(body)
    known = _known(log, key)
    old_size = 0 if known is None else min(known.checkpoint.size, checkpoint.size)
    cosignature = _answered(log, checkpoint, note, old_size, key, post)
    whole = signed(body, [*lines, cosignature])
    if known is not None and opened(whole, [key.cosigner]).times[key.cosigner] < known.time_s:
        raise NotCosigned("bad_answer", key.name, hint="its cosignature is older than the last one: somebody repeats what it said before")
    path = note_path(log, key)
    try:
        write_file(path, whole.encode(), fs)
    except OSError as error:
        raise LedgerError("keep a cosigned checkpoint", path, hint=hint_for(error)) from error
    return newest(log, key)


def _known(log: Log, key: VerifierKey) -> Cosigned | None:
    """Return what the witness is thought to know, which it corrects; None also for a note that was altered."""
    try:
        return newest(log, key)
    except NoteError:
        return None


def _answered(log: Log, checkpoint: Checkpoint, note: str, old_size: int, key: VerifierKey, post: Post) -> str:
    """Return the witness's signature line."""
    for _ in range(ATTEMPTS):
        proof = log.reader.consistency_proof(old_size, checkpoint.size)
        reply = post(request(old_size, proof, note))
        if reply.status != 409 or reply.content_type.partition(";")[0].strip() != SIZE_TYPE:
            return _line(reply, checkpoint, key)
        old_size = _size(reply, key)
        if old_size > checkpoint.size:
            known = f"it knows {old_size} entries of {log.origin}, here are {checkpoint.size}"
            hint = f"{known}: an older copy was restored, or the end was cut off"
            raise NotCosigned("rolled_back", key.name, hint=hint)
    raise NotCosigned("conflict", key.name, hint="its size changes with every request: who else pushes this log?")


def request(old_size: int, proof: list[bytes], note: str) -> bytes:
    """Return the body of an `add-checkpoint` request."""
    return "".join([f"old {old_size}\n", *(encode_base64(each) + "\n" for each in proof), "\n", note]).encode()


def _size(reply: Reply, key: VerifierKey) -> int:
    try:
        return decimal(reply.body.decode("ascii").removesuffix("\n"))
    except ValueError:
        raise NotCosigned("bad_answer", key.name, hint="it names no size: is this a witness of c2sp.org/tlog-witness?") from None


def _line(reply: Reply, checkpoint: Checkpoint, key: VerifierKey) -> str:
    """Return the signature line of this witness from its answer."""
    match reply.status:
        case 200:
            return _cosignature(reply, checkpoint, key)
        case 401:
            raise NotCosigned("unauthenticated", key.name, hint="it wants credentials: set headers: {authorization: …} of this witness")
        case 404:
            hint = f"it does not know the log {checkpoint.origin}: give its operator the key that `auditlake ledger key` prints"
            raise NotCosigned("unknown_log", key.name, hint=hint)
        case 403:
            hint = "it knows another key of this log: give its operator the one that `auditlake ledger key` prints"
            raise NotCosigned("unknown_key", key.name, hint=hint)
        case 409 | 422:
            hint = (
                f"it knows another history of {checkpoint.origin} up to {checkpoint.size} entries: the log was rewritten, or somebody else "
                "signs in its name; run `auditlake verify`"
            )
            raise NotCosigned("forked", key.name, hint=hint)
        case status:
            raise NotCosigned("refused", key.name, hint=f"it answered {status}")


def _cosignature(reply: Reply, checkpoint: Checkpoint, key: VerifierKey) -> str:
    body = checkpoint.body()
    for line in reply.body.decode("utf-8", "replace").splitlines():
        try:
            opened(signed(body, [line]), [key.cosigner])
        except NoteError:  # of another key, or none at all
            continue
        return line
    raise NotCosigned("bad_answer", key.name, hint="its answer has no cosignature of the configured key: check the witness's key")
