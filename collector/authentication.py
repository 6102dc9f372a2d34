"""Who sends: what a receiver asks before it reads anything of a request."""

from collections.abc import Iterable
from typing import Final, Protocol

from collector.errors import Unauthenticated
from collector.sender import Sender

_NAMES: Final = ("authorization", b"authorization")


class Doorkeeper(Protocol):
    """Tells who sends by the value of `Authorization`."""

    async def sender(self, authorization: str | None) -> Sender:
        """Return the sender; raises Unauthenticated for credentials that are missing or wrong."""
        ...


def authorization_of(headers: Iterable[tuple[str | bytes, str | bytes]]) -> str | None:
    """Return the one `Authorization` of a request's headers (ASGI) or metadata (gRPC), whose names are lowercase; None without one.

    Raises Unauthenticated when there are several: which of them counts must not depend on who reads them, a proxy or we.
    """
    values = [value for name, value in headers if name in _NAMES]
    if len(values) > 1:
        raise Unauthenticated("there is more than one Authorization header", challenge="Bearer")
    if not values:
        return None
    return values[0] if isinstance(values[0], str) else values[0].decode("latin-1")
