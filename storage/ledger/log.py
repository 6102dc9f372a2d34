"""The logs of a data directory as they stand: one an origin, in `<data>/ledger/<origin>/`. Nothing is verified here."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from storage.catalog import Catalog
from storage.durable import hint_for
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.keys import known_verifiers
from storage.ledger.merkle import EMPTY_ROOT
from storage.ledger.note import Checkpoint, opened, split
from storage.ledger.tiles import TileReader

_BATCH: Final = 1024
"""Entries that are read at once."""


def log_folder(data: Path, origin: str) -> Path:
    """Return where the log of an origin is."""
    return data / "ledger" / origin


def origins(data: Path) -> list[str]:
    """Return the origins that have a checkpoint."""
    ledger = data / "ledger"
    return sorted(path.parent.relative_to(ledger).as_posix() for path in ledger.rglob("checkpoint"))


class Log:
    """One origin's log as it stands in its folder; nothing is verified here."""

    def __init__(self, data: Path, origin: str) -> None:
        self.origin = origin
        self.folder = log_folder(data, origin)
        self.reader = TileReader(self.folder)

    def checkpoint(self) -> str | None:
        """Return the newest checkpoint, a signed note; None before the first. Raises `LedgerError`."""
        path = self.folder / "checkpoint"
        try:
            return path.read_bytes().decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise LedgerError("read a checkpoint", path, hint="it is not text: restore the ledger's folder") from None
        except OSError as error:
            raise LedgerError("read a checkpoint", path, hint=hint_for(error)) from error

    def head(self) -> Checkpoint:
        """Return what the newest checkpoint says; of a log without one, that it is empty. Raises `LedgerError`."""
        note = self.checkpoint()
        if note is None:
            return Checkpoint(self.origin, 0, EMPTY_ROOT)
        try:
            return Checkpoint.parse(split(note)[0])
        except NoteError as error:
            raise NoteError("read a checkpoint", self.folder / "checkpoint", hint=f"{error.hint}; restore the ledger's folder") from None

    @property
    def size(self) -> int:
        """How many entries the newest checkpoint covers. Raises `LedgerError`."""
        return self.head().size

    def entry(self, index: int) -> dict[str, Any]:
        """Return one entry. Raises `LedgerError`."""
        return next(self.entries(index, 1))

    def entries(self, first: int = 0, count: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield entries from index `first` on, all that the checkpoint covers unless `count` says fewer. Raises `LedgerError`."""
        end = self.size if count is None else first + count
        for at in range(first, end, _BATCH):
            for body in self.reader.entries(at, min(_BATCH, end - at)):
                yield orjson.loads(body)


def segment_index(catalog: Catalog, origin: str, entry: int) -> int | None:
    """Return where in its origin's log a segment stands; None for one from before the ledger."""
    return catalog.log_index(origin, entry)


def status(data: Path, catalog: Catalog) -> list[dict[str, Any]]:
    """Return for each log its entries, those that wait in the catalog, when it was signed last and by whom, and what keeps it from telling.

    Raises `StorageError` when the catalog cannot be read.
    """
    keys = {key.name: str(key) for key in known_verifiers(data)}
    return [_standing(data, origin, total, keys.get(origin)) for origin, total in sorted(catalog.log_sizes().items())]


def _standing(data: Path, origin: str, total: int, key: str | None) -> dict[str, Any]:
    size: int | None = None
    trouble: str | None = None
    try:
        size = Log(data, origin).size
    except LedgerError as error:
        trouble = str(error)
    at = signed_at(data, origin)
    when = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z") if at else None
    waiting = None if size is None else total - size
    return {"origin": origin, "entries": size, "waiting": waiting, "signed_at": when, "key": key, "trouble": trouble}


def signed_at(data: Path, origin: str) -> int:
    """Return when the newest checkpoint of a log was cosigned under a key of this lake, unix seconds; 0 when that is unknown."""
    keys = [key.cosigner for key in known_verifiers(data) if key.name == origin]
    try:
        note = Log(data, origin).checkpoint()
        return max(opened(note, keys).times.values()) if note else 0
    except LedgerError:
        return 0
