"""Group commit against the real WAL: a full disk refuses, and what was acknowledged before stays readable."""

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.committer import APPEND_BYTES, Committer
from collector.errors import TooLarge, Unavailable
from storage.wal import BatchHeader, RecordType, WalWriter, closed_segments, read_segment
from tests.failing_disk import FailingDisk
from tests.fakes import FakeWriter


def header(number: int) -> BatchHeader:
    return BatchHeader(signal="traces", tenant=None, received_ns=number, policy_hash="p", records=1)


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_full_disk_refuses_and_loses_nothing_acknowledged(tmp_path: Path, operation: str) -> None:
    """Whatever call fails: acknowledged batches are read back, refused ones are not."""
    for at in range(2, 9):
        data = tmp_path / f"{operation}-{at}"
        disk = FailingDisk(at, operations=(operation,), error=errno.ENOSPC)
        writer = WalWriter(data, "n/collector", fs=disk)
        acknowledged = asyncio.run(commit_until_refused(writer))
        assert disk.failed
        reopened = WalWriter(data, "n/collector")
        reopened.close()
        read = [
            BatchHeader.from_bytes(record.header).received_ns
            for segment in closed_segments(data)
            for record in read_segment(segment, data / "quarantine")
            if record.type == RecordType.BATCH
        ]
        assert read == acknowledged


async def commit_until_refused(writer: WalWriter) -> list[int]:
    committer = Committer(writer)
    task = asyncio.create_task(committer.run())
    acknowledged = []
    for number in range(20):
        try:
            await committer.submit(header(number), b"payload")
        except Unavailable:
            break
        acknowledged.append(number)
        if number % 3 == 2:
            await committer.rotate()
    assert committer.failure
    assert await committer.rotate() is None
    await committer.close()
    await task
    return acknowledged


def test_what_is_queued_at_close_is_committed(tmp_path: Path) -> None:
    async def main() -> None:
        committer = Committer(WalWriter(tmp_path, "n/collector"))
        task = asyncio.create_task(committer.run())
        commits = [committer.submit(header(number), b"payload") for number in range(50)]
        await committer.close()
        await task
        assert all(commit.done() and commit.exception() is None for commit in commits)
        with pytest.raises(Unavailable):
            committer.submit(header(99), b"payload")

    asyncio.run(main())
    (segment,) = closed_segments(tmp_path)
    types = [record.type for record in read_segment(segment, tmp_path / "quarantine")]
    assert types == [RecordType.BATCH] * 50 + [RecordType.COUNTERS]


class BrokenWriter(FakeWriter):
    """A WAL with a defect: its appends end in an error that nobody expects."""

    def append(self, records: Sequence[tuple[RecordType, bytes, bytes]]) -> None:
        raise ZeroDivisionError


def test_a_defect_refuses_instead_of_leaving_senders_waiting() -> None:
    async def main() -> None:
        committer = Committer(BrokenWriter())
        task = asyncio.create_task(committer.run())
        with pytest.raises(Unavailable):
            await asyncio.wait_for(committer.submit(header(1), b"payload"), 5)
        with pytest.raises(ZeroDivisionError):
            await task
        assert committer.failure == "the committer stopped"

    asyncio.run(main())


def test_a_rotation_asked_for_under_load_happens() -> None:
    """More is queued than fits into one append: the segment is closed all the same, and what comes later is sealed as well."""

    async def main() -> None:
        writer = FakeWriter()
        committer = Committer(writer)
        task = asyncio.create_task(committer.run())
        commits = [committer.submit(header(number), bytes(APPEND_BYTES // 2)) for number in range(8)]
        await asyncio.wait_for(committer.rotate(), 5)
        await asyncio.gather(*commits)
        assert writer.rotations == 1
        commits = [committer.submit(header(number), bytes(APPEND_BYTES // 2)) for number in range(8)]
        await asyncio.wait_for(committer.close(), 5)
        await task
        assert all(commit.done() and commit.exception() is None for commit in commits)
        assert [kind for kind, _, _ in writer.records][-1] == RecordType.COUNTERS

    asyncio.run(main())


def test_who_asked_for_a_rotation_may_go_away() -> None:
    async def main() -> None:
        committer = Committer(FakeWriter())
        task = asyncio.create_task(committer.run())
        asking = asyncio.create_task(committer.rotate())
        await asyncio.sleep(0)
        asking.cancel()
        await committer.submit(header(1), b"payload")
        await committer.close()
        await task

    asyncio.run(main())


def test_the_age_of_an_open_segment_is_known() -> None:
    async def main() -> None:
        now = 100.0
        committer = Committer(FakeWriter(), clock=lambda: now)
        task = asyncio.create_task(committer.run())
        assert committer.segment_seconds == 0
        await committer.submit(header(1), b"payload")
        now = 190.0
        await committer.submit(header(2), b"payload")
        assert committer.segment_seconds == 90
        await committer.rotate()
        assert committer.segment_seconds == 0
        await committer.close()
        await task

    asyncio.run(main())


def test_a_batch_that_no_record_can_hold_is_refused_and_harms_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("collector.committer", "storage.wal_format"):
        monkeypatch.setattr(f"{module}.MAX_PAYLOAD_BYTES", 1000)

    async def main() -> None:
        committer = Committer(WalWriter(tmp_path, "n/collector"))
        task = asyncio.create_task(committer.run())
        room = 1000 - 4 - len(header(1).to_bytes())
        with pytest.raises(TooLarge):
            await committer.submit(header(1), bytes(room + 1))
        await committer.submit(header(1), bytes(room))
        await committer.close()
        await task

    asyncio.run(main())
