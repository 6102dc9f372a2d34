"""The tiles and panels of Overview."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboards import charts, units
from dashboards.panels import empty, escape, panel, theme
from dashboards.reads import Answer
from dashboards.views import overview_data
from dashboards.views.context import Context
from dashboards.views.overview_data import Overview

AUDIT_THRESHOLDS_MS = (5.0, 20.0)
ROWS_SHOWN = 8


def tiles(context: Context, seen: Overview) -> None:
    """Eight numbers; those that a page exists for lead there with the filter set."""
    summary, before, fresh = seen.summary, seen.before, seen.freshness.first
    runs = {"range": seen.window.name}
    failed, ended = summary.get("failed") or 0, summary.get("ended") or 0
    first, second = st.columns(4), st.columns(4)
    firing = sum(1 for alert in seen.alerts.rows if alert["state"] == "firing")
    said = f"{units.count(len(seen.alerts.rows) - firing)} pending or in error"
    _tile(first[0], "Alerts firing", units.count(firing), "notifications_active", said)
    said = f"{units.plural(failed, 'run')} of {units.count(ended)} · before: {units.share(before.get('failed'), before.get('ended'))}"
    _tile(
        first[1],
        "Error rate of runs",
        units.share(failed, ended),
        "error",
        said,
        _lead(context, "Failed runs", runs | {"statuses": "error"}),
    )
    said = f"p95 of {units.count(ended)} · before: {units.duration(before.get('p95'))}"
    _tile(
        first[2],
        "Run duration",
        units.duration(summary.get("p95")),
        "timer",
        said,
        _lead(context, "Longest runs", runs | {"sort": "slowest"}),
    )
    unknown = units.share(summary.get("unpriced_calls"), summary.get("model_calls"))
    said = f"before: {units.cost(before.get('cost_usd'))} · unpriced: {unknown} of calls"
    _tile(
        first[3],
        "Model spend",
        units.cost(summary.get("cost_usd")),
        "payments",
        said,
        _lead(context, "Costliest runs", runs | {"sort": "costliest"}),
    )
    states = [agent["state"] for agent in seen.agents.rows]
    said = " · ".join(f"{states.count(state)} {state}" for state in ("late", "down", "hung", "stopped"))
    _tile(second[0], "Agents alive", f"{states.count('alive')} of {len(states) - states.count('stopped')}", "monitor_heart", said)
    said = f"lag p99 {units.duration(fresh.get('lag_p99_ms'))} · newest {units.ago(fresh.get('last_sealed_at'), context.now)}"
    _tile(second[1], "Ingest, last minute", units.rate(fresh.get("per_second") or 0), "input", said)
    writes, within = (sum(row[key] or 0 for row in seen.audit.rows) for key in ("writes", "within_5ms"))
    _tile(second[2], "Audit writes within 5 ms", units.share(within, writes), "save", f"of {units.count(writes)} durable acknowledgements")
    said = f"in {units.plural(int(summary.get('redacted_runs') or 0), 'run')} · {units.count(summary.get('withheld') or 0)} withheld"
    _tile(second[3], "Redactions", units.count(summary.get("redactions") or 0), "visibility_off", said)


def _tile(where: Any, label: str, value: str, icon: str, said: str, lead: Callable[[], None] | None = None) -> None:
    with where.container(border=True, height="stretch", gap=None):
        st.metric(label, value, icon=f":material/{icon}:")
        st.caption(escape(said))
        if lead is not None:
            lead()


def _lead(context: Context, label: str, query: Mapping[str, str]) -> Callable[[], None]:
    def lead() -> None:
        st.page_link(context.links["runs"], label=label, icon=":material/arrow_forward:", query_params=dict(query))

    return lead


def outcomes(seen: Overview) -> None:
    with panel("Runs by outcome", seen.runs, key="outcomes"):
        rows = [{name: row[name] for name in ("time", "status", "runs")} for row in seen.part("status")]
        if not rows:
            empty(f"No runs in the last {seen.window.words}.", "A run is a trace, or what an SDK says is one: send spans over OTLP.")
            return
        counts = {status: sum(row["runs"] for row in rows if row["status"] == status) for status in ("ok", "error", "running", "abandoned")}
        said = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
        chart = charts.run_outcomes(rows, theme(), domain=seen.window.domain, bucket_seconds=seen.window.bucket_seconds)
        st.altair_chart(chart, alt=f"Runs by outcome over the last {seen.window.words}: {said}.")


_KINDS = {"runs": "run", "model calls": "model", "tool calls": "tool"}
_SEND = {
    "runs": "A run ends when its root span, or its run span, is exported.",
    "model calls": "Send spans with gen_ai.operation.name = chat (or any dialect that the documentation lists).",
    "tool calls": "Send spans with gen_ai.operation.name = execute_tool and gen_ai.tool.name.",
}


def latency(context: Context, seen: Overview) -> None:
    what = str(st.session_state.get("latency") or st.query_params.get("latency") or "runs")
    what = what if what in _KINDS else "runs"
    answer = seen.runs if what == "runs" else overview_data.calls(context, seen.window, _KINDS[what])
    with panel("Latency", answer, key="latency", note="p50, p95 and p99 of what ended, per bucket"):
        st.segmented_control(
            "Latency of", list(_KINDS), default="runs", required=True, key="latency", label_visibility="collapsed", bind="query-params"
        )
        measured = [row for row in (seen.part("time") if what == "runs" else answer.rows) if row["p50"] is not None]
        if not measured:
            empty(f"No {what} ended in the last {seen.window.words}.", _SEND[what])
            return
        rows = charts.with_gaps(
            measured, series=("p50", "p95", "p99"), domain=seen.window.domain, bucket_seconds=seen.window.bucket_seconds
        )
        worst = units.duration(max(row["p99"] for row in measured))
        st.altair_chart(
            charts.latency(rows, theme(), domain=seen.window.domain),
            alt=f"Latency of {what} over the last {seen.window.words}, p50, p95 and p99; highest p99 {worst}.",
        )


def cost(answer: Answer, seen: Overview, what: str) -> None:
    """Spend by `agent` or by `model`."""
    note = "Inference calls only, each counted once. A call whose price is unknown is not free: it is counted apart."
    with panel(f"Spend by {what}", answer, key=f"cost-{what}", note=note):
        rows = [{**row, "name": str(row["name"])[:60]} for row in answer.rows if row["part"] == what]
        if not rows:
            send = "Send gen_ai.usage.input_tokens and gen_ai.usage.output_tokens with gen_ai.response.model."
            empty(f"No model calls in the last {seen.window.words}.", send)
            return
        unknown, calls, total = (sum(row[key] for row in rows) for key in ("unknown", "calls", "cost_usd"))
        st.altair_chart(charts.cost(rows, theme()), alt=f"Spend by {what}: {len(rows)} bars, together {units.cost(total)}.")
        if unknown:
            said = f"{units.count(unknown)} of {units.count(calls)} calls ({units.share(unknown, calls)})"
            st.caption(f":material/help: The price of {said} is unknown; they are not in the sums.")
        if rows[-1]["names"] > 1:
            st.caption(f":material/content_cut: (other) stands for {units.count(rows[-1]['names'])} further names.")


def ingest(seen: Overview) -> None:
    with panel(
        "Ingest", seen.ingest, seen.freshness, key="ingest", note="Records that collectors received, by the time at which they were sealed"
    ):
        if not seen.ingest.rows:
            empty(
                f"Nothing was sealed in the last {seen.window.words}.",
                "Start the collector (auditlake up) and point an OTLP exporter at it.",
            )
            return
        fresh = seen.freshness.first
        chart = charts.ingest(seen.ingest.rows, theme(), domain=seen.window.domain, bucket_seconds=seen.window.bucket_seconds)
        st.altair_chart(
            chart, alt=f"Records received a second over the last {seen.window.words}; {units.count(fresh.get('received'))} in all."
        )
        parts = [
            f"{units.count(fresh.get(name) or 0)} {name}" for name in ("received", "stored", "rejected", "deduplicated", "quarantined")
        ]
        balance = (
            "every record accounted for" if not fresh.get("unaccounted") else f"**{units.count(fresh['unaccounted'])} not accounted for**"
        )
        st.caption(f"{' · '.join(parts)} · {balance}")


def audit_writes(seen: Overview) -> None:
    note = "From request to durable acknowledgement, of audit-class records; the worst of each bucket"
    with panel("Audit-write latency", seen.audit, key="audit", note=note):
        if not seen.audit.rows:
            send = "The SDK's audit() writes them; the collector measures each from request to durable acknowledgement."
            empty(f"No audit-class write in the last {seen.window.words}.", send)
            return
        rows = charts.with_gaps(
            seen.audit.rows, series=("p50", "p99"), domain=seen.window.domain, bucket_seconds=seen.window.bucket_seconds
        )
        writes = sum(row["writes"] or 0 for row in seen.audit.rows)
        shares = [(limit, sum(row[f"within_{limit}ms"] or 0 for row in seen.audit.rows)) for limit in (5, 20)]
        said = " · ".join(f"{units.share(within, writes)} within {limit} ms" for limit, within in shares)
        st.altair_chart(
            charts.audit_writes(rows, theme(), domain=seen.window.domain, thresholds_ms=AUDIT_THRESHOLDS_MS),
            alt=f"Audit-write latency, p50 and p99, logarithmic, with lines at 5 and 20 ms: {said}.",
        )
        st.caption(f"{said} · {units.count(writes)} writes")


def alerts(seen: Overview) -> None:
    with panel("Alerts", seen.alerts, key="alerts", note="Of each alert the newest transition, when it is not over"):
        if not seen.alerts.rows:
            send = "The alert process writes every transition here: auditlake up starts it with the rules of otel-config.yaml."
            empty("No alert is firing or pending.", send)
            return
        _table(
            [_alert(row) for row in seen.alerts.rows],
            {"since": st.column_config.DatetimeColumn("since, UTC", format="MM-DD HH:mm:ss")},
            alt=f"{len(seen.alerts.rows)} alerts that are not over",
        )


_ALERT_SIGNS = {"firing": "▲ firing", "pending": "△ pending", "error": "✗ error"}


def _alert(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": _ALERT_SIGNS[row["state"]],
        "alert": row["alertname"],
        "severity": row["severity"] or units.UNKNOWN,
        "since": row["active_at"] or row["time"],
        "summary": row["summary"] or units.UNKNOWN,
    }


def agents(context: Context, seen: Overview) -> None:
    note = "alive: a heartbeat within 1.5 of its own intervals; late: within 3; down: longer silent; stopped: it said so"
    with panel("Agents", seen.agents, key="agents", note=note):
        if not seen.agents.rows:
            empty(
                "No agent sends heartbeats.", "Call auditlake.heartbeat() in the agent, or send a log record with the event name heartbeat."
            )
            return
        _table(
            [_agent(row, context.now) for row in seen.agents.rows],
            {"CPU": st.column_config.NumberColumn(format="%.1f %%")},
            alt=f"{len(seen.agents.rows)} agents and their last heartbeats",
        )


_STATES = {"alive": "✓ alive", "late": "◔ late", "down": "✗ down", "hung": "✗ hung", "stopped": "■ stopped"}


def _agent(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "state": _STATES[row["state"]],
        "agent": row["agent_name"],
        "last beat": units.ago(now - timedelta(seconds=row["silent_seconds"]), now),
        "every": units.UNKNOWN if row["interval_seconds"] is None else units.duration(row["interval_seconds"] * 1000),
        "says": row["status"] or units.UNKNOWN,
        "config": _config(row),
        "CPU": row["cpu_percent"],
        "memory": units.size(row["memory_bytes"]),
    }


def _config(row: Mapping[str, Any]) -> str:
    newest = row["newest_config_version"]
    if row["config_version"] is None:
        return units.UNKNOWN
    return str(row["config_version"]) + (f" (newest {newest})" if newest and newest != row["config_version"] else "")


def redactions(answer: Answer, seen: Overview) -> None:
    note = "What was taken out before anything was stored; WITHHELD: redaction failed, so the value was left out"
    with panel("Redactions", answer, key="redactions", note=note):
        if not answer.rows:
            send = "Personal data and credentials are taken out on arrival; findings are counted here."
            empty(f"Nothing was redacted in the last {seen.window.words}.", send)
            return
        names = {"entity": "entity", "agent_name": "agent", "found": "found", "records": "records", "last_seen": "last"}
        _table(
            [{shown: row[name] for name, shown in names.items()} for row in answer.rows],
            {"last": st.column_config.DatetimeColumn("last, UTC", format="YYYY-MM-DD HH:mm:ss")},
            alt="Redaction findings by entity and agent",
        )
        folded = max(row["agents"] for row in answer.rows)
        if folded > 1:
            st.caption(f":material/content_cut: (other) stands for up to {units.count(folded)} further agents.")


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any], *, alt: str) -> None:
    st.dataframe(
        list(rows),
        hide_index=True,
        column_config=dict(columns),
        placeholder=units.UNKNOWN,
        alt=alt,
        height="content" if len(rows) <= ROWS_SHOWN else 38 + 35 * ROWS_SHOWN,
    )
