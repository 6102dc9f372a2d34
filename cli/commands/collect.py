"""`auditlake collect`: the collector alone."""

import typer

from cli.options import ConfigOption, DataOption, WorkersOption, fail


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("collect")(collect)


def collect(config: ConfigOption = None, data: DataOption = None, workers: WorkersOption = None) -> None:
    """Receive OTLP, redact, store durably, seal into Parquet, until SIGTERM or Ctrl-C; SIGHUP reads the policy again."""
    import os
    import signal

    import structlog
    import uvloop

    from cli.configuration import cache_folder, load_config, load_or_fail, with_workers
    from cli.configuration_log import tell_configuration
    from cli.logs import configure_logs
    from cli.terminal import Terminal
    from collector.config import Config
    from collector.errors import CollectorError
    from collector.serving import Host, serve
    from storage.errors import StorageError

    configure_logs("collector")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    terminal = Terminal()
    loaded = with_workers(load_or_fail(config), workers)
    for warning in loaded.warnings:
        structlog.get_logger(__name__).warning(warning)

    def load_again() -> Config:
        terminal.stop_when_gone()
        return with_workers(load_config(config), workers)

    host = Host(prepare_child=configure_logs, environ=os.environ, cache_folder=cache_folder(), load=load_again)
    directory = data or loaded.parquet.path
    try:
        tell_configuration(loaded, directory, "collector", creates=True)
        uvloop.run(serve(loaded, data=directory, host=host))
    except (StorageError, CollectorError) as error:
        fail(str(error))
