"""Child processes that are started again with backoff when they end, and asked before they are ended: what all of ours share."""

import asyncio
import contextlib
import os
import threading
import time
from multiprocessing.connection import Connection
from typing import Any, Final

import structlog

from collector.health import OK

BACKOFF_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STABLE_SECONDS: Final = 60.0


class Supervised:
    """One process; a subclass says in `_launch` how it begins, and in `_ask_to_stop` how it learns that it should end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: Any = None  # of multiprocessing
        self._pipe: Connection | None = None
        self._stopping = threading.Event()
        self._replacing = False  # it was killed to be started again at once
        self._failures = 0
        self._down = "not started"
        self._started = 0.0

    def start(self) -> None:
        """Start the process."""
        self._process, self._pipe = self._launch()
        self._started = time.monotonic()
        self._down = ""

    @property
    def pid(self) -> int | None:
        """The process id, None before `start`."""
        return None if self._process is None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How the process ended, None while it runs."""
        return None if self._process is None else self._process.exitcode

    @property
    def is_alive(self) -> bool:
        """Whether the process runs now."""
        return self._process is not None and bool(self._process.is_alive())

    def state(self) -> str:
        """Return "ok" or "down: why"."""
        return OK if self.is_alive else f"down: {self._down or 'the process ended'}"

    async def supervise(self) -> None:
        """Restart the process whenever it ends, until `stop`."""
        while True:
            await self._ended()
            if self._stopping.is_set():
                return
            if not self._replacing:
                await self._wait_to_restart()
            self._replacing = False
            if self._stopping.is_set():
                return
            try:
                self.start()
            except OSError as error:  # no memory, processes or descriptors left: the one that ended counts as ended once more
                structlog.get_logger(__name__).error("child process cannot be started now", child=self.name, error=error.strerror)

    async def stop(self, grace_seconds: float) -> None:
        """Ask the process to finish its work, and end it when that takes longer than `grace_seconds`."""
        self._stopping.set()
        if self._process is None:
            return
        self._ask_to_stop()
        await self._finish(await self._ended_within(grace_seconds))

    async def on_end(self) -> None:
        """Called when the process ended unasked, before it is started again."""

    def _launch(self) -> tuple[Any, Connection]:
        raise NotImplementedError

    def _ask_to_stop(self) -> None:
        raise NotImplementedError

    async def _wait_to_restart(self) -> None:
        self._failures = 0 if time.monotonic() - self._started > STABLE_SECONDS else self._failures
        delay = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._down = f"the {self.name} ended with exit code {self.exit_code} and is being restarted"
        structlog.get_logger(__name__).warning("child process ended, restarting", child=self.name, exit_code=self.exit_code, seconds=delay)
        self._failures += 1
        await self.on_end()
        await asyncio.sleep(delay)

    async def _finish(self, ended: bool) -> None:
        """End the process if it has not ended by itself, and give back what it took."""
        if not ended:
            structlog.get_logger(__name__).info("child process killed: it did not end in time, its work is done later", child=self.name)
            await self._kill()
        self._process.join()
        if self._pipe is not None:
            self._pipe.close()

    async def _kill(self) -> None:
        self._process.kill()
        await self._ended()

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._ended()
        except TimeoutError:
            return False
        return True

    async def _ended(self) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        descriptor = os.dup(self._process.sentinel)  # so that two waiters do not take each other's place in the loop
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        self._process.join(1.0)

    def _send(self, message: bytes) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):  # the process just ended: its supervisor will see that
                self._pipe.send_bytes(message)
