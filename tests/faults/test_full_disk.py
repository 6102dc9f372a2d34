"""A disk that is full, read-only or broken: nothing is acknowledged from the first failed call on, and nothing acknowledged is lost."""

import errno
import resource
import sys
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from collector.sealer import seal_pending
from collector.signals import TRACES
from storage.catalog import Catalog
from storage.durable import DISK, FileLock
from storage.errors import LakeLocked, StorageError
from storage.wal import WalWriter, closed_segments
from tests.collector.served import PROTOBUF, Served, a_trace
from tests.collector_process import CollectorProcess, trace_of
from tests.failing_disk import FailingDisk
from tests.faults.flow import ORIGIN, stored
from tests.lake_checks import check_lake
from tests.polling import wait_until


class ShortDisk(FailingDisk):
    """Takes half of what the failing call writes: what a disk that becomes full does."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.calls == self._at:
            DISK.write(descriptor, data[: len(data) // 2])
        return super().write(descriptor, data)


DISKS = {
    "full": (ShortDisk, "write", errno.ENOSPC),
    "read-only": (FailingDisk, "write", errno.EROFS),
    "failed write": (FailingDisk, "write", errno.EIO),
    "failed fsync": (FailingDisk, "sync", errno.EIO),
    "full at fsync": (FailingDisk, "sync", errno.ENOSPC),
}


@pytest.mark.parametrize(("kind", "operation", "error"), DISKS.values(), ids=list(DISKS))
def test_both_protocols_refuse_from_the_first_failed_call_on(tmp_path, kind, operation, error):
    """With 503 and UNAVAILABLE, which senders repeat; the disk is not touched again, and what the answer was for is all there."""
    data = tmp_path / "data"
    # two requests, and the segment's header, which is synced with the first of them
    disk = kind(3 if operation == "write" else 2, operations=(operation,), error=error)
    served = Served(writer=WalWriter(data, ORIGIN, fs=disk))
    try:
        for name in ("one", "two"):
            assert served.post("/v1/traces", a_trace(name), PROTOBUF).status_code == 200
        answer = served.post("/v1/traces", a_trace("three"), PROTOBUF)
        assert disk.failed
        calls = disk.calls
        for _ in range(2):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert status_pb2.Status.FromString(answer.content).message.startswith("nothing can be stored now")
            answer = served.post("/v1/traces", a_trace("four"), PROTOBUF)
        with pytest.raises(grpc.RpcError) as refused:
            served.call(TRACES, a_trace("five"))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
        assert status_pb2.Status.FromString(details).details[0].Is(error_details_pb2.RetryInfo.DESCRIPTOR)
        assert disk.calls == calls
        assert served.committer.failure
    finally:
        served.close()
    assert sealed(data) == Counter(["one", "two"])


def sealed(data: Path) -> Counter[str]:
    """What the next collector makes of what is on the disk."""
    WalWriter(data, ORIGIN).close()
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    check_lake(data)
    return stored(data)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_sealing_on_a_full_disk_waits_and_loses_nothing(tmp_path, error):
    """Whatever call fails: the segment stays until its rows are in the lake, what the log lacks waits in the catalog, and the next attempt
    goes on.
    """
    data = tmp_path / "data"
    served = Served(writer=WalWriter(data, ORIGIN))
    try:
        assert served.post("/v1/traces", a_trace("one"), PROTOBUF).status_code == 200
    finally:
        served.close()
    with closing(Catalog.open(data)) as catalog:
        for at in range(100):
            disk = FailingDisk(at, error=error)
            with suppress(StorageError):
                seal_pending(data, catalog, fs=disk)
            if not disk.failed:
                break
            assert closed_segments(data) or catalog.has_entry(ORIGIN, 0)
        assert at > 5
        assert closed_segments(data) == []
    check_lake(data)
    assert stored(data) == Counter(["one"])


def test_a_lock_is_taken_on_a_full_disk(tmp_path):
    """Who seals, merges or deletes needs one, and that is what makes room again."""
    (tmp_path / "LOCK").touch()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))
    try:
        lock = FileLock(tmp_path / "LOCK", "test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    with lock, pytest.raises(LakeLocked, match="process unknown holds it"):
        FileLock(tmp_path / "LOCK", "test")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set by prlimit")
def test_a_collector_whose_disk_takes_no_more_is_red_and_acknowledges_nothing(tmp_path):
    """The kernel refuses in the middle of a write. With room again it stays red until it is restarted: what the disk holds is unknown."""
    acknowledged = []
    collector = CollectorProcess(tmp_path, interval="60s", redacted=False)
    with collector:
        (segment,) = (collector.data / "wal/n1/collector").glob("*.open")
        unlimited = resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE)
        limit = segment.stat().st_size + 20_000
        resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        codes = []
        for number in range(40):
            names = [f"{number}-{index}" for index in range(20)]
            codes.append(collector.post("traces", trace_of(names)).status_code)
            if codes[-1] == 200:
                acknowledged += names
        first = codes.index(503)
        assert first > 0
        assert set(codes[first:]) == {503}
        assert segment.stat().st_size <= limit
        resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert collector.post("traces", trace_of(["with room again"])).status_code == 503
        health = collector.health()
        assert health.status_code == 503
        assert health.json()["components"]["wal"]["state"].startswith("down: ")
        wait_until(lambda: not collector.ready())
        collector.kill()
    WalWriter(collector.data, "n1/collector").close()
    with closing(Catalog.open(collector.data)) as catalog:
        seal_pending(collector.data, catalog)
    check_lake(collector.data)
    assert stored(collector.data) == Counter(acknowledged)
