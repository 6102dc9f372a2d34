"""One exporter at work: read `_work_off` from top to bottom. The oldest segment is read window by window, each window is sent, noted, and
the segment deleted. While a backend is away, the queue grows up to its bounds, and then its oldest segments are dropped.
"""

import contextlib
import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import structlog

from collector.config_exporters import DEFAULT_REQUEST_BYTES, QueueBatchConfig
from collector.config_forwarding import Forward
from collector.forwarding.answers import Answer, Kind
from collector.forwarding.cursor import Cursor, Position
from collector.forwarding.dead_letters import DeadLetters, Letter
from collector.forwarding.filters import Filter
from collector.forwarding.patience import Circuit, Patience
from collector.forwarding.queue import Backlog, Held, Queued, exporter_folder
from collector.forwarding.requests import Bounds, Outgoing, Window, divided, first_seq, outgoing, records_behind, windows
from collector.forwarding.splitting import halves
from collector.forwarding.status import Status
from collector.forwarding.told import Told
from collector.signals import Signal
from storage.durable import DISK, FileSystem
from storage.errors import StorageError

POLL_SECONDS: Final = 0.5
STORAGE_SECONDS: Final = 5.0
REFRESH_SHARE: Final = 0.05
"""How much of the time may go into looking what is new in a long queue."""
MIN_FREE_BYTES: Final = 512 << 20
"""With less room than this on the disk the queue gives way: ingestion needs it."""
DISK_STEP_BYTES: Final = 64 << 20


class Sender(Protocol):
    """What sends: `HttpSender`, `GrpcSender`."""

    def send(self, signal: Signal, body: bytes) -> Answer: ...
    def close(self) -> None: ...


class Interrupted(Exception):
    """What was under way is not to be finished: the process stops, the segment was dropped, or records of it were erased."""


