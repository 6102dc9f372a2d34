"""Requests to witnesses and time-stamping authorities: bounded answers, no redirects, errors that show neither credentials nor content."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from collector.config_exporters import ClientTlsConfig
from storage.ledger.cosigning import NotCosigned, Reply
from storage.ledger.errors import LedgerError
from storage.ledger.timestamp import ANSWER_TYPE, REQUEST_TYPE

TIMEOUT_SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 256 << 10
USER_AGENT: Final = "auditlake"
SYSTEM: Final = ClientTlsConfig()
"""Peers are believed whose certificates the system believes."""
Sent = Mapping[str, SecretStr]
NOTHING: Final[Sent] = MappingProxyType({})


class NoAnswer(Exception):
    """There was no usable answer; the text says why."""


class Client:
    """Talks to one address over a connection that is kept. Raises `LedgerError` when certificates cannot be loaded."""

    def __init__(
        self,
        url: str,
        content_type: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls: ClientTlsConfig = SYSTEM,
        headers: Sent = NOTHING,
    ) -> None:
        """`timeout_seconds` is for a whole exchange; `headers` go with each request."""
        self._url = url
        self._timeout_seconds = timeout_seconds
        given = {name: value.get_secret_value() for name, value in headers.items()}
        self._headers = {"user-agent": USER_AGENT, **given, "accept-encoding": "identity"}
        self._type = {"content-type": content_type}
        name = tls.server_name_override
        self._extensions: dict[str, Any] = {} if name is None else {"sni_hostname": name}
        try:
            self._context = tls.context()
        except OSError as error:
            hint = error.strerror or "not PEM, or not of this key"
            raise LedgerError("load certificates", tls.ca_file or tls.cert_file or "tls", hint=hint) from None
        self._open()

    def post(self, body: bytes) -> Reply:
        """Return the answer, whatever its status. Raises `NoAnswer`."""
        return self._answered("POST", content=body, headers=self._type)

    def get(self) -> Reply:
        """Return what stands there, whatever its status. Raises `NoAnswer`."""
        return self._answered("GET")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
        self._thread.shutdown(wait=False)

    def _open(self) -> None:
        self._http = httpx.Client(verify=self._context, timeout=self._timeout_seconds, follow_redirects=False, headers=self._headers)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ask")

    def _answered(self, method: str, **fields: Any) -> Reply:
        """Have a thread talk: who sends a byte now and then never takes longer than the timeout of a read, and never ends."""
        try:
            return self._thread.submit(self._exchange, self._http, method, fields).result(self._timeout_seconds)
        except TimeoutError:
            self.close()  # ends what the thread waits for, and then the thread
            self._open()
            raise NoAnswer("its answer is too slow") from None

    def _exchange(self, http: httpx.Client, method: str, fields: dict[str, Any]) -> Reply:
        try:
            with http.stream(method, self._url, extensions=dict(self._extensions), **fields) as response:
                said = b""
                for chunk in response.iter_raw():  # never decoded: a short answer must not become a long one
                    said += chunk
                    if len(said) > MOST_ANSWER_BYTES:
                        raise NoAnswer("its answer is too long")
                return Reply(status=response.status_code, content_type=response.headers.get("content-type", ""), body=said)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(f"no answer ({type(error).__name__}): is the address right, and can it be reached?") from None


def fetched(url: str, name: str, *, tls: ClientTlsConfig = SYSTEM, headers: Sent = NOTHING) -> bytes | None:
    """Return the checkpoint that a witness shows; None when it has none. Raises `LedgerError`."""
    client = Client(url, "text/plain", tls=tls, headers=headers)
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

    def __init__(self, url: str, name: str, **options: Any) -> None:
        """`options` are those of `Client`."""
        self._name = name
        self._client = Client(f"{url.rstrip('/')}/add-checkpoint", "text/plain; charset=utf-8", **options)

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

    def __init__(self, url: str, **options: Any) -> None:
        """`options` are those of `Client`."""
        self.host = urlsplit(url).hostname or ""
        self._client = Client(url, REQUEST_TYPE, **options)

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
