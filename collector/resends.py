"""Exact resends: exporters send a request again when its answer was lost, and storing it twice would corrupt cost and counts.

A request is known by a keyed digest of what was sent, before redaction: two requests that differ only in what is taken out of them
are two, and the digest, which is kept with the batch, tells nothing about it to who has not the key. A resend that arrives while the
first is still being redacted or committed waits for the same commit, so it is never acknowledged before the data is durable. What was
committed is remembered for ten minutes, in sets by the minute; the digests survive restarts in the WAL and the catalog.
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from collector.signals import LOGS, Message, Signal
from storage.layout import Delivery

WINDOW_SECONDS: Final = 600
_BUCKET_SECONDS: Final = 60
_SHIFT: Final = 1 << 64  # an entry and a receive time in one number
MAX_DIGESTS: Final = 1_000_000
"""About 130 bytes each; under a load that exceeds it the window shortens, oldest first."""
_BUCKETS_AT_LEAST: Final = 16
"""What is forgotten at once is at most this part of all, also when a million requests come within a minute."""

EVENT_ID: Final = "log.record.uid"
"""What OpenTelemetry calls the id that a sender gives to a log record."""


class Stored(NamedTuple):
    """A request that is durable."""

    at: Delivery
    redaction_seconds: float | None = None  # what redacting it took; None when it was redacted long ago


Commit = asyncio.Future[Stored]


class Resends:
    """The digests of recent requests. Not thread-safe, except `identity`: it belongs to the event loop.

    `key` keys the digests. `origin` is whose requests these are, mostly: what it stored is remembered in little room. `clock` is
    monotonic, in seconds: a wall clock that jumps must not change the window.
    """

    def __init__(self, key: bytes, *, origin: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._clock = clock
        self._in_commit: dict[bytes, Commit] = {}
        self._buckets: deque[tuple[int, dict[bytes, Delivery | int]]] = deque()  # (minute, digest → where it is), oldest first
        self._origin = origin

    def identity(self, signal: Signal, message: Message, tenant: str | None = None) -> bytes | None:
        """Return the 16 bytes that identify a request as it was sent; None for one that must be stored however often it comes.

        Requests of two tenants (as their credentials say) are two: nobody can have another's dropped by sending it first.
        That is a request with a log record that has no time and no id at all: three equal heartbeats without a time are three.
        """
        if signal is LOGS and _has_untimed(message):
            return None
        payload = message.SerializeToString(deterministic=True)
        digest = hashlib.blake2b(payload, digest_size=16, key=self._key, person=signal.name.encode())
        if tenant is not None:
            digest.update(b"\0" + tenant.encode())  # no field has the number 0: this cannot be the end of another message
        return digest.digest()

    def first_commit(self, identity: bytes | None) -> Commit | None:
        """Return the commit of an earlier identical request (done when it is durable, says where), or None when there was none."""
        if identity is None:
            return None
        pending = self._in_commit.get(identity)
        if pending is not None:
            return pending
        self._forget()
        stored = next((digests[identity] for _, digests in self._buckets if identity in digests), None)
        if stored is None:
            return None
        done: Commit = asyncio.get_running_loop().create_future()
        done.set_result(Stored(stored if isinstance(stored, Delivery) else Delivery(self._origin, *divmod(stored, _SHIFT))))
        return done

    def expect(self, identity: bytes | None) -> None:
        """Remember that a request is being stored: `settle` or `fail` must follow, and whoever sends the same meanwhile waits for that."""
        if identity is not None:
            self._in_commit[identity] = asyncio.get_running_loop().create_future()

    def settle(self, identity: bytes | None, stored: Stored) -> None:
        """It is durable."""
        if identity is not None:
            self._in_commit.pop(identity).set_result(stored)
            self.remember(identity, stored.at)

    def fail(self, identity: bytes | None, error: BaseException) -> None:
        """It was not stored: whoever waits for it is told the same, and who sends it again is the first."""
        if identity is None:
            return
        commit = self._in_commit.pop(identity)
        if isinstance(error, asyncio.CancelledError):
            commit.cancel()
        else:
            commit.set_exception(error)
            commit.exception()  # that nobody waits is no error

    def remember(self, identity: bytes, stored: Delivery, *, age_seconds: float = 0.0) -> None:
        """Remember what was committed `age_seconds` ago, oldest first; forgets what left the window."""
        minute = int((self._clock() - age_seconds) // _BUCKET_SECONDS)
        full = bool(self._buckets) and len(self._buckets[-1][1]) >= max(1, MAX_DIGESTS // _BUCKETS_AT_LEAST)
        if not self._buckets or full or self._buckets[-1][0] < minute:
            self._buckets.append((minute, {}))
        ours = stored.origin == self._origin and stored.received_ns < _SHIFT
        self._buckets[-1][1][identity] = stored.entry * _SHIFT + stored.received_ns if ours else stored
        self._forget()

    def _forget(self) -> None:
        oldest = (self._clock() - WINDOW_SECONDS) // _BUCKET_SECONDS
        size = sum(len(digests) for _, digests in self._buckets)
        while self._buckets and (self._buckets[0][0] < oldest or size > MAX_DIGESTS):
            size -= len(self._buckets.popleft()[1])


def _has_untimed(message: Message) -> bool:
    return any(
        not record.time_unix_nano and not record.observed_time_unix_nano and not any(pair.key == EVENT_ID for pair in record.attributes)
        for group in message.resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
    )
