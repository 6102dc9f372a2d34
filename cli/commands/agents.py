"""`auditlake agents`: how each agent is."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.figures import duration, printable
from cli.options import DataOption, FormatOption, OutputFormat, console, print_rows

STATE_STYLES = {"hung": "bold red", "down": "bold red", "late": "yellow", "alive": "green", "stopped": "dim"}
NUMERIC = frozenset({"runs", "success", "avg", "p95", "plan", "exec", "tools ✗", "tokens", "cost", "qual", "sat"})


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("agents")(agents)


def agents(
    data: DataOption = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Runs begun at or after: 24h, 7d, or an RFC 3339 time; all for any.")
    ] = "24h",
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Runs begun at or before.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")] = None,
    environment: Annotated[str | None, typer.Option("--environment", help="Only this environment.")] = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Health of each agent: runs, success, durations, tools, tokens, cost, quality, heartbeat, versions."""
    from cli.commands._lake import moment
    from cli.reading import filters, reading
    from storage.agents import AgentFilter, agent_health

    now = datetime.now(UTC)
    begun = None if since == "all" else moment(since, "--since", now)
    wanted = AgentFilter(since=begun, until=moment(until, "--until", now), agent=agent, tenant=tenant, environment=environment)
    asked = filters(since=since, until=until, agent=agent, tenant=tenant, environment=environment)
    with reading(data, "agents", resource="agents", statement=asked) as read:
        rows = agent_health(read.lake, wanted)
        read.shown(len(rows))
        if output is not OutputFormat.table:
            print_rows(rows if output is OutputFormat.json else [_flat(row) for row in rows], output)
        elif rows:
            _print(rows)
        else:
            typer.echo("no agents\n  → --since 7d or --since all looks further back", err=True)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table without the columns that no agent has anything in."""
    from rich.table import Table
    from rich.text import Text

    shown = [_short(row) for row in rows]
    if len({(row["tenant"], row["environment"]) for row in rows}) == 1:
        shown = [{name: value for name, value in row.items() if name != "where"} for row in shown]
    names = [name for name in shown[0] if any(row[name] for row in shown)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if name in NUMERIC else "left", overflow="fold")
    for row, told in zip(rows, shown, strict=True):
        table.add_row(
            *[Text(printable(told[name]), style=STATE_STYLES.get(row["state"] or "", "") if name == "beat" else "") for name in names]
        )
    console().print(table)


def _short(row: Mapping[str, Any]) -> dict[str, str]:
    """A row for people; unknown is empty."""
    known = [count for count in (row.get("input_tokens"), row.get("output_tokens")) if count is not None]
    return {
        "agent": row["agent_name"] or "?",
        "where": "/".join(part for part in (row["tenant"], row["environment"]) if part),
        "runs": str(row["runs"]) + (f"+{row['running']}" if row["running"] and row["runs"] != row["running"] else ""),
        "success": _percent(row.get("success_rate")),
        "avg": duration(row.get("avg_duration_ms")),
        "p95": duration(row.get("p95_duration_ms")),
        "plan": duration(row.get("planning_ms")),
        "exec": duration(row.get("execution_ms")) if row.get("planning_ms") is not None else "",
        "tools ✗": _percent(row.get("tool_failure_rate")),
        "tokens": _count(sum(known)) if known else "",
        "cost": "" if row.get("cost_usd") is None else f"${row['cost_usd']:.2f}" + ("+?" if row.get("unpriced_calls") else ""),
        "qual": _score(row.get("quality_score")),
        "sat": _score(row.get("satisfaction")),
        "beat": _beat(row),
        "release": (row["releases"] or [""])[0] + _upgrade(row["instances"]),
    }


def _beat(row: Mapping[str, Any]) -> str:
    if row["state"] is None:
        return ""
    at = duration((row["silent_seconds"] or 0) * 1e3)
    more = f" ({len(row['instances'])})" if len(row["instances"]) > 1 else ""
    return f"{row['state']} {at}{more}"


def _upgrade(instances: Sequence[Mapping[str, Any]]) -> str:
    """` ↑13` where an instance could have a newer configuration."""
    newest = [each["newest_config_version"] for each in instances if each["upgrade_available"]]
    return f" ↑{newest[0]}" if newest else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}".replace(".0%", "%")


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}"


def _count(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of plain values: lists as text, without the instances."""
    return {name: ", ".join(value) if isinstance(value, list) else value for name, value in row.items() if name != "instances"}
