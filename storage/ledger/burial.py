"""Making tombstones of rows that are about to go: their leaf hashes, from the files that still hold them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from storage.durable import DISK, FileSystem
from storage.layout import FileRecord
from storage.ledger.leaves import LeafReader
from storage.ledger.log import log_folder
from storage.ledger.tombstones import Tombstone, TombstoneFile, TombstoneWriter
from storage.rows import Rows

Buried = dict[str, tuple[TombstoneFile, int]]
"""By origin: the file of its tombstones, and how many."""


def bury(data: Path, order: str, files: Sequence[FileRecord], rows: Rows, fs: FileSystem = DISK) -> Buried:
    """Write the tombstones of those rows of `files` that are in a set, durably; for each origin that has some.

    Memory holds some row groups. Raises `LedgerError` when a file cannot be read, OSError from the disk.
    """
    writers: dict[str, TombstoneWriter] = {}
    with ExitStack() as stack, LeafReader() as reader:
        for file in files:
            for batch in reader.batches([data / file.path], file.table_name):
                found = list(_marked(file, batch, rows))
                if found and file.origin not in writers:
                    writers[file.origin] = TombstoneWriter(log_folder(data, file.origin), order, fs)
                    stack.callback(writers[file.origin].abandon)
                if found:
                    writers[file.origin].add(found)
        return {origin: (writer.finish(), writer.rows) for origin, writer in writers.items()}


def _marked(file: FileRecord, batch: pa.RecordBatch, rows: Rows) -> Iterator[Tombstone]:
    entries, numbers = batch.column("entry").to_pylist(), batch.column("entry_row").to_pylist()
    leaves = batch.column("leaf").to_pylist()
    for place in zip(entries, numbers, leaves, rows.mask(file.table_name, file.origin, entries, numbers), strict=True):
        entry, number, leaf, marked = place
        if marked:
            yield Tombstone(file.table_name, entry, number, leaf)
