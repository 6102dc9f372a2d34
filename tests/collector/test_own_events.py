"""What the collector tells about refusals and about its WAL: at once, then rarely, bounded, and nothing that was sent."""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from collector.committer import Committer
from collector.errors import Overloaded, Refused, Unauthenticated
from collector.gauges import LakeGauges
from collector.instruments import (
    CHECKPOINT_AGE,
    COMPACTION_LAG,
    DISK_FREE,
    DISK_USED,
    QUARANTINED,
    SEAL_LAG,
    SEGMENTS_WAITING,
    WAL_SIZE,
)
from collector.mishaps import Mishaps
from collector.own_events import EVENT_EVERY_SECONDS, OTHER_SENDERS, SENDERS, OwnEvent, SenderEvents, payload, wal_failed_event
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.receivers.grpc import peer_of
from collector.reporter import Reporter
from collector.resends import Resends
from collector.signals import LOGS, TRACES
from collector.telemetry import Telemetry
from collector.timed_writer import TimedWriter
from storage.compaction_plan import SETTLE_NS
from storage.errors import StorageError
from storage.wal import BatchHeader, RecordType, WalWriter
from tests.collector.otlp_samples import logs
from tests.collector.policies_in_force import fake_policy
from tests.collector.served import CONFIG, Served
from tests.failing_disk import SECOND_NS
from tests.failing_disk import seal as seal_entry
from tests.fakes import FakeCleaner, FakeWriter
from tests.lake_rows import NOON_NS
from tests.sealed_lake import seal

ORIGIN = "node/collector"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def told(events: list[OwnEvent]) -> list[tuple[Any, Any, Any]]:
    """Reason, sender and number of each."""
    names = ("auditlake.reason_code", "auditlake.security.sender", "auditlake.security.count")
    return [tuple(event.attributes.get(name) for name in names) for event in events]  # type: ignore[misc]  # three names


def test_refusals_are_told_at_once_then_once_a_minute_with_the_sum() -> None:
    clock = Clock()
    events = SenderEvents(clock=clock)
    events.add("unauthenticated", "192.0.2.7")
    events.add("rate_limited", "billing")
    assert told(events.take()) == [("unauthenticated", "192.0.2.7", 1), ("rate_limited", "billing", 1)]
    for _ in range(5):
        events.add("unauthenticated", "192.0.2.7")
    assert events.take() == []
    clock.seconds += EVENT_EVERY_SECONDS
    assert told(events.take()) == [("unauthenticated", "192.0.2.7", 5)]
    clock.seconds += EVENT_EVERY_SECONDS
    assert events.take() == []
    events.add("unauthenticated", "192.0.2.7")
    assert told(events.take()) == [("unauthenticated", "192.0.2.7", 1)], "who was quiet for a minute is told at once again"


def test_what_waits_for_its_minute_is_told_at_the_end() -> None:
    events = SenderEvents(clock=Clock())
    events.add("overloaded", None)
    events.take()
    events.add("overloaded", None)
    assert told(events.take(everything=True)) == [("overloaded", "unknown", 1)]


def test_mistakes_are_no_attempts() -> None:
    events = SenderEvents(clock=Clock())
    for reason in ("malformed", "too_large", "unknown_path", "unavailable"):
        events.add(reason, "192.0.2.7")
    assert events.take() == []


def test_senders_beyond_a_hundred_are_one() -> None:
    """A flood from a thousand addresses is a hundred and one events a minute, and no memory."""
    clock = Clock()
    events = SenderEvents(clock=clock)
    for number in range(1000):
        events.add("unauthenticated", f"192.0.2.{number}")
    found = told(events.take())
    assert len(found) == SENDERS + 1
    assert found[-1] == ("unauthenticated", OTHER_SENDERS, 1000 - SENDERS)
    clock.seconds += EVENT_EVERY_SECONDS
    assert events.take() == []
    events.add("unauthenticated", "198.51.100.1")
    assert told(events.take()) == [("unauthenticated", "198.51.100.1", 1)], "a minute later there is room again"


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("ipv4:192.0.2.1:40112", "192.0.2.1"),
        ("ipv6:[2001:db8::1]:40112", "2001:db8::1"),
        ("ipv6:%5B2001:db8::1%5D:40112", "2001:db8::1"),
        ("unix:/run/x", None),
    ],
)
def test_of_a_peer_we_know_the_address_alone(name: str, peer: str | None) -> None:
    assert peer_of(name) == peer


def refusal(error: Refused, sender: str = "anonymous", peer: str | None = None) -> Refused:
    error.sender_name, error.peer = sender, peer
    return error


def test_a_sender_with_a_name_is_told_by_it_another_by_its_address() -> None:
    telemetry = Telemetry("node", 0)
    pipeline = Pipeline(
        policies=Policies(fake_policy(FakeCleaner())), committer=Committer(FakeWriter()), resends=Resends(b"k" * 32), telemetry=telemetry
    )
    pipeline.refused(refusal(Unauthenticated("x", challenge="Bearer"), peer="192.0.2.7"))
    pipeline.refused(refusal(Overloaded("x"), sender="billing", peer="192.0.2.7"))
    assert told(telemetry.sender_events.take()) == [("unauthenticated", "192.0.2.7", 1), ("overloaded", "billing", 1)]


