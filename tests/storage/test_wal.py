"""The write-ahead log: what was acknowledged is there, once, in order, whatever happened."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import LakeLocked, StorageError
from storage.wal import BatchHeader, Counters, RecordType, Segment, WalWriter, closed_segments, read_segment
from tests import on_disk
from tests.failing_disk import Crash, FailingDisk

tmp_path_factory = on_disk.tmp_path_factory
RECEIPTS = {2: [("CARD", "CardRecognizer", "body.card", 1)]}
HEADER = BatchHeader(signal="traces", tenant="acme", received_ns=5, policy_hash="p", records=3, redactions=RECEIPTS, digest="d1")
ORIGIN = "node/collector"


def batch(body: bytes) -> tuple[RecordType, bytes, bytes]:
    return (RecordType.BATCH, HEADER.to_bytes(), body)


def bodies(data: Path) -> list[bytes]:
    return [record.payload for segment in closed_segments(data) for record in read_segment(segment, data / "quarantine")]


def test_headers_of_the_first_version_count_by_entity_alone() -> None:
    """A segment that waits to be sealed while the software is upgraded is not lost."""
    old = HEADER.to_bytes().replace(b'[["CARD","CardRecognizer","body.card",1]]', b'{"CARD":1}')
    assert old != HEADER.to_bytes()
    assert BatchHeader.from_bytes(old).redactions == {2: [("CARD", None, None, 1)]}


def test_headers_come_back_as_they_were_written() -> None:
    """Both headers are JSON whose inverse is exact, record indexes included."""
    counters = Counters(received=9, rejected=1, deduplicated=2, quarantined=3, reasons={"too large": 1})
    assert BatchHeader.from_bytes(HEADER.to_bytes()) == HEADER
    assert Counters.from_bytes(counters.to_bytes()) == counters


def test_appended_records_are_read_in_order(tmp_path: Path) -> None:
    """Records come back with type, header and body, numbered one by one, across appends and segments."""
    writer = WalWriter(tmp_path, ORIGIN)
    writer.append([batch(b"one"), batch(b"")])
    writer.append([(RecordType.COUNTERS, Counters(received=2).to_bytes(), b"")])
    segment = writer.rotate()
    writer.append([batch(b"three")])
    writer.close()
    assert segment is not None
    records = list(read_segment(segment, tmp_path / "quarantine"))
    assert [record.type for record in records] == [RecordType.BATCH, RecordType.BATCH, RecordType.COUNTERS]
    assert [record.seq - records[0].seq for record in records] == [0, 1, 2]
    assert BatchHeader.from_bytes(records[0].header) == HEADER
    assert bodies(tmp_path) == [b"one", b"", b"", b"three"]
    assert not (tmp_path / "quarantine").exists()


def test_rotation_without_records_closes_nothing(tmp_path: Path) -> None:
    """A quiet second leaves no segment and uses no number."""
    writer = WalWriter(tmp_path, ORIGIN)
    assert writer.rotate() is None
    writer.append([])
    assert writer.rotate() is None
    writer.close()
    assert closed_segments(tmp_path) == []
    assert writer.entry == 0


def test_entry_numbers_go_on_after_all_segments_were_sealed(tmp_path: Path) -> None:
    """A number is never used twice, even when no closed segment is left to count from."""
    for expected in range(3):
        writer = WalWriter(tmp_path, ORIGIN)
        writer.append([batch(b"x")])
        writer.close()
        (segment,) = closed_segments(tmp_path)
        assert segment.entry == expected
        segment.path.unlink()  # as the sealer does
    assert WalWriter(tmp_path, ORIGIN, first_entry=40).entry == 40


def test_a_second_writer_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    """One writer an origin; the remedy names the pid. Other origins are free, and the lock ends with its holder."""
    writer = WalWriter(tmp_path, ORIGIN)
    with pytest.raises(LakeLocked, match=f"process {os.getpid()} holds it"):
        WalWriter(tmp_path, ORIGIN)
    WalWriter(tmp_path, "node/alerts").close()
    writer.close()
    WalWriter(tmp_path, ORIGIN).close()


def test_an_origin_cannot_leave_the_wal_folder(tmp_path: Path) -> None:
    """Origins come from configuration: they are names, not paths."""
    for origin in ("../x", "a//b", "/etc", "a/..", "", "a b"):
        with pytest.raises(StorageError, match="an origin is names"):
            WalWriter(tmp_path, origin)


def test_a_left_over_segment_is_closed_at_the_next_start(tmp_path: Path) -> None:
    """A writer that died leaves `.open`; the next one makes it sealable and continues behind it."""
    dead = WalWriter(tmp_path, ORIGIN)
    dead.append([batch(b"kept")])
    dead._release()
    writer = WalWriter(tmp_path, ORIGIN)
    assert writer.entry == 1
    assert bodies(tmp_path) == [b"kept"]
    writer.close()


@pytest.mark.parametrize("tail", [b"\xa1WAL\x01\x01\xff", b"\0" * 5000, b"\xa1"])
def test_a_torn_tail_is_cut_off_without_alarm(tmp_path: Path, tail: bytes) -> None:
    """What an interrupted write leaves was never acknowledged: it is removed and nobody is called."""
    dead = WalWriter(tmp_path, ORIGIN)
    dead.append([batch(b"kept")])
    dead._release()
    with (tmp_path / "wal" / ORIGIN / "000000000000.open").open("ab") as file:
        file.write(tail)
    WalWriter(tmp_path, ORIGIN).close()
    assert bodies(tmp_path) == [b"kept"]
    assert not (tmp_path / "quarantine").exists()


def test_segments_of_all_origins_are_listed_in_their_order(tmp_path: Path) -> None:
    """Entries of an origin keep their order even when file times do not."""
    for origin in (ORIGIN, "node/alerts"):
        writer = WalWriter(tmp_path, origin)
        for body in (b"a", b"b"):
            writer.append([batch(body)])
            writer.rotate()
        writer.close()
    os.utime(tmp_path / "wal" / ORIGIN / "000000000000-1.wal", ns=(2**60, 2**62))
    listed = closed_segments(tmp_path)
    assert len(listed) == 4
    assert [segment.entry for segment in listed if segment.origin == ORIGIN] == [0, 1]
    assert closed_segments(tmp_path / "nowhere") == []


@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize(("error", "remedy"), [(errno.EIO, "I/O error"), (errno.ENOSPC, "disk is full")])
def test_a_failed_append_stops_the_writer_for_good(tmp_path: Path, operation: str, error: int, remedy: str) -> None:
    """After a failed write or sync nothing more is acknowledged by this writer; a new one has all that was, and nothing else."""
    disk = FailingDisk(0 if operation == "sync" else 2, operations=(operation,), error=error)  # the header is written first
    writer = WalWriter(tmp_path, ORIGIN, fs=disk)
    acknowledged = []
    for body in (b"first", b"second"):
        with contextlib.suppress(StorageError):
            writer.append([batch(body)])
            acknowledged.append(body)
    assert acknowledged == ([b"first"] if operation == "write" else [])
    with pytest.raises(StorageError, match=remedy):
        writer.append([batch(b"third")])
    with pytest.raises(StorageError, match="an earlier write failed"):
        writer.rotate()
    writer.close()
    WalWriter(tmp_path, ORIGIN).close()
    assert bodies(tmp_path) == acknowledged


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    """Use after close is an error, not a write to someone else's file."""
    writer = WalWriter(tmp_path, ORIGIN)
    writer.close()
    writer.close()
    with pytest.raises(StorageError, match="was closed"):
        writer.append([batch(b"x")])


