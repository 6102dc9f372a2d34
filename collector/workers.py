"""Several collectors on the same ports of one machine, and their parent: what is opened in which order, what runs, and how it stops.

Order at start: ports, catalog, what dead writers left, sealer and compactor, health, workers. The stop is the reverse. Each worker is an
origin of its own, with its WAL, scanner and receivers; the kernel hands every new connection to one of them. There is one sealer and one
compactor, and one answer to health checks: this process has them. A worker that ends is started again; what it had acknowledged is
closed at once, and sealed, while the others go on.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from collector import zombies
from collector.config import Config, ConfigError
from collector.errors import CollectorError
from collector.health import DOWN, OK, Check, HealthApp
from collector.listening import Ports
from collector.reload import in_force
from collector.reservation import Reservation
from collector.service import Host, close_left_over, node_of, origin_of
from collector.tasks import Entered, background
from collector.totals import Totals
from collector.upkeep import Upkeep
from collector.web import WebServer
from collector.worker import STATUS_SECONDS, Failed, Reload, Reloaded, SegmentClosed, Status
from collector.worker_process import WorkerProcess
from storage.catalog import Catalog
from storage.durable import FileLock
from storage.errors import StorageError

WORKER_GRACE_SECONDS: Final = 4.0
"""With that, the sealer's 5 s stay below the 10 s that the whole may take."""
HEALTH_GRACE_SECONDS: Final = 1.0


