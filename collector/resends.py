"""Exact resends: exporters send a request again when its answer was lost, and storing it twice would corrupt cost and counts.

A batch is known by the digest of its redacted bytes. A resend that arrives while the first is still being committed waits for
the same commit, so it is never acknowledged before the data is durable. What was committed is remembered for ten minutes, in
sets by the minute, at most a million batches; the digests survive restarts in the WAL and the catalog.
"""

import asyncio
import hashlib
from collections import deque
from typing import Final

WINDOW_NS: Final = 600 * 1_000_000_000
_BUCKET_NS: Final = 60 * 1_000_000_000
MAX_DIGESTS: Final = 1_000_000
"""About 110 bytes each; under a load that exceeds it the window shortens, oldest first."""


def digest(signal: str, payload: bytes) -> bytes:
    """Return the 16 bytes that identify a redacted payload of a signal."""
    return hashlib.blake2b(payload, digest_size=16, person=signal.encode()).digest()


class Resends:
    """The digests of recent batches. Not thread-safe: it belongs to the event loop."""

    def __init__(self) -> None:
        self._in_commit: dict[bytes, asyncio.Future[None]] = {}
        self._buckets: deque[tuple[int, set[bytes]]] = deque()  # (minute, digests), oldest first
        self._size = 0

    def first_commit(self, key: bytes) -> asyncio.Future[None] | None:
        """Return the commit of an earlier identical batch (done when it is durable), or None when there was none."""
        pending = self._in_commit.get(key)
        if pending is not None:
            return pending
        if any(key in digests for _, digests in self._buckets):
            done = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        return None

    def expect(self, key: bytes, commit: asyncio.Future[None], received_ns: int) -> None:
        """Remember a batch while it is being committed, and afterwards only if that succeeds."""
        self._in_commit[key] = commit

        def settle(finished: asyncio.Future[None]) -> None:
            del self._in_commit[key]
            if not finished.cancelled() and finished.exception() is None:
                self.remember(key, received_ns)

        commit.add_done_callback(settle)

    def remember(self, key: bytes, received_ns: int) -> None:
        """Remember a committed batch; forgets what left the window."""
        minute = received_ns // _BUCKET_NS
        if not self._buckets or self._buckets[-1][0] < minute:
            self._buckets.append((minute, set()))
        self._buckets[-1][1].add(key)
        self._size += 1
        oldest = (received_ns - WINDOW_NS) // _BUCKET_NS
        while len(self._buckets) > 1 and (self._buckets[0][0] < oldest or self._size > MAX_DIGESTS):
            self._size -= len(self._buckets.popleft()[1])
