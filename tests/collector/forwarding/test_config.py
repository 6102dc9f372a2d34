"""Exporters and filters in otel-config.yaml: what is taken, what has no effect, what is refused and with which remedy."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.config import DEFAULT, Config, ConfigError, parse
from collector.config_exporters import DEFAULT_QUEUE_BYTES, OtlpGrpcExporterConfig, OtlpHttpExporterConfig

BACKEND = {"endpoint": "backend:4317"}
TOKEN = "t0ken" * 4


def document(exporters: dict[str, Any], processors: dict[str, Any] | None = None, **pipelines: tuple[list[str], list[str]]) -> str:
    """The built-in configuration with these components besides, in these pipelines (processors, exporters)."""
    values = copy.deepcopy(yaml.safe_load(DEFAULT.replace("${env:AUDITLAKE_ALERT_INTERVAL:-30s}", "30s")))
    values["exporters"] |= exporters
    values["processors"] |= processors or {}
    for signal, (filters, named) in pipelines.items():
        pipeline = values["service"]["pipelines"][signal]
        pipeline["processors"] += filters
        pipeline["exporters"] = named
    return yaml.safe_dump(values, sort_keys=False)


def checked(exporters: dict[str, Any], processors: dict[str, Any] | None = None, **pipelines: tuple[list[str], list[str]]) -> Config:
    return parse(document(exporters, processors, **pipelines), "test.yaml", {"TOKEN": TOKEN})


def problem(exporters: dict[str, Any], processors: dict[str, Any] | None = None, **pipelines: tuple[list[str], list[str]]) -> str:
    with pytest.raises(ConfigError) as caught:
        checked(exporters, processors, **pipelines)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def one(kind: str, values: dict[str, Any]) -> Config:
    return checked({kind: values}, traces=([], ["parquet", kind]))


def test_pipelines_say_which_exporter_gets_which_signals_through_which_filters() -> None:
    config = checked(
        {"otlp": BACKEND, "otlp_grpc/a": BACKEND, "otlp_http/b": {"endpoint": "https://b.example/otlp/"}},
        {"filter": {"spans": {"exclude": {"span_names": ["x"]}}}, "filter/2": {"logs": {"include": {"audit": True}}}},
        traces=(["filter", "filter/2"], ["parquet", "otlp", "otlp_http/b"]),
        logs=([], ["otlp_http/b", "parquet", "otlp_grpc/a"]),
    )
    found = {each.id: [(signal, len(each.filters[signal])) for signal in sorted(each.signals)] for each in config.forwards}
    assert found == {"otlp": [("traces", 2)], "otlp_grpc/a": [("logs", 0)], "otlp_http/b": [("logs", 0), ("traces", 2)]}
    by_id = {forward.id: forward.config for forward in config.forwards}
    assert isinstance(by_id["otlp"], OtlpGrpcExporterConfig)
    assert isinstance(by_id["otlp_http/b"], OtlpHttpExporterConfig)
    assert by_id["otlp_http/b"].url("traces") == "https://b.example/otlp/v1/traces"
    assert pickle.loads(pickle.dumps(config.forwards)) == config.forwards


def test_that_filters_touch_nothing_that_is_stored_is_said_loudly() -> None:
    config = checked({"otlp": BACKEND}, {"filter": {}}, traces=(["filter"], ["parquet", "otlp"]), logs=(["filter"], ["parquet"]))
    warnings = "\n".join(config.warnings)
    assert "service.pipelines.traces: filter decides about what is FORWARDED only: everything is stored all the same" in warnings
    assert "service.pipelines.logs: filter decides about what is FORWARDED only: this pipeline forwards nothing" in warnings


def test_a_header_is_never_shown() -> None:
    config = one("otlp", {**BACKEND, "headers": {"authorization": "Bearer ${env:TOKEN}"}})
    assert config.forwards[0].config.headers["authorization"].get_secret_value() == f"Bearer {TOKEN}"
    assert TOKEN not in repr(config)
    assert any("without TLS" in warning for warning in one("otlp", {"endpoint": "http://far:1", "headers": {"a": "b"}}).warnings)


def test_a_configuration_of_the_go_collector_is_taken_and_what_has_no_effect_is_told() -> None:
    queue = {"enabled": False, "num_consumers": 10, "queue_size": 1000, "block_on_overflow": True, "storage": "file_storage"}
    retry = {
        "enabled": True,
        "initial_interval": "5s",
        "max_interval": "30s",
        "max_elapsed_time": "300s",
        "multiplier": 1.5,
        "randomization_factor": 0.5,
    }
    values = {
        "endpoint": "https://backend.example:4317",
        "compression": "none",
        "timeout": "5s",
        "sending_queue": {**queue, "batch": {"flush_timeout": "200ms", "min_size": 8192, "max_size": 8192}},
        "retry_on_failure": retry,
    }
    config = one("otlp", values)
    warnings = "\n".join(config.warnings)
    for key in ("enabled", "num_consumers", "queue_size", "block_on_overflow", "storage", "flush_timeout"):
        assert key in warnings, key
    assert config.forwards[0].config.sending_queue.max_bytes == DEFAULT_QUEUE_BYTES
    bounded = one("otlp", {**BACKEND, "sending_queue": {"queue_size": 1 << 20, "sizer": "bytes"}})
    assert bounded.forwards[0].config.sending_queue.max_bytes == 1 << 20
    assert not [warning for warning in bounded.warnings if "sending_queue" in warning]


@pytest.mark.parametrize(
    ("endpoint", "plain", "tls"),
    [
        ("backend:4317", False, {}),
        ("backend:4317", True, {"insecure": True}),
        ("http://backend:4317", True, {}),
        ("https://backend:4317", False, {"insecure": True}),
        ("[::1]:4319", False, {}),
    ],
)
def test_the_scheme_or_insecure_says_whether_there_is_tls(endpoint: str, plain: bool, tls: dict[str, bool]) -> None:
    config = OtlpGrpcExporterConfig.model_validate({"endpoint": endpoint, "tls": tls})
    assert config.is_plain is plain
    assert "://" not in config.target


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4317", "localhost:4318", "http://127.0.0.1:4318", "[::1]:4317", "http://localhost:4317"])
def test_an_exporter_that_sends_to_our_own_receiver_is_refused(endpoint: str) -> None:
    kinds = ("otlp_http",) if endpoint.startswith("http") else ("otlp", "otlp_grpc/x")
    for kind in kinds:
        text = problem({kind: {"endpoint": endpoint}}, traces=([], ["parquet", kind]))
        assert f"exporters.{kind}: sends to this collector's own receiver" in text


def test_another_port_of_this_machine_is_no_loop() -> None:
    assert one("otlp", {"endpoint": "localhost:14317"}).forwards


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("otlp", {}, "endpoint: is required"),
        ("otlp", {"endpoint": "backend"}, "must be host:port"),
        ("otlp", {"endpoint": "ftp://backend:1"}, "must be host:port"),
        ("otlp", {**BACKEND, "tls": {"insecure_skip_verify": True}}, "name its ca_file, or use otlp_http"),
        ("otlp", {**BACKEND, "tls": {"ca_file": "/nowhere.pem"}}, "/nowhere.pem is not there"),
        ("otlp", {**BACKEND, "tls": {"cert_file": __file__}}, "cert_file and key_file go together"),
        ("otlp", {**BACKEND, "tls": {"ca_file": __file__}}, "the certificates cannot be loaded"),
        ("otlp", {**BACKEND, "compression": "zstd"}, "compression"),
        ("otlp", {**BACKEND, "headers": {"content-type": "x"}}, "no header that can be set here"),
        ("otlp", {**BACKEND, "headers": {"a b": "x"}}, "no header that can be set here"),
        ("otlp", {**BACKEND, "headers": {"a": "${env:TOKEN}\nb"}}, "printable ASCII in one line"),
        ("otlp", {**BACKEND, "retry_on_failure": {"initial_interval": "60s"}}, "max_interval must not be less"),
        ("otlp", {**BACKEND, "retyr_on_failure": {}}, "did you mean 'retry_on_failure'"),
        ("otlp", {**BACKEND, "sending_queue": {"queue_sise": 1}}, "did you mean 'queue_size'"),
        ("otlp/a b", BACKEND, "it names a folder"),
        ("otlp", {**BACKEND, "headers": {"key-bin": "x"}}, "cannot be sent over gRPC"),
        ("otlp", {**BACKEND, "headers": {"a!b": "x"}}, "cannot be sent over gRPC"),
        ("otlp_http", {}, "needs endpoint"),
        ("otlp_http", {"endpoint": "backend:4318"}, "endpoint"),
        ("otlp_http", {"endpoint": "http://user:${env:TOKEN}@backend"}, "put them into headers"),
        ("otlp_http", {"logs_endpoint": "http://backend/v1/logs"}, "has no place for traces"),
        ("otlp_http", {"endpoint": "http://backend", "encoding": "json"}, "encoding"),
        ("otlp_htpp", {"endpoint": "http://backend"}, "did you mean 'otlp_http'"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place_and_the_remedy(kind: str, values: dict[str, Any], words: str) -> None:
    text = problem({kind: values}, traces=([], ["parquet", kind]))
    assert words in text
    assert "line " in text
    assert f"exporters.{kind}" in text


def test_what_is_forwarded_is_stored_first() -> None:
    assert "must name parquet" in problem({"otlp": BACKEND}, traces=([], ["otlp"]))


def test_an_exporter_that_no_pipeline_names_is_told() -> None:
    assert "exporters.otlp forwards nothing: no pipeline names it" in checked({"otlp": BACKEND}).warnings


def test_certificates_are_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    text = document({"otlp": {**BACKEND, "tls": {"ca_file": "ca.pem"}}}, traces=([], ["parquet", "otlp"]))
    with pytest.raises(ConfigError, match="the certificates cannot be loaded"):
        parse(text, "test.yaml", {}, folder=tmp_path)
