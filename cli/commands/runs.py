"""`auditlake runs`: the list of runs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.figures import cost, duration, plural, tokens
from cli.options import AbandonedOption, DataOption, FormatOption, OutputFormat, fail, print_rows

COLUMNS = ("started", "run_id", "status", "why", "agent_name", "name", "took", "steps", "errors", "tokens", "cost", "remarks")
REMARKS = (
    ("orphans", "orphan", "orphans"), ("gaps", "gap", "gaps"), ("withheld", "withheld", "withheld"),
    ("after_end", "after end", "after end"),
    ("clock_anomalies", "clock anomaly", "clock anomalies"), ("repeated_calls", "repeated call", "repeated calls"),
)  # fmt: skip


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
    session: Annotated[str | None, typer.Option("--session", help="Of this session or conversation.")] = None,
    release: Annotated[str | None, typer.Option("--release", help="Of this release.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 50,
    abandoned_after: AbandonedOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """List runs, the newest first."""
    from cli.commands._lake import moment
    from cli.reading import filters, reading
    from storage.runs import STATUSES, RunFilter, page_runs

    if status is not None and status not in STATUSES:
        fail(f"--status {status} is not a status", f"choose one of {', '.join(STATUSES)}")
    now = datetime.now(UTC)
    begun = None if since == "all" else moment(since, "--since", now)
    ended = moment(until, "--until", now)
    wanted = RunFilter(since=begun, until=ended, agent=agent, tenant=tenant, status=status, session=session, release=release, limit=limit)
    asked = filters(since=since, until=until, agent=agent, tenant=tenant, status=status, session=session, release=release)
    with reading(data, "runs", resource="runs", statement=asked, abandoned_after=abandoned_after) as read:
        page = page_runs(read.lake, wanted)
        read.shown(len(page.rows))
        print_rows([_short(row) for row in page.rows] if output is OutputFormat.table else page.rows, output)
        if page.total > len(page.rows):
            typer.echo(f"{len(page.rows)} of {page.total} runs; --limit shows more", err=True)
        elif not page.rows and output is OutputFormat.table:
            typer.echo("  → --since 7d or --since all looks further back", err=True)


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people."""
    remarks = ", ".join(plural(row[name], one, many) for name, one, many in REMARKS if row[name])
    told = {"started": f"{row['started_at']:%Y-%m-%d %H:%M:%S}", "why": row["stop_reason"], "tokens": tokens(row).removesuffix(" tok")}
    told |= {"took": duration(row["duration_ms"]), "cost": cost(row["cost_usd"]), "remarks": remarks}
    return {name: told.get(name, row.get(name)) for name in COLUMNS}
