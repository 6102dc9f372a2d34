"""The collector process: what is opened in which order, what runs, and how it stops.

Order at start: ports (so that a port that is taken harms nothing), catalog and WAL (which locks the origin and recovers what a dead
collector left), redactor, sealer and compactor, then the receivers. The stop is the reverse: receivers, what is queued, the last
segment, the sealer. Everything acknowledged is in the WAL by then, so a stop that runs out of time loses nothing either.
"""

import asyncio
import contextlib
import gc
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from collector.children import Child, compact, seal
from collector.committer import Committer
from collector.config import Config
from collector.health import OK, HealthApp, disk
from collector.listening import Listeners, Ports
from collector.node import node_name
from collector.opening import PolicyOpener, warm_up
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.recovery import recent_digests
from collector.reload import Load, Reloader
from collector.reporter import Reporter
from collector.resends import Resends
from collector.telemetry import Telemetry
from storage.catalog import Catalog
from storage.errors import LakeLocked, StorageError
from storage.orphans import close_orphans
from storage.wal import WalWriter, closed_segments

SEGMENT_BYTES: Final = 64 << 20
"""A segment this large is closed before its interval is over: the sealer works on one segment at a time."""
SEALER_GRACE_SECONDS: Final = 6.0
COMPACTOR_GRACE_SECONDS: Final = 1.0
HURRY_SECONDS: Final = 3.0
"""A closed segment that waits this long shows that the idle sealer starves: it goes on at normal priority."""
RELAX_SECONDS: Final = 30.0
"""Without such a segment for this long, the sealer is idle again."""
LOCK_WAIT_SECONDS: Final = 1.0
"""Another collector that starts may hold our WAL for a moment, to close what we left in it."""
BACKLOG_SECONDS: Final = 60.0
"""The sealer counts as down when a closed segment has waited this long, the WAL when its open segment is that much overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the process around the collector gives it."""

    prepare_child: Callable[[str], None] | None = None  # called first in each child process, with its name: to configure its logging
    environ: Mapping[str, str] = field(default_factory=dict)  # may hold the vault's master key
    cache_folder: Path | None = None  # keeps what takes long to compile
    load: Load | None = None  # reads the configuration again, on SIGHUP; None: that signal is ignored


