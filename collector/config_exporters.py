"""`exporters.otlp_grpc` (alias `otlp`) and `exporters.otlp_http`: other backends that get the redacted copy (docs/forwarding.md).

Keys and meanings are those of the OpenTelemetry Collector's exporters. What it has and we do not need is accepted, and a warning says why
it has no effect; what we have besides is named so in its comment.
"""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from collector.config_fields import Duration, HttpUrl, Section, host_port

DEFAULT_QUEUE_BYTES: Final = 8 << 30
DEFAULT_REQUEST_BYTES: Final = 3 << 20
"""Below the 4 MiB that gRPC servers take at most unless told otherwise."""
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METADATA_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_OURS: Final = frozenset({"content-type", "content-encoding", "content-length", "transfer-encoding", "connection", "te", "host"})


def _no_password() -> str:
    """Have an encrypted key refused, instead of asking at the terminal."""
    return ""


class ClientTlsConfig(Section):
    insecure: bool = False  # no TLS at all (otlp_grpc; otlp_http goes by the scheme of its endpoint)
    insecure_skip_verify: bool = False  # encrypt, but believe any certificate (otlp_http only)
    ca_file: Path | None = None  # certificates that sign the peer's, PEM; unset: those of the system
    cert_file: Path | None = None  # our certificate, PEM, where the peer asks for one (mTLS)
    key_file: Path | None = None  # its key
    server_name_override: str | None = None  # the name that the peer's certificate must have, in place of the endpoint's host

    @field_validator("ca_file", "cert_file", "key_file")
    @classmethod
    def _beside_the_configuration(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        folder = (info.context or {}).get("folder")
        file = file if file is None or folder is None else folder / file
        if file is not None and not file.is_file():
            raise ValueError(f"{file} is not there: name an existing PEM file")
        return file

    @model_validator(mode="after")
    def _certificate_and_key(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: name both or none")
        return self

    @model_validator(mode="after")
    def _files_hold_what_they_should(self) -> Self:
        if self.ca_file is not None or self.cert_file is not None:
            try:
                self.context()
            except OSError as error:  # ssl.SSLError is one; its text names no content
                raise ValueError(f"the certificates cannot be loaded: {error.strerror or 'not PEM, or not of this key'}") from None
        return self

    def context(self) -> ssl.SSLContext:
        """Return how the peer is recognised, and how we are. Raises OSError when a file is not what it should be."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None and self.key_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class RetryConfig(Section):
    enabled: bool = True  # false: what a backend does not take at the first attempt goes to the dead letters
    initial_interval: Duration = Field(1.0, ge=0.001)  # before the second attempt
    max_interval: Duration = Field(30.0, ge=0.001)  # between later attempts at most, and how long the circuit breaker stays open
    max_elapsed_time: Duration = Field(0.0, ge=0)  # of one request, then it goes to the dead letters; 0: as long as the queue keeps it
    multiplier: float = Field(2.0, ge=1, le=1000)  # how the interval grows
    randomization_factor: float = Field(1.0, ge=0, le=1)  # an interval i lasts i·(1 − factor) to i·(1 + factor); 1: full jitter

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.max_interval < self.initial_interval:
            raise ValueError("max_interval must not be less than initial_interval")
        return self


class QueueBatchConfig(Section):
    flush_timeout: Duration | None = None  # without effect: nothing waits to be batched, what is in a WAL segment goes together
    min_size: int | None = Field(None, ge=0)  # without effect, likewise
    max_size: int | None = Field(None, ge=1)  # largest request; unset: 3 MiB before compression
    sizer: Literal["items", "bytes"] = "items"  # of max_size: records, or bytes before compression


class SendingQueueConfig(Section):
    enabled: bool = True  # without effect: there is always a queue, it is the WAL
    num_consumers: int | None = Field(None, ge=1)  # without effect: one request at a time, so that records arrive in order
    queue_size: int | None = Field(None, ge=1)  # bytes that wait at most (with sizer: bytes), then the oldest are dropped; unset: 8 GiB
    sizer: Literal["requests", "items", "bytes"] = "requests"  # of queue_size; only bytes has an effect
    block_on_overflow: bool = False  # without effect: receiving never waits for a backend
    wait_for_result: bool = False  # without effect, likewise
    storage: str | None = None  # without effect: the queue is always on the disk, in the data directory
    batch: QueueBatchConfig = QueueBatchConfig()  # how requests are put together
    max_age: Duration = Field(259_200.0, gt=0)  # ours: what waits longer is dropped (72 h)
    dead_letter_bytes: int = Field(256 << 20, ge=0)  # ours: how much is kept of what the backend refused for good

    @property
    def max_bytes(self) -> int:
        """Bytes that wait at most."""
        return self.queue_size if self.sizer == "bytes" and self.queue_size is not None else DEFAULT_QUEUE_BYTES

    def warnings(self, where: str) -> Iterator[str]:
        """Say which keys have no effect, and why."""
        told = self.model_fields_set
        if not self.enabled:
            yield f"{where}.enabled: there is always a queue, it is the WAL, and nothing is sent before it is durable"
        if "queue_size" in told and self.sizer != "bytes":
            yield f"{where}.queue_size has no effect with sizer {self.sizer}: it is bounded by {self.max_bytes} bytes, or with sizer: bytes"
        if "num_consumers" in told:
            yield f"{where}.num_consumers has no effect: requests go one at a time, so that records arrive in order"
        if self.block_on_overflow or self.wait_for_result:
            yield f"{where}: block_on_overflow and wait_for_result have no effect: receiving never waits for a backend"
        if "storage" in told:
            yield f"{where}.storage has no effect: the queue is always on the disk, in the data directory"
        if self.batch.model_fields_set & {"flush_timeout", "min_size"}:
            yield f"{where}.batch: flush_timeout and min_size have no effect: what is in a WAL segment goes together"


def _headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("grpc-"):
            raise ValueError(f"{name!r} is no header that can be set here")
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of {name} must be printable ASCII in one line")
    return headers


Headers = Annotated[dict[str, SecretStr], AfterValidator(_headers)]


class ForwardingConfig(Section):
    headers: Headers = Field(default_factory=dict)  # sent with each request, such as authorization; write secrets as ${env:NAME}
    tls: ClientTlsConfig = ClientTlsConfig()  # how the peer is recognised
    retry_on_failure: RetryConfig = RetryConfig()  # what happens when the backend cannot take a request now
    sending_queue: SendingQueueConfig = SendingQueueConfig()  # what waits to be sent
    include_own: bool = False  # ours: also forward auditlake's own metrics and events

    def peers(self) -> list[tuple[str, int]]:
        """Return host and port of everything that is sent to."""
        raise NotImplementedError

    def warnings(self, where: str) -> Iterator[str]:
        """Say which keys have no effect, and why; `where` is the path of this exporter."""
        yield from self.sending_queue.warnings(f"{where}.sending_queue")


class OtlpGrpcExporterConfig(ForwardingConfig):
    endpoint: str  # host:port; https://host:port is the same, http://host:port is without TLS
    compression: Literal["gzip", "deflate", "none", ""] = "gzip"  # of requests
    timeout: Duration = Field(5.0, gt=0)  # of one request

    @field_validator("endpoint")
    @classmethod
    def _target(cls, endpoint: str) -> str:
        scheme, separator, rest = endpoint.rpartition("://")
        if separator and scheme not in {"http", "https"}:
            raise ValueError("must be host:port, such as localhost:14317, http:// or https:// before it")
        if _port_of(rest.rstrip("/")) is None:
            raise ValueError("must be host:port, such as localhost:14317")
        return endpoint.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _metadata(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name in headers:
            if not _METADATA_NAME.fullmatch(name) or name.lower().endswith("-bin"):
                raise ValueError(f"{name!r} cannot be sent over gRPC: letters, digits, dot, dash and underscore, and no -bin at the end")
        return headers

    @model_validator(mode="after")
    def _verifies(self) -> Self:
        if self.tls.insecure_skip_verify:
            raise ValueError("tls.insecure_skip_verify: gRPC always checks the certificate here: name its ca_file, or use otlp_http")
        return self

    @property
    def target(self) -> str:
        """Return host:port."""
        return self.endpoint.rpartition("://")[2]

    @property
    def is_plain(self) -> bool:
        """Whether there is no TLS."""
        return self.endpoint.startswith("http://") or (self.tls.insecure and not self.endpoint.startswith("https://"))

    def peers(self) -> list[tuple[str, int]]:
        """Return host and port."""
        return [host_port(self.target)]


class OtlpHttpExporterConfig(ForwardingConfig):
    endpoint: HttpUrl | None = None  # base URL; v1/traces, v1/logs and v1/metrics are put behind it
    traces_endpoint: HttpUrl | None = None  # the whole URL for spans, in place of endpoint
    logs_endpoint: HttpUrl | None = None  # the whole URL for log records, likewise
    metrics_endpoint: HttpUrl | None = None  # the whole URL for data points, likewise
    encoding: Literal["proto"] = "proto"  # of requests: protobuf
    compression: Literal["gzip", "deflate", "zstd", "none", ""] = "gzip"  # of requests; ask the backend before you choose zstd
    timeout: Duration = Field(30.0, gt=0)  # of one request

    @field_validator("endpoint", "traces_endpoint", "logs_endpoint", "metrics_endpoint")
    @classmethod
    def _url(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.username is not None or parts.password is not None:
                raise ValueError("holds a user name or password: put them into headers, as ${env:NAME}")
            if not parts.hostname or _port_of(parts.netloc, _default_port(parts)) is None:
                raise ValueError("must be a URL such as http://localhost:14318")
        return url

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not any((self.endpoint, self.traces_endpoint, self.logs_endpoint, self.metrics_endpoint)):
            raise ValueError("needs endpoint, or an endpoint of its own for each signal")
        return self

    def url(self, signal: str) -> str | None:
        """Return where the requests of a signal are posted; None when nothing is said about it."""
        own: str | None = getattr(self, f"{signal}_endpoint")
        return own or (f"{self.endpoint.rstrip('/')}/v1/{signal}" if self.endpoint else None)

    def peers(self) -> list[tuple[str, int]]:
        """Return host and port of each URL."""
        urls = {self.endpoint, self.traces_endpoint, self.logs_endpoint, self.metrics_endpoint}
        split = [urlsplit(url) for url in sorted(filter(None, urls))]
        return [(parts.hostname or "", parts.port or _default_port(parts)) for parts in split]

    def warnings(self, where: str) -> Iterator[str]:
        """Say which keys have no effect, and why."""
        yield from super().warnings(where)
        if self.tls.insecure:
            yield f"{where}.tls.insecure has no effect: the scheme of the endpoint says whether there is TLS"


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _port_of(netloc: str, default: int | None = None) -> int | None:
    """Return the port of host:port; None when there is none, or no host."""
    try:
        parts = urlsplit(f"//{netloc}")
        return (parts.port or default) if parts.hostname and parts.path == "" else None
    except ValueError:
        return None
