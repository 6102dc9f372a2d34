"""`auditlake collect`: the collector alone."""

import typer

from cli.options import ConfigOption, DataOption, fail


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("collect")(collect)


def collect(config: ConfigOption = None, data: DataOption = None) -> None:
    """Receive OTLP, redact, store durably, seal into Parquet, until SIGTERM or Ctrl-C."""
    import asyncio

    import structlog

    from cli.configuration import cache_folder, load_or_fail
    from cli.logs import configure_logs
    from collector.errors import CollectorError
    from collector.service import serve
    from storage.errors import StorageError

    configure_logs("collector")
    loaded = load_or_fail(config)
    for warning in loaded.warnings:
        structlog.get_logger(__name__).warning(warning)
    try:
        asyncio.run(serve(loaded, data=data or loaded.parquet.path, prepare_child=configure_logs, cache_folder=cache_folder()))
    except (StorageError, CollectorError) as error:
        fail(str(error))