def test_wrong_credentials_are_told_by_the_address_over_both_protocols_and_for_events() -> None:
    """Never by what was sent as a token."""
    token, wrong = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    guarded = CONFIG.replace("max_recv_msg_size_mib: 1", "auth: {authenticator: bearertokenauth}")
    guarded = guarded.replace("max_request_body_size: 1048576", "auth: {authenticator: bearertokenauth}")
    guarded = guarded.replace("\nextensions:\n", f'\nextensions:\n  bearertokenauth: {{token: "{token}"}}\n')
    served = Served(guarded.replace("[health_check]", "[health_check, bearertokenauth]"))
    json = {"content-type": "application/json"}
    assert served.post("/v1/events", b'{"event": "e"}', json).status_code == 401
    assert served.post("/v1/events", b'{"event": "e"}', json | {"authorization": f"Bearer {wrong}"}).status_code == 401
    with pytest.raises(grpc.RpcError):
        served.call(TRACES, b"", ("authorization", f"Bearer {wrong}"))
    assert served.post("/v1/events", b'{"event": "e"}', json | {"authorization": f"Bearer {token}"}).status_code == 200
    served.close()
    events = served.telemetry.sender_events.take()
    assert told(events) == [("unauthenticated", "127.0.0.1", 3)]
    assert wrong not in str(events)


def test_an_event_is_a_log_record_of_our_scope() -> None:
    (record,) = LOGS.request.FromString(payload("node", [wal_failed_event(ORIGIN)], 17)).resource_logs[0].scope_logs[0].log_records
    assert (record.event_name, record.severity_text, record.time_unix_nano) == ("wal.failed", "ERROR", 17)


class Bench:
    """A reporter over a WAL in memory and a data directory."""

    def __init__(self, data: Path, writer: FakeWriter | None = None, lake: LakeGauges | None = None) -> None:
        self.writer = writer or FakeWriter()
        self.committer = Committer(self.writer)
        self.telemetry = Telemetry("node", 0)
        self.mishaps = Mishaps(data, ORIGIN, quarantine=True)
        self.reporter = Reporter("node", self.committer, self.telemetry, Policies(fake_policy(FakeCleaner())), self.mishaps, lake)

    def report(self, until: Callable[[], bool], *, seconds: float = 5.0) -> None:
        """Run the reporter until something is true."""

        async def main() -> None:
            committing, reporting = asyncio.create_task(self.committer.run()), asyncio.create_task(self.reporter.report_events())
            async with asyncio.timeout(seconds):
                while not until():  # noqa: ASYNC110 - what is waited for is in a file
                    await asyncio.sleep(0.01)
            reporting.cancel()
            await self.committer.close()
            await committing

        asyncio.run(main())

    @property
    def events(self) -> list[tuple[str, str]]:
        """Name and resource of every event in the WAL, all of which are our own."""
        found = []
        for kind, header, message in self.writer.records:
            if kind == RecordType.BATCH:
                assert BatchHeader.from_bytes(header).own
                (group,) = LOGS.request.FromString(message).resource_logs
                for record in group.scope_logs[0].log_records:
                    attributes = {pair.key: pair.value.string_value for pair in record.attributes}
                    found.append((record.event_name, attributes["auditlake.resource"]))
        return found


class FailingWriter(FakeWriter):
    """A WAL on a full disk."""

    def append(self, records: Any) -> None:
        raise StorageError("append to the WAL", "x", hint="the disk is full")


def opened(data: Path) -> Path:
    """A data directory in which the origin has a WAL."""
    WalWriter(data, ORIGIN).close()
    return data


def test_pieces_of_a_wal_in_quarantine_are_told_once(tmp_path: Path) -> None:
    """By whose they are, also after a restart, and by nobody else."""
    data = opened(tmp_path / "data")
    quarantine = data / "quarantine"
    quarantine.mkdir()
    for name in ("node~collector-000000000003-0.bin", "node~collector-000000000003-71.bin", "node~alerts-000000000001-0.bin"):
        (quarantine / name).write_bytes(b"x")
    bench = Bench(data)
    bench.report((quarantine / ".told").exists)
    assert sorted(bench.events) == [("security", "wal/node/alerts"), ("security", "wal/node/collector")]
    assert Mishaps(data, ORIGIN, quarantine=True).events() == []
    (quarantine / "node~collector-000000000009-0.bin").write_bytes(b"x")
    assert len(Mishaps(data, ORIGIN, quarantine=True).events()) == 1
    assert Mishaps(data, ORIGIN, quarantine=False).events() == []


