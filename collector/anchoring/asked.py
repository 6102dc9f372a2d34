"""What a witness itself says that it has cosigned: the note beside the log may be deleted, or older, with everything else on its disk."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from collector.anchoring.http import fetched
from storage.ledger.anchors import Evidence
from storage.ledger.note import Checkpoint, VerifierKey, opened


class AskedWitness:
    """A witness, asked over the network (`GET <prefix>/<SHA-256 of the origin, hex>/checkpoint`)."""

    def __init__(self, url: str, key: VerifierKey, **options: Any) -> None:
        """`options` are those of `Client`."""
        self._options = options
        self._url = url.rstrip("/")
        self._key = key.cosigner

    @property
    def name(self) -> str:
        """The witness's name."""
        return self._key.name

    def evidence(self, origin: str) -> Iterator[Evidence]:
        """Yield the newest state that the witness cosigned; nothing when it knows none.

        Raises `LedgerError` when it cannot be reached, does not answer such questions, or the answer is not signed by its key.
        """
        note = fetched(f"{self._url}/{sha256(origin.encode()).hexdigest()}/checkpoint", self.name, **self._options)
        if note is not None:
            found = opened(note, [self._key])
            checkpoint = Checkpoint.parse(found.body)
            if checkpoint.origin == origin:
                yield Evidence(kind="witness", by=self.name, size=checkpoint.size, root=checkpoint.root, time_s=found.times[self._key])

    def origins(self) -> list[str]:
        """Return nothing: a witness tells of the logs that it is asked about alone."""
        return []
