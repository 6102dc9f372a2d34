"""`auditlake runs`: the list of runs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.options import AbandonedOption, DataOption, FormatOption, OutputFormat, fail, print_rows

COLUMNS = ("started", "run_id", "status", "agent_name", "name", "took", "steps", "errors", "cost")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("runs")(runs)


def runs(
    data: DataOption = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Begun at or after: 24h, 7d, or an RFC 3339 time; all for any.")
    ] = "24h",
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Begun at or before.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Of this agent.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Of this tenant.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="ok, error, running or abandoned.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 50,
    abandoned_after: AbandonedOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """List runs, the newest first."""
    from cli.commands._lake import moment, opened
    from storage.runs import STATUSES, RunFilter, page_runs

    if status is not None and status not in STATUSES:
        fail(f"--status {status} is not a status", f"choose one of {', '.join(STATUSES)}")
    now = datetime.now(UTC)
    begun = None if since == "all" else moment(since, "--since", now)
    wanted = RunFilter(since=begun, until=moment(until, "--until", now), agent=agent, tenant=tenant, status=status, limit=limit)
    with opened(data, "runs", abandoned_after=abandoned_after) as lake:
        page = page_runs(lake, wanted)
        print_rows([_short(row) for row in page.rows] if output is OutputFormat.table else page.rows, output)
        if page.total > len(page.rows):
            typer.echo(f"{len(page.rows)} of {page.total} runs; --limit shows more", err=True)
        elif not page.rows and output is OutputFormat.table:
            typer.echo("  → --since 7d or --since all looks further back", err=True)


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people."""
    from cli.commands.run import cost, duration

    told = {"started": f"{row['started_at']:%Y-%m-%d %H:%M:%S}", "took": duration(row["duration_ms"]), "cost": cost(row["cost_usd"])}
    return {name: told.get(name, row.get(name)) for name in COLUMNS}
