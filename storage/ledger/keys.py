"""The ledger's keys: one Ed25519 seed a data directory, under whose public half every origin signs with its own name.

The seed is 32 random bytes, base64, in `<data>/keys/ledger.key` (made on first use, readable by the owner alone), in a file of the
operator's, or in an environment variable. While a rotation is under way the next one stands beside the file, as `<file>.next`. Losing
the seed never makes unverifiable what was signed; whoever has it can sign in this collector's name.
"""

import base64
import binascii
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from storage.durable import DISK, FileSystem, hint_for, make_directory, write_file
from storage.ledger.errors import LedgerError

if TYPE_CHECKING:
    from storage.ledger.note import SigningKey, VerifierKey

SEED_BYTES: Final = 32
_LOAD: Final = "load the ledger's key"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Where the seed is; neither: in the data directory."""

    file: Path | None = None
    env: str | None = None  # the name of an environment variable


class Keys:
    """The seed of one data directory, read again whenever it is asked for: a rotation is noticed."""

    def __init__(
        self, data: Path, source: KeySource | None = None, environ: Mapping[str, str] | None = None, *, following: KeySource | None = None
    ) -> None:
        """`environ` is where environment variables are looked up; `following` is where the next seed is, when a rotation says so."""
        self.data = data
        self.source = source or KeySource()
        self._file = self.source.file or data / "keys" / "ledger.key"
        self._following = following
        self._environ = environ or {}
        self._read: tuple[tuple[int, int, int], bytes] | None = None  # what the file was when it was read, and its seed
        self._made: dict[tuple[str, bytes], SigningKey] = {}

    @property
    def file(self) -> Path:
        """The file that holds the seed when no environment variable does."""
        return self._file

    @property
    def next_file(self) -> Path:
        """Where the next seed stands until a rotation is finished."""
        return self.file.with_name(self.file.name + ".next")

    def signers(self, origin: str) -> list["SigningKey"]:
        """Return an origin's signing keys: the one in use, then those that follow while a rotation is under way, the wanted one last.

        Makes the seed on first use. Raises `LedgerError` when there is none where it should be, it is malformed, or others can read it.
        """
        keys = [self.signer(origin)]
        if self.rotates():
            keys.append(self.next_signer(origin))
        if self._following is not None:
            keys.append(Keys(self.data, self._following, self._environ).signer(origin))
        return keys

    def rotates(self) -> bool:
        """Tell whether a next seed waits beside the one in use."""
        return self.source.env is None and self.next_file.exists()

    def take_next(self, fs: FileSystem = DISK) -> None:
        """Put the next seed in the place of the one in use, which is gone then. Raises `LedgerError`."""
        try:
            fs.replace(self.next_file, self.file)
            fs.sync_directory(self.file.parent)
        except OSError as error:
            raise LedgerError("take the ledger's next key into use", self.file, hint=hint_for(error)) from error

    def signer(self, origin: str) -> "SigningKey":
        """Return an origin's signing key that is in use. Raises `LedgerError` as `signers` does."""
        return self.signer_from(origin, self.seed())

    def next_signer(self, origin: str) -> "SigningKey":
        """Return an origin's signing key that waits beside the one in use. Raises `LedgerError` as `signers` does."""
        return self.signer_from(origin, read_seed(self.next_file))

    def seed(self) -> bytes:
        """Return the seed in use. Raises `LedgerError` as `signers` does."""
        if self.source.env is not None:
            text = self._environ.get(self.source.env)
            if text is None:
                hint = "the environment variable is not set: start with the variable that extensions.ledger.key_env names"
                raise LedgerError(_LOAD, self.source.env, hint=hint)
            return parse_seed(text, self.source.env)
        try:
            found = self.file.stat()
        except FileNotFoundError:
            self._first()
            found = self.file.stat()
        except OSError as error:
            raise _unreadable(self.file, error) from None
        state = (found.st_mtime_ns, found.st_ino, found.st_mode)
        if self._read is None or self._read[0] != state:
            self._read = state, read_seed(self.file)
        return self._read[1]

    def _first(self) -> None:
        """Make the first seed of this lake; a lake that signed with another one, or gave receipts with it, needs that one."""
        if self._read is not None or keys_file(self.data).exists():
            hint = f"this lake signed with another one ({keys_file(self.data)}): restore it, or `auditlake ledger key --rotate --lost`"
            raise LedgerError(_LOAD, self.file, hint=hint)
        create_seed(self.file)

    def signer_from(self, origin: str, seed: bytes) -> "SigningKey":
        """Return an origin's signing key of a seed that was read here."""
        from storage.ledger.note import SigningKey

        made = self._made.get((origin, seed))
        if made is None:
            made = self._made[origin, seed] = SigningKey.from_seed(origin, seed)
        return made


