"""`auditlake hold …`: rows that must stay, whatever rules and orders say. Each change stands in `access_log`."""

import time
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows
from cli.subjects import names_of, opened_vault, stated, storable, why

if TYPE_CHECKING:
    from cli.access import AccessLog
    from collector.config import Config
    from redaction.vault import Vault
    from storage.catalog_removals import Hold
    from storage.selection import Selector

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stays in the lake.")]
BehalfOption = Annotated[str | None, typer.Option("--as", metavar="NAME", help="For whom; stands in access_log.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    hold = typer.Typer(help="Legal holds: what they mean is neither erased nor expires.", no_args_is_help=True)
    for name, command in (("add", add), ("list", list_holds), ("release", release)):
        hold.command(name)(command)
    app.add_typer(hold, name="hold")


def add(
    reason: ReasonOption,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Rows of a run.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Rows of a tenant.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Rows about a person; - reads a line of input.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Rows from this time on: 24h, 7d, 2026-11-21T12:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Rows up to this time.")] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="SQL", help="Rows of the views spans, events and metrics for which this holds.")
    ] = None,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Keep the rows for which everything that is said holds, also those that are still to come."""
    log, loaded, directory = _opened(data, config, on_behalf_of)
    cleaned = _reason(log, reason)
    with opened_vault(loaded, directory, log) if actor else nullcontext() as vault:
        selector = _selector(loaded, directory, log, vault, run=run, tenant=tenant, actor=actor, since=since, until=until, where=where)
    from cli.access import owned
    from storage.holds import enter

    log.record("hold.add", outcome="requested", resource="hold", reason=reason)
    keys = loaded.redaction.identity_keys
    with owned(directory, "."):
        hold, rows = enter(directory, selector, reason=cleaned, by=log.actor, now_ns=time.time_ns(), identity_keys=keys)
    log.record("hold.add", outcome="success", resource=f"hold/{hold.id}", reason=reason, more={"auditlake.access.rows": rows})
    log.seal()
    print_rows([{"hold": hold.id, "rows": rows}], output)


def list_holds(
    released: Annotated[bool, typer.Option("--all", help="Also those that were released.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """List the holds in force."""
    from storage.catalog import Catalog
    from storage.catalog_removals import holds

    directory = _directory(data, config)
    with closing(Catalog.open(directory)) as catalog:
        rows = [_row(hold) for hold in holds(catalog, released=released)]
    print_rows(rows, output, columns=None if released else ("hold", "since", "by", "reason", "means"))


def release(
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="The id of the hold.")],
    reason: ReasonOption,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """End a hold: from then on rules and orders count again."""
    from cli.access import owned
    from storage.catalog import Catalog
    from storage.catalog_removals import release_hold

    log, _, directory = _opened(data, config, on_behalf_of)
    cleaned = _reason(log, reason)
    log.record("hold.release", outcome="requested", resource=f"hold/{hold}", reason=reason)
    with owned(directory, "."), closing(Catalog.open(directory)) as catalog:
        found = release_hold(catalog, hold, now_ns=time.time_ns(), by=log.actor, reason=cleaned)
    log.record("hold.release", outcome="success" if found else "failure", resource=f"hold/{hold}", reason=reason)
    log.seal()
    if not found:
        fail(f"there is no hold {hold} in force", "auditlake hold list names those that are", code=EXIT_NO)
    typer.echo(f"released: {hold}", err=True)


def _directory(data: Path | None, config: Path | None) -> Path:
    directory = data_directory(data, config)
    if not (directory / "catalog.sqlite").exists():
        fail(f"there is no lake in {directory}", "pass the right --data directory")
    return directory


def _opened(data: Path | None, config: Path | None, on_behalf_of: str | None) -> "tuple[AccessLog, Config, Path]":
    from cli.access import AccessLog
    from cli.configuration import load_or_fail

    loaded, directory = load_or_fail(config), _directory(data, config)
    return AccessLog(loaded, directory, on_behalf_of=on_behalf_of), loaded, directory


def _reason(log: "AccessLog", reason: str) -> str:
    from cli.access import REASON

    return log.clean(why(reason), REASON)


def _selector(
    config: "Config",
    data: Path,
    log: "AccessLog",
    vault: "Vault | None",
    *,
    actor: str | None,
    where: str | None,
    **said: str | None,
) -> "Selector":
    """What the options mean, as it may be written down."""
    from cli.access import STATEMENT
    from cli.commands._lake import moment
    from storage.selection import Selector, select

    now = datetime.now(UTC)
    times = [moment(said[option], f"--{option}", now) for option in ("since", "until")]
    from_ns, to_ns = (None if at is None else int(at.replace(tzinfo=UTC).timestamp() * 1e6) * 1000 for at in times)
    if where is not None and log.clean(where, STATEMENT) != where:
        fail("the condition holds personal data, which would be on the disk", "write what stands in the rows: the pseudonym")
    for option, meant in (("run", Selector(run=said["run"])), ("tenant", Selector(tenant=said["tenant"]))):
        text = said[option]
        if text is not None and log.clean(text, STATEMENT) != text and not select(data, meant).rows:
            fail(f"--{option} holds personal data, which would be on the disk", "write what stands in the rows: no row has this")
    actors = () if actor is None else storable(log, names_of(config, log, stated(actor, "--actor"), vault))
    selector = Selector(run=said["run"], tenant=said["tenant"], actors=actors, from_ns=from_ns, to_ns=to_ns, where=where)
    if selector.is_empty:
        fail("which rows?", "give --run, --tenant, --actor, --since, --until or --where")
    return selector


def _row(hold: "Hold") -> dict[str, Any]:
    def when(ns: int | None) -> str | None:
        return None if ns is None else datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    return {
        "hold": hold.id, "since": when(hold.created_ns), "by": hold.created_by, "reason": hold.reason, "means": _means(hold.selector),
        "released": when(hold.released_ns), "released_by": hold.released_by, "release_reason": hold.release_reason,
    }  # fmt: skip


def _means(selector: "Selector") -> str:
    """A selector in words; of the names of a person the first is enough."""
    said = [f"run {selector.run}"] if selector.run else []
    said += [f"tenant {selector.tenant}"] if selector.tenant else []
    said += [f"actor {selector.actors[0]}"] if selector.actors else []
    for word, ns in (("since", selector.from_ns), ("until", selector.to_ns)):
        said += [] if ns is None else [f"{word} {datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec='seconds')}"]
    said += [f"where {selector.where}"] if selector.where else []
    return ", ".join(said)
