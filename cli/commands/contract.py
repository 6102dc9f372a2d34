"""`auditlake contract RUN`: whether a run records what it must, and keeps what a trace-contract file demands."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.options import EXIT_NO, DataOption, FormatOption, OutputFormat, fail, print_json, print_rows

if TYPE_CHECKING:
    from storage.contract import Report
    from storage.lake import Lake

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
    from cli.reading import reading
    from storage.contract import check, load_contract

    wanted = None if file is None else load_contract(file)
    with reading(data, "contract", resource=run_id) as read:
        report = check(read.lake, one_run(read.lake, run_id), wanted)
        if report is None:
            _unknown(run_id)
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


def one_run(lake: "Lake", text: str) -> str:
    """Return the id of the run that `text` means; exits with 2 when none or several can be meant."""
    from storage.runs import find

    candidates = find(lake, text)
    if len(candidates) > 1:
        fail(f"several runs begin with {text}: {', '.join(candidates)} …", "write more of the id")
    if not candidates:
        _unknown(text)
    return candidates[0]


def _unknown(text: str) -> NoReturn:
    fail(f"there is no run {text}", "`auditlake runs --since all` lists the runs of this lake; is --data the right one?")
