"""`auditlake contract RUN`: whether a run records what it must, and keeps what a trace-contract file demands."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, EXIT_USAGE, DataOption, FormatOption, OutputFormat, print_json, print_rows

if TYPE_CHECKING:
    from storage.contract import Report

COLUMNS = ("requirement", "problem", "record_id")
MOST_ROWS = 200


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("contract")(contract)


def contract(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run id, one of its trace ids, or a beginning that no other run has.")],
    file: Annotated[
        Path | None, typer.Option("--contract", metavar="FILE", help="A trace contract (YAML) to be kept beside the event contract.")
    ] = None,
    data: DataOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Check a run's required fields, and a trace contract if one is given; exit 1 when something is missing."""
    from cli.commands._lake import one_run, unknown_run
    from cli.reading import reading
    from storage.contract import check, load_contract

    wanted = None if file is None else load_contract(file)
    with reading(data, "contract", resource=run_id) as read:
        report = check(read.lake, one_run(read.lake, run_id, code=EXIT_USAGE), wanted)
        if report is None:
            unknown_run(run_id, code=EXIT_USAGE)
        read.shown(len(report.gaps), resource=report.run_id, stored=[report.run_id])
        whole = not read.lake.damaged
    rows = [asdict(gap) for gap in report.gaps]
    if output is OutputFormat.json:
        head = {"run_id": report.run_id, "contract": report.contract, "ok": report.ok, "checked": report.checked}
        print_json({**head, "gaps": rows})
    elif output is OutputFormat.table:
        _print_table(report, rows)
    else:
        print_rows(rows, output)
    if not (report.ok and whole):  # what a damaged file held could be short as well
        raise typer.Exit(EXIT_NO)


def _print_table(report: "Report", rows: list[dict[str, Any]]) -> None:
    beside = f" and {report.contract}" if report.contract else ""
    typer.echo(f"{report.run_id}: {report.verdict} (event contract{beside})")
    if rows:
        print_rows([_told(row) for row in rows[:MOST_ROWS]], OutputFormat.table, columns=COLUMNS)
    if len(rows) > MOST_ROWS:
        typer.echo(f"{MOST_ROWS} of {len(rows)} are shown: --format json gives all", err=True)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "record_id": row["record_id"] or "the run"}
