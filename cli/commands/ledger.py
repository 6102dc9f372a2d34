"""`auditlake ledger …`: the keys under which the ledger is signed, and where its logs stand."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from storage.ledger.keys import Keys
    from storage.ledger.log_writer import Ledger
    from storage.ledger.note import VerifierKey


ROTATE: Final = "ledger.rotate"
"""What access_log calls it."""
WAIT_SECONDS = 30.0
"""How long a sealer at work may take to end."""
_SHOWN: Final = ("origin", "entries", "waiting", "signed_at", "anchored", "key")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    ledger = typer.Typer(help="The ledger: its verifier keys, and where its logs stand.", no_args_is_help=True)
    for command in (key, status):
        ledger.command(command.__name__)(command)
    app.add_typer(ledger, name="ledger")


def key(
    origin: Annotated[str | None, typer.Option("--origin", help="Only of this log; it may be one that is not begun yet.")] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Go on with a new key in every log; the old one signs that it does.")] = False,
    to_file: Annotated[Path | None, typer.Option("--to-file", metavar="FILE", help="The new key is in this file.")] = None,
    to_env: Annotated[str | None, typer.Option("--to-env", metavar="NAME", help="The new key is in this variable.")] = None,
    lost: Annotated[bool, typer.Option("--lost", help="The old key is gone: go on without its signature.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Print the verifier key of every log, one a line: give it to whoever verifies, on another way than the data."""
    if not rotate and (lost or to_file or to_env):
        fail("a new key is only for --rotate", "say --rotate, or leave the other options out")
    if to_file and to_env:
        fail("which new key?", "give either --to-file or --to-env")
    directory = data_directory(data, config)
    keys = _rotated(directory, config, to_file, to_env, lost=lost) if rotate else _keys(directory, config, origin)
    if not keys:
        fail("there is no log yet", "name the one to come: --origin NODE/collector", code=EXIT_NO)
    if output is OutputFormat.table:
        typer.echo("\n".join(keys))
        return
    print_rows([{"origin": text.split("+", 1)[0], "key": text} for text in keys], output)


def status(data: DataOption = None, config: ConfigOption = None, output: FormatOption = OutputFormat.table) -> None:
    """Show how long each log is, what waits to be written, when it was signed last, and how much of it is known outside of this host.

    Verifies nothing: `auditlake verify`. Exit code 1: a checkpoint cannot be read.
    """
    from collector.anchoring.board import standings
    from storage.catalog import Catalog
    from storage.ledger.log import status as log_status

    with closing(Catalog.open(data_directory(data, config), read_only=True)) as catalog:
        rows: list[dict[str, Any]] = log_status(catalog.path.parent, catalog)
        known = standings(catalog.path.parent)
    for row in rows:
        row["anchored"] = max((each.size for each in known if each.origin == row["origin"]), default=0)
    print_rows(rows, output, columns=_SHOWN)
    for each in known:
        if each.trouble:
            typer.echo(f"warning: {each.kind} {each.target}, {each.origin}: {each.trouble}", err=True)
    damaged = [row["trouble"] for row in rows if row["trouble"]]
    for trouble in damaged:
        typer.echo(f"auditlake: {trouble}", err=True)
    if damaged:
        raise typer.Exit(EXIT_NO)


def _keys(data: Path, config: Path | None, origin: str | None) -> list[str]:
    """The verifier keys in use, of one log or of all that there are."""
    from cli.access import owned
    from cli.configuration import load_or_fail
    from storage.ledger.keys import Keys, known_verifiers

    newest = {key.name: key for key in known_verifiers(data)}
    wanted = list(newest.values()) if origin is None else [key for key in newest.values() if key.name == origin]
    ledger = load_or_fail(config).ledger.kept(os.environ)
    keys = Keys(data, ledger.keys, ledger.environ)
    if wanted:
        _warn_of_others(keys, wanted)
    if wanted or origin is None:
        return [str(key) for key in wanted]
    data.mkdir(parents=True, exist_ok=True)
    with owned(data, "keys"):
        return [str(keys.signer(origin).verifier)]


def _warn_of_others(keys: "Keys", wanted: Sequence["VerifierKey"]) -> None:
    """Let nobody hand out a key that somebody put beside the data, as far as who asks may read the one in use."""
    from storage.errors import StorageError

    try:
        others = [key.name for key in wanted if keys.signer(key.name).verifier != key]
    except StorageError:
        return
    if others:
        hint = "find out who wrote the file, unless a rotation to a key of yours is under way, before you hand one out"
        typer.echo(f"warning: ledger/keys.txt has another key than the one in use for {', '.join(others)}: {hint}", err=True)


def _rotated(data: Path, config: Path | None, to_file: Path | None, to_env: str | None, *, lost: bool) -> list[str]:
    """Rotate, and say in the lake who did."""
    from cli.access import AccessLog
    from cli.configuration import load_or_fail
    from storage.catalog import Catalog
    from storage.errors import StorageError

    Catalog.open(data, read_only=True).close()  # there must be a lake
    loaded = load_or_fail(config)
    log = AccessLog(loaded, data, scans=False)
    log.record(ROTATE, outcome="requested", resource="ledger")
    try:
        keys = _rotate(data, loaded.ledger.kept(os.environ), to_file, to_env, lost=lost)
    except StorageError:
        log.record(ROTATE, outcome="failure", resource="ledger")
        raise
    log.record(ROTATE, outcome="success", resource="ledger", code="lost" if lost else None, more={"auditlake.ledger.keys": keys})
    try:
        log.seal()
    except StorageError as error:
        typer.echo(f"warning: the rotation is done and recorded, but the record is not in the ledger yet: {error}", err=True)
    return keys


def _rotate(data: Path, ledger: "Ledger", to_file: Path | None, to_env: str | None, *, lost: bool) -> list[str]:
    import time

    from cli.access import owned
    from collector.sealer import seal_lock
    from storage.catalog import Catalog
    from storage.ledger.keys import KeySource
    from storage.ledger.rotation import rotate

    to = KeySource(file=to_file, env=to_env) if to_file or to_env else None
    with closing(Catalog.open(data)) as catalog, seal_lock(data, "rotate the ledger's key", wait_seconds=WAIT_SECONDS), owned(data, "."):
        return [str(key) for key in rotate(data, catalog, ledger, now_ns=time.time_ns(), to=to, lost=lost)]
