"""Overview: is anything wrong now? A verdict, tiles that lead to what they count, and the trends behind them."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from dashboards import health, reads, visits
from dashboards.panels import escape, remedied
from dashboards.views import overview_data
from dashboards.views import overview_panels as panels
from dashboards.views.context import Context, as_of
from dashboards.views.overview_data import Overview, load
from dashboards.window import DEFAULT, RANGES, Window

LOADING_HEIGHT = 600
REFRESH_SECONDS = {"15m": 5, "1h": 10, "6h": 15, "24h": 15, "7d": 60, "30d": 60}


def page(context: Context) -> None:
    """The page; everything below the time range refreshes by itself while Live is on."""
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.title("Overview", width="content", anchor=False)
        with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="right"):
            said = "Refresh by itself: every 5 to 60 seconds, by the time range; less often where answers take long"
            live = st.toggle("Live", value=True, key="live", help=said, bind="query-params")
            name = st.segmented_control("Time range", list(RANGES), default=DEFAULT, required=True, key="range", bind="query-params")
    st.fragment(_body, run_every=REFRESH_SECONDS[context.window(name).name] if live else None)(context, name)


def _body(context: Context, name: str | None) -> None:
    shown = f"overview {context.window(name).name}"
    with remedied(), reads.steady(context.data, shown, context.clock) as (version, now_ns):
        _drawn(replace(context, clock=lambda: now_ns, version=version), name)


def _drawn(context: Context, name: str | None) -> None:
    window = context.window(name)
    seen = _loaded(context, window)
    answers = (seen.runs, seen.freshness, seen.ingest, seen.audit, seen.agents, seen.alerts)
    visits.saw("overview", rows=sum(len(answer.rows) for answer in answers), filters={"range": window.name})
    if seen.nothing:
        _first_steps()
        return
    _verdict(context, seen)
    panels.tiles(context, seen)
    _side_by_side(lambda: panels.outcomes(seen), lambda: panels.latency(context, seen))
    _side_by_side(lambda: panels.alerts(seen), lambda: panels.agents(context, seen))
    spend = overview_data.cost(context, window)
    _side_by_side(lambda: panels.cost(spend, seen, "agent"), lambda: panels.cost(spend, seen, "model"))
    _side_by_side(lambda: panels.ingest(seen), lambda: panels.audit_writes(seen))
    panels.redactions(overview_data.redactions(context, window), seen)
    as_of(context)


def _loaded(context: Context, window: Window) -> Overview:
    waiting = st.empty()
    if "overview_seen" not in st.session_state:
        waiting.skeleton(height=LOADING_HEIGHT)
    try:
        seen = load(context, window)
    finally:
        waiting.empty()
    st.session_state["overview_seen"] = True
    return seen


def _side_by_side(*panels_of_row: Callable[[], None]) -> None:
    for column, show in zip(st.columns(len(panels_of_row)), panels_of_row, strict=True):
        with column:
            show()


def _verdict(context: Context, seen: Overview) -> None:
    found = health.findings(
        alerts=seen.alerts.rows,
        agents=seen.agents.rows,
        summary=seen.summary,
        freshness=seen.freshness.first,
        audit=seen.audit.rows,
        now=context.now,
    )
    if not found:
        st.success(f"Nothing is known to be wrong in the last {seen.window.words}.", icon=":material/check_circle:")
        return
    sentences = [
        finding.text + (f" ({', '.join(map(_name, finding.names[:3]))}{' …' if len(finding.names) > 3 else ''})" if finding.names else "")
        for finding in found
    ]
    text = ", ".join(sentences)
    show = st.error if found[0].severity == "bad" else st.warning
    show(f"**{text[0].upper()}{text[1:]}.**", icon=":material/error:" if found[0].severity == "bad" else ":material/warning:")


def _name(name: str) -> str:
    return escape(name if len(name) <= 40 else name[:39] + "…")


def _first_steps() -> None:
    with st.container(border=True):
        st.subheader("The lake is empty", anchor=False)
        st.markdown(
            "Nothing has been recorded yet. Point any OpenTelemetry exporter at the collector: OTLP/gRPC on port 4317 or OTLP/HTTP on "
            "port 4318. Its records are here two seconds after they were acknowledged."
        )
        st.code(
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf python agent.py", language="bash"
        )
        st.markdown("Or run `auditlake demo`, which brings sample agents along.")
