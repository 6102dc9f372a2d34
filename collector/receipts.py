"""The receipt that goes with an acknowledgement: which entry of the ledger will hold the records of this request."""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.config_ledger import LedgerConfig
from collector.signals import Message
from storage.layout import Delivery
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys
from storage.ledger.receipt import issue

if TYPE_CHECKING:
    from storage.ledger.note import SigningKey

HEADER: Final = "auditlake-receipt"
"""Header of an OTLP/HTTP answer, key in the trailing metadata of an OTLP/gRPC one."""
IN_LOOP_BYTES: Final = 256 << 10
"""What is hashed without leaving the event loop: a tenth of a millisecond."""


class Answer(NamedTuple):
    """What a sender is told: the success message, and the receipt of what was stored."""

    message: Message
    receipt: str | None


class Receipts:
    """Issues the receipts of one collector. Belongs to its event loop."""

    def __init__(self, keys: Keys) -> None:
        """Raises `LedgerError` when there is no key to sign with."""
        self._keys = keys
        self._seed = keys.seed()

    async def issue(self, stored: Delivery, records: int, body: bytes) -> str:
        """Return the receipt for records that are durable in an entry."""
        digest = _digest(body) if len(body) <= IN_LOOP_BYTES else await asyncio.to_thread(_digest, body)
        key = self._signer(stored.origin)
        return issue(key, entry=stored.entry, received_ns=stored.received_ns, records=records, digest=digest)

    def _signer(self, origin: str) -> "SigningKey":
        """The key in use, or the last one that was: no stored record is refused because a key goes away, which the sealer tells."""
        with contextlib.suppress(LedgerError):
            self._seed = self._keys.seed()
        return self._keys.signer_from(origin, self._seed)


def receipts_of(data: Path, section: LedgerConfig, environ: Mapping[str, str]) -> Receipts | None:
    """Return what issues the receipts of a collector; None without the ledger that they are about. Raises `LedgerError` as `Receipts`."""
    ledger = section.kept(environ)
    return Receipts(Keys(data, ledger.keys, ledger.environ)) if ledger.enabled else None


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