def test_a_wal_that_failed_is_told_by_the_next_start(tmp_path: Path) -> None:
    """What fails cannot write that it failed; the note is overwritten in place, as a full disk allows."""
    data = opened(tmp_path / "data")
    note = data / "wal" / ORIGIN / "condition"
    failing = Bench(data, FailingWriter())
    size = note.stat().st_size

    def submitted() -> bool:
        if failing.committer.failure is None:
            header = BatchHeader(signal="logs", tenant=None, received_ns=1, policy_hash="p", records=1)
            failing.committer.submit(header, b"")
        return b"failed" in note.read_bytes()

    failing.report(submitted)
    assert note.stat().st_size == size
    after = Bench(data)
    after.report(lambda: b"failed" not in note.read_bytes())
    assert after.events == [("wal.failed", "wal/node/collector")]
    assert Mishaps(data, ORIGIN, quarantine=True).events() == []


def test_mishaps_never_raise(tmp_path: Path) -> None:
    """A data directory that is gone is a matter of health."""
    mishaps = Mishaps(tmp_path / "none", ORIGIN, quarantine=True)
    mishaps.wal_failed()
    assert mishaps.events() == []
    mishaps.told()
    LakeGauges(tmp_path / "none").measure()


def test_the_data_directory_says_what_waits(tmp_path: Path) -> None:
    data = opened(tmp_path / "data")
    gauges = LakeGauges(data)
    gauges.measure()
    before = {reading.instrument: reading.value for reading in gauges()}
    assert (before[SEGMENTS_WAITING], before[SEAL_LAG], before[QUARANTINED]) == (0, 0, 0)
    assert before[DISK_FREE] > 0
    assert before[DISK_USED] > 0
    writer = WalWriter(data, ORIGIN)
    header = BatchHeader(signal="logs", tenant=None, received_ns=1, policy_hash="p", records=1)
    writer.append([(RecordType.BATCH, header.to_bytes(), b"x" * 1000)])
    writer.rotate()
    writer.close()
    gauges.measure()
    after = {reading.instrument: reading.value for reading in gauges()}
    assert after[SEGMENTS_WAITING] == 1
    assert after[SEAL_LAG] >= 0
    assert after[WAL_SIZE] > before[WAL_SIZE] + 1000


@pytest.mark.parametrize(("first", "expected"), [(True, [0, 3, 4, 7, 10]), (False, [4])])
def test_one_collector_of_a_data_directory_writes_its_metrics_also_while_idle(tmp_path: Path, first: bool, expected: list[int]) -> None:
    """At once, then every thirty seconds, counted from the last time; others are silent until they are asked for something."""
    bench = Bench(opened(tmp_path / "data"), lake=LakeGauges(tmp_path) if first else None)

    async def turns() -> list[int]:
        """The turns of ten seconds at which something was written; in one of them there was something to write."""
        found = []
        for turn in range(11):
            if turn == 4:
                bench.telemetry.refused("malformed")
            before = bench.committer.waiting
            bench.reporter.turn()
            found += [turn] if bench.committer.waiting != before else []
        return found

    assert asyncio.run(turns()) == expected


def readings(gauges: LakeGauges) -> dict[Any, float]:
    gauges.measure()
    return {reading.instrument: reading.value for reading in gauges()}


def test_a_log_that_got_no_checkpoint_says_for_how_long(tmp_path: Path) -> None:
    """The catalog is asked every ten seconds; who keeps no ledger misses no checkpoint."""
    data = seal(tmp_path / "data", [("logs", logs({"body": "hello"}))])
    clock = Clock()
    clock.seconds = (data / "ledger" / ORIGIN / "checkpoint").stat().st_mtime + 100
    gauges = LakeGauges(data, clock=clock)
    assert readings(gauges)[CHECKPOINT_AGE] == pytest.approx(100)
    clock.seconds += 9
    assert readings(gauges)[CHECKPOINT_AGE] == pytest.approx(100)
    clock.seconds += 1
    assert readings(gauges)[CHECKPOINT_AGE] == pytest.approx(110)
    assert CHECKPOINT_AGE not in readings(LakeGauges(data, ledger=False, clock=clock))


def test_files_that_nobody_merges_say_for_how_long(tmp_path: Path) -> None:
    clock = Clock()
    gauges = LakeGauges(tmp_path, clock=clock)
    for entry in range(2):
        seal_entry(tmp_path, entry, spans=1, at_ns=NOON_NS + entry * SECOND_NS)
    minute_is_over = (NOON_NS + SETTLE_NS) / 1e9 + 60
    for seconds, lag in ((-1, 0), (0, 0), (3600, 3600)):
        clock.seconds = minute_is_over + seconds
        assert readings(gauges)[COMPACTION_LAG] == pytest.approx(lag)


def test_an_append_is_timed_and_a_failed_one_is_not() -> None:
    seconds: list[float] = []
    TimedWriter(FakeWriter(), seconds.append).append([])
    with pytest.raises(StorageError):
        TimedWriter(FailingWriter(), seconds.append).append([])
    assert len(seconds) == 1
