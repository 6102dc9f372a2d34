"""The flow up to the acknowledgement: durable first, once, and refused as a whole when it cannot be."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from collector.committer import Committer
from collector.errors import Unavailable
from collector.pipeline import UNREDACTED, Pipeline
from collector.policies import Policies
from collector.receivers.encoding import Encoding
from collector.request import IN_LOOP_BYTES, read_request
from collector.resends import Resends
from collector.sender import ANONYMOUS
from collector.signals import LOGS, TRACES, Message
from collector.telemetry import Telemetry
from storage.wal import BatchHeader, Counters, RecordType
from tests.collector.policies_in_force import fake_policy
from tests.fakes import FakeCleaned, FakeCleaner, FakeWriter

TRACE, SPAN = b"\xf1" * 16, b"\xf2" * 8
KEY = b"k" * 32
NOW_NS = 1_800_000_000_000_000_000


def traces(*names: str, bad: int = 0) -> bytes:
    """A request body with one span a name, and `bad` spans without an id."""
    message = TRACES.request()
    spans = message.resource_spans.add().scope_spans.add().spans
    for name in names:
        spans.add(trace_id=TRACE, span_id=SPAN, name=name)
    for _ in range(bad):
        spans.add(name="bad")
    return message.SerializeToString()


class Bench:
    """A pipeline over a WAL in memory, with its committer running."""

    def __init__(self, writer: FakeWriter | None = None, *, cleaner: FakeCleaner | None = None, unredacted: Sequence[str] = ()) -> None:
        self.writer = writer or FakeWriter()
        self.committer = Committer(self.writer)
        self.resends = Resends(KEY)
        self.telemetry = Telemetry("node", NOW_NS)
        self.cleaner = cleaner = cleaner or FakeCleaner()
        self.pipeline = Pipeline(
            policies=Policies(fake_policy(cleaner, unredacted)),
            committer=self.committer,
            resends=self.resends,
            telemetry=self.telemetry,
            time_ns=lambda: NOW_NS,
        )

    async def send(self, body: bytes) -> Message:
        return (await self.pipeline.export(TRACES, Encoding.PROTOBUF, body)).message

    @property
    def batches(self) -> list[tuple[BatchHeader, bytes]]:
        return [(BatchHeader.from_bytes(header), payload) for kind, header, payload in self.writer.records if kind == RecordType.BATCH]

    @property
    def counters(self) -> list[Counters]:
        return [Counters.from_bytes(header) for kind, header, _ in self.writer.records if kind == RecordType.COUNTERS]


def run(test: Callable[[Bench], Awaitable[None]], bench: Bench | None = None) -> Bench:
    """Run `test` with the committer alive, then close it."""
    bench = bench or Bench()

    async def main() -> None:
        task = asyncio.create_task(bench.committer.run())
        await test(bench)
        await bench.committer.close()
        await task

    asyncio.run(main())
    return bench


def test_what_is_acknowledged_is_redacted_in_the_wal_with_its_header() -> None:
    async def test(bench: Bench) -> None:
        response = await bench.send(traces("my canary", "clean"))
        assert not response.HasField("partial_success")
        ((header, payload),) = bench.batches
        assert b"canary" not in payload
        assert header.signal == "traces"
        assert (header.records, header.withheld, header.own) == (2, 0, False)
        assert (header.received_ns, header.policy_hash) == (NOW_NS, "fake-policy")
        assert header.redactions == {0: [("CANARY", "fake", "name", 1)]}
        assert header.digest == Resends(KEY).identity(TRACES, TRACES.request.FromString(traces("my canary", "clean"))).hex()
        assert header.digest != Resends(b"another key").identity(TRACES, TRACES.request.FromString(traces("my canary", "clean"))).hex()

    run(test)


def test_rejected_records_are_a_partial_success_and_counted() -> None:
    async def test(bench: Bench) -> None:
        response = await bench.send(traces("a", bad=2))
        assert response.partial_success.rejected_spans == 2
        assert "2 spans rejected" in response.partial_success.error_message
        response = await bench.send(traces(bad=1))
        assert response.partial_success.rejected_spans == 1
        assert len(bench.batches) == 1

    bench = run(test)
    (counters,) = bench.counters
    assert (counters.received, counters.rejected, counters.deduplicated) == (4, 3, 0)
    assert counters.reasons == {"trace_id must be 16 bytes and not zero": 3}


def test_an_empty_request_succeeds_and_writes_nothing() -> None:
    async def test(bench: Bench) -> None:
        assert not (await bench.send(b"")).HasField("partial_success")

    assert run(test).writer.appends == []


def test_an_exact_resend_is_stored_once() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(traces("a", "b"))
        await bench.send(traces("a", "b"))
        await bench.send(traces("a", "c"))

    bench = run(test)
    assert len(bench.batches) == 2
    assert (bench.counters[0].received, bench.counters[0].deduplicated) == (6, 2)


class HeldWriter(FakeWriter):
    """A WAL whose appends wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.go = threading.Event()

    def append(self, records: Sequence[tuple[RecordType, bytes, bytes]]) -> None:
        self.begun.set()
        assert self.go.wait(10)
        super().append(records)


