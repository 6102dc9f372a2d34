"""What people get wrong in otel-config.yaml, and what they are told."""

import pytest

from collector.config import ConfigError, parse

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:4317"}
      http: {endpoint: "127.0.0.1:4318"}
processors:
  redaction: {}
exporters:
  parquet: {path: unused}
  otlp_http: {endpoint: "http://localhost:14318"}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [redaction], exporters: [parquet, otlp_http]}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("127.0.0.1:4317", "http://localhost:4317", "grpc.endpoint: must be host:port, such as 127.0.0.1:4318, without http://"),
        ("127.0.0.1:4318", "127.0.0.1:4317", "grpc and http both have 127.0.0.1:4317: give each a port of its own"),
        ('"127.0.0.1:4317"', '"127.0.0.1:4317", auth: bearertokenauth', "grpc.auth: must be a mapping, {key: value}"),
        ('"127.0.0.1:4318"', '"127.0.0.1:4318", cors: {allowed_origins: "https://a.b"}', "allowed_origins: must be a list, [one, another]"),
        ("http://localhost:14318", "localhost:14318", "otlp_http.endpoint: must be a URL that begins with http:// or https://"),
        ("    traces:", "    - traces:", "service.pipelines: must be a mapping, {key: value}"),
        ("    traces:", "    trace:", "must be 'traces', 'logs' or 'metrics'"),
        ("path: unused", "path: unused, seal_interval: 0", "seal_interval: must be greater than or equal to 0.1"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_yaml(right: str, wrong: str, told: str) -> None:
    assert right in CONFIG
    with pytest.raises(ConfigError) as refused:
        parse(CONFIG.replace(right, wrong), "otel-config.yaml", {})
    assert told in str(refused.value)


def test_two_ports_that_the_system_chooses_are_two() -> None:
    parse(CONFIG.replace("127.0.0.1:4317", "127.0.0.1:0").replace("127.0.0.1:4318", "127.0.0.1:0"), "otel-config.yaml", {})


def test_who_forwards_without_redaction_is_warned() -> None:
    raw = CONFIG.replace("processors: [redaction]", "allow_unredacted: true")
    assert any("FORWARDED as it comes" in warning for warning in parse(raw, "otel-config.yaml", {}).warnings)
    assert not any("FORWARDED as it comes" in warning for warning in parse(CONFIG, "otel-config.yaml", {}).warnings)
