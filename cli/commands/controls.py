"""`auditlake controls`: the audit controls over the lake, with the records that fail them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, EXIT_USAGE, DataOption, FormatOption, OutputFormat, fail, print_json, print_rows

if TYPE_CHECKING:
    from storage.controls import Control, ControlResult

EVIDENCE = ("control", "run_id", "record_id", "time", "problem")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("controls")(controls)


def controls(
    data: DataOption = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="What happened at or after: 24h, 7d, or an RFC 3339 time; all for any.")
    ] = "7d",
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="What happened at or before.")] = None,
    control: Annotated[list[str] | None, typer.Option("--control", metavar="NAME", help="Only this control; may be repeated.")] = None,
    run: Annotated[list[str] | None, typer.Option("--run", metavar="RUN", help="Only this run; may be repeated.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Of this tenant.")] = None,
    release: Annotated[str | None, typer.Option("--release", help="Of this release.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--controls", metavar="DIR", help="Also the controls of this folder, one a .sql file.")
    ] = None,
    evidence: Annotated[int, typer.Option("--evidence", min=0, metavar="N", help="The newest N failures of each control.")] = 10,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Ask the audit controls what fails, with the records; exit 1 when one fails."""
    from cli.commands._lake import moment, one_run
    from cli.reading import filters, reading
    from storage.controls import built_in, chosen, evaluate, load_controls

    asked: Sequence[Control] = (*built_in(), *(() if folder is None else load_controls(folder)))
    asked = asked if control is None else chosen(asked, control)
    now = datetime.now(UTC)
    begun = None if since == "all" or run else moment(since, "--since", now)
    ended = moment(until, "--until", now)
    if begun is not None and ended is not None and begun > ended:
        fail(f"--since {since} is after --until {until}", "exchange them")
    told = filters(since=since, until=until, control=control, run=run, tenant=tenant, release=release)
    with reading(data, "controls", resource="controls", statement=told) as read:
        runs = None if run is None else [one_run(read.lake, text, code=EXIT_USAGE) for text in run]
        results = evaluate(
            read.lake, since=begun, until=ended, run_ids=runs, tenant=tenant, release=release, controls=asked, evidence_limit=evidence
        )
        read.shown(sum(len(result.evidence) for result in results))
        whole = not read.lake.damaged
    _print(results, output)
    if not whole or any(not result.passed for result in results):
        raise typer.Exit(EXIT_NO)


def _print(results: "Sequence[ControlResult]", output: OutputFormat) -> None:
    if output is OutputFormat.json:
        print_json([_whole(result) for result in results])
    elif output is not OutputFormat.table:
        print_rows([row for result in results for row in _flat(result)], output)
    else:
        print_rows([_short(result) for result in results], output)
        shown = [{"control": result.name, **row} for result in results for row in result.evidence]
        if shown:
            typer.echo("")
            print_rows([row | {"time": _moment(row["time"])} for row in shown], output, columns=EVIDENCE)
        if hidden := sum(result.failed - len(result.evidence) for result in results):
            typer.echo(f"{hidden} more failures are not shown; --evidence shows more", err=True)


def _moment(time: datetime | None) -> str | None:
    return None if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def _short(result: "ControlResult") -> dict[str, Any]:
    return {
        "control": result.name, "state": result.state, "checked": result.checked, "failed": result.failed, "what must hold": result.title
    }  # fmt: skip


def _whole(result: "ControlResult") -> dict[str, Any]:
    return {
        "name": result.name, "title": result.title, "rationale": result.rationale, "reference": result.reference, "state": result.state,
        "passed": result.passed, "checked": result.checked, "failed": result.failed, "evidence": result.evidence,
    }  # fmt: skip


def _flat(result: "ControlResult") -> list[dict[str, Any]]:
    """One row an offending record, and one row for a control without any, so that every control is in the file."""
    head = {"control": result.name, "state": result.state, "checked": result.checked, "failed": result.failed}
    names = ("record_id", "run_id", "time", "problem")
    return [head | {name: row[name] for name in names} for row in result.evidence or (dict.fromkeys(names),)]
