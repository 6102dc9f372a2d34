"""E-mail by SMTP (RFC 5321): STARTTLS unless told otherwise, or TLS from the first byte on port 465."""

import smtplib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Final

import structlog

from alerts.errors import DeliveryFailed
from alerts.outbox import Message
from alerts.receivers.attempt import within
from alerts.receivers.http import Tls
from alerts.receivers.integration import Named, payloads
from alerts.receivers.letter import letter
from alerts.receivers.secret import Secret, secret_text

IMPLICIT_TLS_PORT: Final = 465
DEFAULT_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are; the strongest mechanism that the server offers is used (CRAM-MD5, PLAIN, LOGIN)."""

    username: str
    password: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smarthost:
    """The server that takes our mail. `implicit_tls` unset: on port 465 alone."""

    host: str
    port: int
    hello: str | None = None
    login: Login | None = None
    require_tls: bool = True
    implicit_tls: bool | None = None
    tls: Tls = field(default_factory=Tls)
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @property
    def begins_with_tls(self) -> bool:
        """Whether the first byte is TLS."""
        return self.port == IMPLICIT_TLS_PORT if self.implicit_tls is None else self.implicit_tls


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailReceiver(Named):
    """Sends one message a notification to all addresses of `to`, a list with commas."""

    to: str
    sender: str
    smarthost: Smarthost
    headers: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    # message → addresses that were taken
    _reached: dict[str, set[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def send(self, messages: Sequence[Message]) -> None:
        """Send each message; raises DeliveryFailed.

        An address that is refused for good does not keep the others from theirs; one that is refused for now is tried again alone.
        """
        for message, payload in payloads(messages):
            mail = letter(payload, sender=self.sender, recipients=self.to, key=message.key, at=self.clock(), headers=self.headers)
            self._send(message.key, mail)

    def _send(self, key: str, mail: EmailMessage) -> None:
        reached = self._reached.setdefault(key, set())
        left = [address for address in _addresses(self.to) if address not in reached]
        try:
            refused = within(self.smarthost.timeout_seconds, lambda: self._hand_over(mail, left))
        except smtplib.SMTPResponseException as error:
            raise self._failure(error.smtp_code) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise self._failure(min(code for code, _ in error.recipients.values())) from None
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(self.name, type(error).__name__, retryable=True) from None
        reached.update(address for address in left if address not in refused)
        if later := [code for code in refused.values() if not 500 <= code < 600]:
            raise self._failure(min(later))
        self._reached.pop(key)
        if refused:
            structlog.get_logger(__name__).warning("the mail server refuses addresses", receiver=self.name, refused=len(refused))

    def _failure(self, code: int) -> DeliveryFailed:
        final = 500 <= code < 600
        return DeliveryFailed(self.name, f"SMTP status {code}", retryable=not final)

    def _hand_over(self, mail: EmailMessage, recipients: Sequence[str]) -> dict[str, int]:
        """Send in one session; returns the addresses that were refused, each with the server's status."""
        server = self._connected()
        try:
            if self.smarthost.login is not None:
                server.login(self.smarthost.login.username, secret_text(self.smarthost.login.password, self.name))
            refused = server.send_message(mail, from_addr=_addresses(self.sender)[0], to_addrs=recipients)
        finally:
            _leave(server)
        return {address: code for address, (code, _) in refused.items()}

    def _connected(self) -> smtplib.SMTP:
        """Return a session that is encrypted, if it has to be."""
        place = self.smarthost
        if place.begins_with_tls:
            return smtplib.SMTP_SSL(place.host, place.port, place.hello, timeout=place.timeout_seconds, context=place.tls.context())
        server = smtplib.SMTP(place.host, place.port, place.hello, timeout=place.timeout_seconds)
        if place.require_tls:
            try:
                server.starttls(context=place.tls.context())
            except smtplib.SMTPNotSupportedError:
                server.close()
                raise DeliveryFailed(self.name, "the mail server offers no STARTTLS", retryable=True) from None
            except (smtplib.SMTPException, OSError):
                server.close()
                raise
        return server


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye; what the server thinks of that changes nothing about what it took."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _addresses(text: str) -> list[str]:
    return [address for _, address in getaddresses([text]) if address]
