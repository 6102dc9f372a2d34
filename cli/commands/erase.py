"""`auditlake erase`: remove everything about a person, a run or a tenant, for good."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows
from cli.subjects import fingerprint, names_of, opened_vault, stated, why

if TYPE_CHECKING:
    from cli.access import AccessLog
    from collector.config import Config
    from redaction.vault import Vault
    from storage.erasure import Erased, Wanted
    from storage.selection import Selector

ACTION: Final = "records.erase"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("erase")(erase)


def erase(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stays in the lake, so without the name.")],
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="Of a person: the original or the pseudonym; - reads a line of input.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Of a run.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Of a tenant.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nobody can undo it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many rows that would be.")] = False,
    on_behalf_of: Annotated[str | None, typer.Option("--as", metavar="NAME", help="For whom; stands in access_log.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Erase everything about a person, a run or a tenant from every file; leaf hashes stay, so that everything else verifies."""
    chosen = {kind: text for kind, text in (("actor", actor), ("run", run), ("tenant", tenant)) if text is not None}
    if len(chosen) != 1:
        fail("whose records?", "give one of --actor, --run and --tenant")
    if yes == dry_run:
        fail("erasing cannot be undone; nothing was done", "say --dry-run to see what it would be, then --yes")
    from cli.access import AccessLog
    from cli.configuration import load_or_fail

    (kind, text) = next(iter(chosen.items()))
    subject, reason, loaded, directory = stated(text, f"--{kind}"), why(reason), load_or_fail(config), data_directory(data, config)
    _must_exist(directory)
    log = AccessLog(loaded, directory, on_behalf_of=on_behalf_of)
    with opened_vault(loaded, directory, log) as vault:  # an order that cannot be done in full is not begun
        wanted = _wanted(loaded, log, kind, subject, reason, vault)
        if dry_run:
            _settle(loaded, directory)
            _preview(directory, wanted, log, output)
            return
        keys = None if vault is None else _keys(vault, wanted, subject if kind == "actor" else None)
        with _alerts_wait(directory):
            _settle(loaded, directory)
            done = _erase(loaded, directory, log, wanted, keys, reason)
    _tell(done, loaded, output)


def _must_exist(data: Path) -> None:
    if not (data / "catalog.sqlite").exists():
        fail(f"there is no lake in {data}", "pass the right --data directory")


def _wanted(config: "Config", log: "AccessLog", kind: str, subject: str, reason: str, vault: "Vault | None") -> "Wanted":
    """The order. A reason that names whom it is about would outlive it."""
    import re

    from cli.access import REASON
    from storage.erasure import Wanted
    from storage.person import mention
    from storage.selection import Selector

    names = names_of(config, log, subject, vault) if kind == "actor" else (subject,)
    cleaned = log.clean(reason, REASON)
    pattern = mention(names)
    if pattern and re.search(pattern, cleaned):
        fail("the reason names whom the order is about, and it stays in the lake", "give a number of the order instead")
    selectors = {"actor": Selector(actors=names), "run": Selector(run=subject), "tenant": Selector(tenant=subject)}
    return Wanted(
        selector=selectors[kind], subject=kind, fingerprint=fingerprint(log, kind, subject), reason=cleaned, by=log.actor,
        identity_keys=config.redaction.identity_keys,
    )  # fmt: skip


def _settle(config: "Config", data: Path) -> None:
    from cli.access import owned
    from collector.pricing import Pricer
    from collector.settling import settle

    with owned(data, "."):
        settle(data, prices=Pricer(config.prices), ledger=config.ledger.kept(os.environ))


def _preview(data: Path, wanted: "Wanted", log: "AccessLog", output: OutputFormat) -> None:
    from storage.erasure import preview
    from storage.holds import UnderHold

    rows, held = preview(data, wanted)
    told = {"resource": f"erasure/{wanted.subject}", "reason": wanted.reason, "name": "lake.read"}
    log.record("erase.preview", outcome="success", more={"auditlake.access.rows": len(rows)}, **told)
    counts: dict[str, int] = {}
    for table, _ in rows.places():
        counts[table] = counts.get(table, 0) + 1
    print_rows([{"table": table, "rows": count} for table, count in sorted(counts.items())], output)
    typer.echo(f"{len(rows)} rows would be erased, nothing was done", err=True)
    try:
        held.refuse(f"rows of this {wanted.subject}", rows)
    except UnderHold as error:
        fail(str(error), code=EXIT_NO)


