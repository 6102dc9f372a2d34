"""Texts that a policy left as they were, remembered from one short-lived process to the next: what was cleared once is not asked again.

Only keyed digests are kept, beside the compiled prefilters: they tell nothing about the texts, and without the lake's pseudonym key
nobody can add one. Another policy, or other code, has another file.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from redaction.known_gates import installation
from redaction.pseudonym import derived_key

DIGEST_BYTES: Final = 16
MOST: Final = 4096
"""So many texts are remembered; the oldest half goes first."""


class Cleared:
    """What one policy cleared in the lake of one pseudonym key."""

    def __init__(self, folder: Path, policy_hash: str, pseudonym_key: bytes) -> None:
        """A file that cannot be read remembers nothing."""
        name = hashlib.sha256(f"{policy_hash} {installation()}".encode()).hexdigest()[:24]
        self._path = folder / f"cleared-{name}"
        self._key = derived_key(pseudonym_key, "cleared texts")
        try:
            known = self._path.read_bytes()
        except OSError:
            known = b""
        self._known = dict.fromkeys(known[at : at + DIGEST_BYTES] for at in range(0, len(known), DIGEST_BYTES))
        self._new = False

    def knows(self, text: str, key: str | None) -> bool:
        """Whether a text was left as it was under this attribute key."""
        return self._digest(text, key) in self._known

    def add(self, text: str, key: str | None) -> None:
        """Remember that a text was left as it was under this attribute key."""
        self._known[self._digest(text, key)] = None
        self._new = True

    def keep(self) -> None:
        """Write down what is new; a folder that cannot be written costs time later, no more."""
        if not self._new:
            return
        self._new = False
        kept = list(self._known)[-MOST // 2 :] if len(self._known) > MOST else self._known
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):
            temporary.write_bytes(b"".join(kept))
            temporary.replace(self._path)

    def _digest(self, text: str, key: str | None) -> bytes:
        message = f"{key or ''}\0{key is None}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, "sha256")[:DIGEST_BYTES]
