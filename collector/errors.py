"""Why a request was refused: one class a reason, each with a message that may be shown to the sender.

`collector.status` turns them into HTTP and gRPC answers. Messages name fields and limits, never what was sent.
"""


class CollectorError(Exception):
    """The collector could not start or go on; `hint` says what the operator can do."""

    def __init__(self, attempted: str, subject: object, *, hint: str) -> None:
        super().__init__(f"could not {attempted}" + (f": {subject}" if subject is not None else "") + f" ({hint})")
        self.attempted = attempted
        self.subject = str(subject)
        self.hint = hint


class PortTaken(CollectorError):
    """Another process listens where the configuration says that we do."""


class Refused(Exception):
    """A request was not accepted; nothing of it was stored.

    `retry_seconds` says when the same request may be sent again, where that is known better than in `collector.status`; receivers set
    `sender_name` to who sent it, as far as that was found out, and `peer` to the IP address that it came from.
    """

    reason = "refused"
    retry_seconds: int | None = None
    sender_name: str = "anonymous"
    peer: str | None = None


class Malformed(Refused):
    """The body is not the message that its headers promise."""

    reason = "malformed"


class TooLarge(Refused):
    """The body is larger than the configured limit, after decompression."""

    reason = "too_large"


class UnsupportedMedia(Refused):
    """The Content-Type or Content-Encoding is none of ours."""

    reason = "unsupported_media"


class UnknownPath(Refused):
    """No signal is taken at this path."""

    reason = "unknown_path"


class MethodNotAllowed(Refused):
    """OTLP/HTTP knows POST alone."""

    reason = "method_not_allowed"


class TooSlow(Refused):
    """The body did not arrive in time."""

    reason = "too_slow"


class Unauthenticated(Refused):
    """The credentials are missing or wrong; `challenge` is what `WWW-Authenticate` asks for (RFC 9110, section 11.6.1)."""

    reason = "unauthenticated"

    def __init__(self, message: str, *, challenge: str) -> None:
        super().__init__(message)
        self.challenge = challenge


class RateLimited(Refused):
    """The sender's tenant has used up what it may send for now; after `retry_seconds` this request fits again."""

    reason = "rate_limited"

    def __init__(self, message: str, *, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class Overloaded(Refused):
    """Too many bytes are in flight; the sender should try again soon."""

    reason = "overloaded"


class Unavailable(Refused):
    """Nothing can be made durable: the WAL failed, or the collector is stopping. The sender should try again later."""

    reason = "unavailable"
