"""A witness (c2sp.org/tlog-witness): remembers the newest state of each log it watches, and cosigns only what continues it.

A log that shows one history to some and another to others, or that takes entries back, needs the witness's signature twice and gets it
once. What a witness vouches for is therefore only as lasting as its memory: the state is durable before a cosignature leaves, and a
witness whose state is lost must begin anew, under another key.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from storage.durable import DISK, FileLock, FileSystem, hint_for, make_directory, write_file
from storage.ledger.errors import LedgerError, NoteError, ProofError
from storage.ledger.keys import SEED_BYTES, create_seed, read_seed
from storage.ledger.merkle import EMPTY_ROOT, HASH_BYTES, check_consistency
from storage.ledger.note import ED25519, Checkpoint, SigningKey, VerifierKey, decimal, decode_base64, opened, signed, split

MAX_REQUEST_BYTES: Final = 128 << 10
"""63 hashes and a checkpoint with 16 signatures of any kind fit."""
MAX_PROOF_LINES: Final = 63
TEXT: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"
MAX_KEPT: Final = 16
"""So many refused checkpoints of each kind are kept of a log: one proves what it did, more fill the disk."""

LOCK: Final = "witness.lock"
KEY: Final = "witness.key"
NAME: Final = "witness.name"
LOGS: Final = "logs"
CONFLICTS: Final = "conflicts"
UNPROVEN: Final = "unproven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of the protocol: HTTP status, body and its type."""

    status: int
    body: str
    content_type: str = TEXT
    contradicts: str | None = field(default=None, compare=False)  # the log that signed something else than what was cosigned
    unproven: str | None = field(default=None, compare=False)  # the log of which a checkpoint was kept that came with a wrong proof