def _keys(vault: "Vault", wanted: "Wanted", person: str | None) -> Callable[[Sequence[str]], int]:
    """What destroys the key of a person, and values to which no record refers any more."""
    from storage.person import STORED

    if person is not None and STORED.fullmatch(person):
        typer.echo("warning: the vault knows people by the original alone: give the order again with it, or see auditlake vault", err=True)
        person = None
    told = {"by": wanted.by, "reason": wanted.reason}

    def destroy(references: Sequence[str]) -> int:
        of_person = 0 if person is None else vault.destroy(person, **told)
        return of_person + vault.destroy_values(references, **told)

    return destroy


def _erase(
    config: "Config",
    data: Path,
    log: "AccessLog",
    wanted: "Wanted",
    destroy_keys: Callable[[Sequence[str]], int] | None,
    reason: str,
) -> "Erased":
    """Do it, with an event before and one after."""
    from cli.access import owned
    from collector.retaining import hooks
    from storage.erasure import erase as erase_rows
    from storage.holds import UnderHold

    resource = f"erasure/{wanted.subject}"
    log.record(ACTION, outcome="requested", resource=resource, reason=reason)
    try:
        with owned(data, "."):
            beside = replace(hooks(data, destroy_keys), forget_runs=lambda runs: _forget_alerts(data, wanted.selector, runs))
            done = erase_rows(data, wanted, now_ns=time.time_ns(), hooks=beside)
    except UnderHold as error:
        log.record(ACTION, outcome="failure", resource=resource, reason=reason, code="held")
        _settle(config, data)
        fail(str(error), code=EXIT_NO)
    more = {"auditlake.access.rows": done.rows}
    log.record(ACTION, outcome="success", resource=f"erasure/{done.order}", reason=reason, more=more)
    _settle(config, data)
    return done


@contextmanager
def _alerts_wait(data: Path) -> Iterator[None]:
    """While the body runs, the alert process hands nothing to the lake that the order would not find."""
    from alerts.errors import AlertsError
    from alerts.forgetting import at_work
    from cli.access import owned

    with ExitStack() as stack:
        stack.enter_context(owned(data, "."))
        try:
            stack.enter_context(at_work(data))
        except AlertsError as error:
            fail(str(error), code=EXIT_NO)
        yield


def _forget_alerts(data: Path, meant: "Selector", runs: Sequence[str]) -> str | None:
    """Take whom an order is about, and runs of which nothing is left, out of the alerts; return why that has to be tried again."""
    from alerts.errors import AlertsError
    from alerts.forgetting import forget
    from storage.person import mentioned

    try:
        forget(data, mentioned((*meant.actors, *filter(None, (meant.run, meant.tenant))), runs))
    except AlertsError as error:
        return str(error)
    return None


def _tell(done: "Erased", config: "Config", output: OutputFormat) -> None:
    backups = [f"backup {each.name}: {_until(each.keep)}" for each in config.retention.backups]
    remains = [*done.remains, *backups]
    found: dict[str, Any] = {
        "order": done.order, "rows": done.rows, "entries": done.entries, "files": done.files, "vault_values": done.keys,
        "quarantined": done.quarantined,
    }  # fmt: skip
    print_rows([found | ({"remains": remains} if output is not OutputFormat.table else {})], output)
    for place in remains:
        typer.echo(f"warning: {place}", err=True)
    if done.pending:
        fail("the rows are gone, and traces of them are left", "see above, then give the order again", code=EXIT_NO)
    if not (done.rows or done.keys or done.quarantined):
        fail("nothing of this subject is in the lake", code=EXIT_NO)


def _until(keep_seconds: float) -> str:
    day = (datetime.now(UTC) + timedelta(seconds=keep_seconds)).date()
    return f"copies made before now hold what was erased, until {day}"
