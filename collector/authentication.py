"""Who sends: what a receiver asks before it reads anything of a request.

Credentials that were right once are known again by a digest under a key of this process, so that a request costs microseconds even where
passwords are hashed slowly, and how long the look-up takes tells nothing about them.
"""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Final, Protocol

from collector.errors import Unauthenticated
from collector.sender import Sender

REALM: Final = 'realm="auditlake"'
LONGEST_CHARS: Final = 8192
"""Of the value of Authorization; a longer one is refused unread."""
MOST_KNOWN: Final = 10_000
MOST_REFUSED: Final = 1_000

_NAMES: Final = ("authorization", b"authorization")


class Doorkeeper(Protocol):
    """Tells who sends by the value of `Authorization`."""

    async def sender(self, authorization: str | None) -> Sender:
        """Return the sender; raises Unauthenticated for credentials that are missing or wrong, Overloaded when that cannot be told now."""
        ...


class Credentials(Protocol):
    """What senders are recognised by: `collector.bearer_tokens`, `collector.passwords`."""

    @property
    def challenge(self) -> str:
        """What `WWW-Authenticate` says to who is refused (RFC 9110, section 11.6.1)."""
        ...

    async def sender(self, authorization: str) -> Sender | None:
        """Return whose credentials these are, None when they are nobody's; may raise Overloaded."""
        ...


def authorization_of(headers: Iterable[tuple[str | bytes, str | bytes]]) -> str | None:
    """Return the one `Authorization` of a request's headers (ASGI) or metadata (gRPC), whose names are lowercase; None without one.

    Raises Unauthenticated when there are several: which of them counts must not depend on who reads them, a proxy or we.
    """
    values = [value for name, value in headers if name in _NAMES]
    if len(values) > 1:
        raise Unauthenticated("there is more than one Authorization header", challenge=f"Bearer {REALM}")
    if not values:
        return None
    return values[0] if isinstance(values[0], str) else values[0].decode("latin-1")


class Door:
    """A doorkeeper whose credentials can be replaced while it works."""

    def __init__(self, credentials: Credentials) -> None:
        self._key = secrets.token_bytes(32)
        self.replace(credentials)

    def replace(self, credentials: Credentials) -> None:
        """Recognise senders by other credentials from now on; what was known is forgotten."""
        self.credentials = credentials
        self._known: dict[bytes, Sender] = {}
        self._refused: set[bytes] = set()

    async def sender(self, authorization: str | None) -> Sender:
        """As `Doorkeeper.sender`."""
        if not authorization:
            raise self._unauthenticated("the Authorization header is missing")
        if len(authorization) > LONGEST_CHARS:
            raise self._unauthenticated(f"the Authorization header is longer than {LONGEST_CHARS} characters")
        # a reload while a password is checked replaces both: the answer then belongs to what was in force before
        known, refused = self._known, self._refused
        digest = hashlib.blake2b(authorization.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32).digest()
        sender = known.get(digest)
        if sender is None:
            sender = None if digest in refused else await self.credentials.sender(authorization)
            if sender is None:
                _keep_below(refused, MOST_REFUSED)
                refused.add(digest)
                raise self._unauthenticated("the credentials are not known here")
            _keep_below(known, MOST_KNOWN)
            known[digest] = sender
        return sender

    def _unauthenticated(self, message: str) -> Unauthenticated:
        challenge = self.credentials.challenge
        scheme = challenge.partition(" ")[0]
        return Unauthenticated(f"{message}: Authorization must be {scheme} and what was given out here", challenge=challenge)


def _keep_below(kept: dict[bytes, Sender] | set[bytes], most: int) -> None:
    if len(kept) >= most:
        kept.clear()
