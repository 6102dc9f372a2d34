"""The sealer and the compactor as child processes: idle priority, restarted with backoff, gone when the collector is gone.

An idle process may starve on a busy machine, and cannot leave that priority without privileges. So a child that must not wait any
longer is replaced by one of normal priority (`hurry`), and by an idle one again when the rush is over (`relax`).

The parent holds one end of a pipe. A byte wakes the child or asks it to stop; the end of the pipe means that the parent died, even
by kill -9, and the child ends at once: what it does is safe to interrupt anywhere. Terminal signals are the parent's business.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from collector.config_ledger import Checking, LedgerConfig
from collector.price_file import PriceFile
from collector.supervised import Supervised
from storage.light import without_pandas
from storage.small_pool import small_pool

if TYPE_CHECKING:
    from collector.config_retention import Retaining

STARTED_SECONDS: Final = 10.0
"""After this long a child has imported what it needs, which it does at normal priority."""
_WAKE: Final = b"w"
_STOP: Final = b"s"
Target = Callable[..., None]
"""A function of a module, called in the child with the arguments given, then whether to be idle, `stop` and `wake` (threading.Event)."""


class Child(Supervised):
    """One supervised child process. `prepare` is called in it first, with its name: the place to configure logging."""

    def __init__(self, name: str, target: Target, arguments: tuple[Any, ...], *, prepare: Callable[[str], None] | None = None) -> None:
        super().__init__(name)
        self.idle = True
        self._target = target
        self._arguments = arguments
        self._prepare = prepare

    def hurry(self) -> None:
        """Go on at normal priority."""
        self._replace(idle=False)

    def relax(self) -> None:
        """Go on at idle priority."""
        self._replace(idle=True)

    def give(self, arguments: tuple[Any, ...]) -> None:
        """Go on with other arguments."""
        self._arguments = arguments
        self.renew()

    def renew(self) -> None:
        """Go on in a new process: what it does is safe to interrupt, and is done again."""
        if not self._stopping.is_set() and self._process is not None:
            self._replacing = self._process.is_alive()
            self._process.kill()

    def wake(self) -> None:
        """Tell the process that there is work; harmless while it is down."""
        self._send(_WAKE)

    async def stop(self, grace_seconds: float, *, hurry: bool = False) -> None:
        """Ask the process to finish its work, and end it when that takes longer than `grace_seconds`.

        With `hurry`, an idle one that starves in its first quarter is replaced by one of normal priority, which has the rest of the time.
        """
        replaceable = hurry and self.idle and self._process is not None and time.monotonic() - self._started > STARTED_SECONDS
        if not replaceable:
            await super().stop(grace_seconds)
            return
        self._stopping.set()
        self._ask_to_stop()
        ended = await self._ended_within(grace_seconds / 4)
        if not ended:
            await self._kill()
            self.idle = False
            self.start()
            self._ask_to_stop()
            ended = await self._ended_within(grace_seconds * 3 / 4)
        await self._finish(ended)

    def _launch(self) -> tuple[Any, Connection]:
        context = multiprocessing.get_context("spawn")
        theirs, ours = context.Pipe(duplex=False)
        arguments = (self.name, self._target, self._arguments, theirs, self._prepare, self.idle)
        process = context.Process(target=_run, args=arguments, name=f"auditlake-{self.name}", daemon=True)
        with small_pool():
            process.start()
        theirs.close()
        return process, ours

    def _ask_to_stop(self) -> None:
        self._send(_STOP)

    def _replace(self, *, idle: bool) -> None:
        if self.idle == idle or self._stopping.is_set() or self._process is None:
            return
        structlog.get_logger(__name__).info("child process changes its priority", child=self.name, idle=idle)
        self.idle = idle
        self._replacing = self._process.is_alive()
        self._process.kill()


def seal(data: Path, prices: PriceFile | None, ledger: LedgerConfig, idle: bool, stop: threading.Event, wake: threading.Event) -> None:
    """The sealer process; an environment variable that holds the ledger's key is this process's own."""
    from collector.pricing import Pricer
    from collector.sealer import run_sealer

    _lower_priority(idle=idle and not stop.is_set())
    run_sealer(data, stop, wake, prices=Pricer(prices), ledger=ledger.kept(os.environ))


def compact(
    data: Path,
    interval_seconds: float,
    grace_seconds: float,
    retention: "Retaining | None",
    checking: Checking | None,
    idle: bool,
    stop: threading.Event,
    _wake: threading.Event,
) -> None:
    """The compactor process; beside its merges it removes what expired, and verifies the lake now and then."""
    from storage.compactor import run_compactor

    _lower_priority(idle=idle)
    if retention is not None:
        from collector.retaining import run_retention

        threading.Thread(target=run_retention, args=(data, retention, stop), name="retention", daemon=True).start()
    if checking is not None:
        from collector.self_check import run_self_checks

        threading.Thread(target=run_self_checks, args=(data, checking, stop), name="self-check", daemon=True).start()
    run_compactor(data, stop, interval_seconds=interval_seconds, grace_seconds=grace_seconds)


def anchor(data: Path, node: str, ledger: LedgerConfig, idle: bool, stop: threading.Event, wake: threading.Event) -> None:
    """The process that makes checkpoints known outside."""
    from collector.anchoring import process

    process.anchor(data, node, ledger, idle, stop, wake)


def _run(
    name: str, target: Target, arguments: tuple[Any, ...], pipe: Connection, prepare: Callable[[str], None] | None, idle: bool
) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _call_it(name)
    without_pandas()
    stop, wake = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(pipe, stop, wake), name="parent", daemon=True).start()
    if prepare is not None:
        prepare(name)
    target(*arguments, idle, stop, wake)


def _listen(pipe: Connection, stop: threading.Event, wake: threading.Event) -> None:
    while True:
        try:
            message = pipe.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)
        if message == _STOP:
            stop.set()
        wake.set()


def _call_it(name: str) -> None:
    """Have `ps` and `top` show what this process is."""
    with contextlib.suppress(OSError):  # only Linux has it
        Path("/proc/self/comm").write_text(name, encoding="ascii")


def _lower_priority(*, idle: bool) -> None:
    """Run only when nothing else wants the processor: an acknowledgement never waits for sealing.

    Called when everything is imported: a process that is still starting does not compete for long, and starves for longer.
    """
    if not idle:
        return
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)
