"""The tiles and panels of Overview."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from dashboards import charts, units
from dashboards.panels import empty, panel, theme
from dashboards.reads import Answer
from dashboards.views.context import Context
from dashboards.views.overview_data import Overview

AUDIT_THRESHOLDS_MS = (5.0, 20.0)


def tiles(context: Context, seen: Overview) -> None:
    """Eight numbers; those that a page exists for lead there with the filter set."""
    summary, fresh, window = seen.summary.first, seen.freshness.first, seen.window
    firing = [alert for alert in seen.alerts.rows if alert["state"] == "firing"]
    states = [agent["state"] for agent in seen.agents.rows]
    writes, within = sum(row["writes"] or 0 for row in seen.audit.rows), sum(row["within_5ms"] or 0 for row in seen.audit.rows)
    lag = fresh.get("lag_p99_ms")
    to_runs: dict[str, str] = {"range": window.name}
    first, second = st.columns(4), st.columns(4)
    with first[0]:
        _tile(
            "Alerts firing",
            str(len(firing)),
            ":material/notifications_active:",
            f"{len(seen.alerts.rows) - len(firing)} pending or in error",
        )
    with first[1]:
        failed, ended = summary.get("failed") or 0, summary.get("ended") or 0
        before = units.share(summary.get("failed_before"), summary.get("ended_before"))
        _tile(
            "Error rate of runs",
            units.share(failed, ended),
            ":material/error:",
            f"{units.plural(failed, 'run')} of {units.count(ended)}; before {before}",
        )
        _lead(context, "Failed runs", to_runs | {"statuses": "error"})
    with first[2]:
        before = units.duration(summary.get("p95_before_ms"))
        _tile("Run duration, p95", units.duration(summary.get("p95_ms")), ":material/timer:", f"before {before}")
        _lead(context, "Slowest runs", to_runs | {"sort": "slowest"})
    with first[3]:
        unknown, calls = int(summary.get("unpriced_calls") or 0), int(summary.get("model_calls") or 0)
        said = f"before {units.cost(summary.get('cost_before_usd'))}; price unknown for {units.share(unknown, calls)} of calls"
        _tile("Model spend", units.cost(summary.get("cost_usd")), ":material/payments:", said)
        _lead(context, "Costliest runs", to_runs | {"sort": "costliest"})
    with second[0]:
        _tile("Agents alive", f"{states.count('alive')} of {len(states) - states.count('stopped')}", ":material/monitor_heart:",
              f"{states.count('late')} late, {states.count('down')} down, {states.count('stopped')} stopped")  # fmt: skip
    with second[1]:
        last = units.ago(fresh.get("last_sealed_at"), context.now)
        _tile(
            "Ingest, last minute",
            units.rate(fresh.get("per_second") or 0),
            ":material/input:",
            f"lag p99 {units.duration(lag)}; newest {last}",
        )
    with second[2]:
        _tile(
            "Audit writes within 5 ms", units.share(within, writes), ":material/save:", f"of {units.count(writes)} durable acknowledgements"
        )
    with second[3]:
        found, withheld = summary.get("redactions") or 0, summary.get("withheld") or 0
        said = f"in {units.plural(int(summary.get('redacted_runs') or 0), 'run')}; {units.count(withheld)} withheld"
        _tile("Redactions", units.count(found), ":material/visibility_off:", said)


def _tile(label: str, value: str, icon: str, said: str) -> None:
    st.metric(label, value, icon=icon, border=True, delta=said, delta_color="off", delta_arrow="off")


def _lead(context: Context, label: str, query: Mapping[str, str]) -> None:
    st.page_link(context.links["runs"], label=label, icon=":material/arrow_forward:", query_params=dict(query))


def outcomes(seen: Overview) -> None:
    with panel("Runs by outcome", seen.outcomes, key="outcomes"):
        rows = seen.outcomes.rows
        if not rows:
            empty(f"No runs in the last {seen.window.words}.", "A run is a trace, or what an SDK says is one: send spans over OTLP.")
            return
        counts = {status: sum(row["runs"] for row in rows if row["status"] == status) for status in ("ok", "error", "running", "abandoned")}
        said = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
        chart = charts.run_outcomes(rows, theme(), domain=seen.window.domain, bucket_seconds=seen.window.bucket_seconds)
        st.altair_chart(chart, alt=f"Runs by outcome over the last {seen.window.words}: {said}.")


def latency(seen: Overview) -> None:
    with panel("Latency", *seen.latency.values(), key="latency", note="p50, p95 and p99 per bucket of what ended"):
        what = st.segmented_control(
            "Latency of",
            list(seen.latency),
            default="runs",
            required=True,
            key="latency",
            label_visibility="collapsed",
            bind="query-params",
        )
        answer = seen.latency[what or "runs"]
        if not answer.rows:
            empty(f"No {what} ended in the last {seen.window.words}.", _SEND[what or "runs"])
            return
        rows = charts.with_gaps(
            answer.rows, series=("p50", "p95", "p99"), domain=seen.window.domain, bucket_seconds=seen.window.bucket_seconds
        )
        worst = max(row["p99"] for row in answer.rows)
        st.altair_chart(
            charts.latency(rows, theme(), domain=seen.window.domain),
            alt=f"Latency of {what} over the last {seen.window.words}, p50, p95 and p99; highest p99 {units.duration(worst)}.",
        )


_SEND = {
    "runs": "A run ends when its root span, or its run span, is exported.",
    "model calls": "Send spans with gen_ai.operation.name = chat (or any dialect that the documentation lists).",
    "tool calls": "Send spans with gen_ai.operation.name = execute_tool and gen_ai.tool.name.",
}


def cost_by_agent(seen: Overview) -> None:
    _cost("Spend by agent", seen.cost_agents, seen, "agent")


def cost_by_model(seen: Overview) -> None:
    _cost("Spend by model", seen.cost_models, seen, "model")


def _cost(title: str, answer: Answer, seen: Overview, what: str) -> None:
    with panel(
        title,
        answer,
        key=f"cost-{what}",
        note="Inference calls only, each counted once. A call whose price is unknown is not free: it is counted apart.",
    ):
        if not answer.rows:
            empty(
                f"No model calls in the last {seen.window.words}.",
                "Send gen_ai.usage.input_tokens and gen_ai.usage.output_tokens with gen_ai.response.model.",
            )
            return
        unknown, calls = sum(row["unknown"] for row in answer.rows), sum(row["calls"] for row in answer.rows)
        shown = [{**row, "name": str(row["name"])[:60]} for row in answer.rows]
        total = sum(row["cost_usd"] for row in answer.rows)
        st.altair_chart(charts.cost(shown, theme()), alt=f"{title}: {len(shown)} bars, together {units.cost(total)}.")
        if unknown:
            st.caption(
                f":material/help: The price of {units.count(unknown)} of {units.count(calls)} calls ({units.share(unknown, calls)}) is unknown; they are not in the sums."
            )
        if len(shown) == 12:
            st.caption(":material/content_cut: The 12 with the highest spend are shown.")


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
    with panel(
        "Audit-write latency",
        seen.audit,
        key="audit",
        note="From request to durable acknowledgement, of audit-class records; the worst of each bucket",
    ):
        if not seen.audit.rows:
            empty(
                f"No audit-class write in the last {seen.window.words}.",
                "The SDK's audit() writes them; the collector measures each from request to durable acknowledgement.",
            )
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
            empty(
                "No alert is firing or pending.",
                "The alert process writes every transition here: auditlake up starts it with the rules of otel-config.yaml.",
            )
            return
        signs = {"firing": "🔥 firing", "pending": "⏳ pending", "error": "⚠ error"}
        _table(
            [{"state": signs[row["state"]], "alert": row["alertname"], "severity": row["severity"], "summary": row["summary"], "since": row["active_at"] or row["time"]}
             for row in seen.alerts.rows],
            {"since": st.column_config.DatetimeColumn("since, UTC", format="YYYY-MM-DD HH:mm:ss")},
            alt=f"{len(seen.alerts.rows)} alerts that are not over",
        )  # fmt: skip


def agents(context: Context, seen: Overview) -> None:
    with panel(
        "Agents",
        seen.agents,
        key="agents",
        note="alive: a heartbeat within 1.5 of its own intervals; late: within 3; down: longer silent; stopped: it said so",
    ):
        if not seen.agents.rows:
            empty(
                "No agent sends heartbeats.", "Call auditlake.heartbeat() in the agent, or send a log record with the event name heartbeat."
            )
            return
        signs = {"alive": "✓ alive", "late": "◔ late", "down": "✗ down", "stopped": "■ stopped"}
        _table(
            [{"state": signs[row["state"]], "agent": row["agent_name"], "says": row["status"], "last beat": units.ago(context.now - timedelta(seconds=row["silent_seconds"]), context.now),
              "every": units.duration(row["interval_seconds"] * 1000), "config": _config(row), "cpu": row["cpu_percent"], "memory": units.size(row["memory_bytes"])}
             for row in seen.agents.rows],
            {"cpu": st.column_config.NumberColumn("CPU", format="%.1f %%")},
            alt=f"{len(seen.agents.rows)} agents and their last heartbeats",
        )  # fmt: skip


def _config(row: Mapping[str, Any]) -> str:
    newest = row["newest_config_version"]
    if row["config_version"] is None:
        return units.UNKNOWN
    return str(row["config_version"]) + (f" (newest {newest})" if newest and newest != row["config_version"] else "")


def redactions(seen: Overview) -> None:
    with panel(
        "Redactions",
        seen.redactions,
        key="redactions",
        note="What was taken out before anything was stored; WITHHELD: redaction failed, so the value was left out",
    ):
        if not seen.redactions.rows:
            empty(
                f"Nothing was redacted in the last {seen.window.words}.",
                "Personal data and credentials are taken out on arrival; findings are counted here.",
            )
            return
        _table(
            [{"entity": row["entity"], "agent": row["agent_name"], "found": row["found"], "records": row["records"], "last": row["last_seen"]} for row in seen.redactions.rows],
            {"last": st.column_config.DatetimeColumn("last, UTC", format="YYYY-MM-DD HH:mm:ss")},
            alt="Redaction findings by entity and agent",
        )  # fmt: skip
        if len(seen.redactions.rows) == 50:
            st.caption(":material/content_cut: The 50 most frequent are shown.")


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any], *, alt: str) -> None:
    st.dataframe(list(rows), hide_index=True, column_config=dict(columns), alt=alt, height=min(38 + 35 * len(rows), 290))
