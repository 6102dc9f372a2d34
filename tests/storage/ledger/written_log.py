"""A log in a data directory without rows: entries, tiles and signed checkpoints, for tests of what leaves the host."""

import os
from pathlib import Path

from storage.ledger.log import Log, log_folder
from storage.ledger.note import Checkpoint, SigningKey, signed
from storage.ledger.tile_writer import TileWriter

ORIGIN = "node/collector"
NOW_S = 1_795_262_400  # 2026-11-21T12:00:00Z


class WrittenLog:
    """The log of one origin, signed by a key of its own."""

    def __init__(self, data: Path, origin: str = ORIGIN, *, seed: bytes | None = None) -> None:
        self.data = data
        self.origin = origin
        self.signer = SigningKey.from_seed(origin, seed or os.urandom(32))
        self.size = 0
        self.reader = Log(data, origin)

    def grow(self, count: int, text: str = "entry", *, time_s: int = NOW_S) -> str:
        """Append entries and return the new checkpoint."""
        folder = log_folder(self.data, self.origin)
        added = [f"{text} {self.size + each}".encode() for each in range(count)]
        root = TileWriter(folder).append(self.size, added) if added else self.head.root
        self.size += count
        body = Checkpoint(self.origin, self.size, root).body()
        note = signed(body, [self.signer.sign(body), self.signer.cosign(body, time_s)])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint").write_text(note, encoding="utf-8")
        return note

    @property
    def head(self) -> Checkpoint:
        """What the newest checkpoint says."""
        return self.reader.head()
