"""Writes the logs of a data directory from what the catalog holds.

The catalog takes an entry in the transaction that makes it true; `LogWriter.advance` then appends what a log lacks: tiles and bundles
first, durably, and only then the checkpoint that covers them, atomically. So a checkpoint never covers rows that are not durable and is
never taken back, and after a crash the same call does the rest. One process at a time advances: who holds the seal lock.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from storage.catalog import Catalog
from storage.durable import DISK, FileSystem, hint_for, write_file
from storage.errors import StorageError
from storage.layout import LogRecord
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys, KeySource, keep_known, known_verifiers
from storage.ledger.log import Log, log_folder, signed_at
from storage.ledger.merkle import leaf_hash
from storage.ledger.note import MAX_SIZE, Checkpoint, SigningKey, VerifierKey, opened, signed
from storage.ledger.tile_writer import TileWriter

BATCH: Final = 1024
"""Entries that are appended under one checkpoint: what is behind after a long outage needs bounded memory."""
KEPT: Final = 32
"""The catalog keeps what so many to twice as many of the newest entries say; what older ones say is in the log alone."""
STAMPED: Final = 64
"""Origins that get a checkpoint while idle, those that were used last: a host whose name changes leaves many behind."""
TIPS: Final = 8
"""Logs whose last entries are remembered; a busy one has some megabytes of them."""
_SECOND_NS: Final = 1_000_000_000
_APPEND: Final = "append to the ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """How a data directory keeps its ledger; the default is what runs without configuration."""

    enabled: bool = True
    keys: KeySource = field(default_factory=KeySource)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # where a key may be
    idle_seconds: float = 60.0

    def writer(self, data: Path, catalog: Catalog, fs: FileSystem = DISK) -> "LogWriter | None":
        """Return what writes the logs of `data`; None when the ledger is off."""
        return LogWriter(data, catalog, Keys(data, self.keys, self.environ), fs) if self.enabled else None


@dataclass(slots=True)
class _Tip:
    """The end of a log that is known to be the signed one, for as long as its checkpoint is this note."""

    note: str | None
    head: Checkpoint
    tiles: TileWriter
    signer: str | None = None  # the verifier key that signed it, when this process did


class LogWriter:
    """Writes the logs of one data directory; the caller holds the seal lock whenever it calls, but for `behind`."""

    def __init__(self, data: Path, catalog: Catalog, keys: Keys, fs: FileSystem = DISK) -> None:
        self._data = data
        self._catalog = catalog
        self._keys = keys
        self._fs = fs
        self._sizes: dict[str, int] = {}  # of logs as they were seen last: none ever gets shorter
        self._signed_s: dict[str, int] = {}
        self._tips: OrderedDict[str, _Tip] = OrderedDict()  # of the logs that were written last

    def behind(self) -> list[str]:
        """Return the origins whose log is not as long as the catalog has it, or cannot be read. Raises `StorageError`."""
        return [origin for origin, size in self._catalog.log_sizes().items() if self._sizes.get(origin) != size != self._readable(origin)]

    def advance(self, origin: str, *, now_ns: int) -> None:
        """Append to an origin's log what the catalog has and it lacks, and sign the new checkpoints.

        Does nothing when nothing is lacking. Raises `LedgerError` when the log holds something else than the catalog, is not what its
        checkpoint says, or was signed with a key that is not there; `StorageError` when the disk refuses. The log is whole then, and the
        same call continues.
        """
        self._finish_rotation(now_ns)
        self._append(origin, now_ns)

    def _append(self, origin: str, now_ns: int) -> None:
        lacking = self._lacking(origin)
        while lacking:
            ends = len(lacking) < BATCH and not any(record.kind == "key" for record in lacking)
            rest = lacking
            while batch := _up_to_rotation(rest):
                self._append_batch(origin, batch, now_ns, ends=ends)
                rest = rest[len(batch) :]
            lacking = self._lacking(origin) if len(lacking) == BATCH else []

    def _lacking(self, origin: str) -> Sequence[LogRecord]:
        """The next entries that the catalog has and the log lacks; refuses when the one before is not the same in both."""
        size = self._size(origin)
        found = self._catalog.log_records(origin, max(size - 1, 0), BATCH + min(size, 1))
        last, lacking = (found[0] if size and found else None), found[min(size, 1) :]
        if size and last is None:
            known = self._catalog.log_sizes().get(origin, 0)
            hint = f"the log has {size} entries, the catalog knows {known}: an older catalog was restored; restore the newer one"
            raise LedgerError(_APPEND, log_folder(self._data, origin), hint=hint)
        if last and last.body and lacking and leaf_hash(last.body) != self._tip(origin).tiles.edge(size).last:
            hint = f"entry {size - 1} is another one in the catalog: an older catalog was restored and went on; restore the newer one"
            raise LedgerError(_APPEND, log_folder(self._data, origin), hint=hint)
        if not all(record.body for record in lacking):
            hint = "entries are missing that were there before: restore the ledger's folder from a copy"
            raise LedgerError(_APPEND, log_folder(self._data, origin), hint=hint)
        return lacking

    def _append_batch(self, origin: str, batch: Sequence[LogRecord], now_ns: int, *, ends: bool) -> None:
        """Append entries under one checkpoint; `ends`: there are no others, and no rotation is among them."""
        tip = self._tip(origin)
        before, size = tip.head.size, tip.head.size + len(batch)
        signers = [_held(self._keys.signers(origin), tip.signer)] if ends and tip.signer else self._signers(origin, before, batch)
        del self._tips[origin]  # until what is written is signed
        root = tip.tiles.append(before, [record.body for record in batch])
        self._publish(tip, Checkpoint(origin, size, root), signers, now_ns, rotation=batch[-1].kind == "key")
        if size // KEPT > before // KEPT:
            kept_from = (size // KEPT - 1) * KEPT
            self._catalog.empty_log(origin, max(0, (before // KEPT - 1) * KEPT), kept_from)

    def _finish_rotation(self, now_ns: int) -> None:
        """Do the rest of a rotation that was committed and interrupted, before anything else is signed."""
        if not self._keys.rotates():
            return
        public = self._keys.next_signer("next").verifier.public
        sizes = self._catalog.log_sizes()
        newest = [self._catalog.newest_in_log(origin, "key", size) for origin, size in sizes.items()]
        goes_on = [change.origin for change in newest if change and VerifierKey.parse(orjson.loads(change.body)["new"]).public == public]
        for origin in goes_on:
            self._append(origin, now_ns)
        if goes_on:
            self._keys.take_next(self._fs)

    def stamp(self, origin: str, *, now_ns: int) -> None:
        """Sign the newest checkpoint of an origin again, at a newer time: silence is provable. Raises as `advance`."""
        self._finish_rotation(now_ns)
        tip = self._tip(origin)
        self._publish(tip, tip.head, self._signers(origin, tip.head.size, ()), now_ns)

    def in_use(self, origin: str) -> SigningKey:
        """Return the key that signs an origin's log now. Raises `LedgerError` when it is not the one that is configured."""
        return self._signers(origin, self._size(origin), ())[-1]

    def is_due(self, now_ns: int, idle_ns: int | None) -> bool:
        """Tell whether `catch_up` has something to do; the lock is not needed."""
        return bool(self.behind()) or (idle_ns is not None and bool(self._idle(now_ns, idle_ns)))

    def catch_up(self, now_ns: int, idle_ns: int | None, *, without: Collection[str] = ()) -> dict[str, StorageError]:
        """Advance every log that is behind, and stamp those that were idle for so long; return what failed, by origin."""
        failed: dict[str, StorageError] = {}
        for work, found in ((self.advance, self.behind()), (self.stamp, () if idle_ns is None else self._idle(now_ns, idle_ns))):
            for origin in found:
                try:
                    if origin not in failed and origin not in without:
                        work(origin, now_ns=now_ns)
                except StorageError as error:
                    failed[origin] = error
        return failed

    def _idle(self, now_ns: int, idle_ns: int) -> list[str]:
        """The origins that got no checkpoint for so long."""
        recent = sorted(self._sizes, key=self._signed_at, reverse=True)[:STAMPED]
        return [origin for origin in recent if self._sizes[origin] and now_ns - self._signed_at(origin) * _SECOND_NS >= idle_ns]

    def _size(self, origin: str) -> int:
        """The size of a log by its checkpoint, whose name is made durable: who gave it that may have died before."""
        log = Log(self._data, origin)
        if origin not in self._sizes and log.folder.is_dir():
            try:
                self._fs.sync_directory(log.folder)
            except OSError as error:
                raise LedgerError(_APPEND, log.folder, hint=hint_for(error)) from error
        size = self._sizes[origin] = log.size
        return size

    def _readable(self, origin: str) -> int | None:
        """The size of a log; None when its checkpoint cannot be read, which `advance` tells."""
        try:
            return self._size(origin)
        except LedgerError:
            return None

    def _signed_at(self, origin: str) -> int:
        """When the newest checkpoint was cosigned, unix seconds; 0 before the first."""
        if origin not in self._signed_s:
            self._signed_s[origin] = signed_at(self._data, origin)
        return self._signed_s[origin]

    def _tip(self, origin: str) -> _Tip:
        """Refuse to sign on top of a log that is not the one that was signed: whoever changed it would get our signature."""
        log = Log(self._data, origin)
        note = log.checkpoint()
        known = self._tips.get(origin)
        if known is not None and known.note == note:
            return known
        tip = _Tip(note, log.head(), TileWriter(log.folder, self._fs))
        if note is not None:
            trusted = self._trusted(origin, tip.head.size)
            found = opened(note, [each for key in trusted for each in (key, key.cosigner)])
            self._signed_s[origin] = max(found.times.values(), default=0)
            if tip.head.origin != origin or tip.tiles.edge(tip.head.size).root() != tip.head.root:
                raise LedgerError(_APPEND, log.folder, hint="its tiles are not those of its checkpoint: `auditlake verify` says more")
        self._tips[origin] = tip
        return tip

    def _trusted(self, origin: str, size: int) -> list[VerifierKey]:
        """The keys under which the checkpoint of this size may be signed: that of the last rotation before, or the one before the next.

        After a loss, also the key that signs what waited then.
        """
        before = self._change(origin, size)
        newest = self._change(origin)
        if before is None and newest is None:
            return [self._keys.signer(origin).verifier]
        texts = [before["new"] if before else newest["old"]] if newest else []
        return [VerifierKey.parse(text) for text in [*texts, *([newest["new"]] if newest and newest["lost"] else [])]]

    def _change(self, origin: str, below: int = MAX_SIZE) -> dict[str, Any] | None:
        """The last rotation in the catalog, of those among the first `below` entries."""
        record = self._catalog.newest_in_log(origin, "key", below)
        return None if record is None else orjson.loads(record.body)

    def _signers(self, origin: str, size: int, batch: Sequence[LogRecord]) -> list[SigningKey]:
        """The keys that sign the log when it has this batch behind its first `size` entries: the newest, at a rotation also the old."""
        keys = self._keys.signers(origin)
        newest = self._change(origin)
        if newest is not None and newest["lost"]:  # who signed before cannot any more: the new one signs what waited, other rotations, too
            return [_held(keys, newest["new"])]
        if batch and batch[-1].kind == "key":
            change = orjson.loads(batch[-1].body)
            return [_held(keys, change["old"]), _held(keys, change["new"])]
        before = self._change(origin, size)
        if before is not None:
            return [_held(keys, before["new"])]
        known = known_verifiers(self._data)
        if known and known[-1] != self._keys.signer(known[-1].name).verifier:
            hint = "this lake signs with that key, another one is configured: docs/ledger.md, keys"
            raise LedgerError(_APPEND, str(known[-1]), hint=hint)
        return keys[:1]

    def _publish(self, tip: _Tip, head: Checkpoint, signers: Sequence[SigningKey], now_ns: int, *, rotation: bool = False) -> None:
        """Sign a checkpoint and put it in the old one's place; its tiles are durable. Those of rotations are kept."""
        folder = log_folder(self._data, head.origin)
        time_s = max(now_ns // _SECOND_NS, self._signed_at(head.origin))  # a clock that goes back takes nothing back
        body = head.body()
        note = signed(body, [line for key in signers for line in (key.sign(body), key.cosign(body, time_s))])
        keep_known(self._data, [key.verifier for key in signers], self._fs)
        try:
            if rotation:
                write_file(folder / "rotations" / str(head.size), note.encode(), self._fs)
            write_file(folder / "checkpoint", note.encode(), self._fs)
        except OSError as error:
            self._sizes.pop(head.origin, None)  # its name may stand and not be durable
            raise LedgerError("publish a checkpoint", folder / "checkpoint", hint=hint_for(error)) from error
        tip.note, tip.head, tip.signer = note, head, str(signers[-1].verifier)
        self._tips[head.origin] = tip
        if len(self._tips) > TIPS:
            self._tips.popitem(last=False)
        self._sizes[head.origin] = head.size
        self._signed_s[head.origin] = time_s


def _held(keys: Sequence[SigningKey], text: str) -> SigningKey:
    """The key with this verifier text."""
    for key in keys:
        if str(key.verifier) == text:
            return key
    raise LedgerError(_APPEND, text, hint="the log goes on with that key, another one is configured: docs/ledger.md, keys")


def _up_to_rotation(records: Sequence[LogRecord]) -> Sequence[LogRecord]:
    """The records up to the first rotation, which ends what the old key signs."""
    for at, record in enumerate(records, 1):
        if record.kind == "key":
            return records[:at]
    return records
