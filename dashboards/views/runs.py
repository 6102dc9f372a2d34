"""Runs: find the run. Every filter is in the address, so a list can be sent to somebody; sorting and paging happen in the database."""

from typing import Any, Final

import streamlit as st

from dashboards import reads, units, visits
from dashboards.design import BADGES, SIGNS
from dashboards.panels import download_rows, empty, show_sql
from dashboards.reads import Answer
from dashboards.views.context import Context, as_of
from dashboards.window import DEFAULT, RANGES, Window

SORTS: Final = ("newest", "oldest", "slowest", "costliest", "errors", "steps", "tokens")
"""As they stand in the address and in the list: the first row is the newest, the slowest, the one with the most errors, …"""
STATUSES: Final = ("ok", "error", "running", "abandoned")
PAGE_SIZES: Final = (25, 50, 100, 200)
TEXT_LENGTH: Final = 200


def page(context: Context) -> None:
    """Filters, the totals of what they choose, and one page of rows; a click on a row opens its run."""
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.title("Runs", anchor=False, width="content")
        name = st.segmented_control("Time range", list(RANGES), default=DEFAULT, required=True, key="range", bind="query-params")
    window = context.window(name)
    text, order, rows = st.columns([6, 2, 1])
    chosen = {**_filters(context, window), "text": _text(text)}
    sort = order.selectbox("Sort by", SORTS, key="sort", bind="query-params", help="The whole list is sorted, not this page")
    size = rows.selectbox("Rows", PAGE_SIZES, index=1, key="size", bind="query-params")
    _list(context, window, chosen, str(sort), int(size or 50))


def _text(where: Any) -> str | None:
    text = where.text_input(
        "Text",
        key="text",
        bind="query-params",
        icon=":material/search:",
        max_chars=TEXT_LENGTH,
        placeholder="Text in ids, names, messages, arguments, results, errors …",
    )
    return (text or "").strip() or None


def _filters(context: Context, window: Window) -> dict[str, Any]:
    """The widgets, as the parameters of the query."""
    offered = reads.filter_options(context.data, window.start)
    visits.saw("runs", resource="filters", rows=sum(map(len, offered.values())), filters={"range": window.name})
    first, second = st.columns(4), st.columns(4)
    chosen = {
        "statuses": first[0].multiselect("Status", STATUSES, key="statuses", bind="query-params", placeholder="any"),
        "agents": _choice(first[1], "Agent", "agents", offered.get("agent", [])),
        "tenants": _choice(first[2], "Tenant", "tenants", offered.get("tenant", [])),
        "releases": _choice(first[3], "Release", "releases", offered.get("release", [])),
        "environments": _choice(second[0], "Environment", "environments", offered.get("environment", [])),
        "models": _choice(second[1], "Model", "models", offered.get("model", [])),
        "tools": _choice(second[2], "Tool", "tools", offered.get("tool", [])),
    }
    with second[3]:
        cost, duration = st.columns(2)
        min_cost = cost.number_input(
            "Min. cost, $", min_value=0.0, value=None, format="%.4f", key="min_cost", bind="query-params", placeholder="any"
        )
        seconds = duration.number_input(
            "Min. duration, s", min_value=0.0, value=None, key="min_seconds", bind="query-params", placeholder="any"
        )
    lists = {key: list(value) or None for key, value in chosen.items()}
    return {**lists, "min_cost": min_cost, "min_duration": None if seconds is None else seconds * 1000}


def _choice(where: Any, label: str, key: str, offered: list[str]) -> list[str]:
    """A filter over names from the lake; a name from the address stays chosen also when this window does not have it."""
    found: list[str] = where.multiselect(label, offered, key=key, bind="query-params", placeholder="any", accept_new_options=True)
    return found


def _status(status: str) -> str:
    return f"{SIGNS.get(status, SIGNS['unset'])} {status}"


