"""What otel-config.yaml says about forwarding, put together: which exporter gets which signals, through which filters."""

import ipaddress
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from collector.config_exporters import ForwardingConfig, OtlpGrpcExporterConfig, OtlpHttpExporterConfig
from collector.config_fields import host_port
from collector.config_filter import FilterConfig
from collector.config_model import PipelineConfig, ServiceConfig
from collector.config_receivers import OtlpReceiverConfig, ProtocolsConfig
from collector.config_source import KeyPath

MANY: Final = frozenset({"otlp", "otlp_grpc", "otlp_http", "filter"})
"""Kinds of which a collector runs several."""
_IDENTIFIER: Final = re.compile(r"[a-z_]+(/[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """One exporter that forwards."""

    id: str
    config: OtlpGrpcExporterConfig | OtlpHttpExporterConfig
    signals: frozenset[str]
    filters: Mapping[str, tuple[FilterConfig, ...]]  # by signal, those of its pipeline


Components = Mapping[str, Mapping[str, BaseModel]]


def forwards(service: ServiceConfig, components: Components) -> tuple[Forward, ...]:
    """Return the exporters that pipelines name."""
    found = []
    for identifier, config in components["exporters"].items():
        if isinstance(config, OtlpGrpcExporterConfig | OtlpHttpExporterConfig):
            pipelines = {str(signal): pipeline for signal, pipeline in service.pipelines.items() if identifier in pipeline.exporters}
            filters = {signal: filters_of(pipeline, components) for signal, pipeline in pipelines.items()}
            if pipelines:
                found.append(Forward(id=identifier, config=config, signals=frozenset(pipelines), filters=filters))
    return tuple(found)


def filters_of(pipeline: PipelineConfig, components: Components) -> tuple[FilterConfig, ...]:
    """Return the filters that a pipeline names."""
    processors = [components["processors"].get(identifier) for identifier in pipeline.processors]
    return tuple(processor for processor in processors if isinstance(processor, FilterConfig))


def problems(service: ServiceConfig, components: Components) -> Iterator[tuple[KeyPath, str]]:
    """Yield what cannot work: a pipeline that stores nothing, an exporter that sends to ourselves or has no place for a signal."""
    for name, pipeline in service.pipelines.items():
        kinds = {identifier.partition("/")[0] for identifier in pipeline.exporters}
        if "parquet" not in kinds and kinds <= MANY:
            yield ("service", "pipelines", name, "exporters"), "must name parquet: what is forwarded is stored first"
    receivers = [model for model in components["receivers"].values() if isinstance(model, OtlpReceiverConfig)]
    for forward in forwards(service, components):
        path: KeyPath = ("exporters", forward.id)
        if not _IDENTIFIER.fullmatch(forward.id):
            yield path, "the name behind the slash may have letters, digits, dot, dash and underscore: it names a folder"
        if isinstance(forward.config, OtlpHttpExporterConfig):
            for signal in sorted(forward.signals):
                if forward.config.url(signal) is None:
                    yield path, f"has no place for {signal}: name endpoint or {signal}_endpoint, or take it out of that pipeline"
        if any(_reaches(peer, receiver.protocols) for peer in forward.config.peers() for receiver in receivers):
            yield path, "sends to this collector's own receiver, which would go round for ever: name another backend"


def warnings(service: ServiceConfig, components: Components) -> Iterator[str]:
    """Yield what has no effect, and what filters do not do."""
    named = forwards(service, components)
    for forward in named:
        yield from forward.config.warnings(f"exporters.{forward.id}")
        if any(value for value in forward.config.headers.values()) and _is_plain_abroad(forward.config):
            yield f"exporters.{forward.id}: headers and records go over the network without TLS"
    for identifier, config in components["exporters"].items():
        if isinstance(config, ForwardingConfig) and identifier not in {forward.id for forward in named}:
            yield f"exporters.{identifier} forwards nothing: no pipeline names it"
    for signal, pipeline in service.pipelines.items():
        forwarded = any(signal in forward.signals for forward in named)
        if forwarded and not any(identifier.partition("/")[0] == "redaction" for identifier in pipeline.processors):
            yield f"service.pipelines.{signal} has no redaction: what agents send is FORWARDED as it comes, secrets included"
        if filters_of(pipeline, components):
            what = "everything is stored all the same" if forwarded else "this pipeline forwards nothing, so it has no effect"
            yield f"service.pipelines.{signal}: filter decides about what is FORWARDED only: {what}"


def _reaches(peer: tuple[str, int], receiver: ProtocolsConfig) -> bool:
    """Whether what is sent to `peer` arrives at a port of ours, as far as names tell."""
    for protocol in (receiver.grpc, receiver.http):
        if protocol is not None:
            host, port = host_port(protocol.endpoint)
            if port and port == peer[1] and (host == peer[0] or (_is_here(peer[0]) and _is_here(host)) or _is_ours(peer[0], host)):
                return True
    return False


def _is_ours(peer: str, bound: str) -> bool:
    """Whether `peer` is this machine by its name, and `bound` is all of its addresses."""
    return peer == socket.gethostname() and bound in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound  # nosec B104


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_plain_abroad(config: OtlpGrpcExporterConfig | OtlpHttpExporterConfig) -> bool:
    if all(_is_here(host) for host, _ in config.peers()):
        return False
    if isinstance(config, OtlpGrpcExporterConfig):
        return config.is_plain
    urls = (config.endpoint, config.traces_endpoint, config.logs_endpoint, config.metrics_endpoint)
    return any(url is not None and url.startswith("http:") for url in urls)
