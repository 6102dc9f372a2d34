"""The policy in force, and how another one takes its place between requests.

A request leases the policy that it begins with and finishes under it; its header says which that was. A policy that was replaced is
closed when the last request that leased it is done.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from collector.redact import Walker


class Load(NamedTuple):
    """What the scanners have before them, and how often the cache knew a text of those requests that are looked at."""

    waiting: int = 0
    cache_hits: int = 0
    cache_lookups: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """One policy, and what applies it: they change together."""

    walker: Walker
    unredacted_signals: frozenset[str]  # signals that the configuration stores as they come
    state: Callable[[], str]  # "ok" or "down: why"
    close: Callable[[], Awaitable[None]]
    load: Callable[[], Load] = Load

    @property
    def policy_hash(self) -> str:
        """What stamps the records that are cleaned under it."""
        return self.walker.redactor.policy_hash


class Policies:
    """Holds the policy in force. Belongs to one event loop."""

    def __init__(self, first: Policy) -> None:
        self._current = first
        self._leases: dict[Policy, int] = {first: 0}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> Policy:
        """The policy that a request would begin with now."""
        return self._current

    def state(self) -> str:
        """Return "ok", or "down: " and why texts are being withheld."""
        return self._current.state()

    @contextmanager
    def lease(self) -> Iterator[Policy]:
        """Use the policy in force to the end of the block, whatever replaces it meanwhile."""
        policy = self._current
        self._leases[policy] += 1
        try:
            yield policy
        finally:
            self._leases[policy] -= 1
            self._retire(policy)

    def replace(self, policy: Policy) -> None:
        """Put another policy in force; the old one is closed as soon as no request uses it."""
        old, self._current = self._current, policy
        self._leases[policy] = 0
        self._retire(old)

    async def close(self) -> None:
        """Close all policies; what is still being cleaned is withheld."""
        retired = [policy for policy in self._leases if policy is not self._current]
        await asyncio.gather(self._current.close(), *(policy.close() for policy in retired), *self._closing)

    def _retire(self, policy: Policy) -> None:
        if policy is not self._current and self._leases[policy] == 0:
            del self._leases[policy]
            task = asyncio.create_task(_closed(policy))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _closed(policy: Policy) -> None:
    """Close a policy, and give its memory back: collections are rare here (`collector.service`), and a policy holds many megabytes."""
    await policy.close()
    del policy
    gc.collect()
