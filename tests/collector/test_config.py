"""otel-config.yaml: the Collector's grammar, checked as a whole, every problem with its key, line and remedy."""

from pathlib import Path

import pytest

from collector.config import DEFAULT, ConfigError, host_port, load, parse
from collector.config_fields import seconds
from collector.config_model import AlertsConfig, MemoryLimiterConfig

ROOT = Path(__file__).parents[2]


def problems(text: str, environ: dict[str, str] | None = None) -> list[str]:
    """Return the problems of a configuration that must be refused."""
    with pytest.raises(ConfigError) as refused:
        parse(text, "otel-config.yaml", environ or {})
    return [str(problem) for problem in refused.value.problems]


def changed(old: str, new: str) -> str:
    """Return the default configuration with one text replaced."""
    assert old in DEFAULT
    return DEFAULT.replace(old, new)


def test_the_built_in_configuration_is_the_file_of_the_repository() -> None:
    text = (ROOT / "otel-config.yaml").read_text()
    assert text.split("\n", 1)[1] == DEFAULT
    assert load(ROOT / "otel-config.yaml", {}) == parse(DEFAULT, "default", {})


def test_defaults_are_those_of_the_design() -> None:
    config = parse(DEFAULT, "default", {})
    assert config.otlp.grpc is not None
    assert config.otlp.http is not None
    assert (config.otlp.grpc.endpoint, config.otlp.http.endpoint) == ("127.0.0.1:4317", "127.0.0.1:4318")
    assert config.otlp.http.max_request_body_size == 64 * 1024 * 1024
    assert config.memory_limiter is not None
    assert config.memory_limiter.limit_bytes == (1024 - 256) * 1024 * 1024
    assert config.parquet.seal_interval == 1.0
    assert config.signals == {"traces", "logs", "metrics"}
    assert config.unredacted_signals == frozenset()
    assert config.warnings == ()


def test_variables_are_expanded_with_defaults_and_typed_like_yaml() -> None:
    config = parse(DEFAULT, "default", {"AUDITLAKE_GRPC_ENDPOINT": "127.0.0.1:9", "AUDITLAKE_ALERT_INTERVAL": "5s"})
    assert config.otlp.grpc is not None
    assert config.otlp.grpc.endpoint == "127.0.0.1:9"
    assert config.alerts is not None
    assert config.alerts.interval == 5.0
    mib = parse(changed("limit_mib: 1024", "limit_mib: '${env:MIB:-512}'"), "default", {}).memory_limiter
    assert mib is not None
    assert mib.limit_mib == 512


def test_a_variable_that_is_not_set_and_has_no_default_is_named_with_its_line() -> None:
    found = problems(changed("limit_mib: 1024", "limit_mib: '${env:MISSING}'"))
    assert len(found) == 1
    assert "line 8" in found[0]
    assert "MISSING is not set" in found[0]


def test_a_doubled_dollar_is_a_dollar() -> None:
    config = parse(changed("seal_interval: 1s", 'seal_interval: 1s, node: "a"').replace('"a"', "a"), "default", {})
    assert config.parquet.node == "a"
    found = problems(changed("seal_interval: 1s", 'seal_interval: "$$1"'))
    assert "must be a duration" in found[0]


@pytest.mark.parametrize(
    ("old", "new", "path", "line", "words"),
    [
        ("max_recv_msg_size_mib", "max_recv_message_mib", "receivers.otlp.protocols.grpc.max_recv_message_mib", 4, "max_recv_msg_size_mib"),
        ("spike_limit_mib", "spike_limits_mib", "processors.memory_limiter.spike_limits_mib", 8, "spike_limit_mib"),
        ("score_threshold: 0.4", "score_treshold: 0.4", "processors.redaction.presidio.score_treshold", 10, "score_threshold"),
        ("limit_mib: 1024", "limit_mib: many", "processors.memory_limiter.limit_mib", 8, "integer"),
        ("seal_interval: 1s", "seal_interval: soon", "exporters.parquet.seal_interval", 14, "duration"),
        ("  health_check: {endpoint", "  health_chek: {endpoint", "extensions.health_chek", 18, "health_check"),
        ("extensions: [health_check, alerts", "extensions: [health_check, alert", "service.extensions[1]", 26, "alerts"),
        ("    metrics: {receivers: [otlp]", "    metrics: {receivers: [otpl]", "service.pipelines.metrics.receivers[0]", 30, "otlp"),
        ("    metrics: {receivers", "    metric: {receivers", "service.pipelines.metric", 30, "metrics"),
        ("\nexporters:", "\nexporter:", "exporter", 13, "exporters"),
    ],
)  # fmt: skip
def test_every_problem_names_key_line_and_the_nearest_valid_word(old: str, new: str, path: str, line: int, words: str) -> None:
    found = [problem for problem in problems(changed(old, new)) if path in problem]
    assert found, problems(changed(old, new))
    assert f"line {line}:" in found[0]
    assert words in found[0]


def test_all_problems_are_reported_together_in_the_order_of_their_lines() -> None:
    text = changed("max_recv_msg_size_mib", "max_size").replace("score_threshold", "treshold").replace("seal_interval", "seal_every")
    found = problems(text)
    assert len(found) == 3
    assert [problem.split(":")[0] for problem in found] == ["line 4", "line 10", "line 14"]


