"""Requests to witnesses and time-stamping authorities: bounded answers, no redirects, errors that show neither credentials nor content."""

import time
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from storage.ledger.cosigning import NotCosigned, Reply
from storage.ledger.errors import LedgerError
from storage.ledger.timestamp import ANSWER_TYPE, REQUEST_TYPE

TIMEOUT_SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 256 << 10
USER_AGENT: Final = "auditlake"


class NoAnswer(Exception):
    """There was no usable answer; the text says why."""


class Client:
    """Posts to one address over a connection that is kept."""

    def __init__(self, url: str, content_type: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._headers = {"content-type": content_type}
        self._timeout_seconds = timeout_seconds
        self._http = httpx.Client(timeout=timeout_seconds, follow_redirects=False, headers={"user-agent": USER_AGENT})

    def post(self, body: bytes) -> Reply:
        """Return the answer, whatever its status. Raises `NoAnswer`."""
        return self._answered("POST", content=body, headers=self._headers)

    def get(self) -> Reply:
        """Return what stands there, whatever its status. Raises `NoAnswer`."""
        return self._answered("GET")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _answered(self, method: str, **fields: Any) -> Reply:
        deadline = time.monotonic() + self._timeout_seconds
        try:
            with self._http.stream(method, self._url, **fields) as response:
                said = b""
                for chunk in response.iter_bytes():
                    said += chunk
                    if len(said) > MOST_ANSWER_BYTES or time.monotonic() > deadline:
                        raise NoAnswer("its answer is too long or too slow")
                return Reply(status=response.status_code, content_type=response.headers.get("content-type", ""), body=said)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(f"no answer ({type(error).__name__}): is the address right, and can it be reached?") from None


def fetched(url: str, name: str) -> bytes | None:
    """Return the checkpoint that a witness shows; None when it has none. Raises `LedgerError`."""
    client = Client(url, "text/plain")
    try:
        reply = client.get()
    except NoAnswer as error:
        raise LedgerError("ask a witness what it has cosigned", name, hint=str(error)) from None
    finally:
        client.close()
    if reply.status not in {200, 404}:
        hint = f"it answered {reply.status}: not every witness shows its checkpoints"
        raise LedgerError("ask a witness what it has cosigned", name, hint=hint)
    return reply.body if reply.status == 200 else None


class WitnessClient:
    """Posts to a witness."""

    def __init__(self, url: str, name: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._name = name
        self._client = Client(f"{url.rstrip('/')}/add-checkpoint", "text/plain; charset=utf-8", timeout_seconds=timeout_seconds)

    def __call__(self, body: bytes) -> Reply:
        """Return the answer to an `add-checkpoint` request. Raises `NotCosigned` when there is none."""
        try:
            return self._client.post(body)
        except NoAnswer as error:
            raise NotCosigned("unreachable", self._name, hint=str(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class AuthorityClient:
    """Posts to a time-stamping authority (RFC 3161, section 3.4)."""

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.host = urlsplit(url).hostname or ""
        self._client = Client(url, REQUEST_TYPE, timeout_seconds=timeout_seconds)

    def __call__(self, body: bytes) -> bytes:
        """Return the answer to a TimeStampReq. Raises `LedgerError` when there is none."""
        try:
            reply = self._client.post(body)
        except NoAnswer as error:
            raise LedgerError("have a checkpoint time-stamped", self.host, hint=str(error)) from None
        if reply.status != 200 or reply.content_type.partition(";")[0].strip() != ANSWER_TYPE:
            raise LedgerError(
                "have a checkpoint time-stamped", self.host, hint=f"it answered {reply.status}: is this its RFC 3161 address?"
            )
        return reply.body

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
