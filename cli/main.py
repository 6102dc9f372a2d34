"""The entry point: registers the commands, and turns every expected failure into one clear line and an exit code.

Exit codes: 0 ok, 1 the answer is "no", 2 usage or configuration.
"""

import importlib
import sys
from typing import Final

import typer

from cli.options import is_interrupt

COMMANDS: Final = (
    "up", "demo", "collect", "validate", "doctor", "runs", "run", "query", "contract", "controls", "gate", "agents", "verify", "export",
    "bundle", "prove", "rederive", "redact", "vault", "ledger", "witness", "retention", "hold", "erase", "alerts", "slo", "budget",
    "dashboard",
)  # fmt: skip
"""In the order of `auditlake --help`; each is `cli/commands/<name>.py` with `register(app)`."""


def application() -> typer.Typer:
    """Return the command-line application; heavy libraries load only when a command runs."""
    app = typer.Typer(
        name="auditlake",
        help="The flight recorder for AI agents: redact before storing, explain one run, prove the record.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_version)
    for name in COMMANDS:
        importlib.import_module(f"cli.commands.{name}").register(app)
    return app


def main() -> None:
    """Run the command line; errors of ours end in one line with the remedy, never in a traceback."""
    try:
        application()()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        _explain(error)
        raise


def _version(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("auditlake"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _explain(error: Exception) -> None:
    """Exit with 2 and one line when `error` is of our own families, with 130 after Ctrl-C; otherwise return: the bug stays visible."""
    if is_interrupt(error):
        sys.exit(130)
    hint = getattr(error, "hint", None)
    if hint is not None:
        typer.echo(f"auditlake: {error}", err=True)
        sys.exit(2)