class Forwarder:
    """Works off one exporter's queue, in one thread. `stop` ends `run` between two attempts."""

    def __init__(self, data: Path, forward: Forward, sender: Sender, told: Told, stop: threading.Event, *, fs: FileSystem = DISK) -> None:
        """Raises `StorageError` when the cursor cannot be read."""
        self._forward = forward
        self._sender = sender
        self._told = told
        self._stop = stop
        self._folder = exporter_folder(data, forward.id)
        self._quarantine = data / "quarantine"
        self._queue = forward.config.sending_queue
        self._retry = forward.config.retry_on_failure
        self._bounds = bounds_of(self._queue.batch)
        self._patience = Patience(self._retry, random.random)
        self._cursor = Cursor(self._folder, fs)
        self._backlog = Backlog(self._folder, fs)
        self._letters = DeadLetters(self._folder, self._queue.dead_letter_bytes, fs)
        self._secrets = tuple(value.get_secret_value() for value in forward.config.headers.values() if value)
        self._filters = {name: Filter(name, configs) for name, configs in forward.filters.items()}
        self._trouble = ""
        self._current: tuple[Queued, Position] | None = None
        self._refresh_at = self._tick_at = 0.0
        self._clock = steady_clock()
        self._log = structlog.get_logger(__name__).bind(exporter=forward.id)

    def run(self) -> None:
        """Forward until `stop`. Raises OSError and `StorageError` when the queue cannot be read or noted: call it again later."""
        try:
            self._cursor.save()  # what cannot be noted is not sent: it would go again and again
            while not self._stop.is_set():
                with contextlib.suppress(Interrupted):
                    self._tick()
                    if (queued := self._backlog.first) is None:
                        self._stop.wait(POLL_SECONDS)
                    else:
                        self._work_off(queued)
        finally:
            self._current = None
            self._say()
            self._told.write(everything=True)

    def _work_off(self, queued: Queued) -> None:
        """Send what is left of the oldest segment, and delete it."""
        try:
            held = Held(self._backlog.segment(queued))
        except FileNotFoundError:  # somebody took it away
            self._backlog.remove(queued)
            return
        with closing(held):
            self._send_rest(queued, held)
        self._backlog.remove(queued)

    def _send_rest(self, queued: Queued, held: Held) -> None:
        segment = held.segment
        seq = first_seq(segment, self._quarantine) or 0
        position = self._cursor.position(segment, seq)
        if position is not None:
            self._current = (queued, position)
            own, signals = self._forward.config.include_own, self._forward.signals
            for window in windows(segment, self._quarantine, begin=position.begin, end=position.end, signals=signals, own=own):
                self._send_window(held, window, position)
                position = Position(origin=segment.origin, entry=segment.entry, seq=seq, begin=window.end)
                self._current = (queued, position)
                if not window.is_last:
                    self._cursor.advance(position)
            self._current = None
            self._cursor.finish(segment, seq)

    def _send_window(self, held: Held, window: Window, position: Position) -> None:
        sent = position.sent
        for name, parts in window.parts.items():
            if name in sent:
                continue
            wanted = self._filters.get(name)
            filtered = wanted is not None and not wanted.says_nothing
            kept = 0
            for request in outgoing(name, parts, wanted if filtered else None, self._bounds):
                kept += request.records
                for part in divided(request, self._bounds):
                    self._tick()
                    self._deliver(held, part)
            self._cursor.counts["filtered"] += sum(part.records for part in parts) - kept if filtered else 0
            sent = (*sent, name)
            if len(sent) < len(window.parts):
                self._cursor.advance(replace(position, end=window.end, sent=sent))

    def _deliver(self, held: Held, request: Outgoing) -> None:
        """Send one request until the backend has taken or refused it; one that is too large goes in halves."""
        begun = time.monotonic()
        while True:
            self._patience.probe()
            if not held.is_current():
                raise Interrupted
            answer = self._sender.send(request.signal, request.body)
            if answer.kind is Kind.RETRY and not self._gives_up(begun):
                self._wait_for_the_backend(answer)
                continue
            break
        if answer.kind is not Kind.RETRY:
            self._recovered()
        pieces = halves(request.signal, request.body) if answer.kind is Kind.TOO_LARGE else None
        if pieces is None:
            self._count(held, request, answer)
            return
        self._bounds = replace(self._bounds, size_bytes=max(len(request.body) // 2, 1))
        for body, records in pieces:
            for part in divided(Outgoing(request.signal, body, records), self._bounds):
                self._deliver(held, part)

    def _count(self, held: Held, request: Outgoing, answer: Answer) -> None:
        """Count what became of a request, and keep what was refused."""
        counts = self._cursor.counts
        rejected = min(answer.rejected, request.records) if answer.kind is Kind.DELIVERED else request.records
        counts["sent"] += request.records - rejected
        if answer.kind is Kind.DELIVERED:
            counts["requests"] += 1
            counts["bytes"] += len(request.body)
        if rejected:
            counts["rejected"] += rejected
            self._told.add("forward.rejected", self._forward.id, answer.reason, rejected)
            self._log.warning("the backend refused records, they are kept as dead letters", reason=answer.reason, records=rejected)
            self._trouble = f"{answer.reason}: records were refused, they are in dead-letters"
            try:
                path = self._letters.keep(Letter(held.segment, request, answer), self._secrets)
                if path is not None and not held.is_current():  # an erasure looked for letters before there was this one
                    self._letters.drop(path)
            except StorageError as error:  # to try again would send all that goes with it again
                self._log.error("a dead letter could not be kept", hint=error.hint)

    def _gives_up(self, begun: float) -> bool:
        limit = self._retry.max_elapsed_time
        return not self._retry.enabled or (limit > 0 and time.monotonic() - begun >= limit)

    def _wait_for_the_backend(self, answer: Answer) -> None:
        self._cursor.counts["retried"] += 1
        was_open = self._patience.circuit is not Circuit.CLOSED
        seconds = self._patience.failed(answer.retry_seconds)
        if self._patience.circuit is Circuit.OPEN and not was_open:
            self._log.warning("the backend does not take anything: its queue grows, it is probed now and then", reason=answer.reason)
        self._trouble = answer.reason
        self._pause(seconds)

    def _recovered(self) -> None:
        if self._patience.circuit is not Circuit.CLOSED:
            self._log.info("the backend answers again", waiting_segments=len(self._backlog))
        self._patience.succeeded()
        self._trouble = ""

    def _pause(self, seconds: float) -> None:
        """Wait, and mind the queue meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._tick()
            if self._stop.wait(min(left, POLL_SECONDS)):
                raise Interrupted

    def _tick(self) -> None:
        """See what is new, keep the queue within its bounds, say how it is. Raises `Interrupted` when the current segment was dropped."""
        now = time.monotonic()
        if now < self._tick_at:
            return
        self._tick_at = now + POLL_SECONDS
        if now >= self._refresh_at:
            self._backlog.refresh()
            self._refresh_at = now + max(POLL_SECONDS, (time.monotonic() - now) / REFRESH_SHARE)
        had = self._current
        self._keep_within_bounds()
        self._say()
        self._told.write()
        if had is not None and self._current is None:
            raise Interrupted

    def _keep_within_bounds(self) -> None:
        # what a backend takes goes by itself: on a small disk everything would be dropped else before it could be sent
        piles_up = self._patience.failures > 0 or self._backlog.size_bytes > DISK_STEP_BYTES
        low_on_disk = piles_up and shutil.disk_usage(self._folder).free < MIN_FREE_BYTES
        now = self._clock()
        freed = 0
        while (queued := self._backlog.first) is not None:
            if self._backlog.size_bytes > self._queue.max_bytes:
                reason = "queue full"
            elif now - queued.written_ns / 1e9 > self._queue.max_age:
                reason = "too old"
            elif low_on_disk and freed < DISK_STEP_BYTES:
                reason = "disk full"
                freed += queued.size_bytes
            else:
                return
            self._drop(queued, reason)

    def _drop(self, queued: Queued, reason: str) -> None:
        """Give up the oldest segment: the lake has its records."""
        segment = self._backlog.segment(queued)
        current = self._current[1] if self._current is not None and self._current[0] == queued else None
        records = 0
        with contextlib.suppress(StorageError):  # what cannot be read cannot be counted
            signals, own = self._forward.signals, self._forward.config.include_own
            records = records_behind(segment, self._quarantine, begin=current.begin if current else 0, signals=signals, own=own)
        self._current = None if current else self._current
        self._cursor.counts["dropped"] += records
        self._told.add("forward.dropped", self._forward.id, reason, records)
        self._log.warning("the oldest segment of the queue is dropped, the lake keeps its records", reason=reason, records=records)
        self._backlog.remove(queued)

    def _say(self) -> None:
        """Tell the collector process how it is."""
        first = self._backlog.first
        status = Status(
            exporter=self._forward.id,
            updated_ns=time.time_ns(),
            circuit=self._patience.circuit,
            trouble=self._trouble,
            counts=dict(self._cursor.counts),
            queue_segments=len(self._backlog),
            queue_bytes=self._backlog.size_bytes,
            oldest_ns=None if first is None else first.written_ns,
        )
        with contextlib.suppress(OSError):  # health says then that nothing was said
            status.write(self._folder)


def steady_clock() -> Callable[[], float]:
    """Return a clock that goes on from the time that it is now, whatever the machine's is set to: nothing gets old by that."""
    ahead = time.time() - time.monotonic()
    return lambda: ahead + time.monotonic()


def bounds_of(batch: QueueBatchConfig) -> Bounds:
    """Return how large requests may be."""
    if batch.max_size is not None and batch.sizer == "bytes":
        return Bounds(size_bytes=batch.max_size)
    return Bounds(size_bytes=DEFAULT_REQUEST_BYTES, records=batch.max_size)
