"""docs/sdk.md and docs/demo.md say what the code does, and the examples run."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import auditlake
import pytest
from auditlake import vocabulary as names

from cli.demo import AGENTS
from cli.demo.expectations import EXPECTATIONS
from tests.sdk.otlp_server import OtlpServer

ROOT = Path(__file__).parents[2]
SDK_PAGE = (ROOT / "docs/sdk.md").read_text()
DEMO_PAGE = (ROOT / "docs/demo.md").read_text()
FUNCTIONS_OF_METRICS = {
    name: function for name, function in inspect.getmembers(auditlake.metrics, inspect.isfunction)
    if function.__module__ == "auditlake.metrics" and not name.startswith("_")
}  # fmt: skip


def test_every_option_and_public_function_is_documented() -> None:
    """What can be imported or configured can be looked up."""
    assert [name for name in auditlake.Settings.__dataclass_fields__ if f"| `{name}` |" not in SDK_PAGE] == []
    functions = [name for name in auditlake.__all__ if name[0].islower()]
    assert [name for name in functions if f"{name}(" not in SDK_PAGE and f"{name}`" not in SDK_PAGE] == []
    assert [name for name in FUNCTIONS_OF_METRICS if f"`metrics.{name}(" not in SDK_PAGE] == []


def test_everything_public_has_a_docstring() -> None:
    """Each name says what it guarantees."""
    assert [name for name in auditlake.__all__ if not (getattr(auditlake, name).__doc__ or "").strip()] == []
    assert [name for name, function in FUNCTIONS_OF_METRICS.items() if not (function.__doc__ or "").strip()] == []


def test_the_table_of_the_demo_is_the_tested_one() -> None:
    """A reader can rely on the table, because it is the test's."""
    for row in EXPECTATIONS:
        assert f"| `{row.agent}` | {row.alert} | {row.state} | {row.within_seconds:g} s | {row.because} |" in DEMO_PAGE
    assert [agent for agent in AGENTS if f"| `{agent}` |" not in DEMO_PAGE] == []


@pytest.mark.parametrize(("example", "agent"), [("plain_otel", "weather-agent"), ("sdk_agent", "refund-agent")])
def test_the_examples_run(server: OtlpServer, example: str, agent: str) -> None:
    """Both send one run, and exit with 0."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk"), "OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint}
    words = [server.endpoint] if example == "sdk_agent" else []
    command = [sys.executable, "-W", "error", str(ROOT / f"examples/{example}.py"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    assert "auditlake run" in done.stdout
    assert server.span(f"invoke_agent {agent}").attributes["gen_ai.agent.name"] == agent
    assert len({span.message.trace_id for span in server.spans}) == 1


def test_the_sdk_example_refunds_nothing_without_a_durable_record() -> None:
    """It shows how `AuditError` is meant to be handled."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk")}
    script = (
        "import sys; sys.path.insert(0, 'examples'); import auditlake, sdk_agent; configure = auditlake.configure\n"
        "auditlake.configure = lambda *words, **options: configure(*words, timeout_seconds=0.2, **options)\n"
        "sys.exit(sdk_agent.main('http://127.0.0.1:1'))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "not refunded" in done.stderr


def test_importing_the_sdk_does_nothing_and_needs_nothing_of_ours() -> None:
    """It depends on OpenTelemetry and structlog alone; gRPC and cryptography load only when they are used."""
    code = (
        "import sys, threading, auditlake; "
        "ours = {'alerts', 'cli', 'collector', 'dashboards', 'redaction', 'storage'}; "
        "heavy = {'grpc', 'cryptography', 'requests', 'httpx'}; "
        "print(sorted((ours | heavy) & set(sys.modules)), threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "sdk")}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] 1"
    assert names.SEQ == "auditlake.seq"
