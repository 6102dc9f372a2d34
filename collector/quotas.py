"""How much a sender may send: token buckets of requests and bytes, one pair a tenant, so that the flood of one leaves the others alone."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from collector.errors import RateLimited, TooLarge
from collector.sender import Account, Sender

UNLIMITED: Final = sys.maxsize
LONGEST_RETRY_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one tenant may send; None is no limit. Bursts are what may come at once after a rest."""

    requests_per_second: float | None = None
    requests_burst: float = 1.0
    bytes_per_second: float | None = None
    bytes_burst: float = 1.0
    request_bytes: int = UNLIMITED


NO_LIMIT: Final = Allowance()


class Bucket:
    """A token bucket that may be overdrawn: sizes are known for certain only when a request is whole, and the next ones wait for it."""

    __slots__ = ("_burst", "_level", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._seen = now

    def missing_seconds(self, amount: float, now: float) -> float:
        """Return how long `amount` has to wait, 0 when it may be spent now; more than a burst waits for a full bucket only."""
        self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
        self._seen = now
        return max(0.0, (min(amount, self._burst) - self._level) / self._rate)

    def spend(self, amount: float) -> None:
        """Take `amount`, which may leave less than nothing."""
        self._level -= amount


class Quotas:
    """The buckets of all senders: by tenant where the sender's credentials name one, else by the sender's name."""

    def __init__(
        self, default: Allowance | None, tenants: Mapping[str, Allowance], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`default` holds for each tenant or sender that `tenants` does not name."""
        self._default = default or NO_LIMIT
        self._tenants = tenants
        self._limits_nobody = self._default == NO_LIMIT and not tenants
        self._monotonic = monotonic
        self._spending: dict[Account, _Spending] = {}

    def become(self, other: "Quotas") -> None:
        """Take over the limits of another one; who keeps his has spent what he had spent."""
        self._default, self._tenants, self._limits_nobody = other._default, other._tenants, other._limits_nobody
        self._spending = {key: spending for key, spending in self._spending.items() if spending.allowance == self._allowance(*key)}

    def take(self, sender: Sender, size_bytes: int) -> int:
        """Count one request of (announced, 0: unknown) `size_bytes` and return how many bytes it may have, after decompression.

        Raises RateLimited when it has to wait, which costs nothing, and TooLarge when it can never pass.
        """
        if self._limits_nobody:
            return UNLIMITED
        spending = self._of(sender)
        largest = spending.allowance.request_bytes
        if size_bytes > largest:
            raise TooLarge(f"the body is larger than the {largest} bytes that a request of this sender may have")
        now = self._monotonic()
        seconds = spending.missing_seconds(size_bytes, now)
        if seconds > 0:
            retry = min(math.ceil(seconds), LONGEST_RETRY_SECONDS)
            raise RateLimited(f"this sender's rate limit is used up: send again in {retry} s", retry_seconds=retry)
        spending.spend(size_bytes)
        return largest

    def settle(self, sender: Sender, announced_bytes: int, size_bytes: int) -> None:
        """Count what a request had beyond what was announced, now that it is whole."""
        if not self._limits_nobody and (bucket := self._of(sender).bytes) is not None:
            bucket.spend(size_bytes - announced_bytes)

    def _of(self, sender: Sender) -> "_Spending":
        key = sender.account
        spending = self._spending.get(key)
        if spending is None:
            spending = self._spending[key] = _Spending(self._allowance(*key), self._monotonic())
        return spending

    def _allowance(self, name: str, is_tenant: bool) -> Allowance:
        return self._tenants.get(name, self._default) if is_tenant else self._default


class _Spending:
    """The buckets of one tenant."""

    __slots__ = ("allowance", "bytes", "requests")

    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        requests, size = allowance.requests_per_second, allowance.bytes_per_second
        self.requests = None if requests is None else Bucket(requests, allowance.requests_burst, now)
        self.bytes = None if size is None else Bucket(size, allowance.bytes_burst, now)

    def missing_seconds(self, size_bytes: int, now: float) -> float:
        """Return how long a request has to wait, 0 when it may come now."""
        seconds = 0.0 if self.requests is None else self.requests.missing_seconds(1, now)
        if self.bytes is None:
            return seconds
        # what is known to be overdrawn waits even when a size is not announced: hence at least one byte
        return max(seconds, self.bytes.missing_seconds(max(size_bytes, 1), now))

    def spend(self, size_bytes: int) -> None:
        """Count a request."""
        if self.requests is not None:
            self.requests.spend(1)
        if self.bytes is not None:
            self.bytes.spend(size_bytes)
