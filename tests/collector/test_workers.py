"""What several workers share: ports that are proved to be free, memory, a configuration, and counters that never go back."""

import asyncio
import multiprocessing
import socket
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from collector.config import DEFAULT, Config, parse
from collector.errors import PortTaken
from collector.instruments import REQUESTS, Kind
from collector.prometheus import exposition
from collector.reload import in_force
from collector.reservation import Reservation
from collector.service import Host
from collector.telemetry import Acknowledged, Telemetry
from collector.totals import Totals
from collector.upkeep import Upkeep
from collector.web import bind
from collector.worker import Reload, Reloaded, Status
from collector.worker_process import HUNG_LOOKS, WorkerProcess
from collector.workers import Workers

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the kernel must spread connections over processes")


def config(*, http: int = 0) -> Config:
    """The built-in configuration on free ports."""
    ports = {
        "AUDITLAKE_GRPC_ENDPOINT": "127.0.0.1:0",
        "AUDITLAKE_HTTP_ENDPOINT": f"127.0.0.1:{http}",
        "AUDITLAKE_HEALTH_ENDPOINT": "127.0.0.1:0",
    }
    return parse(DEFAULT, "test", ports)


def listener(port: int = 0, *, shared: bool) -> socket.socket:
    listening = bind(f"127.0.0.1:{port}", "test", shared=shared)
    listening.listen()
    return listening


@pytest.mark.parametrize("shared", [True, False])
def test_a_port_on_which_somebody_listens_is_not_shared_with_them(shared: bool) -> None:
    """Not even when they would let us: the kernel would then give them half of our requests."""
    with listener(shared=shared) as other:
        reservation = Reservation(config(http=other.getsockname()[1]))
        with pytest.raises(PortTaken, match="stop the process that uses the port"):
            reservation.take()
        assert reservation.ports.http is None


def test_two_parents_that_start_at_once_do_not_share_their_ports() -> None:
    first = Reservation(config())
    first.take()
    port = first.ports.http or 0
    try:
        with pytest.raises(PortTaken, match="workers of another collector are starting there"):
            Reservation(config(http=port)).take()
    finally:
        first.close()
    again = Reservation(config(http=port))
    again.take()
    again.close()


def test_workers_listen_on_a_reserved_port_and_the_parent_gets_no_connection() -> None:
    reservation = Reservation(config())
    reservation.take()
    port = reservation.ports.http
    assert port
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with listener(port, shared=True) as one, listener(port, shared=True) as other:
            senders = [socket.create_connection(("127.0.0.1", port)) for _ in range(32)]
            for each in (one, other):
                each.setblocking(False)
                each.accept()[0].close()
            for sender in senders:
                sender.close()
    finally:
        reservation.close()


def test_each_worker_has_its_part_of_the_memory_the_reserved_ports_and_no_health_answers() -> None:
    reservation = Reservation(config())
    reservation.take()
    try:
        whole = config()
        part = reservation.share(whole, 3)
        assert part.otlp.http
        assert part.otlp.http.endpoint == f"127.0.0.1:{reservation.ports.http}"
        assert part.otlp.grpc
        assert part.otlp.grpc.endpoint == f"127.0.0.1:{reservation.ports.grpc}"
        assert part.health_check is None
        assert whole.memory_limiter
        assert part.memory_limiter
        assert part.memory_limiter.limit_bytes == whole.memory_limiter.limit_bytes // 3
        assert part.redaction == whole.redaction
    finally:
        reservation.close()


def test_a_worker_that_starts_after_a_reload_has_what_the_others_took_over_and_nothing_else() -> None:
    running = config()
    read = replace(config(), workers=7, signals=frozenset({"traces"}), unredacted_signals=frozenset({"traces"}))
    assert in_force(running, read) == replace(running, unredacted_signals=frozenset({"traces"}))


def counted(requests: int) -> dict[str, Any]:
    telemetry = Telemetry("n", 0)
    for _ in range(requests):
        telemetry.acknowledged(
            Acknowledged(signal="traces", audit=False, records=2, rejected={}, size_bytes=10, redaction_seconds=0.1, seconds=0.01)
        )
    return telemetry.snapshot()


class NoRoom(WorkerProcess):
    """The system has no room for a process, at first."""

    launched = 0

    def _launch(self) -> tuple[Any, Connection]:
        self.launched += 1
        if self.launched == 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0 if self.launched == 1 else 60,), daemon=True)
        process.start()
        return process, multiprocessing.Pipe()[0]


