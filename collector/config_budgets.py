"""Where agents ask about budgets before they spend: an endpoint of the alert process, with the credentials with which they send records."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel

from collector.config_admission import Guarded
from collector.config_fields import is_loopback
from collector.config_model import AlertsConfig, ServiceConfig
from collector.config_receivers import OtlpReceiverConfig, ProtocolsConfig

Guard = Literal["http", "grpc"]


def guard(protocols: ProtocolsConfig) -> Guard | None:
    """Return the protocol whose credentials and certificates hold for budgets: HTTP where it asks who sends, else gRPC; None: neither."""
    if protocols.http is not None and _is_proven(protocols.http):
        return "http"
    return "grpc" if protocols.grpc is not None and _is_proven(protocols.grpc) else None


def budget_endpoint_problems(
    service: ServiceConfig, components: Mapping[str, Mapping[str, BaseModel]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield where an endpoint that other machines reach would answer whoever asks."""
    receivers = [found for found in components["receivers"].values() if isinstance(found, OtlpReceiverConfig)]
    for identifier, section in components["extensions"].items():
        if not isinstance(section, AlertsConfig) or identifier not in service.extensions or not section.budget_endpoint:
            continue
        if not is_loopback(section.budget_endpoint) and not any(guard(each.protocols) for each in receivers):
            reach = f"{section.budget_endpoint} can be reached from other machines, and nobody has to authenticate there"
            remedy = "give a protocol of the receiver auth (budgets ask for the same credentials), or listen on 127.0.0.1"
            yield ("extensions", identifier, "budget_endpoint"), f"{reach}: {remedy}"


def _is_proven(protocol: Guarded) -> bool:
    return protocol.auth is not None or (protocol.tls is not None and protocol.tls.client_ca_file is not None)
