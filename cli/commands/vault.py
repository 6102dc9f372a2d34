"""`auditlake vault …`: read protected originals, and destroy them for good. Each attempt stands in `access_log`."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from cli.options import EXIT_NO, EXIT_USAGE, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from cli.access import AccessLog
    from collector.config import Config
    from redaction.errors import VaultError
    from redaction.vault import Revealed, Vault

FOLDER: Final = "vault"
REFERENCE: Final = re.compile(r"(?:<(?P<entity>[A-Z][A-Z0-9_]{0,63}):v1:)?(?P<reference>[0-9a-f]{24})>?")
ANSWERS_NO: Final = frozenset({"unknown", "destroyed", "tampered"})


class RevealFormat(StrEnum):
    """How an original is printed."""

    table = "table"
    json = "json"


ReferenceArgument = Annotated[str, typer.Argument(metavar="REFERENCE", help="The placeholder <ENTITY:v1:…> of a record, or its reference.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in access_log.")]
BehalfOption = Annotated[str | None, typer.Option("--as", metavar="NAME", help="For whom; stands in access_log beside the system's user.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    vault = typer.Typer(help="Reveal and destroy protected originals.", no_args_is_help=True)
    for command in (reveal, destroy, status, rotate, key):
        vault.command(command.__name__)(command)
    app.add_typer(vault, name="vault")


def reveal(
    reference: ReferenceArgument,
    reason: ReasonOption,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    output: Annotated[RevealFormat, typer.Option("--format", help="How to print it.")] = RevealFormat.table,
) -> None:
    """Print the original behind a reference. Needs the master key and a reason; logged before anything is printed."""
    bare, resource = _reference(reference)
    reason = _reason(reason)
    log, loaded, directory = _access(config, data, on_behalf_of)
    with _logged(log, "vault.reveal", resource, reason), _opened(loaded, directory, log) as vault:
        revealed = vault.reveal(bare)
    from redaction.vault import placeholder
    from storage.errors import StorageError

    try:
        log.record("vault.reveal", outcome="success", resource=placeholder(revealed.entity, bare), reason=reason)
    except StorageError as error:
        fail(f"the access cannot be logged, so nothing is revealed: {error}")
    _print(bare, revealed, output)
    _seal(log)


def destroy(
    reason: ReasonOption,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="SUBJECT", help="Whose values; - reads a line of standard input.")
    ] = None,
    reference: Annotated[str | None, typer.Option("--reference", metavar="REFERENCE", help="Those of the subject of this value.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nobody can undo it.")] = False,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Destroy the key of a subject: every original of theirs becomes irrecoverable, for everyone and for good."""
    if (subject is None) == (reference is None):
        fail("whose key?", "give either --subject or --reference")
    if not yes:
        fail("destroying cannot be undone; nothing was done", "say --yes")
    reason = _reason(reason)
    bare, resource = ("", "vault/subject") if reference is None else _reference(reference)
    who = sys.stdin.readline().rstrip("\n") if subject == "-" else subject
    if reference is None and not (who or "").strip():
        fail("the subject is empty", "give whose values: --subject SUBJECT")
    log, loaded, directory = _access(config, data, on_behalf_of)
    with _logged(log, "vault.destroy", resource, reason), _opened(loaded, directory, log) as vault:
        log.record("vault.destroy", outcome="requested", resource=resource, reason=reason)
        told = {"by": log.actor, "reason": log.clean(reason, "auditlake.access.reason")}
        count = vault.destroy(who, **told) if reference is None and who is not None else vault.destroy_reference(bare, **told)
    more = {"auditlake.vault.destroyed": count}
    code = None if count else "unknown"
    log.record("vault.destroy", outcome="success" if count else "failure", resource=resource, reason=reason, code=code, more=more)
    _seal(log)
    if not count:
        fail("nothing of this subject is in the vault", code=EXIT_NO)
    typer.echo(f"destroyed: {count} value{'s' if count != 1 else ''}, irrecoverable from now on; copies made before: docs/vault.md")


def status(data: DataOption = None, config: ConfigOption = None, output: FormatOption = OutputFormat.table) -> None:
    """Count what the vault holds: values by entity, subjects, what was destroyed. Needs no key and shows no text."""
    from redaction.vault_status import read_status

    found = read_status(data_directory(data, config) / FOLDER)
    if output is not OutputFormat.table:
        print_rows([found.as_row()], output)
        return
    print_rows([{"entity": entity, "values": count} for entity, count in found.values.items()], output)
    typer.echo(f"subjects {found.subjects}, destroyed {found.destroyed_subjects} with {found.destroyed_values} values")
    if found.unfinished:
        typer.echo("warning: deleted keys are not wiped from the disk yet → stop what reads the vault, then open it again", err=True)