def _list(context: Context, window: Window, chosen: dict[str, Any], sort: str, size: int) -> None:
    place = st.container()
    number = int(st.session_state.get("page", 1) or 1)
    answer = _page(context, window, chosen, sort, size, number)
    if not answer.rows and number > 1:
        number = 1
        answer = _page(context, window, chosen, sort, size, number)
    total = answer.first.get("total", 0)
    asked = {"range": window.name, **chosen, "sort": sort, "page": number}
    visits.saw("runs", rows=len(answer.rows), filters=asked, part="list")
    if not answer.rows:
        with place.container(border=True):
            if any(value is not None for value in chosen.values()):
                empty(f"No run of the last {window.words} matches these filters.", "Widen the time range or remove a filter.")
            else:
                empty(f"No runs in the last {window.words}.", "Send spans over OTLP to the collector: ports 4317 (gRPC) and 4318 (HTTP).")
            show_sql(answer, key="runs")
        as_of(context)
        return
    with place:
        _totals(answer, size, number)
        _table(context, answer, number)
    pages = -(-total // size)
    if pages > 1:
        st.pagination(pages, key="page", bind="query-params")
    as_of(context)


def _page(context: Context, window: Window, chosen: dict[str, Any], sort: str, size: int, number: int) -> Answer:
    return reads.runs_page(context.data, window, chosen, sort=sort, page_size=size, skip=(number - 1) * size)


def _totals(answer: Answer, size: int, number: int) -> None:
    first, total = (number - 1) * size + 1, answer.first["total"]
    said = f"**{units.plural(total, 'run')}** match · rows {units.count(first)}–{units.count(first + len(answer.rows) - 1)} shown"
    cost = f" · {units.cost(answer.first['total_cost_usd'])} together".replace("$", "\\$")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"{said}{cost} · {units.count(answer.first['total_failed'])} failed", width="content")
        with st.container(horizontal=True, horizontal_alignment="right", width="content"):
            st.button("Refresh", icon=":material/refresh:")
            download_rows(answer.rows, key="runs")
            show_sql(answer, key="runs")


def _table(context: Context, answer: Answer, number: int) -> None:
    shown = [_row(row) for row in answer.rows]
    key = f"rows-{number}-{answer.rows[0]['run_id'][:80]}"
    event = st.dataframe(
        shown,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-cell",
        height="content" if len(shown) <= 20 else 780,
        column_config=_COLUMNS,
        placeholder=units.UNKNOWN,
        alt=f"{len(shown)} runs; choose a cell to open its run",
    )
    st.caption("Choose any cell of a row to open the run. Sort with the box above: a click on a column's head sorts this page only.")
    if cells := event.selection.cells:
        st.switch_page(context.links["run"], query_params={"run": answer.rows[cells[0][0]]["run_id"]})


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": [_status(row["status"])],
        "started": row["started_at"],
        "agent": row["agent_name"],
        "name": row["name"],
        "duration": units.duration(row["duration_ms"]),
        "cost": units.cost(row["cost_usd"]) + (" + ?" if row["unpriced_calls"] and row["cost_usd"] is not None else ""),
        "steps": row["steps"],
        "errors": row["errors"],
        "models": row["model_calls"],
        "tools": row["tool_calls"],
        "tokens": row["tokens"],
        "stopped": row["stop_reason"] or units.UNKNOWN,
        "redacted": row["redactions"],
        "gaps": None if row["status"] == "running" else (row["orphans"] or 0) + (row["gaps"] or 0) + (row["withheld"] or 0),
        "release": row["release"],
        "tenant": row["tenant"],
        "environment": row["environment"],
        "run": row["run_id"],
    }


_COLUMNS: Final = {
    "status": st.column_config.MultiselectColumn(
        "Status", options=[_status(status) for status in BADGES], color=list(BADGES.values()), pinned=True, width=115
    ),
    "started": st.column_config.DatetimeColumn("Started, UTC", format="YYYY-MM-DD HH:mm:ss", width=150),
    "agent": st.column_config.TextColumn("Agent"),
    "name": st.column_config.TextColumn("Name"),
    "duration": st.column_config.TextColumn("Took", alignment="right", help="From the first record to the last"),
    "cost": st.column_config.TextColumn("Cost", alignment="right", help="US dollars; “+ ?”: some calls have no price; “—”: none has"),
    "steps": st.column_config.NumberColumn("Steps", format="localized"),
    "errors": st.column_config.NumberColumn("Errors", format="localized"),
    "models": st.column_config.NumberColumn("Model calls", format="localized"),
    "tools": st.column_config.NumberColumn("Tool calls", format="localized"),
    "tokens": st.column_config.NumberColumn("Tokens", format="localized"),
    "stopped": st.column_config.TextColumn("Stopped because"),
    "redacted": st.column_config.NumberColumn("Redacted", format="localized"),
    "gaps": st.column_config.NumberColumn("Missing", help="Orphans, gaps in the numbering and withheld values"),
    "release": st.column_config.TextColumn("Release"),
    "tenant": st.column_config.TextColumn("Tenant"),
    "environment": st.column_config.TextColumn("Environment"),
    "run": st.column_config.TextColumn("Run"),
}
