"""`auditlake up`: collector, alert scheduler and dashboard in one terminal, supervised."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, DataOption, WorkersOption, fail

if TYPE_CHECKING:
    from cli.supervisor import Child, Supervisor
    from collector.config import Config

READY_SECONDS = 30.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    config: ConfigOption = None,
    data: DataOption = None,
    dashboard: Annotated[bool, typer.Option("--dashboard/--no-dashboard", help="Also serve the pages.")] = True,
    workers: WorkersOption = None,
) -> None:
    """Run the collector, the alert scheduler and the dashboard until Ctrl-C; SIGHUP makes the first two read policy and rules again."""
    import signal

    from cli.configuration import load_or_fail
    from cli.logs import configure_logs
    from cli.supervisor import Supervisor, stop_on_signals
    from cli.terminal import Terminal

    configure_logs("up")
    loaded = load_or_fail(config)
    supervisor = Supervisor(echo=True)
    stop_on_signals(supervisor)
    terminal = Terminal()
    signal.signal(signal.SIGHUP, lambda _number, _frame: supervisor.request_stop() if terminal.gone else supervisor.request_reload())
    try:
        start_all(supervisor, loaded, config=config, data=data, dashboard=dashboard, environment={}, workers=workers)
        if not supervisor.failure and not supervisor.stopping:
            typer.echo(addresses(loaded, dashboard=dashboard))
            supervisor.watch()
    finally:
        supervisor.stop()
    if supervisor.failure:
        fail(f"{supervisor.failure} could not start", "its own message stands above")


def start_all(
    supervisor: "Supervisor",
    loaded: "Config",
    *,
    config: Path | None,
    data: Path | None,
    dashboard: bool,
    environment: dict[str, str],
    workers: int | None = None,
) -> None:
    """Start the processes in the order in which they need each other; returns when the collector is ready or has failed."""
    for child in children(loaded, config=config, data=data, dashboard=dashboard, environment=environment, workers=workers):
        if supervisor.stopping or supervisor.failure:
            return
        supervisor.start(child)
        if child.name == "collector" and loaded.health_check is not None:
            _wait_until_ready(supervisor, loaded.health_check.endpoint)


def children(
    loaded: "Config",
    *,
    config: Path | None,
    data: Path | None,
    dashboard: bool,
    environment: dict[str, str],
    workers: int | None = None,
) -> list["Child"]:
    """Return the processes of a configuration."""
    from cli.supervisor import Child

    shared = [*(["--config", str(config)] if config else []), *(["--data", str(data)] if data else [])]

    def command(name: str, *words: str, reloads: bool) -> Child:
        arguments = [sys.executable, "-m", "cli", *words, *shared]
        return Child(name=name, arguments=arguments, environment=environment, essential=True, reloads=reloads)

    found = [command("collector", "collect", *(["--workers", str(workers)] if workers else []), reloads=True)]
    if loaded.alerts is not None:
        found.append(command("alerts", "alerts", "run", reloads=True))
    if dashboard and loaded.dashboard is not None:
        found.append(command("dashboard", "dashboard", reloads=False))
    return found


def addresses(loaded: "Config", *, dashboard: bool) -> str:
    """Return the addresses as lines for a person."""
    lines = []
    if dashboard and loaded.dashboard:
        lines.append(f"  pages      http://{loaded.dashboard.endpoint}")
    if loaded.otlp.http:
        lines.append(f"  OTLP/HTTP  {'http' if loaded.otlp.http.tls is None else 'https'}://{loaded.otlp.http.endpoint}")
    if loaded.otlp.grpc:
        lines.append(f"  OTLP/gRPC  {loaded.otlp.grpc.endpoint}")
    if loaded.health_check:
        lines.append(f"  health     http://{loaded.health_check.endpoint}{loaded.health_check.path}")
    return "\n".join(["auditlake is up (Ctrl-C stops it)", *lines])


def _wait_until_ready(supervisor: "Supervisor", endpoint: str) -> None:
    import time

    import httpx

    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and not supervisor.stopping and not supervisor.failure:
        try:
            answer = httpx.get(f"http://{endpoint}/ready", timeout=1.0, trust_env=False)  # a proxy does not know us
            if answer.status_code == httpx.codes.OK and answer.json().get("pid") == supervisor.pid("collector"):
                return  # not the answer of another collector, whose port ours cannot have
        except (httpx.TransportError, ValueError):
            pass
        supervisor.watch(0.2)
