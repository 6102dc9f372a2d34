"""OTLP/HTTP to a backend: one request after the other over a connection that is kept.

The client bounds each single wait alone: a backend that says a byte now and then would never be done. So a request is made in a thread,
and given up with its connection when its time is over.
"""

import gzip
import ssl
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from collector.config_exporters import ClientTlsConfig, OtlpHttpExporterConfig
from collector.errors import CollectorError
from collector.forwarding.answers import Answer, Kind, http_answer
from collector.signals import Signal

USER_AGENT: Final = "auditlake"
MOST_ANSWER_BYTES: Final = 64 << 10
"""More of an answer is not read: it says how it went in its first bytes."""


class HttpSender:
    """Sends to one backend. Raises CollectorError when certificates cannot be loaded."""

    def __init__(self, config: OtlpHttpExporterConfig) -> None:
        self._config = config
        self._compress = COMPRESSIONS[config.compression]
        headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        fixed = {"content-type": "application/x-protobuf", "accept-encoding": "identity"}
        encoding = {"content-encoding": config.compression} if self._compress is not None else {}
        self._headers = {"user-agent": USER_AGENT, **headers, **fixed, **encoding}
        name = config.tls.server_name_override
        self._extensions: dict[str, Any] = {} if name is None else {"sni_hostname": name}
        self._context = tls_context(config.tls)
        self._open()

    def send(self, signal: Signal, body: bytes) -> Answer:
        """Send one request and return what became of it; never raises for what the network or the backend does."""
        try:
            return self._thread.submit(self._post, self._client, signal, body).result(self._config.timeout)
        except TimeoutError:
            self.close()  # ends what the thread waits for, and then the thread
            self._open()
            return Answer(kind=Kind.RETRY, reason="timeout")

    def _open(self) -> None:
        self._client = httpx.Client(verify=self._context, timeout=self._config.timeout, follow_redirects=False)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="post")

    def _post(self, client: httpx.Client, signal: Signal, body: bytes) -> Answer:
        url = self._config.url(signal.name)
        assert url is not None  # noqa: S101 - the configuration is refused otherwise
        content = body if self._compress is None else self._compress(body)
        try:
            with client.stream("POST", url, content=content, headers=self._headers, extensions=dict(self._extensions)) as response:
                said = _beginning(response)
                return http_answer(signal, response.status_code, response.headers, said, datetime.now(UTC))
        except httpx.TimeoutException:
            return Answer(kind=Kind.RETRY, reason="timeout")
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return Answer(kind=Kind.RETRY, reason=f"connection: {type(error).__name__}")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        self._thread.shutdown(wait=False)


def _beginning(response: httpx.Response) -> bytes:
    """Return the beginning of the body."""
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= MOST_ANSWER_BYTES:
            break
    return body


def tls_context(tls: ClientTlsConfig) -> ssl.SSLContext:
    """Return how the peer is recognised, and how we are. Raises CollectorError when a file is not what it should be."""
    try:
        return tls.context()
    except OSError as error:
        raise CollectorError("load the certificates of an exporter", tls.ca_file or tls.cert_file, hint=str(error.strerror)) from None


def _zstd(body: bytes) -> bytes:
    import pyarrow as pa

    return bytes(pa.Codec("zstd").compress(body, asbytes=True))


COMPRESSIONS: Final[dict[str, Callable[[bytes], bytes] | None]] = {
    "gzip": lambda body: gzip.compress(body, compresslevel=1, mtime=0),
    "deflate": lambda body: zlib.compress(body, 1),
    "zstd": _zstd,
    "none": None,
    "": None,
}
