"""One POST of JSON, as all receivers that speak HTTP send it, and what an answer means."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import httpx

from alerts.errors import DeliveryFailed
from alerts.receivers.attempt import within
from alerts.receivers.secret import Secret, secret_text

RETRYABLE_STATUS: Final = frozenset({408, 425, 429})
"""Beside 5xx: what a receiver may take later. Any other answer but 2xx says that it never will."""
DEFAULT_TIMEOUT_SECONDS: Final = 10.0
MOST_ASKED_SECONDS: Final = 300.0
"""No receiver makes us wait longer than this with `Retry-After`."""
MOST_ANSWER_BYTES: Final = 65_536
"""More of an answer is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a receiver is recognised, and how we are: files in PEM. Without `ca_file` the system's authorities count."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure_skip_verify: bool = False
    server_name: str | None = None  # that its certificate must have, in place of the host

    def context(self) -> ssl.SSLContext:
        """Return the context; raises OSError when a file is not what it should be."""
        return _context(self)


@lru_cache(maxsize=32)
def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def read_certificates_again() -> None:
    """Forget the files that were read: certificates may have been renewed under the same names."""
    _context.cache_clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The header `Authorization`: a scheme with its credentials, or a user's name with a password (scheme Basic)."""

    credentials: Secret = field(repr=False)
    scheme: str = "Bearer"
    username: str | None = None

    def header(self, receiver: str) -> str:
        """Return its value; raises DeliveryFailed when the file of the secret cannot be read."""
        secret = secret_text(self.credentials, receiver)
        if self.username is None:
            return f"{self.scheme} {secret}"
        return "Basic " + base64.b64encode(f"{self.username}:{secret}".encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """How requests are made: each over a connection of its own, without proxies of the environment, and redirects are not followed."""

    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    tls: Tls = field(default_factory=Tls)
    authorization: Authorization | None = None

    def post(self, receiver: str, url: Secret, body: bytes, *, key: str | None = None) -> httpx.Response:
        """Post JSON and return the 2xx answer; raises DeliveryFailed for everything else, redirects too.

        `key` goes into the header `Idempotency-Key`. The timeout is that of the whole attempt. No error holds the URL or what the
        receiver answered: both may hold secrets.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "auditlake", "Accept-Encoding": "identity"}
        if key is not None:
            headers["Idempotency-Key"] = key
        if self.authorization is not None:
            headers["Authorization"] = self.authorization.header(receiver)
        target = secret_text(url, receiver)
        try:
            answer = within(self.timeout_seconds, lambda: self._exchange(target, body, headers))
        except (httpx.TransportError, OSError) as error:
            raise DeliveryFailed(receiver, type(error).__name__, retryable=True) from None
        except (httpx.InvalidURL, httpx.HTTPError, ValueError) as error:
            raise DeliveryFailed(receiver, type(error).__name__, retryable=False) from None
        status = answer.status_code
        if not 200 <= status < 300:
            retryable = status >= 500 or status in RETRYABLE_STATUS
            raise DeliveryFailed(receiver, f"status {status}", retryable=retryable, asked_seconds=_asked_seconds(answer.headers))
        return answer

    def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        extensions = {"sni_hostname": self.tls.server_name} if self.tls.server_name else {}
        with (
            httpx.Client(verify=self.tls.context(), timeout=self.timeout_seconds, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", url, content=body, headers=headers, extensions=extensions) as response,
        ):
            content = b""
            for chunk in response.iter_raw():
                content += chunk
                if len(content) >= MOST_ANSWER_BYTES:
                    break
            return httpx.Response(response.status_code, headers=_plain(response.headers), content=content[:MOST_ANSWER_BYTES])


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """Return the two headers that say something to us."""
    return {name: headers[name] for name in ("content-type", "retry-after") if name in headers}


def _asked_seconds(headers: httpx.Headers) -> float | None:
    """Return how long the receiver wants to be left alone: `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        seconds = float(text)
    else:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MOST_ASKED_SECONDS)