def test_a_process_that_cannot_be_started_again_now_is_started_later() -> None:
    async def restarted() -> tuple[int, bool]:
        async def nothing(_last: Status | None) -> None: ...

        worker = NoRoom(1, config, data=Path(), host=Host(), heard=lambda *_: None, ended=nothing)
        worker.start()
        supervision = asyncio.create_task(worker.supervise())
        while worker.launched < 3:
            assert not supervision.done()
            await asyncio.sleep(0.05)
        alive = worker.is_alive
        await worker.stop(0)
        await supervision
        return worker.launched, alive

    assert asyncio.run(restarted()) == (3, True)


class Asleep(WorkerProcess):
    """A process that does nothing, on one end of a pipe whose other end the test has."""

    theirs: Connection
    said: asyncio.Event

    async def say(self, message: Status) -> None:
        """Returns when the parent has heard it."""
        self.said.clear()
        self.theirs.send(message)
        await self.said.wait()

    def _launch(self) -> tuple[Any, Connection]:
        ours, self.theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,), daemon=True)
        process.start()
        self._begin(ours)
        return process, ours


def status(requests: int) -> Status:
    return Status(components={}, ready=True, memory_bytes=1, telemetry=counted(requests))


async def asleep(ended: list[Status | None]) -> Asleep:
    async def keep(last: Status | None) -> None:
        ended.append(last)

    said = asyncio.Event()
    worker = Asleep(1, config, data=Path(), host=Host(), heard=lambda *_: said.set(), ended=keep)
    worker.said = said
    worker.start()
    await worker.say(status(1))
    return worker


def test_the_last_words_of_a_worker_are_heard_before_it_counts_as_ended() -> None:
    """Else they came after its numbers were put aside, and counted twice until it was started again."""

    async def end() -> tuple[list[Status | None], Status | None]:
        ended: list[Status | None] = []
        worker = await asleep(ended)
        for requests in range(2, 40):
            worker.theirs.send(status(requests))
        worker.theirs.close()
        await worker.on_end()
        await asyncio.sleep(0)
        said = worker.status
        await worker.stop(0)
        return ended, said

    ended, said = asyncio.run(end())
    assert ended == [status(39)]
    assert said is None


def test_a_worker_that_hangs_is_ended_and_one_that_speaks_is_not() -> None:
    async def watch() -> tuple[bool, bool]:
        worker = await asleep([])
        for _ in range(HUNG_LOOKS - 1):
            worker.look()
        await worker.say(status(2))
        worker.look()
        alive = worker.is_alive
        for _ in range(HUNG_LOOKS):
            worker.look()
        hung = await worker._ended_within(20)
        await worker.stop(0)
        return alive, hung

    assert asyncio.run(watch()) == (True, True)


def test_a_reload_that_one_of_several_wishes_made_is_known_by_its_number() -> None:
    """A worker that accepted the first has said nothing about the second."""

    def told(accepted: int) -> Config:
        async def reload() -> Config:
            upkeep = Upkeep(config(), data=Path(), prepare=None)
            workers = Workers(config(), data=Path(), host=Host(), upkeep=upkeep, stop=asyncio.Event())
            worker = WorkerProcess(1, config, data=Path(), host=Host(), heard=workers._heard, ended=workers._ended)
            for number, signals in ((1, {"traces"}), (2, {"logs"})):
                read = replace(config(), unredacted_signals=frozenset(signals))
                workers._pending[number] = read, Reload(number=number, config=read)
            workers._heard(worker, Reloaded(number=accepted, accepted=True))
            return workers._config

        return asyncio.run(reload())

    assert told(1).unredacted_signals == {"traces"}
    assert told(2).unredacted_signals == {"logs"}
    assert told(3).unredacted_signals == set()


def test_counters_of_all_workers_never_go_back_when_one_ends() -> None:
    totals = Totals()
    assert totals.snapshots() == []
    totals.keep(counted(2))
    totals.keep(counted(3))
    text = exposition([counted(5), *totals.snapshots()]).decode().splitlines()
    assert 'auditlake_requests_total{signal="traces"} 10' in text
    assert 'auditlake_ack_duration_seconds_count{class="bulk"} 10' in text


def test_gauges_of_a_worker_end_with_it() -> None:
    totals = Totals()
    totals.keep({"metrics": [{"name": "memory", "kind": Kind.GAUGE, "points": [[(), 5]]}]})
    assert totals.snapshots() == []
    totals.keep({"metrics": [{"name": REQUESTS.name, "kind": REQUESTS.kind, "points": [[(("signal", "logs"),), 5]]}]})
    assert [metric["name"] for metric in totals.snapshots()[0]["metrics"]] == [REQUESTS.name]
