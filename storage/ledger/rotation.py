"""Changing the key of a ledger: every log says so in an entry of its own, whose checkpoint the old and the new key sign.

That checkpoint is kept (`rotations/<size>`): whoever trusts the old key learns from it which key goes on. The next seed is durable before
any log names it, and takes the old one's place when every log has; a crash in between leaves what `LogWriter.advance` ends first.
"""

from pathlib import Path

import orjson

from storage.catalog import Catalog
from storage.durable import DISK, FileSystem
from storage.ledger.entries import key_change
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys, KeySource, create_seed, known_verifiers
from storage.ledger.log_writer import Ledger, LogWriter
from storage.ledger.note import MAX_SIZE, VerifierKey

_ROTATE = "rotate the ledger's key"


def rotate(
    data: Path, catalog: Catalog, ledger: Ledger, *, now_ns: int, to: KeySource | None = None, lost: bool = False, fs: FileSystem = DISK
) -> list[VerifierKey]:
    """Go on with a new key in every log of a data directory, and return its verifier keys; the caller holds the seal lock.

    `to` says where the new seed is; without it one is made and takes the old one's place. `lost`: the old one is gone. Raises
    `LedgerError` when a key is not there, or the new one is the old one; `StorageError` when the disk refuses: the same call goes on.
    """
    if to is None and ledger.keys.env is not None:
        raise LedgerError(_ROTATE, ledger.keys.env, hint="say where the new key is: --to-env or --to-file")
    if lost:
        return _begin_anew(data, catalog, ledger, to, now_ns, fs)
    keys = Keys(data, ledger.keys, ledger.environ, following=to)
    writer = LogWriter(data, catalog, keys, fs)
    goes_on = any(_waits(catalog, origin, keys) for origin in writer.behind()) if to else False
    for origin in catalog.log_sizes():
        writer.advance(origin, now_ns=now_ns)
    if goes_on:
        return [writer.in_use(origin).verifier for origin in sorted(catalog.log_sizes())]
    if to is None:
        keys.signers("old")
        create_seed(keys.next_file)
    origins = sorted(catalog.log_sizes())
    pairs = [(writer.in_use(origin), keys.signers(origin)[-1]) for origin in origins]
    if any(old.verifier == new.verifier for old, new in pairs):
        raise LedgerError(_ROTATE, str(to), hint="the new key is the one in use: make another one")
    catalog.append_log(
        [
            key_change(origin, old=str(old.verifier), new=str(new.verifier), lost=False, at_ns=now_ns)
            for origin, (old, new) in zip(origins, pairs, strict=True)
        ]
    )
    for origin in origins:
        writer.advance(origin, now_ns=now_ns)
    return [new.verifier for _, new in pairs]


def _waits(catalog: Catalog, origin: str, keys: Keys) -> bool:
    """Whether a rotation to the wanted key is in the catalog and not in this log: it was interrupted."""
    change = catalog.newest_in_log(origin, "key", MAX_SIZE)
    return change is not None and orjson.loads(change.body)["new"] == str(keys.signers(origin)[-1].verifier)


def _begin_anew(data: Path, catalog: Catalog, ledger: Ledger, to: KeySource | None, now_ns: int, fs: FileSystem) -> list[VerifierKey]:
    """Go on with a key whose logs the old one does not sign any more."""
    keys = Keys(data, to or ledger.keys, ledger.environ)
    if to is None and not keys.file.exists():
        create_seed(keys.file)
    newest = {key.name: key for key in known_verifiers(data)}
    origins = sorted(catalog.log_sizes())
    pairs = [(newest.get(origin), keys.signer(origin).verifier) for origin in origins]
    changes = [
        key_change(origin, old=str(old), new=str(new), lost=True, at_ns=now_ns)
        for origin, (old, new) in zip(origins, pairs, strict=True)
        if old is not None and old != new
    ]
    if not changes:
        raise LedgerError(_ROTATE, data, hint="the key in use is there: nothing was lost")
    catalog.append_log(changes)
    writer = LogWriter(data, catalog, keys, fs)
    for origin in dict.fromkeys([*(change.origin for change in changes), *writer.behind()]):
        writer.advance(origin, now_ns=now_ns)
    return [new for _, new in pairs]
