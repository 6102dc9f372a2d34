"""Run: what the agent did, why it stopped, what it cost, what is missing. Deep link: `/run?run=ID`, with `&step=RECORD_ID` for one step."""

import hashlib
from typing import Any

import streamlit as st

from dashboards import reads, units, verdict, visits, waterfall
from dashboards.design import BADGES, SIGNS, kind_look
from dashboards.panels import empty, escape, panel, remedied
from dashboards.reads import SESSION_DAYS
from dashboards.views import run_evidence, run_workbench
from dashboards.views.context import Context, as_of, local_zone

REFRESH_SECONDS = 4
ID_LENGTH = 512
LOADING_HEIGHT = 600


def page(context: Context) -> None:
    """The run that the address names; without one, a way to name it."""
    run_id = st.query_params.get("run", "").strip()
    if not run_id:
        _ask(context)
        return
    waiting = st.empty()
    with waiting.container():
        st.title("Run", anchor=False)
        st.skeleton(height=LOADING_HEIGHT)
    try:
        found = reads.run(context.data, run_id) if len(run_id) <= ID_LENGTH else None
    finally:
        waiting.empty()
    if found is None:
        visits.saw("run", resource=run_id[:ID_LENGTH], rows=0, found=False)
        _unknown(run_id)
        _ask(context, part="latest")
        return
    visits.saw("run", resource=str(found["run"]["run_id"]), rows=len(found["steps"]))
    live = found["run"]["status"] == "running"
    st.fragment(_body, run_every=REFRESH_SECONDS if live else None)(context, run_id)


def _body(context: Context, run_id: str) -> None:
    with remedied():
        _explained(context, run_id)


def _explained(context: Context, run_id: str) -> None:
    found = reads.run(context.data, run_id)
    if found is None:
        _unknown(run_id)
        return
    key = hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    _title(found)
    _headline(found)
    _facts(found)
    run_evidence.strip(found)
    run_workbench.show(found, reads.turns(context.data, run_id), key)
    _related(context, found)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        as_of(context)
        with st.container(horizontal=True, width="content"):
            run_evidence.download(found, key)
            st.button("Refresh", icon=":material/refresh:", key=f"refresh-{key}")


def _title(found: dict[str, Any]) -> None:
    run = found["run"]
    status = run["status"]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(escape(str(run["agent_name"] or run["name"] or "Run")[:80]), width="content", anchor=False)
        st.badge(f"{SIGNS.get(status, '')} {status}", color=BADGES.get(status, "gray"))
        if status == "running":
            st.badge("refreshes by itself", icon=":material/autorenew:", color="gray")
        st.space("stretch")
        st.code(str(run["run_id"])[:ID_LENGTH], language=None, width="content")
    said = [f"{label} **{escape(str(run[key])[:60])}**" for label, key in _SAID if run.get(key)]
    st.markdown(" · ".join([f"started **{escape(units.moment(run['started_at'], local_zone()))}**", *said]))


_SAID = (
    ("name", "name"),
    ("task", "task_type"),
    ("release", "release"),
    ("environment", "environment"),
    ("tenant", "tenant"),
    ("actor", "actor"),
    ("session", "session_id"),
)
_SHOWN_AS = {
    "ok": (st.success, ":material/check_circle:"),
    "error": (st.error, ":material/error:"),
    "abandoned": (st.warning, ":material/link_off:"),
}


def _headline(found: dict[str, Any]) -> None:
    run, cause = found["run"], verdict.cause(found["steps"])
    show, icon = _SHOWN_AS.get(run["status"], (st.info, ":material/pending:"))
    text = f"**{escape(verdict.headline(run))}.**"
    if run.get("stop_reason") and run["stop_reason"] not in verdict.REASONS:
        text += f" Stop reason: {escape(str(run['stop_reason'])[:120])}."
    if cause is not None:
        said = ": ".join(str(cause[name]) for name in ("error_type", "status_message") if cause.get(name)) or "failed without saying why"
        where = "On the way failed" if run["status"] == "ok" else "Deepest error"
        text += f" {where}: {kind_look(cause['kind']).label.lower()} **{escape(waterfall.label(cause)[:80])}**, {escape(said[:300])}"
    show(text, icon=icon)


def _facts(found: dict[str, Any]) -> None:
    facts = verdict.facts(found["run"], found["steps"])
    for column, fact in zip(st.columns(len(facts)), facts, strict=True):
        with column.container(border=True, height="stretch", gap=None):
            st.metric(fact.label, fact.value, icon=f":material/{fact.icon}:")
            st.caption(escape(fact.said))


def _related(context: Context, found: dict[str, Any]) -> None:
    run = found["run"]
    traces = [str(trace) for trace in run.get("trace_ids") or []]
    with st.expander(
        f"Session and traces · {units.plural(len(traces), 'trace')}", icon=":material/hub:", key="session", on_change="rerun"
    ) as opened:
        if not opened.open:
            return
        st.markdown("**Traces of this run**")
        st.code("\n".join(traces) or "none", language=None)
        if not run.get("session_id"):
            empty("This run names no session.", "Send gen_ai.conversation.id or session.id to group the runs of a conversation.")
            return
        answer = reads.related_runs(context.data, run)
        visits.saw("run", resource=str(run["run_id"]), rows=len(answer.rows), filters={"session": run["session_id"]}, part="session")
        with panel("Other runs of the session", answer, key="related"):
            if not answer.rows:
                said = f"No other run of its session was under way within {SESSION_DAYS} days of it."
                empty(said, "Runs with the same session id and tenant are listed here.")
            for row in answer.rows:
                _link(context, row)
            if len(answer.rows) == 20:
                st.caption(":material/content_cut: The newest 20 are listed; the list of runs has all: search for the session's id.")


def _link(context: Context, row: dict[str, Any]) -> None:
    name = escape(str(row["agent_name"] or row["name"] or row["run_id"])[:60])
    label = f"{SIGNS.get(row['status'], '')} {name} · {escape(units.moment(row['started_at']))} · {units.duration(row['duration_ms'])}"
    st.page_link(context.links["run"], label=label, icon=":material/account_tree:", query_params={"run": row["run_id"]})


def _unknown(run_id: str) -> None:
    st.error("No run with this id is in the lake.", icon=":material/search_off:")
    st.code(run_id[:ID_LENGTH], language=None)
    st.markdown(
        "It may not have arrived yet (records are here within two seconds of their acknowledgement) or be expired by retention. "
        "If it is a part of something else, search for it in **Runs**."
    )


def _ask(context: Context, *, part: str = "") -> None:
    st.title("Run", anchor=False)
    with st.form("find", border=False):
        text = st.text_input("Run id", placeholder="the id of a run", key="ask")
        if st.form_submit_button("Open", icon=":material/open_in_new:") and text.strip():
            st.switch_page(context.links["run"], query_params={"run": text.strip()[:ID_LENGTH]})
    window = context.window("24h")
    answer = reads.in_window(context.data, "runs_latest", window)
    visits.saw("run", resource="latest runs", rows=len(answer.rows), filters={"range": window.name}, part=part)
    with panel("Latest runs", answer, key="latest"):
        if not answer.rows:
            empty("No runs in the last 24 hours.", "Send spans over OTLP to the collector: ports 4317 (gRPC) and 4318 (HTTP).")
        for row in answer.rows:
            _link(context, row)
    st.page_link(context.links["runs"], label="All runs", icon=":material/list:")
