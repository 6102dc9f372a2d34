"""What is done to the copies that wait to be forwarded, each in one process, and short: what is killed at every call of the disk.

The flow of `tests/faults/flow.py` has what happens to every request; this is what happens to some: a segment is copied where a file
system has no hard links, a backend refuses a request, and records are erased.
"""

import errno
import os
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from collector.forwarding.answers import Answer, Kind
from collector.forwarding.dead_letters import FOLDER as DEAD_LETTERS
from collector.forwarding.dead_letters import DeadLetters, Letter
from collector.forwarding.erasing import forget
from collector.forwarding.forwarder import Forwarder
from collector.forwarding.queue import activate, exporter_folder, keep
from collector.forwarding.requests import Outgoing
from collector.forwarding.told import Told
from collector.signals import SIGNALS, TRACES, Signal
from storage.catalog import Catalog
from storage.durable import DISK, FileSystem
from storage.rows import Rows
from storage.wal import BatchHeader, RecordType, Segment, WalWriter, closed_segments
from tests.faults.forward import EXPORTER, UntilIdle
from tests.faults.points import ToldDisk
from tests.faults.power import Power

ORIGIN: Final = "n/collector"
NAMES: Final = ("of one", "of two", "of one again")
REFUSED: Final = b"of two"
_TIME_NS: Final = 1_795_262_400 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Something that is done to copies; `do` may be called again, and `check` raises when it is not done."""

    prepare: Callable[[Path], None]
    do: Callable[[Path, FileSystem], None]
    check: Callable[[Path], None]


def request(name: str) -> bytes:
    """One span of this name."""
    message = TRACES.request()
    spans = message.resource_spans.add().scope_spans.add().spans
    spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name=name, start_time_unix_nano=_TIME_NS, end_time_unix_nano=_TIME_NS + 1)
    return bytes(message.SerializeToString())


def _queue(data: Path) -> Path:
    return exporter_folder(data, EXPORTER.id) / "queue"


def _letters(data: Path) -> Path:
    return exporter_folder(data, EXPORTER.id) / DEAD_LETTERS


def _segment(data: Path) -> Segment:
    (segment,) = closed_segments(data)
    return segment


def _closed(data: Path) -> None:
    """A segment that nobody has sealed yet, in a lake that keeps it for an exporter."""
    Catalog.open(data).close()
    activate(data, {EXPORTER.id: EXPORTER.signals})
    header = BatchHeader(signal="traces", tenant=None, received_ns=_TIME_NS, policy_hash="p", records=1).to_bytes()
    with closing(WalWriter(data, ORIGIN)) as writer:
        writer.append_segment([(RecordType.BATCH, header, request(name)) for name in NAMES])


def _kept(data: Path) -> None:
    _closed(data)
    keep(data, _segment(data))


def _refused_before(data: Path) -> None:
    """The same, and what the backend refused of it and of the entry behind it."""
    _kept(data)
    letters, segment = DeadLetters(exporter_folder(data, EXPORTER.id), 1 << 20), _segment(data)
    for entry in (segment.entry, segment.entry + 1):
        letter = Segment(origin=ORIGIN, entry=entry, path=segment.path)
        letters.keep(Letter(letter, Outgoing(TRACES, request(NAMES[0]), 1), Answer(kind=Kind.REFUSED)))


def _copy(data: Path, fs: FileSystem) -> None:
    """Keep a segment on a file system that knows no second names."""

    def refuse(*_: Any) -> NoReturn:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    original, Path.hardlink_to = Path.hardlink_to, refuse  # type: ignore[method-assign]
    try:
        keep(data, _segment(data), fs)
    finally:
        Path.hardlink_to = original  # type: ignore[method-assign]


def _check_copied(data: Path) -> None:
    (copy,) = _queue(data).iterdir()
    assert copy.read_bytes() == _segment(data).path.read_bytes()


class _Refusing:
    """A backend that takes every record but one, for which it asks for smaller requests first."""

    def __init__(self, data: Path) -> None:
        self._delivered = data.parent / "delivered"

    def send(self, _signal: Signal, body: bytes) -> Answer:
        if REFUSED in body and len(SIGNALS["traces"].request.FromString(body).resource_spans) > 1:
            return Answer(kind=Kind.TOO_LARGE)
        if REFUSED in body:
            return Answer(kind=Kind.REFUSED, reason="HTTP 400")
        with self._delivered.open("ab") as file:
            file.write(body)
        return Answer(kind=Kind.DELIVERED)

    def close(self) -> None:
        """Nothing is open between two requests."""


def _forward(data: Path, fs: FileSystem) -> None:
    Forwarder(data, EXPORTER, _Refusing(data), Told(data, "n"), UntilIdle(), fs=fs).run()


def _check_refused(data: Path) -> None:
    (why, letter) = sorted(_letters(data).iterdir())
    assert (letter.read_bytes(), why.stem) == (request(NAMES[1]), letter.stem)
    delivered = (data.parent / "delivered").read_bytes()
    assert [delivered.count(request(name)) > 0 for name in NAMES] == [True, False, True]


def _erase(data: Path, fs: FileSystem) -> None:
    rows = Rows()
    for row, name in enumerate(NAMES):
        if NAMES[0] in name:
            rows.add("spans", ORIGIN, _segment(data).entry, row)
    forget(data, rows, fs)


def _check_erased(data: Path) -> None:
    (segment,) = _queue(data).iterdir()
    content = segment.read_bytes()
    assert (content.count(NAMES[0].encode()), content.count(NAMES[1].encode())) == (0, 1)
    assert segment.stat().st_size == _segment(data).path.stat().st_size
    assert len(list(_letters(data).glob("*-000000000001-*"))) == len(list(_letters(data).iterdir())) == 2


WORKS: Final = {
    "a segment is copied": Work(prepare=_closed, do=_copy, check=_check_copied),
    "a backend refuses a request": Work(prepare=_kept, do=_forward, check=_check_refused),
    "records are erased": Work(prepare=_refused_before, do=_erase, check=_check_erased),
}


def calls(data: Path, work: str) -> list[tuple[str, str]]:
    """Do it, and return which calls of the disk that takes, with their moments."""
    seen: list[tuple[str, str]] = []
    WORKS[work].do(data, ToldDisk(data, lambda name, moment: seen.append((name, moment))))
    return seen


def die(path: str, work: str, number: int, kept: str | None) -> None:
    """The process that is killed at its call `number`, from 0, or when it is done; with `kept`, the disk loses its power then."""
    data, left = Path(path), number

    def reached(_name: str, _moment: str) -> None:
        nonlocal left
        if left == 0:
            end()
        left -= 1

    def end() -> NoReturn:
        if kept is not None:
            disk.lose(kept)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody survives that")

    disk = Power(data, reached)
    WORKS[work].do(data, disk)
    end()


def again(data: Path, work: str) -> None:
    """Do what was interrupted."""
    WORKS[work].do(data, DISK)
