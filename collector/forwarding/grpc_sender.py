"""OTLP/gRPC to a backend: one call after the other over a channel that is kept while it works."""

from typing import Any, Final

import grpc

from collector.config_exporters import ClientTlsConfig, OtlpGrpcExporterConfig
from collector.errors import CollectorError
from collector.forwarding.answers import Answer, Kind, delivered, grpc_answer
from collector.forwarding.http_sender import USER_AGENT
from collector.signals import Signal

_COMPRESSIONS: Final = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
    "none": grpc.Compression.NoCompression,
    "": grpc.Compression.NoCompression,
}

_ANSWER_TOO_LARGE: Final = "CLIENT: Received message larger than max"
"""What gRPC says here, not the backend, of an answer that is longer than an answer can be."""


class GrpcSender:
    """Sends to one backend. Raises CollectorError when certificates cannot be loaded."""

    def __init__(self, config: OtlpGrpcExporterConfig) -> None:
        self._config = config
        self._credentials = None if config.is_plain else _credentials(config.tls)
        self._metadata = tuple((name.lower(), value.get_secret_value()) for name, value in config.headers.items())
        self._channel: Any = None

    def send(self, signal: Signal, body: bytes) -> Answer:
        """Send one request and return what became of it; never raises for what the network or the backend does."""
        self._channel = self._channel or self._open()
        call = self._channel.unary_unary(f"/{signal.grpc_service}/Export")
        try:
            compression = _COMPRESSIONS[self._config.compression]
            response = call(body, timeout=self._config.timeout, metadata=self._metadata, compression=compression)
        except grpc.RpcError as error:
            if _ANSWER_TOO_LARGE in (error.details() or ""):
                return Answer(kind=Kind.DELIVERED)  # a success is one, whatever else was said
            answer = grpc_answer(error.code(), error.details() or "", error.trailing_metadata())
            if answer.kind is Kind.RETRY:
                self.close()  # a channel that failed waits by its own clock before it connects again: ours decides
            return answer
        return delivered(signal, response)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _open(self) -> Any:
        options: list[tuple[str, str | int]] = [("grpc.use_local_subchannel_pool", 1), ("grpc.primary_user_agent", USER_AGENT)]
        if self._credentials is None:
            return grpc.insecure_channel(self._config.target, options)
        if self._config.tls.server_name_override is not None:
            options.append(("grpc.ssl_target_name_override", self._config.tls.server_name_override))
        return grpc.secure_channel(self._config.target, self._credentials, options)


def _credentials(tls: ClientTlsConfig) -> Any:
    try:
        roots, key, chain = (None if file is None else file.read_bytes() for file in (tls.ca_file, tls.key_file, tls.cert_file))
    except OSError as error:
        raise CollectorError("load the certificates of an exporter", error.filename, hint=str(error.strerror)) from None
    return grpc.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=chain)
