"""OTLP over gRPC: the same contract as `_transport.HttpTransport`. Imported only when it is used."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc

from auditlake._errors import ConfigurationError
from auditlake._transport import RECEIPT, REJECTED, RESPONSES, Outcome, Signal

_METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_RETRYABLE: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED"}
)
_HINTS: Final = {
    "UNAVAILABLE": "the collector cannot be reached: start it with `auditlake up`, or correct endpoint= of configure()",
    "UNAUTHENTICATED": "the collector wants a token: OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20TOKEN, or headers= of configure()",
    "PERMISSION_DENIED": "the token may not write here: check headers= of configure() and the tenant of the token",
    "RESOURCE_EXHAUSTED": "the collector is overloaded, or the record is larger than its max_recv_msg_size_mib",
    "UNIMPLEMENTED": "there is no OTLP/gRPC receiver at this address: port 4317 is gRPC, 4318 is HTTP",
}
_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class GrpcTransport:
    """OTLP/gRPC over one channel, which gRPC shares among threads."""

    def __init__(self, endpoint: str, *, headers: Mapping[str, str], compression: str, certificate_file: str | None) -> None:
        """Prepare for `endpoint`, `http://host:port` or `https://host:port`; connects on first use."""
        parts = urlsplit(endpoint)
        if not parts.hostname:
            raise ConfigurationError("use the endpoint", endpoint, hint="give a URL such as http://127.0.0.1:4317")
        self._target = f"{parts.hostname if ':' not in parts.hostname else f'[{parts.hostname}]'}:{parts.port or 4317}"
        self._secure = parts.scheme == "https"
        self._metadata = tuple((name.lower(), value) for name, value in headers.items())
        self._compression = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        self._certificate_file = certificate_file
        self._lock = threading.Lock()
        self._channel: Any = None

    def send(self, signal: Signal, payload: bytes, timeout_seconds: float) -> Outcome:
        """Send one request and wait for its answer."""
        call = self._connected().unary_unary(_METHODS[signal], request_serializer=bytes, response_deserializer=RESPONSES[signal].FromString)
        try:
            answer, made = call.with_call(payload, timeout=timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            status = str(error.code().name)
            hint = _HINTS.get(status, "read the collector's log for the reason")
            return Outcome(delivered=False, retryable=status in _RETRYABLE, reason=status, hint=hint)
        receipt = next((value for key, value in made.trailing_metadata() or () if key == RECEIPT), None)
        return Outcome(delivered=True, rejected=int(getattr(answer.partial_success, REJECTED[signal])), receipt=receipt)

    def reset(self) -> None:
        """Forget the channel: one inherited by a fork cannot be used."""
        self._lock = threading.Lock()
        self._channel = None

    def close(self) -> None:
        """Close the channel; the next request opens another."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._channel is None:
                if self._secure:
                    roots = Path(self._certificate_file).read_bytes() if self._certificate_file else None
                    credentials = grpc.ssl_channel_credentials(root_certificates=roots)
                    self._channel = grpc.secure_channel(self._target, credentials, options=_OPTIONS, compression=self._compression)
                else:
                    self._channel = grpc.insecure_channel(self._target, options=_OPTIONS, compression=self._compression)
            return self._channel