@pytest.mark.parametrize("at_once", [False, True], ids=["append", "append_segment"])
def test_nothing_acknowledged_is_lost_at_any_kill_point(tmp_path: Path, at_once: bool) -> None:
    """Die at every single call of the file system: what `append` returned for is read exactly once, and in order."""
    for at in range(60):
        data = tmp_path / str(at)
        disk = FailingDisk(at, crash=True)
        acknowledged: list[bytes] = []
        writer = None
        try:
            writer = WalWriter(data, ORIGIN, fs=disk)
            for number in range(3):
                (writer.append_segment if at_once else writer.append)([batch(b"body %d" % number)])
                acknowledged.append(b"body %d" % number)
                writer.rotate()
        except Crash:
            pass
        if writer is not None:
            writer._release()
        WalWriter(data, ORIGIN).close()
        found = bodies(data)
        assert found[: len(acknowledged)] == acknowledged
        assert len(found) <= len(acknowledged) + 1  # one may be durable though its acknowledgement died
        entries = [segment.entry for segment in closed_segments(data)]
        assert entries == list(range(len(entries)))
        if not disk.failed:
            return
    pytest.fail("more calls than expected: the loop did not reach the end")


def test_what_is_acknowledged_is_synced_with_its_name(tmp_path: Path) -> None:
    """The first records of a segment that no directory names durably sync the directory, too; a segment at once takes two syncs."""

    def syncs(disk: FailingDisk, call: Callable[[], object]) -> int:
        before = disk.calls
        call()
        return disk.calls - before

    disk = FailingDisk(-1, operations=("sync", "sync_directory"))
    writer = WalWriter(tmp_path, ORIGIN, fs=disk)
    assert [syncs(disk, lambda: writer.append([batch(b"x")])) for _ in range(2)] == [2, 1]
    assert [syncs(disk, writer.rotate), syncs(disk, lambda: writer.append([batch(b"y")]))] == [1, 1]
    writer.close()
    alone = WalWriter(tmp_path, "node/alerts", fs=disk)
    assert syncs(disk, lambda: alone.append_segment([batch(b"z")])) == 2
    alone.close()


def test_acknowledged_records_survive_kill_9(tmp_path: Path) -> None:
    """A real process, really killed while it appends and rotates."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom storage.wal import RecordType, WalWriter\n"
        "writer = WalWriter(Path(sys.argv[1]), 'node/collector')\n"
        "for number in range(10**6):\n"
        "    writer.append([(RecordType.BATCH, b'{}', b'%d' % number)])\n"
        "    print(number, flush=True)\n"
        "    if number % 50 == 49: writer.rotate()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(120)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().splitlines()]
    process.stdout.close()
    process.wait()
    WalWriter(tmp_path, ORIGIN).close()
    found = [int(body) for body in bodies(tmp_path)]
    assert found[: len(acknowledged)] == acknowledged
    assert found == list(range(len(found)))


def test_a_segment_of_a_newer_version_is_not_guessed_at(tmp_path: Path) -> None:
    """Intact records that this version does not know stop the reader with a remedy; they are not damage."""
    writer = WalWriter(tmp_path, ORIGIN)
    writer.append([(7, b"{}", b"from the future")])  # type: ignore[list-item]
    writer.close()
    (segment,) = closed_segments(tmp_path)
    with pytest.raises(StorageError, match="newer version"):
        list(read_segment(segment, tmp_path / "quarantine"))


def test_an_unreadable_segment_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """A segment that vanished is reported, not treated as empty."""
    with pytest.raises(StorageError, match="read the WAL"):
        list(read_segment(Segment(origin=ORIGIN, entry=0, path=tmp_path / "none.wal"), tmp_path / "quarantine"))
