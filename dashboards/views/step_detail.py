"""One step of a run, whole: its content, attributes and events as stored, how its cost comes about, and where its evidence is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboards import arithmetic, story, units, waterfall
from dashboards.design import BADGES, SIGNS, kind_look
from dashboards.panels import empty, escape
from dashboards.views.context import local_zone
from storage import messages
from storage.messages import Message, Turn

HEIGHT = 760
TEXT_SHOWN = 40_000

Step = Mapping[str, Any]


def head(steps: Sequence[Step], step: Step, key: str, *, select: Callable[[str], None]) -> None:
    """Where the step is among the others, and the way to its neighbours."""
    ordered = [str(other["record_id"]) for other in story.in_order(steps)]
    place = ordered.index(str(step["record_id"]))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**Step {units.count(place + 1)} of {units.count(len(ordered))}**", width="content")
        with st.container(horizontal=True, width="content", gap="small"):
            _move("Previous", "arrow_upward", "P", ordered, place - 1, key, select)
            _move("Next", "arrow_downward", "N", ordered, place + 1, key, select)


def show(step: Step, turns: Sequence[Turn]) -> None:
    """The panel beside the story. `turns`: what the step said that was not said before."""
    with st.container(border=True, height=HEIGHT):
        _head(step)
        content, attributes, events, evidence = st.tabs(["Content", "Attributes", "Events and links", "Evidence"])
        with content:
            _content(step, turns)
            _cost(step)
        with attributes:
            _attributes(step)
        with events:
            _events(step)
        with evidence:
            _evidence(step)


def _move(label: str, icon: str, shortcut: str, ordered: list[str], to: int, key: str, select: Callable[[str], None]) -> None:
    inside = 0 <= to < len(ordered)
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"{label}-{key}",
        on_click=select,
        args=(ordered[to] if inside else "",),
        disabled=not inside,
        type="tertiary",
        shortcut=shortcut,
    )


def _head(step: Step) -> None:
    look = kind_look(step["kind"])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(look.label, icon=f":material/{look.icon}:", color="gray")
        if step["status"] != "unset":
            st.badge(f"{SIGNS.get(step['status'], '')} {step['status']}", color=BADGES.get(step["status"], "gray"))
        for mark in waterfall.marks(step):
            st.badge(escape(mark[:40]), color="orange" if mark in {"redacted", "requested"} else "gray")
    st.markdown(f"#### {escape(waterfall.label(step)[:200])}")
    took = units.duration(step["duration_ms"]) if step.get("duration_ms") is not None else "no duration"
    st.caption(f"{escape(units.moment(step['started_at'], local_zone(), precise=True))} · {took}")
    if step["status"] == "error":
        said = ": ".join(str(step[name]) for name in ("error_type", "status_message") if step.get(name))
        st.error(escape(said[:1000]) or "It failed without saying why.", icon=":material/error:")


def _content(step: Step, turns: Sequence[Turn]) -> None:
    attributes = step.get("attributes") or {}
    shown = bool(turns)
    for turn in turns:
        _conversation(step, turn)
    if step["kind"] == "model":
        if not turns:
            shown = _repeated(step)
    else:
        words = ("Arguments", "Result") if step["kind"] == "tool" else ("Input", "Output")
        for label, text in zip(words, (messages.arguments(attributes), messages.result(attributes)), strict=True):
            if text:
                _text(label, text)
                shown = True
    if step.get("body"):
        _text("Body", messages.pretty(str(step["body"])))
        shown = True
    facts = _canonical(step)
    if facts:
        st.markdown("**Known about it**")
        st.dataframe(
            [{"field": name, "value": value} for name, value in facts],
            hide_index=True,
            alt="What the record is understood to say",
            height="content",
        )
    if not shown and not facts:
        empty(
            "This step carries no content.",
            "Content arrives as gen_ai.input.messages, gen_ai.tool.call.arguments and their kind, if the agent records it.",
        )


def _conversation(step: Step, turn: Turn) -> None:
    """What is new, and on request all that the call was given."""
    if turn.resent:
        st.caption(f":material/history: {units.plural(turn.resent, 'earlier message')} unchanged, and sent again.")
    everything = turn.resent > 0 and st.toggle("Show what was sent again", key=f"resent-{turn.record_id}-{turn.number}")
    _messages("Given", (everything and messages.messages_of_step(step)[0]) or turn.given)
    _messages("Answered", turn.answered)


def _repeated(step: Step) -> bool:
    """What a call says that other steps say, too; whether there is any."""
    given, answered = messages.messages_of_step(step)
    if given or answered:
        st.caption(":material/content_copy: Another step of this run says the same; the story tells it there.")
        _messages("Given", given)
        _messages("Answered", answered)
    return bool(given or answered)


def _messages(label: str, said: Sequence[Message]) -> None:
    for message in said:
        for part in message.parts:
            _text(f"{label}: {message.role[:40]}{_SORTS.get(part['type'], '')}", messages.shown(part))


_SORTS = {
    "tool_call": " · calls a tool",
    "tool_result": " · tool result",
    "reasoning": " · thinks",
    "blob": " · content",
    "file": " · file",
}


def _text(label: str, text: str) -> None:
    """Text from an agent is shown as text: nothing in it is Markdown, so nothing in it is fetched or followed."""
    st.caption(escape(label))
    json_like = text[:1] in {"{", "["}
    st.code(text[:TEXT_SHOWN], language="json" if json_like else None, wrap_lines=True)
    if len(text) > TEXT_SHOWN:
        st.caption(f":material/content_cut: {units.count(len(text) - TEXT_SHOWN)} more characters are in the downloaded JSON.")


_CANONICAL = (
    "agent_name", "operation", "action", "resource", "outcome", "provider", "model_requested", "model", "prompt_version",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "finish_reason", "stop_reason",
    "error_type", "tool_name", "tool_call_id", "side_effect", "requires_approval", "decision", "reason_code", "policy_version",
    "approver", "approval_state", "eval_name", "eval_score", "eval_threshold", "eval_passed", "dialect", "sequence",
)  # fmt: skip


def _canonical(step: Step) -> list[tuple[str, str]]:
    return [(name, str(step[name])[:300]) for name in _CANONICAL if step.get(name) not in {None, ""}]


def _cost(step: Step) -> None:
    if step["kind"] != "model":
        return
    st.markdown("**Cost**")
    if step.get("counted") is False:
        st.caption("Not counted: another step of this run reports the same call.")
    lines, adds_up = arithmetic.lines(step)
    if not lines:
        empty("No tokens are known for this call.", "Send gen_ai.usage.input_tokens and gen_ai.usage.output_tokens.")
        return
    rows = [
        {
            "part": line.what,
            "tokens": line.tokens,
            "US dollars": line.usd,
            "per million": line.usd / line.tokens * 1e6 if line.usd is not None else None,
        }
        for line in lines
    ]
    columns = {name: st.column_config.NumberColumn(format=style) for name, style in (("US dollars", "$%.6f"), ("per million", "$%.2f"))}
    st.dataframe(rows, hide_index=True, column_config=columns, alt="How the cost of this call comes about", height="content")
    if step.get("cost_usd") is None:
        st.caption(f"Its price is unknown ({escape(str(step.get('cost_source') or 'no reason was recorded')[:120])}): that is not free.")
        return
    source = " · ".join(escape(str(step[name])[:80]) for name in ("cost_source", "price_version") if step.get(name))
    note = "" if adds_up else " The price table of this installation gives another sum, so only the stored total is shown."
    st.caption(f"Stored: **{escape(units.cost(step['cost_usd']))}** ({source}).{note}")


def _attributes(step: Step) -> None:
    for title, key in (("Attributes", "attributes"), ("Resource", "resource_attributes")):
        values = step.get(key) or {}
        st.caption(f"{title} · {units.count(len(values))}, as stored")
        if values:
            rows = [{"key": name, "value": value} for name, value in sorted(values.items())]
            st.dataframe(
                rows,
                hide_index=True,
                alt=f"{title} of the step",
                height=min(38 + 35 * len(rows), 420),
                column_config={"value": st.column_config.TextColumn(width="large")},
            )


def _events(step: Step) -> None:
    events, links = step.get("events") or [], step.get("links") or []
    if not events and not links:
        empty(
            "No span events and no links.",
            "Exceptions and messages that a framework records as span events are listed here, and links to other traces.",
        )
    for event in events:
        st.caption(escape(f"{event.get('name')} · {event.get('time_ns')} ns"))
        st.json(dict(event.get("attributes") or {}), expanded=True)
    for link in links:
        st.caption("Link to another trace")
        st.code(f"trace {link.get('trace_id')}\nspan  {link.get('span_id')}", language=None)


def _evidence(step: Step) -> None:
    st.caption("Where this record stands. Its proof is not checked on this page.")
    for label, name in (("Record", "record_id"), ("Trace", "trace_id"), ("Span", "span_id"), ("Parent span", "parent_span_id")):
        if step.get(name):
            st.caption(label)
            st.code(str(step[name]), language=None)
    rows = [
        ("ledger origin", step.get("origin")),
        ("ledger entry", step.get("entry")),
        ("row in the entry", step.get("entry_row")),
        ("redaction policy", step.get("policy_hash")),
        ("instrumentation", " ".join(str(step[name]) for name in ("scope_name", "scope_version") if step.get(name))),
        ("redacted here", ", ".join(f"{entity} × {number}" for entity, number in dict(step.get("redactions") or {}).items())),
    ]  # fmt: skip
    st.dataframe(
        [{"what": what, "value": str(value)} for what, value in rows if value not in {None, ""}],
        hide_index=True,
        alt="Evidence of the step",
        height="content",
    )