def test_a_resend_during_the_commit_waits_for_the_same_commit() -> None:
    writer = HeldWriter()

    async def test(bench: Bench) -> None:
        first = asyncio.create_task(bench.send(traces("a")))
        await asyncio.to_thread(writer.begun.wait, 10)
        second = asyncio.create_task(bench.send(traces("a")))
        await asyncio.sleep(0.05)
        assert not first.done()
        assert not second.done()
        writer.go.set()
        await asyncio.gather(first, second)

    assert len(run(test, Bench(writer)).batches) == 1


def test_a_sender_that_goes_away_does_not_undo_the_commit_and_its_resend_is_a_duplicate() -> None:
    writer = HeldWriter()

    async def test(bench: Bench) -> None:
        first = asyncio.create_task(bench.send(traces("a")))
        await asyncio.to_thread(writer.begun.wait, 10)
        first.cancel()
        writer.go.set()
        await bench.send(traces("a"))

    assert len(run(test, Bench(writer)).batches) == 1


def test_a_failure_that_nobody_waits_for_is_no_error() -> None:
    writer, reported = HeldWriter(), []

    async def test(bench: Bench) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        sending = asyncio.create_task(bench.pipeline.export(LOGS, Encoding.PROTOBUF, log_records("heartbeat")))
        await asyncio.to_thread(writer.begun.wait, 10)
        sending.cancel()
        writer.fails = True
        writer.go.set()
        await asyncio.sleep(0.05)
        gc.collect()

    run(test, Bench(writer))
    assert reported == []


def test_waiting_batches_share_one_append_and_audit_goes_first() -> None:
    writer = HeldWriter()

    async def test(bench: Bench) -> None:
        message = LOGS.request()
        message.resource_logs.add().scope_logs.add().log_records.add(event_name="approval")
        sends = [asyncio.create_task(bench.send(traces("first")))]
        await asyncio.to_thread(writer.begun.wait, 10)
        sends += [asyncio.create_task(bench.send(traces(f"bulk {number}"))) for number in range(3)]
        sends.append(asyncio.create_task(bench.pipeline.export(LOGS, Encoding.PROTOBUF, message.SerializeToString())))
        await asyncio.sleep(0.05)
        writer.go.set()
        await asyncio.gather(*sends)

    bench = run(test, Bench(writer))
    assert [len(records) for records in bench.writer.appends[:2]] == [1, 4]
    assert [header.signal for header, _ in bench.batches] == ["traces", "logs", "traces", "traces", "traces"]


