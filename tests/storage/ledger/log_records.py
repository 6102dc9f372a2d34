"""Entries for logs that are about nothing, and what a log says afterwards."""

from pathlib import Path

from storage.catalog import Catalog
from storage.durable import DISK, FileSystem
from storage.layout import LogRecord
from storage.ledger.keys import Keys, known_keys
from storage.ledger.log import Log
from storage.ledger.log_writer import LogWriter
from storage.ledger.note import Checkpoint, VerifierKey, opened

ORIGIN = "node/collector"
SECOND_NS = 1_000_000_000
NOW_NS = 1_795_262_400 * SECOND_NS
CALLS = 200
"""More calls of the file system than any of these works makes."""


def records(first: int, count: int, origin: str = ORIGIN) -> list[LogRecord]:
    bodies = [b'{"entry":%d,"kind":"segment"}' % entry for entry in range(first, first + count)]
    return [LogRecord(origin=origin, kind="segment", entry=first + at, body=body) for at, body in enumerate(bodies)]


def advance(data: Path, catalog: Catalog, origin: str, keys: Keys, *, now_ns: int, fs: FileSystem = DISK) -> None:
    """As a process does that writes nothing else."""
    LogWriter(data, catalog, keys, fs).advance(origin, now_ns=now_ns)


def head_of(data: Path, origin: str = ORIGIN) -> Checkpoint:
    """What the newest checkpoint says, its signature verified by the key in use, its root by the tiles."""
    log = Log(data, origin)
    note = log.checkpoint()
    assert note is not None
    keys = [VerifierKey.parse(text) for text in known_keys(data) if text.startswith(f"{origin}+")]
    head = Checkpoint.parse(opened(note, keys).body)
    assert head == log.head()
    assert log.reader.root(head.size) == head.root
    return head
