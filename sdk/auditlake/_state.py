"""The one configured client of this process."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditlake._client import Client

_client: "Client | None" = None
_latest: "Client | None" = None


def current() -> "Client | None":
    """Return the configured client; None before `configure()` and after a shutdown."""
    return _client


def latest() -> "Client | None":
    """Return the client configured last, also after its shutdown: its counters still answer."""
    return _latest


def replace(client: "Client | None") -> None:
    """Make `client` the one of this process."""
    global _client, _latest  # noqa: PLW0603 - the one client of the process
    _client = client
    _latest = client or _latest
