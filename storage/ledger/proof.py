"""One entry's proof as a text that is checked offline (c2sp.org/tlog-proof@v1): its index, its Merkle path, and a signed checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from storage.ledger.errors import NoteError, ProofError
from storage.ledger.merkle import HASH_BYTES, root_from_inclusion
from storage.ledger.note import Checkpoint, VerifierKey, decimal, decode_base64, encode_base64, opened

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_HASHES: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryProof:
    """That a log has an entry at an index; says nothing until `verified` with a key that the reader trusts."""

    index: int
    hashes: tuple[bytes, ...]
    """From the leaf's sibling upward."""
    checkpoint: str
    """The signed note of the log, as it is."""
    extra: bytes | None = None
    """Whatever the writer adds; the proof does not cover it."""

    def text(self) -> str:
        """Return the proof as the specification writes it; files of it end in `.tlog-proof`."""
        extra = [] if self.extra is None else [f"extra {encode_base64(self.extra)}"]
        hashes = [encode_base64(value) for value in self.hashes]
        return "\n".join([HEADER, *extra, f"index {self.index}", *hashes, "", self.checkpoint])

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a proof. Raises `ProofError` when it is not written exactly as the specification says; the checkpoint is not looked at."""
        try:
            decoded = text.decode() if isinstance(text, bytes) else text
            head, blank, checkpoint = decoded.partition("\n\n")
            header, *lines = head.split("\n")
            if header != HEADER or not blank:
                raise ValueError("no header or no checkpoint")
            extra = decode_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
            name, _, index = lines.pop(0).partition(" ") if lines else ("", "", "")
            hashes = tuple(decode_base64(line) for line in lines)
            if name != "index" or len(hashes) > MAX_HASHES or any(len(value) != HASH_BYTES for value in hashes):
                raise ValueError("no index or no path")
            return cls(index=decimal(index), hashes=hashes, checkpoint=checkpoint, extra=extra)
        except ValueError:  # also of bytes that are not UTF-8
            hint = "expected the header, the index, one hash a line, a blank line and a checkpoint"
            raise ProofError("read a tlog-proof", f"a text of length {len(text)}", hint=hint) from None

    def verified(self, leaf: bytes, keys: Sequence[VerifierKey], *, origin: str | None = None) -> Checkpoint:
        """Return the checkpoint when one of `keys` signed it and the entry with this leaf hash is in its tree at the index.

        `origin` is the log that the reader means; without it any log of these keys will do. Raises `NoteError` for the checkpoint and
        `ProofError` for the path.
        """
        checkpoint = Checkpoint.parse(opened(self.checkpoint, keys).body)
        if origin is not None and checkpoint.origin != origin:
            raise NoteError("verify a proof", checkpoint.origin, hint=f"the checkpoint is another log's, not that of {origin}")
        if root_from_inclusion(leaf, self.index, checkpoint.size, self.hashes) != checkpoint.root:
            raise ProofError(
                "verify a proof", f"entry {self.index} of {checkpoint.origin}", hint="the entry is not the one in the signed log"
            )
        return checkpoint
