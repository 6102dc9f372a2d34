"""The collector process: what is opened in which order, what runs, and how it stops.

Order at start: ports (so that a port that is taken harms nothing), catalog and WAL (which locks the origin and recovers what a dead
collector left), redactor, sealer and compactor, then the receivers. The stop is the reverse: receivers, what is queued, the last
segment, the sealer. Everything acknowledged is in the WAL by then, so a stop that runs out of time loses nothing either.
"""

import asyncio
import contextlib
import resource
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from collector.committer import Committer
from collector.config import Config
from collector.config_hash import remember
from collector.forwarding.readings import ForwardReadings
from collector.gauges import LakeGauges, of_process, of_queue, of_redaction
from collector.health import OK, Check, HealthApp, disk
from collector.listening import Listeners, Ports
from collector.mishaps import Mishaps
from collector.node import node_name
from collector.opening import PolicyOpener, warm_up
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.receipts import receipts_of
from collector.recovery import Known, recent_digests
from collector.reload import Load, Outcome, Reloader
from collector.reporter import Reporter
from collector.resends import Resends
from collector.tasks import Entered, background
from collector.telemetry import Telemetry
from collector.timed_writer import TimedWriter
from storage.catalog import Catalog
from storage.errors import LakeLocked, StorageError
from storage.orphans import close_orphans
from storage.spare_memory import leave_out_what_stays
from storage.wal import WalWriter

SEGMENT_BYTES: Final = 64 << 20
"""A segment this large is closed before its interval is over: the sealer works on one segment at a time."""
SLICE_SECONDS: Final = 0.0001
"""How long Python runs on while another thread wants to: who appends to the WAL waits for that once or twice in each append."""
LOCK_WAIT_SECONDS: Final = 1.0
"""Another collector that starts may hold our WAL for a moment, to close what we left in it."""
BACKLOG_SECONDS: Final = 60.0
"""The WAL counts as down when its open segment is this much overdue to be closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the process around the collector gives it."""

    prepare_child: Callable[[str], None] | None = None  # called first in each child process, with its name: to configure its logging
    environ: Mapping[str, str] = field(default_factory=dict)  # may hold the vault's master key
    cache_folder: Path | None = None  # keeps what takes long to compile
    load: Load | None = None  # reads the configuration again, on SIGHUP; None: that signal is ignored


class Behind(Protocol):
    """What works behind the acknowledgement: `collector.upkeep.Upkeep`, or the parent process that has it."""

    def start(self) -> None: ...
    async def stop(self) -> None: ...
    def wake(self) -> None: ...
    def use(self, config: Config) -> None: ...
    def reloaded(self, accepted: bool) -> None: ...
    def checks(self) -> Mapping[str, Check]: ...


