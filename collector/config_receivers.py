"""The section `receivers.otlp`: which protocols listen, where, and within which limits. Keys are those of the OpenTelemetry Collector.

What a key cannot do here is accepted and explained by a warning (`OtlpReceiverConfig.warnings`), so that a known configuration starts.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from collector.config_admission import (
    AuthConfig,
    CorsConfig,
    GrpcTlsConfig,
    LimitsConfig,
    TlsConfig,
    exposure_warnings,
    is_anonymous_in_public,
)
from collector.config_fields import Duration, Endpoint, Section, UrlPath, host_port

UNSUPPORTED_COMPRESSIONS: Final = ("snappy", "x-snappy-framed", "lz4")

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OUR_HEADERS: Final = frozenset({"connection", "content-length", "content-type", "retry-after", "transfer-encoding", "www-authenticate"})

_NO_METADATA: Final = "include_metadata has no effect: headers of requests are never stored or handed on"
_BUFFER: Final = "has no effect: gRPC sizes its buffers by itself, within max_recv_msg_size_mib and the memory_limiter"


class KeepaliveServerConfig(Section):
    max_connection_idle: Duration | None = Field(None, gt=0)  # a connection without calls is closed after so long; unset: never
    max_connection_age: Duration | None = Field(None, gt=0)  # a connection is closed at this age, so that load balancers spread anew
    max_connection_age_grace: Duration | None = Field(None, gt=0)  # how long calls under way may take then
    time: Duration | None = Field(None, gt=0)  # silence after which the sender is pinged; unset: two hours
    timeout: Duration | None = Field(None, gt=0)  # how long the answer to such a ping may take; unset: 20 s


class KeepaliveEnforcementConfig(Section):
    min_time: Duration = Field(10.0, ge=0)  # a sender that pings more often is cut off
    permit_without_stream: bool = True  # whether senders may ping while no call is under way


class KeepaliveConfig(Section):
    server_parameters: KeepaliveServerConfig = KeepaliveServerConfig()  # how idle, old and dead connections end
    enforcement_policy: KeepaliveEnforcementConfig = KeepaliveEnforcementConfig()  # how often senders may ping


class GrpcConfig(Section):
    endpoint: Endpoint = "127.0.0.1:4317"  # host:port to listen on
    tls: GrpcTlsConfig | None = None  # certificates; unset: plain text
    auth: AuthConfig | None = None  # who is asked who sends; unset: nobody has to authenticate
    transport: Literal["tcp", "tcp4", "tcp6"] = "tcp"  # always TCP; the address says which IP version
    max_recv_msg_size_mib: int = Field(64, ge=1, le=1024)  # a larger message is refused with RESOURCE_EXHAUSTED
    max_concurrent_streams: int | None = Field(None, ge=1)  # requests under way on one connection; unset: no limit
    read_buffer_size: int | None = Field(None, ge=0)  # accepted for compatibility, without effect: gRPC sizes its buffers
    write_buffer_size: int | None = Field(None, ge=0)  # likewise
    keepalive: KeepaliveConfig = KeepaliveConfig()  # pings, and how connections end
    include_metadata: bool = False  # accepted for compatibility, without effect: headers are never stored

    def warnings(self) -> Iterator[str]:
        """Yield what was asked for and has no effect, and why; and what others could read."""
        yield from exposure_warnings(self)
        if self.transport != "tcp":
            yield f"transport {self.transport} is tcp: the endpoint's address says which IP version it is"
        for name in ("read_buffer_size", "write_buffer_size"):
            if getattr(self, name) is not None:
                yield f"{name} {_BUFFER}"
        if self.include_metadata:
            yield _NO_METADATA


class HttpConfig(Section):
    endpoint: Endpoint = "127.0.0.1:4318"  # host:port to listen on
    tls: TlsConfig | None = None  # certificates; unset: plain text
    auth: AuthConfig | None = None  # who is asked who sends; unset: nobody has to authenticate
    cors: CorsConfig | None = None  # which web pages may send from a browser; unset: none
    max_request_body_size: int = Field(64 * 1024 * 1024, ge=1024)  # bytes after decompression; a larger body is refused with 413
    compression_algorithms: tuple[Literal["", "gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4"], ...] = Field(
        ("", "gzip", "zstd", "zlib", "deflate"), min_length=1
    )  # values of Content-Encoding that are taken, "" is none; others are answered with 415
    response_headers: dict[str, str] = Field(default_factory=dict)  # added to every answer
    include_metadata: bool = False  # accepted for compatibility, without effect: headers are never stored
    keep_alives_enabled: bool = True  # whether a connection is used for more than one request
    read_timeout: Duration = Field(60.0, ge=0)  # how long the body of a request may take to arrive; 0 is the default, too
    read_header_timeout: Duration = Field(20.0, ge=0)  # how long the head of a request may take to arrive; 0 is the default, too
    write_timeout: Duration = Field(30.0, ge=0)  # how long a sender may leave answers unread; 0 is the default, too
    idle_timeout: Duration = Field(75.0, ge=0)  # how long a connection waits for its next request; 0 is the default, too
    traces_url_path: UrlPath = "/v1/traces"  # where spans are posted
    logs_url_path: UrlPath = "/v1/logs"  # where log records are posted
    metrics_url_path: UrlPath = "/v1/metrics"  # where data points are posted
    events_url_path: UrlPath = "/v1/events"  # where plain JSON events are posted; they become log records

    @field_validator("read_timeout", "read_header_timeout", "write_timeout", "idle_timeout")
    @classmethod
    def _always_a_limit(cls, value: float, info: Any) -> float:
        return value or float(cls.model_fields[info.field_name].default)

    @field_validator("response_headers")
    @classmethod
    def _headers_that_http_knows(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _OUR_HEADERS:
                raise ValueError(f"{name!r} is not a header that can be added: it is malformed, or set by every answer itself")
            if not value.isascii() or not value.isprintable():
                raise ValueError(f"the value of {name} must be printable ASCII")
        return headers

    @model_validator(mode="after")
    def _one_signal_a_path(self) -> "HttpConfig":
        if len({self.traces_url_path, self.logs_url_path, self.metrics_url_path, self.events_url_path}) < 4:
            raise ValueError("traces_url_path, logs_url_path, metrics_url_path and events_url_path must differ")
        return self

    def warnings(self) -> Iterator[str]:
        """Yield what was asked for and has no effect, and why; and what others could read."""
        yield from exposure_warnings(self)
        for name in UNSUPPORTED_COMPRESSIONS:
            if name in self.compression_algorithms:
                yield f"compression_algorithms: {name} is not supported: such requests are answered with 415"
        if self.include_metadata:
            yield _NO_METADATA


class ProtocolsConfig(Section):
    grpc: GrpcConfig | None = None  # OTLP/gRPC; leave out to switch it off
    http: HttpConfig | None = None  # OTLP/HTTP, protobuf and JSON; leave out to switch it off

    @model_validator(mode="before")
    @classmethod
    def _bare_key_means_defaults(cls, values: Any) -> Any:
        return {key: {} if value is None else value for key, value in values.items()} if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _one_at_least(self) -> "ProtocolsConfig":
        if self.grpc is None and self.http is None:
            raise ValueError("must name grpc, http or both")
        if (
            self.grpc is not None
            and self.http is not None
            and self.grpc.endpoint == self.http.endpoint
            and host_port(self.grpc.endpoint)[1]
        ):
            raise ValueError(f"grpc and http both have {self.grpc.endpoint}: give each a port of its own")
        return self

    def warnings(self) -> Iterator[str]:
        """Yield what was asked for and has no effect, and why."""
        for name, protocol in (("grpc", self.grpc), ("http", self.http)):
            if protocol is not None:
                yield from (f"receivers.otlp.protocols.{name}: {warning}" for warning in protocol.warnings())


class OtlpReceiverConfig(Section):
    protocols: ProtocolsConfig  # which protocols listen, and where
    limits: LimitsConfig = LimitsConfig()  # how much each tenant may send
    insecure_allow_anonymous: bool = False  # allow an endpoint that other machines reach although nobody has to authenticate

    @model_validator(mode="after")
    def _no_anonymous_public_bind(self) -> "OtlpReceiverConfig":
        for protocol in (self.protocols.grpc, self.protocols.http):
            if protocol is not None and not self.insecure_allow_anonymous and is_anonymous_in_public(protocol):
                raise ValueError(
                    f"{protocol.endpoint} can be reached from other machines without authentication: "
                    "bind 127.0.0.1, set auth, or say insecure_allow_anonymous: true"
                )
        return self