class _Refused(Exception):
    """A request is not granted; the text goes to the client."""

    def __init__(self, status: int, message: str, content_type: str = TEXT, **told: str | None) -> None:
        super().__init__(message)
        self.answer = Answer(status=status, body=message + "\n", content_type=content_type, **told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A parsed `add-checkpoint` request."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str
    checkpoint: Checkpoint


Logs = Mapping[str, Sequence[VerifierKey]]
"""The keys of each log, by its origin."""


class Witness:
    """One witness: a folder that it alone uses, its key, and the logs that it knows. Threads share it."""

    def __init__(self, folder: Path, name: str | None, logs: Logs, *, clock: Callable[[], float], fs: FileSystem = DISK) -> None:
        """Open the folder, or begin it under this name. `clock` gives unix seconds.

        Raises `LakeLocked` when another process has it, `LedgerError` when its state is lost or its key cannot be used, `NoteError` when no
        key can have this name.
        """
        self._folder = folder
        self._clock = clock
        self._fs = fs
        self._mutex = threading.Lock()
        self._lock = FileLock(folder / LOCK, "be a witness")
        try:
            self._signer = witness_key(folder, name)
            self.use(logs)
        except BaseException:
            self._lock.release()
            raise

    @property
    def key(self) -> VerifierKey:
        """What those who trust this witness are configured with."""
        return self._signer.verifier.cosigner

    def use(self, logs: Logs) -> None:
        """Know these logs from now on. Raises `LedgerError` when one of them has the witness's own key."""
        own = self.key.public
        for origin, keys in logs.items():
            if any(key.public == own for key in keys):
                raise LedgerError("be a witness", origin, hint="a log cannot be its own witness: give the witness a key of its own")
        self._logs = dict(logs)

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.release()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer an `add-checkpoint` request: 200 with a cosignature, or why not. The checks come in the order of the specification.

        Raises `LedgerError` when the state cannot be read or written; nothing was cosigned then.
        """
        try:
            request = _parsed(body)
            keys = self._logs.get(request.checkpoint.origin)
            if keys is None:
                raise _Refused(404, "this log is not known here")
            try:
                opened(request.note, keys)
            except NoteError:
                raise _Refused(403, "no known key of this log signed the checkpoint, or one of its signatures is wrong") from None
            if request.old_size > request.checkpoint.size:
                raise _Refused(400, "the old size is larger than the checkpoint's")
            with self._mutex:
                return self._cosigned(request, keys)
        except _Refused as refused:
            return refused.answer

    def checkpoint(self, origin_hash: str) -> str | None:
        """Return the newest cosigned checkpoint of the log whose origin has this SHA-256 in hex; None when there is none.

        Raises `LedgerError` when the state cannot be read.
        """
        known = next((origin for origin in self._logs if _hash(origin) == origin_hash), None)
        note = None if known is None else self._stored(known)
        return None if note is None else note.decode("utf-8", "replace")

    def _cosigned(self, request: _Request, keys: Sequence[VerifierKey]) -> Answer:
        """Compare with the newest known state, remember the new one, cosign it. The caller holds the mutex."""
        checkpoint = request.checkpoint
        latest, time_s = self._latest(checkpoint.origin)
        if request.old_size != latest.size:
            raise _Refused(409, str(latest.size), SIZE)
        if latest.size == checkpoint.size and latest.root != checkpoint.root:
            self._keep(request, CONFLICTS)
            message = "this log has shown another root for this size: its history forks"
            raise _Refused(409, message, contradicts=checkpoint.origin)
        try:
            check_consistency(latest.size, checkpoint.size, latest.root, checkpoint.root, request.proof)
        except ProofError:
            unproven = checkpoint.origin if self._keep(request, UNPROVEN) else None
            raise _Refused(422, "the consistency proof does not hold", unproven=unproven) from None
        body, lines = split(request.note)
        cosignature = self._signer.cosign(body, max(int(self._clock()), time_s))  # a clock that is set back is not told
        kept = [line for line in lines if _holds(body, line, keys)]
        self._write(self._state(checkpoint.origin), signed(body, [*kept, cosignature]))
        return Answer(status=200, body=cosignature + "\n")

    def _latest(self, origin: str) -> tuple[Checkpoint, int]:
        """Return the newest cosigned state of a log and when it was cosigned; the empty tree when there is none."""
        note = self._stored(origin)
        if note is None:
            return Checkpoint(origin, 0, EMPTY_ROOT), 0
        try:
            found = opened(note, [self.key])
            checkpoint = Checkpoint.parse(found.body)
            if checkpoint.origin != origin:
                raise NoteError("read a checkpoint", origin, hint="it is about another log")
        except NoteError as error:
            hint = f"it was altered: restore it ({error.hint})"
            raise LedgerError("read the witness's state", self._state(origin), hint=hint) from None
        return checkpoint, found.times[self.key]

    def _stored(self, origin: str) -> bytes | None:
        """Return the newest cosigned note of a log as it stands; None when there is none."""
        path = self._state(origin)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerError("read the witness's state", path, hint=hint_for(error)) from error

    def _keep(self, request: _Request, kind: str) -> bool:
        """Keep a checkpoint that is refused, and say whether it was new.

        One of another root for the cosigned size proves what the log did. One with a wrong proof proves nothing by itself: whoever has a
        checkpoint can send it with a wrong proof. The two are kept apart, so that the second kind takes no room from the first.
        """
        folder = self._folder / kind / _hash(request.checkpoint.origin)
        path = folder / f"{request.checkpoint.size}-{request.checkpoint.root.hex()}"
        if path.exists() or (folder.is_dir() and sum(1 for _ in folder.iterdir()) >= MAX_KEPT):
            return False
        self._write(path, request.note)
        return True

    def _state(self, origin: str) -> Path:
        return self._folder / LOGS / _hash(origin) / "checkpoint"

    def _write(self, path: Path, text: str) -> None:
        try:
            write_file(path, text.encode(), self._fs)
            self._fs.sync_directory(path.parent.parent)  # when an earlier attempt made the folder, and failed before that was durable
        except OSError as error:
            raise LedgerError("write the witness's state", path, hint=hint_for(error)) from error


def witness_key(folder: Path, name: str | None) -> SigningKey:
    """Return the key of the witness in a folder, made on first use; it keeps the name that it began with.

    Raises `LedgerError` when its state is lost, it has another name, it has none yet and none is given, or its key cannot be used;
    `NoteError` when no key can have this name.
    """
    path, logs, named = folder / KEY, folder / LOGS, folder / NAME
    try:
        known = named.read_text(encoding="utf-8").removesuffix("\n") if named.exists() else None
        if path.exists() and (known is None or not logs.is_dir()):
            hint = "the state is lost: restore it; without its memory a witness must begin anew, in an empty folder and under a new key"
            raise LedgerError("be a witness", folder, hint=hint)
        if known is None and name is None:
            raise LedgerError("be a witness", folder, hint="nothing is there yet: give the new witness a name, such as example.com/witness")
        if None not in {known, name} and known != name:
            raise LedgerError("be a witness", folder, hint=f"the witness there is {known}: leave the name out, or use another folder")
        checked = SigningKey.from_seed(known or name or "", bytes(SEED_BYTES)).name
        make_directory(logs)
        if known is None:
            write_file(named, f"{checked}\n".encode())
    except OSError as error:
        raise LedgerError("be a witness", folder, hint=hint_for(error)) from None
    if not path.exists():
        create_seed(path)
    return SigningKey.from_seed(checked, read_seed(path))


def read_logs(text: str, subject: str) -> dict[str, tuple[VerifierKey, ...]]:
    """Read the logs of a witness: a verifier key a line, with the log's origin and a space before it where that is not the key's name.

    Empty lines and those that begin with # say nothing. Raises `NoteError`, which names the line.
    """
    logs: dict[str, tuple[VerifierKey, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        origin, _, text_of_key = stripped.rpartition(" ")
        try:
            key = VerifierKey.parse(text_of_key)
        except NoteError as error:
            raise NoteError("read the logs of a witness", f"{subject}, line {number}", hint=error.hint) from None
        if key.algorithm != ED25519:
            hint = "this is the key of a witness: a log's comes from `auditlake ledger key`"
            raise NoteError("read the logs of a witness", f"{subject}, line {number}", hint=hint)
        logs[origin or key.name] = (*logs.get(origin or key.name, ()), key)
    return logs


def _parsed(body: bytes) -> _Request:
    """Read a request. Raises `_Refused` when it is not of the protocol's form."""
    try:
        head, separator, note = body.decode().partition("\n\n")
        first, *proof = head.split("\n")
        word, _, size = first.partition(" ")
        if word != "old" or not separator or len(proof) > MAX_PROOF_LINES:
            raise ValueError("not the form of a request")
        hashes = tuple(decode_base64(line) for line in proof)
        if any(len(each) != HASH_BYTES for each in hashes):
            raise ValueError("not a hash")
        return _Request(old_size=decimal(size), proof=hashes, note=note, checkpoint=Checkpoint.parse(split(note)[0]))
    except (ValueError, NoteError):
        raise _Refused(400, "not a request of c2sp.org/tlog-witness") from None


def _holds(body: str, line: str, keys: Sequence[VerifierKey]) -> bool:
    """Say whether a signature line is one of these keys over this text."""
    try:
        opened(signed(body, [line]), keys)
    except NoteError:
        return False
    return True


def _hash(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()
