"""Taking erased rows out of what waits to be forwarded, and out of what backends refused.

A queued segment is written anew without those records. Its other records stay at their offsets under their numbers, so that a forwarder
in the middle of it goes on: a batch that got smaller is filled up with spaces behind its header, which is JSON. A dead letter cannot be
told apart by rows, and goes whole when it is of an entry of which rows were erased: the lake has its other records.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from google.protobuf.message import DecodeError

from collector.forwarding.dead_letters import FOLDER as DEAD_LETTERS
from collector.forwarding.queue import FOLDER, exporter_of
from collector.signals import SIGNALS, Message
from storage.durable import DISK, FileSystem, hint_for, publish
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
    for left in (data / FOLDER).glob(f"*/queue/*{_ANEW}"):  # of a crash: its segment may have been sent meanwhile
        fs.unlink(left)
    for (origin, entry), numbers in gone.items():
        for segment in (data / FOLDER).glob(f"*/queue/{origin_name(origin)}-{entry:012d}.wal"):
            try:
                _rewrite(segment, numbers, fs)
            except FileNotFoundError:  # sent and deleted meanwhile
                continue
            except OSError as error:
                raise StorageError("erase rows from a queue", segment, hint=hint_for(error)) from error
    _drop_letters(data, gone, fs)
    folders = sorted(path for path in (data / FOLDER).glob("*") if path.is_dir())
    return (
        [f"the backend of exporter {exporter_of(folder)}: it may have got copies; erase them there" for folder in folders] if gone else []
    )


def _by_entry(rows: Rows) -> Mapping[tuple[str, int], Numbers]:
    found: dict[tuple[str, int], set[int]] = {}
    for table, (origin, entry, row) in rows.places():
        if table in TABLES and table != "derivations":
            found.setdefault((origin, entry), set()).add(row)
    return {place: frozenset(numbers) for place, numbers in found.items()}


def _drop_letters(data: Path, gone: Iterable[tuple[str, int]], fs: FileSystem) -> None:
    entries = set(gone)
    for path in sorted((data / FOLDER).glob(f"*/{DEAD_LETTERS}/*")):
        name = _LETTER.fullmatch(path.name)
        if name is not None and (name["origin"].replace("~", "/"), int(name["entry"])) in entries:
            fs.unlink(path)


def _rewrite(path: Path, gone: Numbers, fs: FileSystem) -> None:
    """Write a segment anew whose file has the same length, time and name; damaged bytes in it become zeros."""
    size, status = path.stat().st_size, path.stat()
    temporary = path.with_suffix(_ANEW)
    shutil.copyfile(path, temporary)
    with temporary.open("r+b") as copy, path.open("rb") as original:
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
            counts[header.signal] += sum(1 for _ in _records(header.signal, message))
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
    begin = next_row[header.signal]
    records = list(_records(header.signal, message))
    next_row[header.signal] += len(records)
    erased = [at for at in range(len(records)) if begin + at in gone]
    if erased:
        for at in reversed(erased):
            holder, index = records[at]
            del holder[index]
        size = len(piece.header) + len(piece.payload)
        payload = message.SerializeToString() if len(erased) < len(records) else b""
        smaller = replace(header, records=len(records) - len(erased), redactions={}, digest="").to_bytes()
        padded = smaller + b" " * (size - len(smaller) - len(payload))
        yield piece.end - MIN_RECORD_BYTES - size, encode(piece.seq, [(RecordType(piece.type), padded, payload)])


def _batch(record: WalRecord) -> tuple[BatchHeader, Message] | None:
    """A batch that the sealer decoded; None for anything else."""
    if record.type != RecordType.BATCH:
        return None
    try:
        header = BatchHeader.from_bytes(record.header)
        return (header, SIGNALS[header.signal].request.FromString(record.payload)) if header.signal in SIGNALS else None
    except (ValueError, KeyError, TypeError, DecodeError):
        return None


def _records(signal: str, message: Message) -> Iterator[tuple[Message, int]]:
    """The records of a message in the order of their rows: the list that each is in, and its place there."""
    if signal == "traces":
        lists = [scope.spans for resource in message.resource_spans for scope in resource.scope_spans]
    elif signal == "logs":
        lists = [scope.log_records for resource in message.resource_logs for scope in resource.scope_logs]
    else:
        metrics = [each for resource in message.resource_metrics for scope in resource.scope_metrics for each in scope.metrics]
        lists = [getattr(metric, kind).data_points for metric in metrics if (kind := metric.WhichOneof("data")) is not None]
    return ((records, index) for records in lists for index in range(len(records)))
