"""The one configured client of this process."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditlake._client import Client

_client: "Client | None" = None


def current() -> "Client | None":
    """Return the configured client; None before `configure()` and after a shutdown."""
    return _client


def replace(client: "Client | None") -> None:
    """Make `client` the one of this process."""
    global _client  # noqa: PLW0603 - the one client of the process
    _client = client
