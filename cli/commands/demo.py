"""`auditlake demo`: `up`, plus sample agents that emit real OTLP, so that every page has something to show."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_DATA, DataOption, fail

if TYPE_CHECKING:
    from cli.supervisor import Child, Supervisor
    from collector.config import Config

ENDPOINTS = {
    "AUDITLAKE_GRPC_ENDPOINT": 4317,
    "AUDITLAKE_HTTP_ENDPOINT": 4318,
    "AUDITLAKE_HEALTH_ENDPOINT": 13133,
    "AUDITLAKE_DASHBOARD_ENDPOINT": 8501,
}
RULES = {
    "AUDITLAKE_RULES": "alerts/packs/demo.yaml",
    "AUDITLAKE_QUALITY_RULES": "alerts/packs/demo-quality.yaml",
    "AUDITLAKE_ALERT_INTERVAL": "5s",
}
HISTORY_MARK = ".demo-history"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    data: DataOption = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Stop by itself after so long. Default: at Ctrl-C.")] = None,
    days: Annotated[int, typer.Option("--days", min=0, help="Days of history to send first.")] = 30,
    dashboard: Annotated[bool, typer.Option("--dashboard/--no-dashboard", help="Also serve the pages.")] = True,
) -> None:
    """Run everything with sample agents: the built-in configuration, on the default ports where they are free."""
    from cli.commands.up import addresses, start_all
    from cli.logs import configure_logs
    from cli.supervisor import Supervisor, stop_on_signals
    from collector.config import DEFAULT, parse

    _require_sdk()
    configure_logs("demo")
    directory = data or DEFAULT_DATA
    environment = {**RULES, **past_proxies(os.environ), **free_endpoints()}
    os.environ.update(environment)
    loaded = parse(DEFAULT, "built-in configuration", os.environ)
    supervisor = Supervisor(echo=True)
    stop_on_signals(supervisor)
    try:
        start_all(supervisor, loaded, config=None, data=directory, dashboard=dashboard, environment=environment)
        if not supervisor.failure and not supervisor.stopping:
            _start_agents(supervisor, loaded, directory, days)
            typer.echo(addresses(loaded, dashboard=dashboard))
            typer.echo(f"  data       {directory}")
            sys.stdout.flush()
        supervisor.watch(seconds)
    finally:
        supervisor.stop()
    if supervisor.failure:
        fail(f"{supervisor.failure} could not start", "its own message stands above")


def _start_agents(supervisor: "Supervisor", loaded: "Config", data: Path, days: int) -> None:
    assert loaded.otlp.http is not None  # noqa: S101 - the built-in configuration has it
    for child in agents(f"http://{loaded.otlp.http.endpoint}", data, days):
        supervisor.start(child)


def agents(endpoint: str, data: Path, days: int) -> list["Child"]:
    """Return the sample agents, and first the history unless this data directory has it."""
    from cli.demo import AGENTS
    from cli.supervisor import Child

    def process(module: str, *words: str, restart: bool = True) -> Child:
        arguments = [sys.executable, "-m", f"cli.demo.{module}", "--endpoint", endpoint, *words]
        return Child(name=module, arguments=arguments, restart=restart, stop_seconds=5)

    found = [process(name, restart=name != "silent") for name in AGENTS]
    if days and not (data / HISTORY_MARK).exists():
        found.insert(0, process("backfill", "--days", str(days), "--mark", str(data / HISTORY_MARK), restart=False))
    return found


def past_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that have the sample agents reach this machine past the proxies of an environment, which do not know it."""
    return {name: ",".join(filter(None, (environ.get(name), "127.0.0.1,localhost"))) for name in ("NO_PROXY", "no_proxy")}


def free_endpoints() -> dict[str, str]:
    """Return the default endpoints, each moved to the next free port where its own is taken."""
    from cli.commands.validate import is_free

    chosen: dict[str, str] = {}
    for variable, port in ENDPOINTS.items():
        if variable in os.environ:
            continue
        taken = {int(endpoint.rsplit(":", 1)[1]) for endpoint in chosen.values()}
        free = next(
            (candidate for candidate in range(port, port + 200) if candidate not in taken and is_free("127.0.0.1", candidate)), None
        )
        if free is None:
            fail(f"ports {port} to {port + 199} are all in use", f"free one, or set {variable}")
        chosen[variable] = f"127.0.0.1:{free}"
    return chosen


def _require_sdk() -> None:
    import importlib.util

    if importlib.util.find_spec("auditlake") is None:
        fail("the sample agents need auditlake-sdk", "pip install 'auditlake[demo]', or run: make demo")
