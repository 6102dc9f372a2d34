"""Policies for tests of what uses them."""

from collections.abc import Collection

from collector.policies import Policy
from collector.redact import Walker
from tests.fakes import FakeCleaner

KEY = b"k" * 32


def fake_policy(cleaner: FakeCleaner, unredacted: Collection[str] = ()) -> Policy:
    """A policy that is always well; `cleaner.closed` says when it was closed."""

    async def close() -> None:
        cleaner.closed = True

    return Policy(walker=Walker(cleaner, id_key=KEY), unredacted_signals=frozenset(unredacted), state=lambda: "ok", close=close)
