"""`auditlake dashboard`: the pages alone. Reads the lake beside a running collector or without one.

The command becomes the web server itself, so that signals and exit codes are its own.
"""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, DataOption, data_directory, fail

SCRIPT = Path(__file__).parent.parent / "streamlit_main" / "auditlake_dashboard.py"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PACKAGES = Path(__file__).parent.parent.parent


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dashboard")(dashboard)


def dashboard(
    data: DataOption = None,
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on. Default: the configuration's, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port. Default: the configuration's, else 8501.")] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="A name by which a reverse proxy serves the pages; repeatable."),
    ] = None,
) -> None:
    """Serve the pages Overview, Runs and Run until Ctrl-C."""
    configured_host, configured_port = _endpoint(config)
    address, number = host or configured_host, port or configured_port
    _check_free(address, number)
    typer.echo(f"pages: {url(address, number)}")
    sys.stdout.flush()
    sys.stderr.flush()
    directory = data_directory(data, config).absolute()
    search = os.pathsep.join(part for part in (str(PACKAGES), os.environ.get("PYTHONPATH", "")) if part)
    arguments = command(
        directory, address, number, allowed_hosts=allowed_host or (), abandoned_after_seconds=_silence(config), config=config
    )
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the server's own banner; what goes wrong goes to stderr
    os.execve(arguments[0], arguments, {**os.environ, "PYTHONPATH": search})  # noqa: S606 - an absolute path and arguments of our own  # nosec B606


def command(
    data: Path,
    host: str,
    port: int,
    *,
    allowed_hosts: Sequence[str] = (),
    abandoned_after_seconds: float | None = None,
    config: Path | None = None,
) -> list[str]:
    """Return the server's command line: no telemetry, no file watcher, nothing fetched from anywhere, both themes.

    On a loopback address only the names of this machine and `allowed_hosts` may be asked for, so that no page of another site can
    read the lake through the reader's browser (DNS rebinding).
    """
    from dashboards.design import theme_flags

    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.showEmailPrompt": "false",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "type",
        "client.showErrorLinks": "false",
        "runner.magicEnabled": "false",
        "logger.level": "warning",
    }
    more = [] if abandoned_after_seconds is None else [str(abandoned_after_seconds), *([] if config is None else [str(config.absolute())])]
    names = [*LOOPBACK, *allowed_hosts] if host in LOOPBACK else list(allowed_hosts)
    flags = [f"--{name}={value}" for name, value in options.items()] + [f"--server.allowedHosts={name}" for name in names]
    return [sys.executable, "-m", "streamlit", "run", str(SCRIPT), *flags, *theme_flags(), "--", str(data), *more]


def url(host: str, port: int) -> str:
    """Return the address to open: a wildcard address is reached by name."""
    name = "localhost" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host  # noqa: S104 - what was asked for  # nosec B104
    return f"http://{name}:{port}"


def _endpoint(config: Path | None) -> tuple[str, int]:
    from cli.options import DEFAULT_CONFIG

    if config is not None or DEFAULT_CONFIG.exists():
        from cli.configuration import load_or_fail
        from collector.config_fields import host_port

        loaded = load_or_fail(config)
        if loaded.dashboard is not None:
            return host_port(loaded.dashboard.endpoint)
    return "127.0.0.1", 8501


def _silence(config: Path | None) -> float | None:
    from cli.options import DEFAULT_CONFIG

    if config is None and not DEFAULT_CONFIG.exists():
        return None
    from cli.configuration import load_or_fail

    return load_or_fail(config).abandoned_after_seconds


def _check_free(host: str, port: int) -> None:
    """Say now, in one line, that the port is taken; the server would say it in the middle of its start."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            fail(f"cannot listen on {host}:{port}: {error.strerror}", "choose another with --port, or stop what listens there")
