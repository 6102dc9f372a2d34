"""Group commit: one task appends everything that waits in one write and one sync, and only then lets it be acknowledged.

Appending and rotating happen in one thread, so the event loop never waits for the disk and a rotation never splits an append.
Audit events go first: they wait for at most the append under way. After a failed append nothing is accepted any more, because
what the disk then holds is unknown until the collector starts anew and reads it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import structlog

from collector.errors import TooLarge, Unavailable
from storage.errors import StorageError
from storage.wal import BatchHeader, Counters, RecordType, Segment
from storage.wal_format import MAX_PAYLOAD_BYTES, record_bytes

APPEND_BYTES: Final = 8 << 20
APPEND_BYTES_BESIDE_AUDIT: Final = 1 << 20
"""How much bulk data may share an append with an audit event: more would make its sync slower."""


class Writer(Protocol):
    """What is needed of `storage.wal.WalWriter`."""

    @property
    def entry(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    def append(self, records: Sequence[tuple[RecordType, bytes, bytes]]) -> None: ...
    def rotate(self) -> Segment | None: ...
    def close(self) -> None: ...


class Place(NamedTuple):
    """Where a batch is durable: the entry that its segment becomes, and its receive time, which no other batch of the entry has."""

    entry: int
    received_ns: int


class _Waiting(NamedTuple):
    header: BatchHeader
    header_bytes: bytes
    payload: bytes
    done: asyncio.Future[Place]


class Committer:
    """The queue before the WAL. `run` must be running as a task; everything else is called from the same event loop."""

    def __init__(self, writer: Writer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._writer = writer
        self._clock = clock
        self._segment_since: float | None = None  # when the first append to the current segment began
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wal")
        self._audit: deque[_Waiting] = deque()
        self._bulk: deque[_Waiting] = deque()
        self._rotations: list[asyncio.Future[Segment | None]] = []
        self._work = asyncio.Event()
        self._closing = False
        self._counts = _Counts()
        self._times: set[int] = set()  # receive times of the batches in the current segment
        self.failure: str | None = None

    def submit(self, header: BatchHeader, payload: bytes, *, audit: bool = False) -> asyncio.Future[Place]:
        """Queue a batch; the future is done when it is durable, says where, and fails with Unavailable when it cannot become so.

        Raises Unavailable at once when nothing is accepted any more, TooLarge for a batch that no WAL record can hold.
        """
        if self.failure is not None or self._closing:
            raise Unavailable("nothing can be stored now: send again later")
        header_bytes = header.to_bytes()
        if record_bytes(header_bytes, payload) > MAX_PAYLOAD_BYTES:
            raise TooLarge("the request is larger than a record of the WAL can be: send smaller batches")
        done: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_retrieve)
        (self._audit if audit else self._bulk).append(_Waiting(header, header_bytes, payload, done))
        self._work.set()
        return done

    def count_rejected(self, reasons: Mapping[str, int]) -> None:
        """Count records that were received and rejected."""
        self._counts.add_rejected(reasons)

    def count_deduplicated(self, records: int) -> None:
        """Count records that were received again."""
        self._counts.received += records
        self._counts.deduplicated += records

    async def rotate(self) -> Segment | None:
        """Close the current segment, its counters in it, if there is anything to seal."""
        if self.failure is not None or self._closing:
            return None
        return await self._request_rotation()

    @property
    def waiting(self) -> tuple[int, int]:
        """Records and bytes that wait for the next append."""
        queued = (*self._audit, *self._bulk)
        return sum(batch.header.records for batch in queued), sum(len(batch.payload) for batch in queued)

    @property
    def segment_bytes(self) -> int:
        """Durable bytes of the segment being written."""
        return self._writer.size_bytes

    @property
    def segment_seconds(self) -> float:
        """How long the current segment has held something that is not sealed; an append that does not end counts, too."""
        return 0.0 if self._segment_since is None else self._clock() - self._segment_since

    async def close(self) -> None:
        """Commit what is queued, rotate, close the writer. Nothing can be submitted afterwards."""
        self._closing = True
        if self.failure is None:
            await self._request_rotation()
        self._work.set()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()

    async def run(self) -> None:
        """Commit until `close`; a failed append or rotation is remembered in `failure` and ends nothing but the writing."""
        try:
            while self.failure is None and not (self._closing and self._idle()):
                await self._work.wait()
                self._work.clear()
                await self._commit_waiting()
        finally:
            self.failure = self.failure or ("the collector is stopping" if self._closing else "the committer stopped")
            self._refuse([*self._audit, *self._bulk])
            for rotation in self._rotations:
                rotation.cancel()

    @property
    def _queued(self) -> bool:
        return bool(self._audit or self._bulk)

    def _idle(self) -> bool:
        return not (self._queued or self._rotations)

    async def _request_rotation(self) -> Segment | None:
        future: asyncio.Future[Segment | None] = asyncio.get_running_loop().create_future()
        self._rotations.append(future)
        self._work.set()
        try:
            return await future
        except asyncio.CancelledError:
            if self.failure is None:
                raise
            return None

    async def _commit_waiting(self) -> None:
        while self.failure is None and not self._idle():
            waiting = self._take()
            try:
                await self._append(waiting)
                if self._rotations and not (self._closing and self._queued):  # the last rotation closes over all that is queued
                    await self._rotate()
            except StorageError as error:
                self.failure = error.hint
                structlog.get_logger(__name__).error("the WAL failed: nothing is accepted any more", hint=error.hint)
            finally:
                self._refuse(waiting)  # those that are not durable by now, whatever went wrong

    def _take(self) -> list[_Waiting]:
        """Take all audit batches and as many others as fit into one append."""
        taken = list(self._audit)
        self._audit.clear()
        room = APPEND_BYTES_BESIDE_AUDIT if taken else APPEND_BYTES
        while self._bulk and room > 0:
            taken.append(self._bulk.popleft())
            room -= len(taken[-1].payload)
        return taken

    async def _append(self, waiting: Sequence[_Waiting]) -> None:
        if not waiting:
            return
        waiting = [self._distinct(batch) for batch in waiting]
        records = [(RecordType.BATCH, batch.header_bytes, batch.payload) for batch in waiting]
        self._segment_since = self._clock() if self._segment_since is None else self._segment_since
        loop = asyncio.get_running_loop()
        appended: asyncio.Future[None] = loop.create_future()

        def settle(done: Future[None]) -> None:
            """Acknowledge here, a round of the event loop before the coroutine below goes on: under load a round is long."""
            error = done.exception()
            if error is None:
                self._acknowledge(waiting)
            if appended.done():
                return
            if error is None:
                appended.set_result(None)
            else:
                appended.set_exception(error)

        writing = self._thread.submit(self._writer.append, records)
        writing.add_done_callback(lambda done: loop.call_soon_threadsafe(settle, done))
        await appended

    def _acknowledge(self, durable: Sequence[_Waiting]) -> None:
        for batch in durable:
            self._counts.received += 0 if batch.header.own else batch.header.records
            if not batch.done.done():
                batch.done.set_result(Place(self._writer.entry, batch.header.received_ns))

    def _distinct(self, batch: _Waiting) -> _Waiting:
        """Give a batch a receive time of its own: by it and the entry a receipt finds its rows."""
        received_ns = batch.header.received_ns
        while received_ns in self._times:
            received_ns += 1
        self._times.add(received_ns)
        if received_ns == batch.header.received_ns:
            return batch
        header = replace(batch.header, received_ns=received_ns)
        return batch._replace(header=header, header_bytes=header.to_bytes())

    async def _rotate(self) -> None:
        """Close the segment for all who asked so far; who asks meanwhile waits for the next."""
        rotations, counts = tuple(self._rotations), self._counts
        self._counts = _Counts()

        def close_segment() -> Segment | None:
            if counts.received:
                self._writer.append([(RecordType.COUNTERS, counts.counters().to_bytes(), b"")])
            return self._writer.rotate()

        segment = await asyncio.get_running_loop().run_in_executor(self._thread, close_segment)
        self._segment_since = None
        self._times.clear()
        del self._rotations[: len(rotations)]
        for rotation in rotations:
            if not rotation.done():  # who asked may be gone
                rotation.set_result(segment)

    def _refuse(self, waiting: Iterable[_Waiting]) -> None:
        for batch in waiting:
            if not batch.done.done():
                batch.done.set_exception(Unavailable("nothing can be stored now: send again later"))


class _Counts:
    """Records since the last COUNTERS record."""

    def __init__(self) -> None:
        self.received = self.deduplicated = 0
        self._reasons: dict[str, int] = {}

    def add_rejected(self, reasons: Mapping[str, int]) -> None:
        for reason, records in reasons.items():
            self.received += records
            self._reasons[reason] = self._reasons.get(reason, 0) + records

    def counters(self) -> Counters:
        rejected = sum(self._reasons.values())
        return Counters(received=self.received, rejected=rejected, deduplicated=self.deduplicated, reasons=self._reasons)


def _retrieve(done: asyncio.Future[Place]) -> None:
    """Mark a failure as seen: the sender may be gone, and then nobody else looks."""
    if not done.cancelled():
        done.exception()
