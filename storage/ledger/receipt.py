"""What a sender gets with its acknowledgement: a signed statement that its records are durable, and where they will be in the ledger.

A receipt is base64url of canonical JSON (sorted keys, no white space) {digest, entry, origin, received_ns, records, sig}. `sig` is
base64 of an Ed25519 signature, by the origin's key, over the line `auditlake receipt v1` and the same JSON without `sig`. The records
are the rows of that entry of that origin which have this `received_ns`. See docs/receipts.md.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import orjson

from storage.ledger.errors import NoteError
from storage.ledger.note import SigningKey, VerifierKey, decode_base64, encode_base64

CONTEXT: Final = b"auditlake receipt v1\n"
"""No note begins so and ends with JSON: a receipt is never taken for a checkpoint, nor the other way round."""
MAX_CHARACTERS: Final = 2048
_DIGEST: Final = re.compile("[0-9a-f]{64}")
_MALFORMED: Final = "it is not a receipt as the collector gave it: copy the whole text of auditlake-receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt states; true when `signed_by` names a key that is trusted."""

    origin: str
    entry: int  # number of the segment
    received_ns: int  # of all records of the request, and of no other in the entry
    records: int  # that were taken
    digest: str  # SHA-256 of the request's bytes, uncompressed, hex
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a receipt. Raises `NoteError` when it is malformed or not in its one form; its signature is not verified."""
        text = text.strip()
        try:
            fields = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= MAX_CHARACTERS else b"")
            receipt = cls(
                origin=fields["origin"],
                entry=fields["entry"],
                received_ns=fields["received_ns"],
                records=fields["records"],
                digest=fields["digest"],
                signature=decode_base64(fields["sig"]),
            )
            numbers = (receipt.entry, receipt.received_ns, receipt.records)
            if not (type(receipt.origin) is str and all(type(number) is int for number in numbers) and _DIGEST.fullmatch(receipt.digest)):
                raise ValueError("a field of another type")
            if receipt.text() != text:
                raise ValueError("not its one form")
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
            raise NoteError("read a receipt", f"{len(text)} characters", hint=_MALFORMED) from None
        return receipt

    def text(self) -> str:
        """Return what stands in the header."""
        signed = {**_stated(self.origin, self.entry, self.received_ns, self.records, self.digest), "sig": encode_base64(self.signature)}
        return urlsafe_b64encode(_canonical(signed)).decode().rstrip("=")

    def signed_by(self, keys: Sequence[VerifierKey]) -> VerifierKey:
        """Return the key, of those of its origin, that signed it. Raises `NoteError` when none did."""
        message = CONTEXT + _canonical(_stated(self.origin, self.entry, self.received_ns, self.records, self.digest))
        for key in keys:
            if key.name == self.origin and key.signed(message, self.signature):
                return key
        raise NoteError("verify a receipt", self.origin, hint="none of the given keys signed it: it was altered, or is of another lake")


def issue(key: SigningKey, *, entry: int, received_ns: int, records: int, digest: str) -> str:
    """Return the text of a receipt; costs one signature."""
    stated = _stated(key.name, entry, received_ns, records, digest)
    signed = {**stated, "sig": encode_base64(key.sign_bytes(CONTEXT + _canonical(stated)))}
    return urlsafe_b64encode(_canonical(signed)).decode().rstrip("=")


def _stated(origin: str, entry: int, received_ns: int, records: int, digest: str) -> dict[str, object]:
    return {"digest": digest, "entry": entry, "origin": origin, "received_ns": received_ns, "records": records}


def _canonical(fields: dict[str, object]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