async def serve(config: Config, *, data: Path, host: Host, on_ready: Callable[[Ports], None] | None = None) -> None:
    """Run the collector until SIGTERM or SIGINT, then stop within 10 s. Needs the main thread (signals).

    SIGHUP reloads the policy. `on_ready` is called once, with the ports, when requests are taken. Raises CollectorError when a port is
    taken or the policy cannot work, and StorageError when the data directory cannot be used; nothing has been changed then.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    collector = Collector(config, data=data, host=host)
    loop.add_signal_handler(signal.SIGHUP, collector.reload)
    _tune()
    log = structlog.get_logger(__name__)
    async with collector:
        log.info("collector ready", origin=collector.origin, data=str(data))
        if on_ready is not None:
            on_ready(collector.ports)
        await stop.wait()
        log.info("collector stopping")
    log.info("collector stopped")


class Collector:
    """Everything that one collector runs. Entered: requests are taken. Left: everything taken is sealed."""

    def __init__(self, config: Config, *, data: Path, host: Host) -> None:
        self._config = config
        self._host = host
        self._data = data
        self._node = config.parquet.node or node_name(socket.gethostname())
        self.origin = f"{self._node}/collector"
        self._stack = contextlib.AsyncExitStack()
        self._listeners = Listeners(config)
        self._sealer = Child("sealer", seal, (data, config.prices), prepare=host.prepare_child)
        self._compactor = Child(
            "compactor", compact, (data, config.parquet.compact_interval, config.parquet.retired_grace), prepare=host.prepare_child
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._hurried_at = 0.0
        self._reload_asked = asyncio.Event()

    async def __aenter__(self) -> "Collector":
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def reload(self) -> None:
        """Ask for the configuration to be read again; safe in a signal handler of the loop."""
        self._reload_asked.set()

    @property
    def ports(self) -> Ports:
        """The ports that are listened on."""
        return self._listeners.ports

    async def _start(self) -> None:
        """Open everything in order; the exit stack closes it in the opposite order."""
        stack = self._stack
        self._listeners.bind()
        stack.callback(self._listeners.close)
        self._catalog = await asyncio.to_thread(Catalog.open, self._data)
        stack.callback(self._catalog.close)
        writer = await asyncio.to_thread(self._open_wal)
        stack.callback(writer.close)
        opener = await asyncio.to_thread(PolicyOpener, self._data, environ=self._host.environ, cache_folder=self._host.cache_folder)
        resends = Resends(opener.key("resends"))
        for identity, age_seconds in await asyncio.to_thread(self._recent_digests):
            resends.remember(identity, age_seconds=age_seconds)
        loads_more = self._config.redaction.presidio.loads_more  # models and files may be missing: that is known before ports are open
        first = opener.open(self._config) if loads_more else asyncio.to_thread(opener.start, self._config)
        self._policies = Policies(await first)
        stack.push_async_callback(self._policies.close)
        self._warm = self._spawn("warm-up", warm_up(self._policies.current))
        self._start_children()
        stack.push_async_callback(self._stop_children)
        self._committer = Committer(writer)
        telemetry = Telemetry(self._node, time.time_ns())
        self._reporter = Reporter(self._node, self._committer, telemetry, self._policies)
        self._spawn("committer", self._committer.run())
        stack.push_async_callback(self._finish_writing)
        pipeline = Pipeline(policies=self._policies, committer=self._committer, resends=resends, telemetry=telemetry)
        self._reloader = Reloader(
            self._config,
            load=self._host.load,
            open_policy=opener.open,
            policies=self._policies,
            use_prices=lambda prices: self._sealer.give((self._data, prices)),
            tell=self._reporter.reloaded,
            asked=self._reload_asked,
        )
        stack.push_async_callback(self._listeners.stop)
        await self._listeners.start(pipeline, self._health())
        for name, work in (
            ("rotation", self._rotate_regularly()),
            ("metrics", self._reporter.report_metrics()),
            ("events", self._reporter.report_events()),
            ("reload", self._reloader.run()),
        ):
            self._tasks.append(self._spawn(name, work))

    def _open_wal(self) -> WalWriter:
        """Open our WAL and close what dead writers left open, which is sealed then: our own, and those of nodes that come no more."""
        attempts = Retrying(
            retry=retry_if_exception_type(LakeLocked), wait=wait_fixed(0.05), stop=stop_after_delay(LOCK_WAIT_SECONDS), reraise=True
        )
        writer = attempts(WalWriter, self._data, self.origin, first_entry=self._first_entry(self.origin))
        for origin in close_orphans(self._data, self._first_entry):
            structlog.get_logger(__name__).info("the left-over segment of a dead writer is sealed now", origin=origin)
        return writer

    def _first_entry(self, origin: str) -> int:
        last = self._catalog.last_entry(origin)
        return 0 if last is None else last + 1

    def _recent_digests(self) -> list[tuple[bytes, float]]:
        return sorted(recent_digests(self._data, self._catalog, time.time_ns()), key=lambda known: -known[1])

    def _start_children(self) -> None:
        for child in (self._sealer, self._compactor):
            child.start()
            self._spawn(child.name, child.supervise())

    async def _stop_children(self) -> None:
        await asyncio.gather(self._sealer.stop(SEALER_GRACE_SECONDS, hurry=True), self._compactor.stop(COMPACTOR_GRACE_SECONDS))

    async def _rotate_regularly(self) -> None:
        """Close a segment every seal interval if anything is in it, earlier when it grows large, and wake the sealer."""
        interval = self._config.parquet.seal_interval
        due = time.monotonic() + interval
        while True:
            await asyncio.sleep(min(0.1, interval))
            if time.monotonic() >= due:
                await self._mind_the_backlog()
            if time.monotonic() >= due or self._committer.segment_bytes > SEGMENT_BYTES:
                due = time.monotonic() + interval
                if await self._committer.rotate() is not None:
                    self._sealer.wake()

    async def _mind_the_backlog(self) -> None:
        """Give the sealer the priority that its backlog needs."""
        now = time.monotonic()
        if await asyncio.to_thread(self._oldest_segment_seconds) > HURRY_SECONDS:
            self._hurried_at = now
            self._sealer.hurry()
        elif now - self._hurried_at > RELAX_SECONDS:
            self._sealer.relax()

    def _oldest_segment_seconds(self) -> float:
        """Return how long the oldest closed segment has waited, 0 when none waits."""
        with contextlib.suppress(FileNotFoundError):  # sealed meanwhile
            for segment in closed_segments(self._data)[:1]:
                return time.time() - segment.path.stat().st_mtime
        return 0.0

    async def _finish_writing(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reporter.finish()
        await self._committer.close()
        self._sealer.wake()

    def _health(self) -> HealthApp | None:
        section = self._config.health_check
        if section is None:
            return None
        checks = {
            "receiver": lambda: OK if self._listeners.gate.is_open else "down: requests are not taken",
            "wal": self._wal_state,
            "sealer": self._sealer_state,
            "catalog": self._catalog_state,
            "redaction": self._policies.state,
            "reload": self._reloader.state,
            "disk": lambda: disk(self._data),
        }
        return HealthApp(checks, ready=self._is_ready, path=section.path)

    def _is_ready(self) -> bool:
        return self._warm.done() and self._listeners.gate.is_open and self._committer.failure is None

    def _wal_state(self) -> str:
        if self._committer.failure is not None:
            return f"down: {self._committer.failure}"
        seconds = self._committer.segment_seconds
        if seconds > self._config.parquet.seal_interval + BACKLOG_SECONDS:
            return f"down: the current segment was not closed for {seconds:.0f} s"
        return OK

    def _sealer_state(self) -> str:
        state = self._sealer.state()
        if state != OK:
            return state
        seconds = self._oldest_segment_seconds()
        if seconds > BACKLOG_SECONDS:
            return f"down: segments wait to be sealed, the oldest for {seconds:.0f} s"
        return OK

    def _catalog_state(self) -> str:
        try:
            _ = self._catalog.version
        except StorageError as error:
            return f"down: {error.hint}"
        return OK

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task that must not end by an error unseen."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_log_failure)
        return task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        structlog.get_logger(__name__).error("a task of the collector ended", error=type(error).__name__, task=task.get_name())


def _tune() -> None:
    """Short slices for the thread that syncs and rare collections: both decide the latency of single events. All file descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
