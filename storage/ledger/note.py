"""Signed notes (c2sp.org/signed-note), checkpoints (tlog-checkpoint) and timestamped cosignatures (tlog-cosignature), with Ed25519.

A note is text, a blank line, and one line a signature. Everything here is strict: one text has one encoding, so a changed byte is
refused even where a lenient reader would see the same values.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

from storage.ledger.errors import NoteError
from storage.ledger.merkle import HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
"""Signature types: over the text itself, and over the text with the time at which the cosigner saw it."""

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TIME_BYTES: Final = 8
MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100
MAX_SIZE: Final = 2**63 - 1

_DASH: Final = "— "
_UNHELD: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # control characters, and halves of pairs, which UTF-8 has not
_DECIMAL: Final = re.compile("0|[1-9][0-9]{0,18}")
_KEY_ID: Final = re.compile("[0-9a-fA-F]{8}")


def encode_base64(data: bytes) -> str:
    """Return standard base64 with padding (RFC 4648, section 4)."""
    return b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes whose one standard base64 form `text` is. Raises ValueError for every other text."""
    try:
        data = a2b_base64(text.encode("ascii"), strict_mode=True)
    except (Base64Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not the canonical base64")
    return data


def decimal(text: str) -> int:
    """Return a size or an index: ASCII digits without leading zeros, below 2^63. Raises ValueError."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise ValueError("not a decimal number without leading zeros")
    return int(text)


def _check_name(name: str) -> None:
    if not name or "+" in name or _UNHELD.search(name) or any(character.isspace() for character in name):
        raise NoteError("use a key name", repr(name[:80]), hint="names are not empty and have no spaces, control characters or +")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name that it signs as; its text (`str(key)`) is what a verifier is configured with."""

    name: str
    algorithm: int
    public: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.algorithm not in {ED25519, COSIGNATURE} or len(self.public) != KEY_BYTES:
            raise NoteError("use a verifier key", self.name, hint="only Ed25519 keys are known: types 01 and 04, 32 bytes")

    @property
    def id(self) -> bytes:
        """SHA-256(name ‖ 0A ‖ type ‖ public key), the first 4 bytes."""
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:4]

    @property
    def cosigner(self) -> "VerifierKey":
        """The same key as one of timestamped cosignatures."""
        return VerifierKey(self.name, COSIGNATURE, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode_base64(bytes([self.algorithm]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name+hex(id)+base64(type ‖ public key)`. Raises `NoteError` when it is malformed or its id is another key's."""
        parts = text.split("+", 2)  # base64 may contain + as well
        try:
            name, key_id, encoded = parts
            data = decode_base64(encoded)
            key = cls(name, data[0], data[1:])
        except (ValueError, IndexError):
            raise NoteError(
                "read a verifier key", _measure(text), hint="expected name+id+key, as `auditlake ledger key` prints it"
            ) from None
        if _KEY_ID.fullmatch(key_id) is None or bytes.fromhex(key_id) != key.id:
            raise NoteError("read a verifier key", key.name, hint="its id is not that of the name and key: copy the whole text again")
        return key

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether this key made the Ed25519 signature (RFC 8032) over exactly these bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """A private Ed25519 key with the name that it signs as; neither its text nor its errors show it."""

    name: str
    _private: "Ed25519PrivateKey" = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Self:
        """Make the key of a 32-byte seed (RFC 8032, section 5.1.5). Raises `NoteError` for another length or an impossible name."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        _check_name(name)
        if len(seed) != KEY_BYTES:
            raise NoteError("use a signing key", name, hint="the seed must be 32 bytes")
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @cached_property
    def verifier(self) -> VerifierKey:
        """The public half, for signatures over the text itself."""
        return VerifierKey(self.name, ED25519, self._private.public_key().public_bytes_raw())

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the 64 bytes of an Ed25519 signature; the caller puts a context before what it signs, so that no note is forged."""
        return self._private.sign(message)

    def sign(self, body: str) -> str:
        """Return the signature line (type 01) for a note with this text, without its line end."""
        return _line(self.verifier, self.sign_bytes(_text(body).encode()))

    def cosign(self, body: str, time_s: int) -> str:
        """Return the cosignature line (type 04): as of `time_s`, unix seconds, this checkpoint is the newest that the signer knows."""
        signature = self.sign_bytes(_cosigned(_text(body), time_s))
        return _line(self.verifier.cosigner, time_s.to_bytes(TIME_BYTES, "big") + signature)


def _cosigned(body: str, time_s: int) -> bytes:
    if not 0 <= time_s <= MAX_SIZE:
        raise NoteError("cosign a checkpoint", f"time {time_s}", hint="the time is unix seconds, from 0 to 2^63 - 1")
    return f"cosignature/v1\ntime {time_s}\n{body}".encode()


def _line(key: VerifierKey, signature: bytes) -> str:
    return f"{_DASH}{key.name} {encode_base64(key.id + signature)}"


def _text(body: str) -> str:
    """Return `body` when a note can hold it; a text that reads like a cosigned message is refused, so that types cannot be mixed up."""
    if not body.endswith("\n") or _UNHELD.search(body) or body.startswith("cosignature/"):
        raise NoteError("sign a note", _measure(body), hint="the text must end with a line end and have no other control characters")
    return body


def signed(body: str, lines: Sequence[str]) -> str:
    """Return the note of a text and its signature lines. Raises `NoteError` for a text or a line that no note can hold."""
    for line in lines:
        _signature(line)
    return "".join([_text(body), "\n", *(line + "\n" for line in lines)])


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Split a signature line into name, key id and signature."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        data = decode_base64(encoded)
    except ValueError:
        data = b""
    if not line.startswith(_DASH) or len(data) < 5:
        raise NoteError("read a signature line", _measure(line), hint="expected: em dash, name, base64 of key id and signature")
    _check_name(name)
    return name, data[:4], data[4:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A note whose known signatures all verify."""

    body: str
    by: tuple[VerifierKey, ...]
    """The keys that signed, in the order of their first line; never empty."""
    times: Mapping[VerifierKey, int]
    """Unix seconds of the newest cosignature, for each cosigning key that signed."""


def opened(note: str | bytes, keys: Sequence[VerifierKey]) -> Opened:
    """Return the text of a note that at least one of `keys` signed; signatures of other keys are ignored.

    Give the bytes of a file as they are: reading as text would change line ends. Raises `NoteError` when the note is malformed, a known
    key's signature does not verify, or no known key signed.
    """
    body, lines = split(note)
    known = {(key.name, key.id): key for key in keys}
    by: dict[VerifierKey, None] = {}
    times: dict[VerifierKey, int] = {}
    for line in lines:
        name, key_id, signature = _signature(line)
        key = known.get((name, key_id))
        if key is None:
            continue
        message = body.encode()
        if key.algorithm == COSIGNATURE:
            time_s, signature = int.from_bytes(signature[:TIME_BYTES], "big"), signature[TIME_BYTES:]
            message = _cosigned(body, time_s)
            times[key] = max(time_s, times.get(key, 0))
        if len(signature) != SIGNATURE_BYTES or not key.signed(message, signature):
            raise NoteError("verify a signed note", _subject(body), hint=f"the signature of {name} is not over this text: it was altered")
        by[key] = None
    if not by:
        raise NoteError("verify a signed note", _subject(body), hint="none of the given keys signed it")
    return Opened(body=body, by=tuple(by), times=times)


def split(note: str | bytes) -> tuple[str, list[str]]:
    """Return the text of a note and its signature lines, which are not verified. Raises `NoteError` when it is malformed."""
    if len(note) > MAX_NOTE_BYTES:
        raise NoteError("read a signed note", _measure(note), hint=f"a note has at most {MAX_NOTE_BYTES} bytes")
    try:
        text = note.decode() if isinstance(note, bytes) else note.encode().decode()
    except UnicodeError:
        raise NoteError("read a signed note", _measure(note), hint="it is not UTF-8") from None
    at = text.rfind("\n\n")
    lines = text[at + 2 :].split("\n")
    if at < 0 or len(lines) < 2 or lines.pop() or _UNHELD.search(text):
        raise NoteError(
            "read a signed note", _measure(text), hint="expected a text, a blank line and signature lines, and no control characters"
        )
    if len(lines) > MAX_SIGNATURES:
        raise NoteError("read a signed note", _subject(text), hint=f"a note has at most {MAX_SIGNATURES} signatures")
    for line in lines:
        _signature(line)
    return text[: at + 1], lines


def _measure(text: str | bytes) -> str:
    """Name a text that may be anything, also something that must not be shown."""
    return f"a text of length {len(text)}"


def _subject(body: str) -> str:
    return body.partition("\n")[0][:80]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states about itself: its origin, how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines of the text, which have no meaning here; ours have none."""

    def body(self) -> str:
        """Return the text that is signed."""
        return "\n".join([self.origin, str(self.size), encode_base64(self.root), *self.extensions, ""])

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read the text of a note as a checkpoint. Raises `NoteError` when it is none, or is not written in its one form."""
        lines = body.split("\n")
        try:
            if len(lines) < 4 or lines.pop() or not all(lines):
                raise ValueError("not three lines or more")
            root = decode_base64(lines[2])
            if len(root) != HASH_BYTES:
                raise ValueError("not a hash")
            return cls(lines[0], decimal(lines[1]), root, tuple(lines[3:]))
        except ValueError:
            raise NoteError("read a checkpoint", _subject(body), hint="expected three lines: origin, size, base64 of the root") from None
