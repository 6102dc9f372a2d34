"""Who may reach what: nothing is open to other machines by accident, and no message holds a token."""

from pathlib import Path

import pytest

from collector.config import Config, ConfigError, parse
from collector.config_model import MemoryLimiterConfig
from collector.memory import memory_bytes
from tests.tokens import made_token

TOKEN = made_token("token")

TEXT = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "{grpc}"}}
      http: {{endpoint: "{http}"{more}}}
processors: {{redaction: {{}}}}
exporters: {{parquet: {{}}}}
extensions:
  bearertokenauth: {bearer}
  health_check: {{endpoint: "{health}"}}
service:
  extensions: [health_check{running}]
  pipelines: {{{pipelines}}}
"""
PIPELINES = ", ".join(
    f"{signal}: {{receivers: [otlp], processors: [redaction], exporters: [parquet]}}" for signal in ("traces", "logs", "metrics")
)
AUTH = ", auth: {authenticator: bearertokenauth}"


def text(**changes: str) -> str:
    values = {"grpc": "127.0.0.1:4317", "http": "127.0.0.1:4318", "more": "", "bearer": f"{{token: {TOKEN}}}", "health": "127.0.0.1:13133"}
    return TEXT.format(**{**values, "running": "", "pipelines": PIPELINES, **changes})


def config(**changes: str) -> Config:
    return parse(text(**changes), "test.yaml", {})


def problems(**changes: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        config(**changes)
    assert TOKEN not in str(refused.value)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "127.8.8.8:4318", "localhost:4318", "LOCALHOST.:4318", "[::1]:4318"])
def test_what_only_this_machine_reaches_needs_no_authentication(endpoint: str) -> None:
    assert config(http=endpoint).warnings == ()


PUBLIC = ["0.0.0.0:4318", ":4318", "[::]:4318", "192.0.2.1:4318", "collector:4318", "127.0.0.1.nip.io:4318", "0:4318"]


@pytest.mark.parametrize("endpoint", [*PUBLIC, "[::ffff:192.0.2.1]:4318"])
def test_what_other_machines_reach_is_refused_without_authentication(endpoint: str) -> None:
    for protocol in ("grpc", "http"):
        (problem,) = problems(**{protocol: endpoint})
        assert "can be reached from other machines without authentication" in problem
        assert "insecure_allow_anonymous: true" in problem


def test_an_authenticator_opens_the_protocol_that_asks_it_and_no_other() -> None:
    opened = config(http="0.0.0.0:4318", more=AUTH, running=", bearertokenauth")
    (warning,) = opened.warnings
    assert warning.startswith("receivers.otlp.protocols.http: 0.0.0.0:4318 can be reached from other machines without TLS: credentials")
    (problem,) = problems(http="0.0.0.0:4318", grpc="0.0.0.0:4317", more=AUTH, running=", bearertokenauth")
    assert "0.0.0.0:4317" in problem


def test_certificates_of_senders_are_authentication_too_and_tls_alone_is_not() -> None:
    tls = ", tls: {cert_file: a, key_file: b, client_ca_file: c}"
    assert config(http="0.0.0.0:4318", more=tls).warnings == ()
    assert "without authentication" in problems(http="0.0.0.0:4318", more=", tls: {cert_file: a, key_file: b}")[0]


def test_health_in_public_is_a_warning() -> None:
    (warning,) = config(health="0.0.0.0:13133").warnings
    assert warning.startswith("extensions.health_check: 0.0.0.0:13133 can be reached from other machines")


@pytest.mark.parametrize("endpoint", ["unix:/run/otlp.sock", "unix:///run/otlp.sock", "/run/otlp.sock"])
def test_sockets_of_files_are_refused_in_words(endpoint: str) -> None:
    assert "sockets of files are not served" in problems(http=endpoint)[0]


@pytest.mark.parametrize(
    ("named", "running", "message"),
    [
        ("bearertokenauth", "", "name it in service.extensions, too"),
        ("bearertokenauth/other", "", "is not declared under extensions"),
        ("health_check", "", "is no authenticator: known are basicauth, bearertokenauth"),
    ],
)
def test_an_authenticator_that_does_not_run_is_refused(named: str, running: str, message: str) -> None:
    (problem,) = problems(more=f", auth: {{authenticator: {named}}}", running=running)
    assert message in problem
    assert "receivers.otlp.protocols.http.auth.authenticator" in problem


def test_an_authenticator_that_nobody_asks_is_a_warning() -> None:
    (warning,) = config(running=", bearertokenauth").warnings
    assert warning.startswith("extensions.bearertokenauth is asked by no protocol")


@pytest.mark.parametrize(
    "bearer",
    [
        "{}",
        f"{{tokens: [{{name: a, tokn: {TOKEN}}}]}}",
        f"{{tokens: [{{name: 'a b', token: {TOKEN}}}]}}",
        f"{{tokens: [{{name: a, token: {TOKEN}, token_hash: {TOKEN}}}]}}",
        f"{{tokens: [{{name: a, token_hash: {TOKEN}}}]}}",
        f"{{tokens: {TOKEN}}}",
        f"{{token: [{TOKEN}]}}",
        f"{{token: 'with spaces {TOKEN}'}}",
        f"{{token: {TOKEN}, schema: Bearer}}",
    ],
)
def test_a_mistake_beside_a_token_is_named_without_the_token(bearer: str) -> None:
    assert problems(bearer=bearer)


def test_a_configuration_holds_no_token_that_could_be_printed() -> None:
    assert TOKEN not in repr(config(more=AUTH, running=", bearertokenauth"))


def test_shares_of_the_memory_are_those_of_the_container(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{512 << 20}\n")
    assert memory_bytes((limit, tmp_path / "missing")) == 512 << 20
    limit.write_text("max\n")
    assert memory_bytes((limit,)) == memory_bytes(()) > 0
    half = MemoryLimiterConfig(limit_percentage=50, spike_limit_percentage=20)
    assert half.limit_bytes == memory_bytes() * 50 // 100 - memory_bytes() * 20 // 100