def test_an_answer_leaves_two_rounds_of_the_event_loop_after_its_append(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load a round takes a millisecond: seven of them were most of what an audit event waited for."""
    rounds, durable = 0, False

    async def test(bench: Bench) -> None:
        nonlocal durable
        acknowledge = bench.committer._acknowledge

        def acknowledged(waiting: Sequence[Any]) -> None:
            nonlocal durable
            durable = True
            acknowledge(waiting)

        async def count() -> None:
            nonlocal rounds
            while True:
                rounds += durable
                await asyncio.sleep(0)

        monkeypatch.setattr(bench.committer, "_acknowledge", acknowledged)
        counting = asyncio.create_task(count())
        await bench.send(traces("a"))
        counting.cancel()

    run(test)
    assert 0 < rounds <= 3, "that of the append itself may count, too"


def test_after_a_failed_append_everything_is_refused_as_retryable() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(traces("a"))
        bench.writer.fails = True
        with pytest.raises(Unavailable):
            await bench.send(traces("b"))
        bench.writer.fails = False
        for body in (traces("b"), traces("c")):
            with pytest.raises(Unavailable):
                await bench.send(body)
        await bench.send(traces("a"))  # was durable: a resend may be acknowledged
        assert bench.committer.failure == "the disk is full: free space"

    bench = run(test)
    assert len(bench.batches) == 1
    assert bench.writer.closed


def test_a_signal_that_allows_it_is_stored_as_it_came() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(traces("my canary"))

    ((header, payload),) = run(test, Bench(unredacted=["traces"])).batches
    assert b"canary" in payload
    assert header.policy_hash == UNREDACTED


def test_every_rotation_with_data_begins_new_counters() -> None:
    async def test(bench: Bench) -> None:
        for names in (["a"], ["b", "c"]):
            await bench.send(traces(*names))
            await bench.committer.rotate()
        await bench.committer.rotate()

    bench = run(test)
    assert [counters.received for counters in bench.counters] == [1, 2]


def log_records(*bodies: str, time_ns: int = 0, observed_ns: int = 0) -> bytes:
    message = LOGS.request()
    records = message.resource_logs.add().scope_logs.add().log_records
    for body in bodies:
        records.add(time_unix_nano=time_ns, observed_time_unix_nano=observed_ns).body.string_value = body
    return message.SerializeToString()


def test_requests_that_redaction_makes_equal_are_all_stored() -> None:
    """Two people fail to log in at the same moment: that is two events, though both read the same afterwards."""

    class People(FakeCleaner):
        def replace(self, text: str) -> str:
            return text.replace("alice", "<PERSON>").replace("bob", "<PERSON>")

    async def test(bench: Bench) -> None:
        for name in ("alice", "bob", "alice"):
            await bench.pipeline.export(LOGS, Encoding.PROTOBUF, log_records(f"login failed for {name}", time_ns=NOW_NS))

    bench = run(test, Bench(cleaner=People()))
    (first, first_payload), (second, second_payload) = bench.batches
    assert first_payload == second_payload
    assert first.digest != second.digest
    assert bench.counters[0].deduplicated == 1


def test_records_without_any_time_are_never_taken_for_a_resend() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(3):
            await bench.pipeline.export(LOGS, Encoding.PROTOBUF, log_records("heartbeat"))
        for _ in range(3):
            await bench.pipeline.export(LOGS, Encoding.PROTOBUF, log_records("heartbeat", observed_ns=NOW_NS))

    bench = run(test)
    assert [bool(header.digest) for header, _ in bench.batches] == [False, False, False, True]
    assert bench.counters[0].deduplicated == 2


class HeldCleaner(FakeCleaner):
    """A redactor whose slow path waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def clean(self, items: Sequence[tuple[str, str | None]]) -> list[FakeCleaned]:
        await self.go.wait()
        return await super().clean(items)


@pytest.mark.parametrize("first_goes_away", [False, True])
def test_a_resend_is_not_redacted_again(first_goes_away: bool) -> None:
    """One that arrives while the first is being redacted waits for the same commit, whether or not the first still waits."""
    cleaner = HeldCleaner()

    async def test(bench: Bench) -> None:
        sends = [asyncio.create_task(bench.send(traces("a"))) for _ in range(2)]
        await asyncio.sleep(0.02)
        if first_goes_away:
            sends.pop(0).cancel()
        assert not any(send.done() for send in sends)
        cleaner.go.set()
        await asyncio.gather(*sends)
        await bench.send(traces("a"))

    bench = run(test, Bench(cleaner=cleaner))
    assert len(bench.batches) == 1
    assert cleaner.asked == [("a", None)]


def test_a_large_body_is_parsed_beside_the_event_loop() -> None:
    """Other requests go on meanwhile."""
    spans = ",".join(["{}"] * 500_000)
    body = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}'.encode()
    assert len(body) > IN_LOOP_BYTES

    async def test() -> int:
        reading = asyncio.create_task(read_request(TRACES, Encoding.JSON, body, ANONYMOUS, NOW_NS, Resends(KEY)))
        turns = 0
        while not reading.done():
            turns += 1
            await asyncio.sleep(0.001)
        assert (await reading).admitted.rejected == {"trace_id must be 16 bytes and not zero": 500_000}
        return turns

    assert asyncio.run(test()) > 10
