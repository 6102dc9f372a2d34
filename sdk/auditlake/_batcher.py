"""A bounded queue and the thread that sends it in batches: the agent never waits, and every loss is counted.

OpenTelemetry's batch processors drop silently, ignore the timeout of a flush and lose a whole batch to one record that cannot
be encoded; hence this one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from auditlake._delivery import deliver
from auditlake._drops import Drops, Reason
from auditlake._transport import Signal, Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is held, and how long it may take."""

    queue_size: int  # records waiting; more are dropped and counted
    batch_size: int  # records in a request
    delay_seconds: float  # how long a record waits for company
    export_timeout_seconds: float  # for one batch, retries included
    request_bytes: int  # larger requests are split


class Batcher(Generic[T]):
    """Takes records without blocking and delivers them in order from one background thread."""

    def __init__(
        self,
        *,
        signal: Signal,
        encode: Callable[[Sequence[T]], bytes],
        run_of: Callable[[T], str | None],
        transport: Transport,
        drops: Drops,
        limits: Limits,
        delivered: Callable[[], None],
    ) -> None:
        """Prepare; the thread starts with the first record. `delivered` is called after each batch that arrived."""
        self._signal: Signal = signal
        self._encode = encode
        self._run_of = run_of
        self._transport = transport
        self._drops = drops
        self._limits = limits
        self._delivered = delivered
        self.reset()

    def reset(self) -> None:
        """Start empty and without a thread, as a fork must: what was waiting belongs to the parent, which sends it."""
        self._changed = threading.Condition()
        self._queue: deque[T] = deque()
        self._accepted = self._taken = self._settled = 0  # numbers of records
        self._hurry_until = 0  # send without waiting until this many were taken
        self._close_by: float | None = None
        self._thread: threading.Thread | None = None

    def put(self, record: T, *, urgent: bool = False) -> None:
        """Queue `record`; `urgent` sends it (and what is before it) without waiting for company. Never blocks, never raises."""
        reason: Reason | None = None
        with self._changed:
            if self._close_by is not None:
                reason = "shutdown"
            elif len(self._queue) >= self._limits.queue_size:
                reason = "queue_full"
            elif not self._started():
                reason = "shutdown"
            else:
                self._queue.append(record)
                self._accepted += 1
                if urgent or len(self._queue) >= self._limits.batch_size:
                    self._hurry_until = self._accepted
                self._changed.notify_all()
        if reason is not None:
            self._drops.add(self._signal, reason, run_id=self._run_of(record))

    def flush(self, timeout_seconds: float) -> bool:
        """Send what is waiting now; return whether all of it was settled (delivered or counted as dropped) in time."""
        with self._changed:
            target = self._hurry_until = self._accepted
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= target, timeout_seconds)

    def close(self, timeout_seconds: float) -> bool:
        """Accept nothing more and send the rest; what is left after the time is counted as dropped. Return whether all was settled."""
        with self._changed:
            self._close_by = time.monotonic() + timeout_seconds
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout_seconds + 0.1)
        with self._changed:
            left, self._queue = list(self._queue), deque()
        for record in left:
            self._drops.add(self._signal, "shutdown", run_id=self._run_of(record))
        return not left and (thread is None or not thread.is_alive())

    def _started(self) -> bool:
        """Start the thread if there is none; return False when the interpreter is too far gone to start one."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=f"auditlake-{self._signal}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def _work(self) -> None:
        while batch := self._next_batch():
            if self._send(batch):
                self._delivered()
            with self._changed:
                self._settled += len(batch)
                self._changed.notify_all()

    def _next_batch(self) -> list[T]:
        """Wait for records, then for company; return an empty list when closing and nothing is left or no time is."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._close_by is not None)
            self._changed.wait_for(lambda: self._hurry_until > self._taken or self._close_by is not None, self._limits.delay_seconds)
            if self._close_by is not None and time.monotonic() >= self._close_by:
                return []
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch_size))]
            self._taken += len(batch)
            return batch

    def _send(self, batch: list[T]) -> bool:
        """Deliver `batch`, in halves when it is too large or one of its records cannot be encoded; return whether any arrived."""
        try:
            payload: bytes | None = self._encode(batch)
        except Exception:  # noqa: BLE001 - the rim of this thread; foreign records may fail anyhow, and each is counted
            payload = None
        if payload is None or len(payload) > self._limits.request_bytes:
            if len(batch) > 1:
                middle = len(batch) // 2
                return self._send(batch[:middle]) | self._send(batch[middle:])
            if payload is None:
                self._drops.add(self._signal, "unencodable", run_id=self._run_of(batch[0]))
                return False
        stop_at = time.monotonic() + self._limits.export_timeout_seconds
        outcome = deliver(
            self._transport, self._signal, payload, remaining=lambda: self._until(stop_at) - time.monotonic(), wait=self._wait
        )
        if not outcome.delivered:
            for record in batch:
                self._drops.add(self._signal, "export_failed", run_id=self._run_of(record))
        elif outcome.rejected:
            self._drops.add(self._signal, "rejected", outcome.rejected)
        return outcome.delivered

    def _until(self, stop_at: float) -> float:
        return stop_at if self._close_by is None else min(stop_at, self._close_by)

    def _wait(self, seconds: float) -> None:
        """Pause between attempts; a close ends the pause, so that the last attempt falls within its time."""
        with self._changed:
            closing = self._close_by is not None
            if not closing:
                self._changed.wait_for(lambda: self._close_by is not None, seconds)
        if closing:
            time.sleep(min(seconds, 0.2))