def rotate(
    reason: ReasonOption,
    new_key_file: Annotated[Path | None, typer.Option("--new-key-file", metavar="FILE", help="File that holds the new key.")] = None,
    new_key_env: Annotated[str | None, typer.Option("--new-key-env", metavar="NAME", help="Variable that holds the new key.")] = None,
    reencrypt: Annotated[bool, typer.Option("--reencrypt", help="Also encrypt every value anew: when the old key leaked.")] = False,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Put the vault under a new master key; the old one opens nothing from then on."""
    from redaction.policy import VaultConfig
    from redaction.vault_keys import master_key

    reason = _reason(reason)
    if (new_key_file is None) == (new_key_env is None):
        fail("which new key?", "give either --new-key-file or --new-key-env; make one with: auditlake vault key")
    file = None if new_key_file is None else str(new_key_file)
    new = master_key(os.environ, VaultConfig(master_key_env=new_key_env or "", master_key_file=file))
    log, loaded, directory = _access(config, data, on_behalf_of)
    with _logged(log, "vault.rotate", "vault", reason), _opened(loaded, directory, log) as vault:
        log.record("vault.rotate", outcome="requested", resource="vault", reason=reason)
        count = vault.rotate(new, reencrypt=reencrypt)
    log.record("vault.rotate", outcome="success", resource="vault", reason=reason, more={"auditlake.vault.reencrypted": count})
    _seal(log)
    typer.echo(f"rotated{f', {count} values encrypted anew' if reencrypt else ''}: give the new key to whatever opens this vault")


def key(
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Write it into this new file (0600) instead.")] = None,
) -> None:
    """Make a new master key and print it, or write it into a file."""
    from redaction.vault_keys import new_master_key, write_master_key

    made = new_master_key()
    if file is None:
        typer.echo(made)
        return
    write_master_key(file, made)
    typer.echo(f"{file}: keep a copy apart from the data; without it nothing in the vault can be read", err=True)


def _reference(text: str) -> tuple[str, str]:
    """Return the bare reference, and how the log names it."""
    match = REFERENCE.fullmatch(text.strip())
    if match is None:
        fail(
            "that is no reference of the vault",
            "give the placeholder of a record, like '<EMAIL_ADDRESS:v1:…>', or its 24 hexadecimal digits",
        )
    entity, bare = match["entity"], match["reference"]
    return bare, f"<{entity}:v1:{bare}>" if entity else f"<UNKNOWN:v1:{bare}>"


def _reason(text: str) -> str:
    if not text.strip():
        fail("the reason is empty", "say why: --reason TEXT stands in access_log")
    return text.strip()


def _access(config: Path | None, data: Path | None, on_behalf_of: str | None) -> "tuple[AccessLog, Config, Path]":
    """Return the log of this command, the configuration and the data directory, which must hold a vault."""
    import logging

    from cli.access import AccessLog
    from cli.configuration import load_or_fail
    from cli.logs import configure_logs

    configure_logs("vault", level=logging.ERROR)
    loaded = load_or_fail(config)
    directory = data or loaded.parquet.path
    if not (directory / FOLDER).is_dir():
        fail(f"there is no vault in {directory}", "set vault.enabled in the configuration, or pass the right --data directory")
    return AccessLog(loaded, directory, on_behalf_of=on_behalf_of), loaded, directory


@contextmanager
def _opened(loaded: "Config", directory: Path, log: "AccessLog") -> "Iterator[Vault]":
    from redaction.vault import Vault
    from redaction.vault_keys import master_key

    found = master_key(os.environ, loaded.redaction.vault)
    vault = Vault.open(directory / FOLDER, found, pseudonym_key=log.pseudonym_key, create=False)
    try:
        yield vault
    finally:
        vault.close()


@contextmanager
def _logged(log: "AccessLog", action: str, resource: str, reason: str) -> Iterator[None]:
    """Record an attempt that fails, then end the command: 1 when the answer is no, 2 when the vault cannot be used."""
    from redaction.errors import VaultError

    try:
        yield
    except VaultError as error:
        log.record(action, outcome="failure", resource=resource, reason=reason, code=error.failure)
        _seal(log)
        _refuse(error)


def _refuse(error: "VaultError") -> NoReturn:
    fail(str(error), code=EXIT_NO if error.failure in ANSWERS_NO else EXIT_USAGE)


def _seal(log: "AccessLog") -> None:
    """Make the events visible. They are durable already, so that a failure is only told."""
    from storage.errors import StorageError

    try:
        log.seal()
    except StorageError as error:
        typer.echo(f"warning: the access is logged, but not in the views yet: {error}", err=True)


def _print(reference: str, revealed: "Revealed", output: RevealFormat) -> None:
    sealed_at = datetime.fromtimestamp(revealed.sealed_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if output is RevealFormat.json:  # ASCII: any text there is can be written that way, lone surrogates too
        row = {"reference": reference, "entity": revealed.entity, "sealed_at": sealed_at, "text": revealed.text}
        sys.stdout.write(json.dumps(row) + "\n")
        return
    print_rows([{"entity": revealed.entity, "sealed_at": sealed_at, "text": _shown(revealed.text)}], OutputFormat.table)


def _shown(text: str) -> str:
    """Return a text for a terminal: what does not print is escaped, so that it cannot steer the terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
