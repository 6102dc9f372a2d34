"""One of several workers: a whole collector in a process of its own, but for the sealer and the compactor, which its parent has.

Worker and parent talk over one pipe. Down it go the stop and configurations that were read again; up come what the worker tells of
itself every second, that a segment was closed, and why it could not start. When the pipe ends, or the kernel says that the parent is
gone, the worker ends at once: what it acknowledged is durable, and whoever starts next closes its segment.
"""

import asyncio
import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import uvloop

from collector.config import Config, ConfigError, Problem
from collector.errors import CollectorError
from collector.health import Check
from collector.service import Collector, Host, tune
from storage.errors import StorageError
from storage.light import without_pandas

STATUS_SECONDS: Final = 1.0
WAITING_MESSAGES: Final = 64
"""A parent that does not listen for so long misses what comes next: the worker never waits for it."""
_PR_SET_PDEATHSIG: Final = 1
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """To a worker: finish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """To a worker: the configuration as it was read again, its part of it; or what is wrong with it."""

    number: int
    config: Config | None
    source: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """From a worker: what became of the configuration of this number."""

    number: int
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClosed:
    """From a worker: the sealer has something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """From a worker: why it could not start, in the words of a CollectorError."""

    attempted: str
    subject: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """From a worker, every second: how it is. The first says that requests are taken."""

    components: Mapping[str, str]
    ready: bool
    memory_bytes: int
    telemetry: Mapping[str, Any]


def run(number: int, config: Config, data: Path, host: Host, pipe: Connection, parent_pid: int) -> None:
    """The worker process."""
    without_pandas()
    _end_with(parent_pid)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # what a terminal or an init system sends to all is for the parent
        signal.signal(ignored, signal.SIG_IGN)
    if host.prepare_child is not None:
        host.prepare_child(f"collector-{number}")
    tune()
    parent = Parent(pipe)
    host = replace(host, environ=os.environ, load=parent.configuration)
    try:
        uvloop.run(_work(Collector(config, data=data, host=host, behind=parent, number=number), parent))
    except (CollectorError, StorageError) as error:
        parent.tell(Failed(attempted=error.attempted, subject=str(error.subject), hint=error.hint))
        parent.finish()
        sys.exit(2)
    parent.finish()


async def _work(collector: Collector, parent: "Parent") -> None:
    stop = asyncio.Event()
    parent.listen(asyncio.get_running_loop(), stop=stop.set, reload=collector.reload)
    async with collector:
        while not stop.is_set():
            components = {name: await asyncio.to_thread(check) for name, check in collector.checks().items()}
            parent.tell(
                Status(components=components, ready=collector.is_ready, memory_bytes=memory_bytes(), telemetry=collector.snapshot())
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STATUS_SECONDS)


class Parent:
    """The parent, as its worker sees it: what works behind the acknowledgement (`collector.service.Behind`) is over there."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._latest: Reload | None = None
        self._read = 0  # the number of the one that was read last; others may have come since
        self._sender = threading.Thread(target=self._send, name="to the parent", daemon=True)
        self._sender.start()

    def listen(self, loop: asyncio.AbstractEventLoop, *, stop: Callable[[], None], reload: Callable[[], None]) -> None:
        """Obey from now on: `stop` and `reload` are called in the loop."""
        threading.Thread(target=self._listen, args=(loop, stop, reload), name="from the parent", daemon=True).start()

    def configuration(self) -> Config:
        """Return the configuration that came last; raises ConfigError for one that is wrong."""
        latest = self._latest
        self._read = 0 if latest is None else latest.number
        if latest is None or latest.config is None:
            raise ConfigError("" if latest is None else latest.source, () if latest is None else latest.problems)
        return latest.config

    def tell(self, message: object) -> None:
        """Say something, without waiting for anybody to listen."""
        if self._outgoing.qsize() < WAITING_MESSAGES:
            self._outgoing.put(message)

    def finish(self) -> None:
        """Return when all that was told is on its way, or after a second."""
        self._outgoing.put(None)
        self._sender.join(1.0)

    def start(self) -> None:
        """The parent has started it."""

    async def stop(self) -> None:
        """The parent stops it."""

    def wake(self) -> None:
        """A segment was closed."""
        self.tell(SegmentClosed())

    def use(self, config: Config) -> None:
        """The parent has read it, too."""

    def reloaded(self, accepted: bool) -> None:
        """A configuration that was read again is in force, or refused."""
        self.tell(Reloaded(number=self._read, accepted=accepted))

    def checks(self) -> Mapping[str, Check]:
        """What is over there is asked over there."""
        return {}

    def _listen(self, loop: asyncio.AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None]) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(1)
            if isinstance(message, Reload):
                self._latest = message
            with suppress(RuntimeError):  # the loop is closed: the process is ending
                loop.call_soon_threadsafe(stop if isinstance(message, Stop) else reload)

    def _send(self) -> None:
        while (message := self._outgoing.get()) is not None:
            with suppress(OSError):  # the parent is gone: so are we, in a moment
                self._pipe.send(message)


def memory_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def _end_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies, however it dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before
        os._exit(1)