def load_signer(data: Path, origin: str, source: KeySource | None = None, environ: Mapping[str, str] | None = None) -> "SigningKey":
    """Return the key that an origin signs with now, made on first use. Raises `LedgerError`."""
    return Keys(data, source, environ).signer(origin)


def read_seed(path: Path) -> bytes:
    """Return the seed in a file. Raises `LedgerError` when it cannot be read, is malformed, or everybody may read it."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise _unreadable(path, error) from None
    if mode & 0o037:  # a group may read it: secrets that are mounted are the group's
        raise LedgerError(_LOAD, path, hint=f"others can read it: chmod 600 {path}")
    return parse_seed(text, path)


def _unreadable(path: Path, error: OSError) -> LedgerError:
    return LedgerError(_LOAD, path, hint=f"{error.strerror}: restore it, or let this user read it")


def parse_seed(text: str, subject: Path | str) -> bytes:
    """Return the seed that is written as base64. Raises `LedgerError`, which names only where it stood."""
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES:
        hint = f"it is not base64 of {SEED_BYTES} bytes: restore it; a new one comes from `openssl rand -base64 {SEED_BYTES}`"
        raise LedgerError(_LOAD, subject, hint=hint)
    return seed


def create_seed(path: Path) -> None:
    """Make a new seed, whole or not at all; where there is one it stays. Raises `LedgerError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        make_directory(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.write(descriptor, base64.b64encode(os.urandom(SEED_BYTES)) + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            with contextlib.suppress(FileExistsError):  # another process was first: its seed stands
                os.link(temporary, path)
        finally:
            temporary.unlink()
        DISK.sync_directory(path.parent)
    except OSError as error:
        raise LedgerError("make the ledger's key", path, hint=hint_for(error)) from None


def keys_file(data: Path) -> Path:
    """The file with all verifier keys that this lake ever signed with: a convenience, since who trusts it trusts this host."""
    return data / "ledger" / "keys.txt"


def known_keys(data: Path) -> list[str]:
    """Return the verifier keys that this lake ever signed with, the oldest first; none before the first checkpoint."""
    try:  # what is no text is no key, as any other damaged line
        return keys_file(data).read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerError("read the ledger's public keys", keys_file(data), hint=hint_for(error)) from error


def known_verifiers(data: Path) -> list["VerifierKey"]:
    """Return the same keys, without lines that are damaged. Raises `LedgerError` when the file cannot be read."""
    from storage.ledger.note import VerifierKey

    keys = []
    for text in known_keys(data):
        with contextlib.suppress(LedgerError):
            keys.append(VerifierKey.parse(text))
    return keys


def keep_known(data: Path, keys: list["VerifierKey"], fs: FileSystem = DISK) -> None:
    """Write down verifier keys before the first signature under them is published. Raises `LedgerError`."""
    known = known_keys(data)
    new = [str(key) for key in keys if str(key) not in known]
    if not new:
        return
    try:
        write_file(keys_file(data), "".join(f"{key}\n" for key in [*known, *new]).encode(), fs)
    except OSError as error:
        raise LedgerError("write down the ledger's public keys", keys_file(data), hint=hint_for(error)) from error