class Workers(Entered):
    """Everything that the parent runs. Entered: all workers take requests. Left: everything taken is sealed."""

    def __init__(self, config: Config, *, data: Path, host: Host, upkeep: Upkeep, stop: asyncio.Event) -> None:
        """Workers that do not come up are waited for until `stop` is set."""
        super().__init__()
        self._config = config
        self._pending: dict[int, tuple[Config, Reload]] = {}  # read again, and not yet accepted by a worker
        self._reloads = 0
        self._data = data
        self._host = host
        self._node = node_of(config)
        self._upkeep = upkeep
        self._stop = stop
        self._reservation = Reservation(config)
        self._totals = Totals()
        self._workers: list[WorkerProcess] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._all_were_ready = False
        self._checks: dict[str, Check] = {"workers": self._workers_state, **upkeep.checks()}
        self._failed: asyncio.Future[Failed] = asyncio.get_running_loop().create_future()

    @property
    def origin(self) -> str:
        """The origins of the workers, for people."""
        return f"{origin_of(self._node, 1)} … {self._config.workers}"

    @property
    def ports(self) -> Ports:
        """The ports that are listened on."""
        return self._reservation.ports

    async def _start(self) -> None:
        """Open everything in order; the exit stack closes it in the opposite order."""
        stack = self._stack
        self._reservation.take()
        stack.callback(self._reservation.close)
        self._catalog = await asyncio.to_thread(Catalog.open, self._data)
        stack.callback(self._catalog.close)
        await asyncio.to_thread(close_left_over, self._data, self._catalog)
        stack.enter_context(FileLock(self._data / "wal" / origin_of(self._node, None) / "LOCK", f"start the workers of {self._node}"))
        self._upkeep.start()
        stack.push_async_callback(self._upkeep.stop)
        stack.push_async_callback(self._stop_workers)
        self._start_workers()
        await self._serve_health()
        self._tasks += [background("reload", self._reload_when_asked()), background("looking after workers", self._look_after_workers())]
        await self._until_all_take_requests()

    def _start_workers(self) -> None:
        count = self._config.workers
        for number in range(1, count + 1):
            worker = WorkerProcess(
                number,
                lambda: self._reservation.share(self._config, count),
                data=self._data,
                host=self._host,
                heard=self._heard,
                ended=self._ended,
            )
            self._workers.append(worker)
            worker.start()
            self._tasks.append(background(worker.name, worker.supervise()))

    async def _stop_workers(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop(WORKER_GRACE_SECONDS) for worker in self._workers))
        await self._close_left_over()  # of one that had to be killed
        self._upkeep.wake()

    async def _until_all_take_requests(self) -> None:
        """Return when every worker has told how it is; raises CollectorError with the words of one that cannot start."""
        while not self._stop.is_set() and not all(worker.status for worker in self._workers):
            done, _ = await asyncio.wait([self._failed], timeout=0.05)
            if done:
                failed = self._failed.result()
                raise CollectorError(failed.attempted, failed.subject, hint=failed.hint)

    async def _serve_health(self) -> None:
        section, bound = self._config.health_check, self._reservation.health
        if section is None or bound is None:
            return
        app = HealthApp(self._checks, ready=lambda: self.is_ready, path=section.path, snapshots=self._snapshots, details=self._details)
        server = WebServer(app, bound, grace_seconds=HEALTH_GRACE_SECONDS)
        await server.start()
        self._stack.push_async_callback(server.stop)

    @property
    def is_ready(self) -> bool:
        """Whether requests are taken and stored by every worker that was ready since its start, and all of them have been once.

        One that is being restarted does not count: nobody is connected to it, while the others take what comes.
        """
        ready = [worker.is_ready for worker in self._workers if worker.was_ready and worker.is_alive]
        return self._all_were_ready and any(ready) and all(ready)

    async def _reload_when_asked(self) -> None:
        """Read the configuration, and have every worker take it over; the first that does decides for those that start later."""
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            if self._host.load is None:
                continue
            self._reloads += 1
            try:
                config = await asyncio.to_thread(self._host.load)
            except ConfigError as error:
                message = Reload(number=self._reloads, config=None, source=error.source, problems=error.problems)
            except Exception as error:  # noqa: BLE001 - whatever it is, what runs goes on running; the message may hold text of the file
                structlog.get_logger(__name__).error("the configuration is refused, what runs is kept", problems=[type(error).__name__])
                continue
            else:
                message = Reload(number=self._reloads, config=self._reservation.share(config, len(self._workers)))
                self._pending[message.number] = in_force(self._config, config), message
            for worker in self._workers:
                worker.reload(message)

    async def _look_after_workers(self) -> None:
        """End those that hang: their supervisors start them again. What killed ones leave behind is waited for where nobody else does."""
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            if zombies.is_first():
                zombies.collect()
            for worker in self._workers:
                worker.look()

    def _take_over(self, config: Config, message: Reload) -> None:
        """A worker has accepted a configuration: whoever starts from now on has it; who started meanwhile is told."""
        self._upkeep.use(config)
        self._config = config
        self._pending = {number: later for number, later in self._pending.items() if number > message.number}
        for worker in self._workers:
            if worker.is_alive and (worker.told is None or worker.told.number < message.number):
                worker.reload(message)

    def _heard(self, worker: WorkerProcess, message: object) -> None:
        """A worker told something."""
        match message:
            case SegmentClosed():
                self._upkeep.wake()
            case Reloaded(number=number, accepted=True) if number in self._pending:
                self._take_over(*self._pending[number])
            case Failed():
                log = structlog.get_logger(__name__)
                log.error("a worker could not start", worker=worker.number, subject=message.subject, hint=message.hint)
                if not self._failed.done():
                    self._failed.set_result(message)
            case Status():
                for name in message.components:
                    self._checks.setdefault(name, partial(self._worst, name))
                self._all_were_ready = self._all_were_ready or all(each.was_ready for each in self._workers)

    async def _ended(self, last: Status | None) -> None:
        """A worker ended: what it acknowledged is closed and sealed now, its numbers are kept."""
        if last is not None:
            self._totals.keep(last.telemetry)
        await self._close_left_over()
        self._upkeep.wake()

    async def _close_left_over(self) -> None:
        try:
            await asyncio.to_thread(close_left_over, self._data, self._catalog)
        except (StorageError, OSError) as error:
            structlog.get_logger(__name__).error("what a worker left is closed at the next start", error=type(error).__name__)

    def _workers_state(self) -> str:
        """Say whether all run."""
        states = {worker.number: worker.state() for worker in self._workers}
        down = [f"worker {number}: {state.removeprefix('down: ')}" for number, state in states.items() if state != OK]
        return f"{DOWN}: {'; '.join(down)}" if down else OK

    def _worst(self, name: str) -> str:
        """Return a component's state: of the worker that is worst off."""
        found = [(worker.number, worker.status.components.get(name, OK)) for worker in self._workers if worker.status is not None]
        bad = sorted(((number, state) for number, state in found if state != OK), key=lambda each: not each[1].startswith(DOWN))
        if not bad:
            return OK
        number, state = bad[0]
        kind, _, why = state.partition(": ")
        return f"{kind}: worker {number}: {why}"

    def _details(self) -> dict[str, Any]:
        """Return how each worker is, for the health answer."""
        return {
            "workers": [
                {
                    "worker": worker.number,
                    "origin": origin_of(self._node, worker.number),
                    "state": worker.state(),
                    "ready": worker.is_ready,
                    "pid": worker.pid,
                    "memory_mib": round(worker.status.memory_bytes / (1 << 20), 1) if worker.status else None,
                    "components": dict(worker.status.components) if worker.status else {},
                }
                for worker in self._workers
            ]
        }

    async def _snapshots(self) -> list[Mapping[str, Any]]:
        """Return the numbers of all workers, and of those that ended."""
        return [*(worker.status.telemetry for worker in self._workers if worker.status is not None), *self._totals.snapshots()]
