"""One OTLP request → one outcome. The retries are in `_delivery`.

OpenTelemetry's exporters ignore `partial_success`, so they would call a refused record delivered; an audit trail must not.
Requests are the bytes of `Export…ServiceRequest`, so that a resend is identical and the collector can recognise it.
"""

import gzip
import http.client
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from auditlake._errors import ConfigurationError

Signal = Literal["traces", "logs", "metrics"]

RESPONSES: Final[dict[str, Any]] = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}
REJECTED: Final = {"traces": "rejected_spans", "logs": "rejected_log_records", "metrics": "rejected_data_points"}

RECEIPT: Final = "auditlake-receipt"
"""The header, or the key in gRPC's trailing metadata, in which the collector gives its receipt."""
_RETRYABLE_STATUS: Final = frozenset({429, 502, 503, 504})
_HINTS: Final = {
    400: "the collector could not read the request: check that the endpoint speaks OTLP",
    401: "the collector wants a token: OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20TOKEN, or headers= of configure()",
    403: "the token may not write here: check headers= of configure() and the tenant of the token",
    404: "there is no OTLP/HTTP receiver at this address: give its base URL, such as http://127.0.0.1:4318",
    413: "the record is larger than the collector's max_request_body_size: send a reference instead of the content, or raise the limit",
}
_UNREACHABLE: Final = "the collector cannot be reached: start it with `auditlake up`, or correct endpoint= of configure()"
_NO_HTTP: Final = "something answers at this address, but not in HTTP: for OTLP/gRPC give endpoint='grpc://host:port' to configure()"
_GZIP_FROM_BYTES: Final = 1024
_IDLE_LIMIT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request."""

    delivered: bool  # the collector has it (less `rejected` records)
    retryable: bool = False  # not delivered, and the same bytes may be sent again
    rejected: int = 0  # records that the collector refused within a delivered request
    reason: str = ""  # short and without content: "503", "timeout", "ConnectionRefusedError"
    hint: str = ""  # the remedy
    retry_after_seconds: float | None = None
    attempts: int = 1
    receipt: str | None = None  # what the collector signed, when it keeps a ledger


class Transport(Protocol):
    """Sends one request and says what became of it."""

    def send(self, signal: Signal, payload: bytes, timeout_seconds: float) -> Outcome:
        """Send the bytes of one OTLP request; never raises for trouble of the network or the collector."""

    def reset(self) -> None:
        """Forget every connection without using it: the process was forked."""

    def close(self) -> None:
        """Release the connections; what is being sent may still finish."""


class HttpTransport:
    """OTLP/HTTP with binary protobuf; connections are kept alive and shared among threads, one request at a time."""

    def __init__(
        self, endpoint: str, *, headers: Mapping[str, str], compression: Literal["none", "gzip"], certificate_file: str | None
    ) -> None:
        """Prepare for `endpoint`, a base URL; `/v1/<signal>` is appended."""
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError("use the endpoint", endpoint, hint="give a URL such as http://127.0.0.1:4318")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._secure else 4318)
        path = parts.path.rstrip("/")
        for signal in RESPONSES:
            path = path.removesuffix(f"/v1/{signal}")
        self._path = path
        self._gzip = compression == "gzip"
        self._headers = {"content-type": "application/x-protobuf", "user-agent": "auditlake-sdk", **headers}
        self._tls = ssl.create_default_context(cafile=certificate_file) if self._secure else None
        self._idle: list[http.client.HTTPConnection] = []
        self.reset()

    def send(self, signal: Signal, payload: bytes, timeout_seconds: float) -> Outcome:
        """Send one request; a connection that the collector closed while idle is replaced once, at once."""
        deadline = time.monotonic() + timeout_seconds
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                return self._post(connection, signal, payload, timeout_seconds)
            except TimeoutError as error:
                return _unreachable(error)
            except (OSError, http.client.HTTPException):
                timeout_seconds = max(deadline - time.monotonic(), 0.001)
        try:
            return self._post(self._new_connection(), signal, payload, timeout_seconds)
        except (OSError, http.client.HTTPException) as error:
            return _unreachable(error)

    def reset(self) -> None:
        """Close our copies of the connections: after a fork they belong to the parent, whose own copies stay open."""
        self._lock = threading.Lock()
        self._closed = False
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def close(self) -> None:
        """Close the idle connections, and those in use when their answer has come."""
        with self._lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    def _post(self, connection: http.client.HTTPConnection, signal: Signal, payload: bytes, timeout_seconds: float) -> Outcome:
        headers = dict(self._headers)
        if self._gzip and len(payload) >= _GZIP_FROM_BYTES:
            payload, headers["content-encoding"] = gzip.compress(payload, 1, mtime=0), "gzip"
        connection.timeout = timeout_seconds
        if connection.sock is not None:
            connection.sock.settimeout(timeout_seconds)
        try:
            connection.request("POST", f"{self._path}/v1/{signal}", payload, headers)
            response = connection.getresponse()
            body = response.read()
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, keep=not response.will_close)
        if response.status == http.client.OK:
            return delivered(signal, body, receipt=response.getheader(RECEIPT))
        return Outcome(
            delivered=False,
            retryable=response.status in _RETRYABLE_STATUS,
            reason=str(response.status),
            hint=_HINTS.get(response.status, "read the collector's log for the reason"),
            retry_after_seconds=_seconds(response.getheader("retry-after")),
        )

    def _give_back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        with self._lock:
            if keep and not self._closed and len(self._idle) < _IDLE_LIMIT:
                self._idle.append(connection)
                return
        connection.close()

    def _new_connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port)


def delivered(signal: Signal, body: bytes, *, receipt: str | None = None) -> Outcome:
    """Return the outcome of an answer 200: its `partial_success` says what was refused (OTLP 1.11, "Partial Success")."""
    try:
        answer = RESPONSES[signal].FromString(body)
    except DecodeError:
        return Outcome(delivered=False, reason="unreadable answer", hint="check that the endpoint speaks OTLP")
    return Outcome(delivered=True, rejected=int(getattr(answer.partial_success, REJECTED[signal])), receipt=receipt)


def _unreachable(error: Exception) -> Outcome:
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
        return Outcome(delivered=False, reason="no HTTP", hint=_NO_HTTP)
    return Outcome(
        delivered=False,
        retryable=not isinstance(error, ssl.SSLCertVerificationError),
        reason="timeout" if isinstance(error, TimeoutError) else type(error).__name__,
        hint=_UNREACHABLE,
    )


def _seconds(header: str | None) -> float | None:
    """Return the delay that a Retry-After header asks for; its date form is rare, and the ordinary backoff serves it."""
    return float(header) if header is not None and header.strip().isdigit() else None
