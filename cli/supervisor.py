"""Running several processes in one terminal: started in order, restarted with backoff, stopped in reverse order on Ctrl-C.

Each child has a session of its own, so that Ctrl-C reaches only the supervisor, which stops the children one after the other:
producers before the collector, so that what they send last is still taken. A child dies with the supervisor (on Linux also when
that is killed).
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

BACKOFF_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STABLE_SECONDS: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process to keep running."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 12.0  # how long it may take to stop on SIGTERM
    restart: bool = True
    reloads: bool = False  # takes SIGHUP as a wish to read its configuration again
    essential: bool = False  # exit code 2 (usage or configuration) of its first process ends everything; later it may get better by itself


class Supervisor:
    """Starts children, watches them, stops them. What they print goes to our own streams; `echo` says whether stdout does too."""

    def __init__(self, *, echo: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._running: dict[str, _Running] = {}
        self._stopping = threading.Event()
        self._reloading = threading.Event()
        self._echo = echo
        self._monotonic = monotonic
        self.failure: str | None = None

    def start(self, child: Child) -> None:
        """Start a child and keep it running."""
        self._running[child.name] = _Running(child=child, process=self._spawn(child), started=self._monotonic())

    def request_stop(self) -> None:
        """Make `watch` return; safe in a signal handler."""
        self._stopping.set()

    def request_reload(self) -> None:
        """Make `watch` ask those children that can to read their configuration again; safe in a signal handler."""
        self._reloading.set()

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopping.is_set()

    def watch(self, seconds: float | None = None) -> None:
        """Restart what dies, until a stop is asked for, an essential child fails, or `seconds` have passed."""
        deadline = None if seconds is None else self._monotonic() + seconds
        while not self._stopping.is_set():
            if self._reloading.is_set():
                self._reloading.clear()
                self._reload()
            for running in list(self._running.values()):
                self._look_after(running)
            if self.failure is not None or (deadline is not None and self._monotonic() >= deadline):
                return
            self._stopping.wait(0.1)

    def is_alive(self, name: str) -> bool:
        """Say whether the child of this name runs now."""
        running = self._running.get(name)
        return running is not None and running.process.poll() is None

    def pid(self, name: str) -> int | None:
        """Return the process id of the child of this name, None when there is none."""
        running = self._running.get(name)
        return None if running is None else running.process.pid

    def stop(self) -> None:
        """Stop all children, the last started first; kills those that do not stop in time."""
        self._stopping.set()
        for running in reversed(self._running.values()):
            if running.process.poll() is None:
                running.process.terminate()
                try:
                    running.process.wait(running.child.stop_seconds)
                except subprocess.TimeoutExpired:
                    structlog.get_logger(__name__).warning("killed: it did not stop in time", child=running.child.name)
                    running.process.kill()
                    running.process.wait()
            running.join()

    def _reload(self) -> None:
        for running in self._running.values():
            if running.child.reloads and running.process.poll() is None:
                running.process.send_signal(signal.SIGHUP)

    def _look_after(self, running: "_Running") -> None:
        code = running.process.poll()
        now = self._monotonic()
        if code is None:
            if now - running.started > STABLE_SECONDS:
                running.failures = 0
            return
        child = running.child
        if running.restart_at is None:
            if not child.restart:
                del self._running[child.name]
                return
            if child.essential and code == 2 and running.is_first:
                self.failure = child.name
                return
            delay = BACKOFF_SECONDS[min(running.failures, len(BACKOFF_SECONDS) - 1)]
            structlog.get_logger(__name__).warning("process ended, restarting", child=child.name, exit_code=code, in_seconds=delay)
            running.failures += 1
            running.restart_at = now + delay
        elif now >= running.restart_at:
            running.process = self._spawn(child)
            running.started, running.restart_at, running.is_first = now, None, False

    def _spawn(self, child: Child) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            list(child.arguments),
            stdin=subprocess.DEVNULL,
            stdout=None if self._echo else subprocess.DEVNULL,
            stderr=None,
            env={**os.environ, **child.environment},
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - the supervisor has one thread
        )


@dataclass(slots=True, kw_only=True)
class _Running:
    child: Child
    process: "subprocess.Popen[bytes]"
    started: float
    failures: int = 0
    restart_at: float | None = None
    is_first: bool = True

    def join(self) -> None:
        self.process.wait()


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, however it dies (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_on_signals(supervisor: Supervisor) -> None:
    """Turn SIGINT and SIGTERM into an orderly stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: supervisor.request_stop())