def test_a_pipeline_that_stores_without_redaction_is_refused_unless_it_says_so() -> None:
    without = changed(
        "traces: {receivers: [otlp], processors: [memory_limiter, redaction]", "traces: {receivers: [otlp], processors: [memory_limiter]"
    )
    assert "allow_unredacted" in problems(without)[0]
    allowed = without.replace("traces: {receivers", "traces: {allow_unredacted: true, receivers")
    assert parse(allowed, "default", {}).unredacted_signals == {"traces"}


def test_an_endpoint_that_other_machines_reach_needs_consent() -> None:
    public = {"AUDITLAKE_HTTP_ENDPOINT": "0.0.0.0:4318"}
    assert "insecure_allow_anonymous" in problems(DEFAULT, public)[0]
    consent = changed("  otlp:\n", "  otlp:\n    insecure_allow_anonymous: true\n")
    assert parse(consent, "default", public).otlp.http is not None


def test_the_batch_processor_is_accepted_with_a_warning_and_missing_signals_are_said() -> None:
    text = changed("processors:\n", "processors:\n  batch: {timeout: 1s}\n").replace(
        "traces: {receivers: [otlp], processors: [", "traces: {receivers: [otlp], processors: [batch, "
    )
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("metrics:"))
    warnings = parse(text, "default", {}).warnings
    assert any("batch has no effect" in warning for warning in warnings)
    assert any("no metrics" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "must be a mapping"),
        ("", "no `service` section"),
        ("receivers: {otlp: {protocols: {http: }}}\nreceivers: {}", "stands twice"),
        ("service: {pipelines: {}}", "pipelines"),
    ],
)
def test_a_broken_document_is_one_clear_line(text: str, words: str) -> None:
    assert any(words in problem for problem in problems(text)), problems(text)


def test_a_file_that_cannot_be_read_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml", {})
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary.yaml", {})


def test_values_of_secrets_never_stand_in_errors() -> None:
    text = changed("  alerts:\n", "  alerts:\n    receivers: [{name: x, webhook_configs: [{url: hunter2-secret}]}]\n")
    assert "hunter2" not in "\n".join(problems(text))


@pytest.mark.parametrize(("text", "expected"), [("1s", 1.0), ("200ms", 0.2), ("1m30s", 90.0), ("0", 0.0), (0, 0.0), ("1.5h", 5400.0)])
def test_durations_are_those_of_go(text: object, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["1", "s", "1 s", "-1s", "1s2", ""])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


@pytest.mark.parametrize(("endpoint", "expected"), [("127.0.0.1:1", ("127.0.0.1", 1)), ("[::1]:2", ("::1", 2)), (":3", ("0.0.0.0", 3))])
def test_endpoints_are_host_and_port(endpoint: str, expected: tuple[str, int]) -> None:
    assert host_port(endpoint) == expected


def test_memory_limits_by_share_of_the_machine() -> None:
    share = MemoryLimiterConfig.model_validate({"limit_percentage": 50, "spike_limit_percentage": 10})
    whole = MemoryLimiterConfig.model_validate({"limit_percentage": 100, "spike_limit_mib": 0})
    assert share.limit_bytes == pytest.approx(whole.limit_bytes * 0.4, rel=0.01)


def test_receivers_of_alerts_have_alertmanagers_shape() -> None:
    alerts = AlertsConfig.model_validate({"receivers": [{"name": "on-call", "webhook_configs": [{"url": "http://127.0.0.1:1/x"}]}]})
    assert alerts.receivers[0].webhook_configs[0].send_resolved


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("extensions: [health_check, alerts, dashboard]", 'extensions: ["${env:TOKEN}"]'),
        ("entities: default", 'entities: ["${env:TOKEN}"]'),
        ("entities: default", "entities: ${env:TOKEN}"),
        ("127.0.0.1:13133", "${env:TOKEN}"),
        ("seal_interval: 1s", "seal_interval: ${env:TOKEN}"),
        ("receivers: [otlp]", "receivers: ['${env:TOKEN}']"),
        ("secrets: {enabled: true}", "secrets: {enabled: '${env:TOKEN}'}"),
        ("secrets: {enabled: true}", "blocked_values: ['(${env:TOKEN}']"),
        ("limit_mib: 1024", "limit_mib: ${env:TOKEN}"),
        ("interval: ${env:AUDITLAKE_ALERT_INTERVAL:-30s}", "interval: ${env:TOKEN}"),
    ],
)
@pytest.mark.parametrize("token", ["hunter2-" + "x'y\\z\"" * 10, "2026-99-99", "hunter2"])
def test_what_the_environment_gives_never_stands_in_errors(old: str, new: str, token: str) -> None:
    """A token in the wrong place must not end in a log; the error names the variable."""
    assert old in DEFAULT
    with pytest.raises(ConfigError) as refused:
        parse(DEFAULT.replace(old, new, 1), "test", {"TOKEN": token})
    said = str(refused.value)
    assert token not in said
    assert repr(token)[1:-1] not in said
    assert "hunter2" not in said
