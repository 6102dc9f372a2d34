"""A worker as its parent sees it: a process that is supervised, told things, and heard."""

import asyncio
import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import structlog

from collector.config import Config
from collector.health import OK
from collector.service import Host
from collector.supervised import Supervised
from collector.worker import STATUS_SECONDS, Reload, Status, Stop, run

SILENT_SECONDS: Final = 15 * STATUS_SECONDS
HUNG_LOOKS: Final = 60
"""A worker that has said nothing at so many looks in a row hangs. Looks, not time: when everything was stopped for a while, nobody hung."""
LAST_WORDS_SECONDS: Final = 1.0


class WorkerProcess(Supervised):
    """One worker. `config` returns what it starts with, now or again; The event loop calls `heard`, and `ended` with its last words."""

    def __init__(
        self,
        number: int,
        config: Callable[[], Config],
        *,
        data: Path,
        host: Host,
        heard: Callable[["WorkerProcess", object], None],
        ended: Callable[[Status | None], Awaitable[None]],
    ) -> None:
        super().__init__(f"collector-{number}")
        self.number = number
        self.status: Status | None = None
        """What it told last of itself; None until it takes requests, and while it is restarted."""
        self.was_ready = False
        self.told: Reload | None = None
        """The configuration that it was told last since its start."""
        self._config = config
        self._data = data
        self._host = replace(host, environ={}, load=None)  # it inherits the environment, and is told of configurations
        self._hear = heard
        self._when_ended = ended
        self._heard_at = 0.0
        self._silent_looks = 0
        self._listener: threading.Thread | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests, by what it told last, not long ago."""
        return self.state() == OK and self.status is not None and self.status.ready

    def state(self) -> str:
        """Return "ok" or "down: why"."""
        state = super().state()
        if state != OK:
            return state
        if self.status is None:
            return "down: it is starting"
        seconds = time.monotonic() - self._heard_at
        return OK if seconds < SILENT_SECONDS else f"down: it has said nothing for {seconds:.0f} s"

    def reload(self, message: Reload) -> None:
        """Tell it a configuration; harmless while the process is down."""
        self.told = message
        self._tell(message)

    def look(self) -> None:
        """Called every second: end a process that took requests and hangs, so that the kernel gives it no more of them."""
        if self.status is None or not self.is_alive:
            return
        self._silent_looks += 1
        if self._silent_looks == HUNG_LOOKS:
            structlog.get_logger(__name__).error("a worker hangs and is ended", worker=self.number, pid=self.pid)
            self._process.kill()

    async def on_end(self) -> None:
        """Hand on that the process ended, when its last words are heard; what it told of itself holds no longer."""
        if self._listener is not None:
            await asyncio.to_thread(self._listener.join, LAST_WORDS_SECONDS)
        last, self.status = self.status, None
        await self._when_ended(last)

    def _launch(self) -> tuple[Any, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (self.number, self._config(), self._data, self._host, theirs, os.getpid())
        process = context.Process(target=run, args=arguments, name=f"auditlake-{self.name}", daemon=True)
        process.start()
        theirs.close()
        self._begin(ours)
        return process, ours

    def _begin(self, pipe: Connection) -> None:
        """Forget the process before, listen to the new one."""
        self.status, self.was_ready, self.told, self._silent_looks = None, False, None, 0
        loop = asyncio.get_running_loop()
        self._listener = threading.Thread(target=self._listen, args=(pipe, loop), name=f"from {self.name}", daemon=True)
        self._listener.start()

    def _ask_to_stop(self) -> None:
        self._tell(Stop())

    def _tell(self, message: object) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(message)

    def _listen(self, pipe: Connection, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(EOFError, OSError, RuntimeError):  # it ended, or the loop has
            while True:
                loop.call_soon_threadsafe(self._heard, pipe, pipe.recv())

    def _heard(self, pipe: Connection, message: object) -> None:
        if pipe is not self._pipe:  # the last words of one that was replaced
            return
        if isinstance(message, Status):
            self.status, self._heard_at, self._silent_looks = message, time.monotonic(), 0
            self.was_ready = self.was_ready or message.ready
        self._hear(self, message)
