"""A token reaches a collector that asks for one, from the code or from the standard variable, over both protocols."""

import logging
from collections.abc import Iterator
from typing import Any

import auditlake
import pytest
from auditlake._headers import request_headers

from tests.collector.served import CONFIG, Served
from tests.tokens import made_token

TOKEN = made_token("token")
AUTH = ", auth: {authenticator: bearertokenauth}"
GUARDED = (
    CONFIG.replace("max_recv_msg_size_mib: 1", f"max_recv_msg_size_mib: 1{AUTH}")
    .replace("max_request_body_size: 1048576", f"max_request_body_size: 1048576{AUTH}")
    .replace("\nextensions:\n", f"\nextensions:\n  bearertokenauth: {{tokens: [{{name: agent, tenant: acme, token: {TOKEN}}}]}}\n")
    .replace("[health_check]", "[health_check, bearertokenauth]")
)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    running = Served(GUARDED)
    yield running
    running.close()


def endpoint(guarded: Served, protocol: str) -> str:
    return f"grpc://{guarded.target}" if protocol == "grpc" else guarded.url


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("spelling", ["Authorization=Bearer%20{}", " authorization = Bearer {} ,x-other=1"])
def test_the_token_of_the_environment_is_sent(
    guarded: Served, configure: Any, monkeypatch: pytest.MonkeyPatch, protocol: str, spelling: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", spelling.format(TOKEN))
    configure(endpoint=endpoint(guarded, protocol), tenant="another")
    assert auditlake.audit("refund", protocol, "success").acknowledged
    assert guarded.batches[-1][0].tenant == "acme"


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_without_a_token_the_remedy_is_told(guarded: Served, configure: Any, protocol: str) -> None:
    configure(endpoint=endpoint(guarded, protocol))
    with pytest.raises(auditlake.AuditError, match="OTEL_EXPORTER_OTLP_HEADERS"):
        auditlake.audit("refund", "order", "success")


def test_what_the_code_gives_goes_before_the_environment() -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20a,x=%3D%2C"}
    assert request_headers({"Authorization": "Bearer b"}, environ) == {"authorization": "Bearer b", "x": "=,"}
    assert request_headers({}, {}) == {}


@pytest.mark.parametrize("pair", [TOKEN, f"={TOKEN}", f"x={TOKEN}%0d%0aauthorization: {TOKEN}", f"a b={TOKEN}", f"x={TOKEN}ä"])
def test_what_cannot_be_sent_is_left_out_and_its_value_told_to_nobody(pair: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert request_headers({}, {"OTEL_EXPORTER_OTLP_HEADERS": f"{pair},y=1"}) == {"y": "1"}
    assert "pair 1" in caplog.text
    assert TOKEN not in caplog.text


def test_a_header_of_the_code_that_cannot_be_sent_is_refused_without_its_value() -> None:
    with pytest.raises(auditlake.ConfigurationError, match="authorization") as refused:
        request_headers({"authorization": f"Bearer {TOKEN}\n"}, {})
    assert TOKEN not in str(refused.value)