class Collector(Entered):
    """Everything that one collector runs. Entered: requests are taken. Left: everything taken is sealed."""

    def __init__(self, config: Config, *, data: Path, host: Host, behind: Behind, number: int | None = None) -> None:
        """`number` says which of several workers it is, that share their ports; None: there is no other."""
        super().__init__()
        self._config = config
        self._host = host
        self._data = data
        self._alone = number is None
        self._is_first = number in {None, 1}  # what concerns the data directory is told once
        self._node = node_of(config)
        self.origin = origin_of(self._node, number)
        self._listeners = Listeners(config, shared=not self._alone)
        self._behind = behind
        self._tasks: list[asyncio.Task[None]] = []

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
        receipts = await asyncio.to_thread(receipts_of, self._data, self._config.ledger, self._host.environ)
        opener = await asyncio.to_thread(PolicyOpener, self._data, environ=self._host.environ, cache_folder=self._host.cache_folder)
        resends = Resends(opener.key("resends"), origin=self.origin)
        for identity, age_seconds, stored in await asyncio.to_thread(self._recent_digests):
            resends.remember(identity, stored, age_seconds=age_seconds)
        loads_more = self._config.redaction.presidio.loads_more  # models and files may be missing: that is known before ports are open
        first = opener.open(self._config) if loads_more else asyncio.to_thread(opener.start, self._config)
        self._policies = Policies(await first)
        stack.push_async_callback(self._policies.close)
        self._warm = background("warm-up", warm_up(self._policies.current))
        self._behind.start()
        stack.push_async_callback(self._behind.stop)
        instance = self._node if self._alone else self.origin
        telemetry = self._telemetry = Telemetry(instance, time.time_ns())
        self._committer = Committer(TimedWriter(writer, telemetry.committed))
        lake = LakeGauges(self._data, ledger=self._config.ledger.enabled) if self._is_first else None
        mishaps = await asyncio.to_thread(Mishaps, self._data, self.origin, quarantine=self._is_first)
        self._reporter = Reporter(instance, self._committer, telemetry, self._policies, mishaps, lake)
        self._watch(telemetry, lake)
        background("committer", self._committer.run())
        stack.push_async_callback(self._finish_writing)
        pipeline = Pipeline(
            policies=self._policies, committer=self._committer, resends=resends, telemetry=telemetry, origin=self.origin, receipts=receipts
        )
        self._reloader = Reloader(
            self._config,
            load=self._host.load,
            open_policy=opener.open,
            policies=self._policies,
            use=self._behind.use,
            prepare_doors=self._listeners.doors.prepare,
            tell=self._tell,
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
            self._tasks.append(background(name, work))

    def _watch(self, telemetry: Telemetry, lake: LakeGauges | None) -> None:
        """Have everything asked that is not counted as it happens."""
        telemetry.watch(of_process)
        telemetry.watch(lambda: of_queue(self._committer))
        telemetry.watch(self._listeners.readings)
        telemetry.watch(lambda: of_redaction(self._policies))
        if lake is not None:
            telemetry.watch(lake)
            telemetry.watch(ForwardReadings(self._data, [forward.id for forward in self._config.forwards]))

    def snapshot(self) -> dict[str, Any]:
        """Return the numbers of this process; those about the data directory are not older than some seconds."""
        return self._telemetry.snapshot()

    async def _snapshots(self) -> list[dict[str, Any]]:
        """Return the same for /metrics: of this moment."""
        await self._reporter.measure()
        return [self.snapshot()]

    def _open_wal(self) -> WalWriter:
        """Open our WAL and close what dead writers left open, which is sealed then: our own, and of all who come no more."""
        attempts = Retrying(
            retry=retry_if_exception_type(LakeLocked), wait=wait_fixed(0.05), stop=stop_after_delay(LOCK_WAIT_SECONDS), reraise=True
        )
        writer = attempts(WalWriter, self._data, self.origin, first_entry=first_entry(self._catalog, self.origin))
        if self._alone:
            close_left_over(self._data, self._catalog)
        return writer

    def _recent_digests(self) -> list[Known]:
        return sorted(recent_digests(self._data, self._catalog, time.time_ns()), key=lambda known: -known.age_seconds)

    async def _rotate_regularly(self) -> None:
        """Close a segment every seal interval if anything is in it, earlier when it grows large, and wake the sealer."""
        interval = self._config.parquet.seal_interval
        due = time.monotonic() + interval
        while True:
            await asyncio.sleep(min(0.1, interval))
            if time.monotonic() >= due or self._committer.segment_bytes > SEGMENT_BYTES:
                due = time.monotonic() + interval
                if await self._committer.rotate() is not None:
                    self._behind.wake()

    async def _finish_writing(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reporter.finish()
        await self._committer.close()
        self._behind.wake()

    def checks(self) -> Mapping[str, Check]:
        """Return the components of health."""
        return {
            "receiver": lambda: OK if self._listeners.gate.is_open else "down: requests are not taken",
            "wal": self._wal_state,
            **self._behind.checks(),
            "catalog": self._catalog_state,
            "redaction": self._policies.state,
            "reload": self._reloader.state,
            "admission": self._listeners.doors.state,
            "disk": lambda: disk(self._data),
        }

    @property
    def is_ready(self) -> bool:
        """Whether requests are taken, can be stored, and never wait for a scanner that is still loading."""
        return self._warm.done() and self._listeners.gate.is_open and self._committer.failure is None

    def _health(self) -> HealthApp | None:
        section = self._config.health_check
        return (
            None if section is None else HealthApp(self.checks(), ready=lambda: self.is_ready, path=section.path, snapshots=self._snapshots)
        )

    def _tell(self, outcome: Outcome) -> None:
        self._reporter.reloaded(outcome)
        if outcome.new_config:
            with contextlib.suppress(StorageError):  # the next start tells the change once more
                remember(self._data, "collector", outcome.new_config)
        self._behind.reloaded(outcome.new_hash is not None)

    def _wal_state(self) -> str:
        if self._committer.failure is not None:
            return f"down: {self._committer.failure}"
        seconds = self._committer.segment_seconds
        if seconds > self._config.parquet.seal_interval + BACKLOG_SECONDS:
            return f"down: the current segment was not closed for {seconds:.0f} s"
        return OK

    def _catalog_state(self) -> str:
        try:
            _ = self._catalog.version
        except StorageError as error:
            return f"down: {error.hint}"
        return OK


def node_of(config: Config) -> str:
    """Return the name of this machine in origins."""
    return config.parquet.node or node_name(socket.gethostname())


def origin_of(node: str, number: int | None) -> str:
    """Return the origin of the only collector of a node, or of one of several workers."""
    return f"{node}/collector" if number is None else f"{node}/collector-{number}"


def first_entry(catalog: Catalog, origin: str) -> int:
    """Return the number that the entries of an origin go on with."""
    last = catalog.last_entry(origin)
    return 0 if last is None else last + 1


def close_left_over(data: Path, catalog: Catalog) -> list[str]:
    """Close what dead writers left open, of whatever origin: it was acknowledged, and is sealed then. Returns those origins."""
    origins = close_orphans(data, lambda origin: first_entry(catalog, origin))
    for origin in origins:
        structlog.get_logger(__name__).info("the left-over segment of a dead writer is sealed now", origin=origin)
    return origins


def tune() -> None:
    """Short slices for the thread that syncs and rare collections: both decide the latency of single events. All file descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(SLICE_SECONDS)
    leave_out_what_stays()
