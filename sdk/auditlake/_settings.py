"""What `configure()` was told, checked."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict
from urllib.parse import urlsplit

from auditlake import vocabulary as names
from auditlake._errors import ConfigurationError
from auditlake._headers import request_headers
from auditlake._transport import HttpTransport, Transport
from auditlake._values import Value, attributes

Protocol = Literal["http/protobuf", "grpc"]


class Options(TypedDict, total=False):
    """The options of `auditlake.configure`, for editors and type checkers; `Settings` says what each means, and its default."""

    endpoint: str
    protocol: Protocol | None
    tenant: str | None
    project: str | None
    environment: str | None
    release: str | None
    agent_name: str | None
    agent_id: str | None
    agent_version: str | None
    headers: Mapping[str, str]
    resource_attributes: Mapping[str, object]
    compression: Literal["none", "gzip"]
    certificate_file: str | None
    budget_endpoint: str
    timeout_seconds: float
    export_timeout_seconds: float
    queue_size: int
    batch_size: int
    delay_seconds: float
    request_bytes: int
    metrics_interval_seconds: float
    spool_dir: str | Path | None
    spool_key: bytes | str | None
    spool_bytes: int
    set_global: bool
    structlog: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that `auditlake.configure` accepts; the comments are the manual."""

    service_name: str  # service.name of the resource
    endpoint: str = "http://127.0.0.1:4318"  # base URL of the collector; port 4317 or grpc:// means gRPC
    protocol: Protocol | None = None  # None: decided by the endpoint
    tenant: str | None = None  # who the records belong to; a tenant of the token overrules it
    project: str | None = None  # auditlake.project
    environment: str | None = None  # deployment.environment.name
    release: str | None = None  # service.version
    agent_name: str | None = None  # gen_ai.agent.name on every record; the collector falls back to service.name
    agent_id: str | None = None  # gen_ai.agent.id
    agent_version: str | None = None  # gen_ai.agent.version
    # sent with each request, such as authorization; those of OTEL_EXPORTER_OTLP_HEADERS are added
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    resource_attributes: Mapping[str, object] = field(default_factory=dict)  # more attributes of the resource
    compression: Literal["none", "gzip"] = "none"  # of request bodies
    certificate_file: str | None = None  # CA certificates (PEM) for https, instead of the system's
    budget_endpoint: str = "http://127.0.0.1:8503"  # base URL at which budget() asks: that of the alert process
    timeout_seconds: float = 5.0  # how long audit(), flush() and shutdown() may take
    export_timeout_seconds: float = 10.0  # how long the background may try to deliver one batch
    queue_size: int = 4096  # records that may wait, per signal; more are dropped, counted and reported
    batch_size: int = 512  # records in one request
    delay_seconds: float = 1.0  # how long a record may wait for company
    request_bytes: int = 8 * 1024 * 1024  # larger batches are split into several requests
    metrics_interval_seconds: float = 10.0  # how often metrics are sent
    spool_dir: str | Path | None = None  # where audit() keeps encrypted records while the collector is away
    spool_key: bytes | str | None = field(default=None, repr=False)  # 32 bytes, or their base64 text
    spool_bytes: int = 64 * 1024 * 1024  # how much the spool may hold; then audit() raises
    set_global: bool = True  # make our providers OpenTelemetry's global ones, unless others are set
    structlog: bool = True  # add our processor to structlog's, before the renderer

    def __post_init__(self) -> None:
        """Refuse what cannot work, saying how to correct it."""
        if not self.service_name:
            raise ConfigurationError("configure", "service_name", hint="give the name of the service, such as 'support-agent'")
        if (self.spool_dir is None) != (self.spool_key is None):
            raise ConfigurationError("configure the spool", hint="spool_dir and spool_key belong together: give both or none")
        if min(self.queue_size, self.batch_size, self.request_bytes) < 1:
            raise ConfigurationError("configure", "queue_size, batch_size, request_bytes", hint="they must be at least 1")

    def common(self) -> dict[str, Value]:
        """Return the attributes that every record of this process carries."""
        return attributes({names.AGENT_NAME: self.agent_name, names.AGENT_ID: self.agent_id, names.AGENT_VERSION: self.agent_version})

    def resource(self) -> dict[str, Value]:
        """Return the attributes of the resource."""
        return attributes(
            {
                **self.resource_attributes,
                names.SERVICE_NAME: self.service_name,
                names.SERVICE_VERSION: self.release,
                names.ENVIRONMENT: self.environment,
                names.TENANT: self.tenant,
                names.PROJECT: self.project,
            }
        )

    def key(self) -> bytes | None:
        """Return the 32 bytes of the spool's key."""
        if self.spool_key is None:
            return None
        raw = self.spool_key
        if isinstance(raw, str):
            try:
                raw = base64.b64decode(raw.replace("-", "+").replace("_", "/"), validate=True)
            except binascii.Error:
                raw = b""
        if len(raw) != 32:
            hint = (
                "give 32 random bytes or their base64 text: python -c 'import base64,os; print(base64.b64encode(os.urandom(32)).decode())'"
            )
            raise ConfigurationError("use spool_key", hint=hint)
        return raw


def transport(settings: Settings) -> Transport:
    """Return the transport that the settings name; nothing is connected yet."""
    endpoint = settings.endpoint.replace("grpcs://", "https://").replace("grpc://", "http://")
    protocol = settings.protocol
    if protocol is None:
        is_grpc = settings.endpoint.startswith("grpc") or urlsplit(endpoint).port == 4317
        protocol = "grpc" if is_grpc else "http/protobuf"
    headers = request_headers(settings.headers, os.environ)
    if protocol == "grpc":
        from auditlake._grpc import GrpcTransport

        return GrpcTransport(endpoint, headers=headers, compression=settings.compression, certificate_file=settings.certificate_file)
    if protocol != "http/protobuf":
        raise ConfigurationError("use the protocol", protocol, hint="choose 'http/protobuf' or 'grpc'")
    return HttpTransport(endpoint, headers=headers, compression=settings.compression, certificate_file=settings.certificate_file)
