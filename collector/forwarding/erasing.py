"""Taking erased rows out of what waits to be forwarded, and out of what backends refused.

A queued segment is written anew without those records. What it holds stays at its offsets under its numbers, so that a forwarder in the
middle of it goes on, and the next order finds its records: erased ones are empty, in their places, and a batch that got smaller is filled
up with spaces behind its header, which is JSON. A dead letter cannot be told apart by rows, and goes whole when it is of an entry of which
rows were erased: the lake has its other records.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from google.protobuf.message import DecodeError

from collector.forwarding.dead_letters import FOLDER as DEAD_LETTERS
from collector.forwarding.queue import FOLDER, exporter_of
from collector.forwarding.splitting import blank, each_record, is_blank
from collector.signals import SIGNALS, Message
from storage.durable import DISK, FileSystem, created, hint_for, publish
from storage.errors import StorageError
from storage.layout import origin_name
from storage.rows import Rows
from storage.schema import TABLES
from storage.wal import BatchHeader, RecordType
from storage.wal_format import MIN_RECORD_BYTES, DamagedRange, WalRecord, encode, scan

_LETTER: Final = re.compile(r"(?P<origin>.+)-(?P<entry>\d{12,})-(?:traces|logs|metrics)-[0-9a-f]{16}\.(?:pb|json)")
_ANEW: Final = ".anew"
_ORDER: Final = ("traces", "logs", "metrics")
"""Rows of an entry are numbered through in this order (`collector.decode`)."""
Numbers = frozenset[int]


def forget(data: Path, rows: Rows, fs: FileSystem = DISK) -> list[str]:
    """Take rows out of every queue and all dead letters; return which backends may have got them already.

    Safe to repeat. Raises `StorageError` when the disk refuses: the same call does the rest.
    """
    gone = _by_entry(rows)
    folders = sorted(path for path in (data / FOLDER).glob("*") if path.is_dir())
    for folder in folders:
        try:
            _take_out(folder, gone, fs)
        except OSError as error:
            raise StorageError("erase rows from what waits to be forwarded", folder, hint=hint_for(error)) from error
    return (
        [f"the backend of exporter {exporter_of(folder)}: it may have got copies; erase them there" for folder in folders] if gone else []
    )


def _by_entry(rows: Rows) -> Mapping[tuple[str, int], Numbers]:
    found: dict[tuple[str, int], set[int]] = {}
    for table, (origin, entry, row) in rows.places():
        if table in TABLES and table != "derivations":
            found.setdefault((origin, entry), set()).add(row)
    return {place: frozenset(numbers) for place, numbers in found.items()}


def _take_out(folder: Path, gone: Mapping[tuple[str, int], Numbers], fs: FileSystem) -> None:
    """Take rows out of what one exporter has, durably: nothing of them comes back with a disk that loses its power."""
    queue, letters = folder / "queue", folder / DEAD_LETTERS
    for left in queue.glob(f"*{_ANEW}"):  # of a crash: its segment may have been sent meanwhile
        fs.unlink(left)
    for (origin, entry), numbers in gone.items():
        with suppress(FileNotFoundError):  # never kept, or sent and deleted meanwhile
            _rewrite(queue / f"{origin_name(origin)}-{entry:012d}.wal", numbers, fs)
    for path in sorted(letters.glob("*")):
        name = _LETTER.fullmatch(path.name)
        if name is not None and (name["origin"].replace("~", "/"), int(name["entry"])) in gone:
            with suppress(FileNotFoundError):  # the oldest letter, which made room meanwhile
                fs.unlink(path)
    for each in (queue, letters):
        if each.is_dir():
            fs.sync_directory(each)


def _rewrite(path: Path, gone: Numbers, fs: FileSystem) -> None:
    """Write a segment anew whose file has the same length, time and name; damaged bytes in it become zeros."""
    temporary = path.with_suffix(_ANEW)
    with path.open("rb") as original, created(temporary, fs) as copy:
        status = os.fstat(original.fileno())
        size = status.st_size
        shutil.copyfileobj(original, copy)
        first = _first_rows(original, size)
        for piece in scan(original, size):
            for offset, content in _changes(piece, first, gone):
                copy.seek(offset)
                copy.write(content)
        copy.flush()
        fs.sync(copy.fileno())
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    if path.exists():
        publish(temporary, path, fs)
    else:
        fs.unlink(temporary)


def _first_rows(original: BinaryIO, size: int) -> dict[str, int]:
    """The number of the first row of each signal in the segment's entry."""
    counts = dict.fromkeys(_ORDER, 0)
    for piece in scan(original, size):
        if isinstance(piece, WalRecord) and (batch := _batch(piece)) is not None:
            header, message = batch
            counts[header.signal] += sum(1 for _ in each_record(SIGNALS[header.signal], message))
    return {"traces": 0, "logs": counts["traces"], "metrics": counts["traces"] + counts["logs"]}


def _changes(piece: WalRecord | DamagedRange, next_row: dict[str, int], gone: Numbers) -> Iterator[tuple[int, bytes]]:
    """The bytes that replace those of a piece, and where; `next_row` goes on by its rows."""
    if isinstance(piece, DamagedRange):
        yield piece.offset, bytes(piece.size_bytes)
        return
    batch = _batch(piece)
    if batch is None:
        return
    header, message = batch
    signal, begin = SIGNALS[header.signal], next_row[header.signal]
    records = sum(1 for _ in each_record(signal, message))
    next_row[signal.name] += records
    if blank(signal, message, {at for at in range(records) if begin + at in gone}):
        size = len(piece.header) + len(piece.payload)
        payload = message.SerializeToString()
        left = sum(1 for record in each_record(signal, message) if not is_blank(record))
        smaller = replace(header, records=left, redactions={}, digest="").to_bytes()
        padded = smaller + b" " * (size - len(smaller) - len(payload))
        yield piece.end - MIN_RECORD_BYTES - size, encode(piece.seq, [(RecordType.ERASED_BATCH, padded, payload)])


def _batch(record: WalRecord) -> tuple[BatchHeader, Message] | None:
    """A batch that the sealer decoded; None for anything else."""
    if record.type not in {RecordType.BATCH, RecordType.ERASED_BATCH}:
        return None
    try:
        header = BatchHeader.from_bytes(record.header)
        return (header, SIGNALS[header.signal].request.FromString(record.payload)) if header.signal in SIGNALS else None
    except (ValueError, KeyError, TypeError, DecodeError):
        return None
