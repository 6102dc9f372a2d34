"""What there is among the rows of a run that decides how it is read: records that came twice, and views that can have no rows."""

from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

from storage.stored_rows import Rows, Values

_SPAN_IDENTITY: Final = ("trace_id", "span_id", "start_ns", "end_ns", "name")
"""Spans that agree in these are one, whatever else a second copy says."""
_EVENT_IDENTITY: Final = ("trace_id", "span_id", "time_ns", "event_name", "body", "severity_number", "sequence")
"""A log record has no id: two are one when they agree in these and in their attributes."""
_TOLD_TWICE: Final = frozenset({"claude-code", "codex", "mcp"})
_SUMMING: Final = frozenset({"agent", "run"})


def first_spans(rows: Rows) -> Rows:
    """Leave out spans that came before: a batch that was cut differently when it was sent again, or that went to another collector too.

    What is marked as a copy of a request that was stored before goes in any case, as it does from the views. Of the others the first
    one by origin, entry and row stays.
    """
    return _first(rows, list(zip(*(rows[name] for name in _SPAN_IDENTITY), strict=True)))


def first_events(rows: Rows) -> Rows:
    """The same of log records."""
    keys: list[Hashable] = list(zip(*(rows[name] for name in _EVENT_IDENTITY), strict=True))
    if len(set(keys)) < len(keys):
        attributes = (None if said is None else tuple(said.items()) for said in rows["attributes"])
        keys = list(zip(keys, attributes, strict=True))
    return _first(rows, keys)


def views_without_rows(spans: Rows, events: Rows) -> frozenset[str]:
    """Return those of `storage.composition.ONLY_WITH` that need a span which is not there, and `_uncounted` where no call is in doubt."""
    dialects, operations, kinds = frozenset(spans["dialect"]), frozenset(spans["operation"]), frozenset(spans["step_kind"])
    totals = zip(spans["step_kind"], spans["input_tokens"], spans["output_tokens"], spans["sent_cost_usd"], strict=True)
    there = {
        "_approval_steps": any(state is not None for state in spans["approval_state"]),
        "_execution_steps": "execution" in dialects,
        "_pending_steps": "pending_span" in operations,
        "_agent_totals": not kinds.isdisjoint(_SUMMING) and any(kind in _SUMMING and _is_said(*said) for kind, *said in totals),
        "_repeated_steps": not dialects.isdisjoint(_TOLD_TWICE),
        "_uncounted": _doubtful(spans, events),
    }
    return frozenset(view for view, is_there in there.items() if not is_there)


def _first(rows: Rows, keys: Sequence[Hashable]) -> Rows:
    resent = rows["resent"]
    if len(set(keys)) == len(keys) and True not in resent:
        return rows
    places = list(zip(rows["origin"], rows["entry"], rows["entry_row"], strict=True))
    first: dict[Hashable, int] = {}
    for number, key in enumerate(keys):
        if resent[number] is not True and places[number] <= places[first.setdefault(key, number)]:
            first[key] = number
    kept = frozenset(first.values())
    return rows.only([number in kept for number in range(len(rows))])


def _is_said(*values: object) -> bool:
    return any(value is not None for value in values)


def _doubtful(spans: Rows, events: Rows) -> bool:
    """Whether inference steps can have been reported or made more than once.

    So it is where there are two reporters, a call that failed without tokens, a response id that repeats, or a step within an inference.
    The parent of a log record is the span that it was written in.
    """
    calls = [*_calls(spans, "span", spans["parent_span_id"], _failed_spans(spans))]
    outer = {
        (trace, span) for trace, span, kind in zip(spans["trace_id"], spans["span_id"], spans["step_kind"], strict=True) if kind == "model"
    }
    calls += _calls(events, "event", events["span_id"], _failed_events(events))
    if len(calls) < 2:
        return False
    responses = [response for *_, response, _ in calls if response is not None]
    if len({reporter for _, _, reporter, *_ in calls}) > 1 or any(in_vain for *_, in_vain in calls) or len(responses) > len(set(responses)):
        return True
    others = zip(spans["trace_id"], spans["parent_span_id"], spans["step_kind"], strict=True)
    within = chain(
        ((trace, parent) for trace, parent, kind in others if kind in {None, "other"}), ((trace, parent) for trace, parent, *_ in calls)
    )
    outer = {key for key in outer if None not in key}
    return not outer.isdisjoint(within)


def _calls(rows: Rows, source: str, parents: Values, failed: Iterable[bool]) -> list[tuple[Any, ...]]:
    """Trace, parent, reporter (the instrumentation it comes from), response and whether it failed without tokens, of each inference."""
    said = zip(
        rows["step_kind"], rows["trace_id"], parents, rows["scope_name"], rows["response_id"], failed, rows["input_tokens"],
        rows["output_tokens"], strict=True,
    )  # fmt: skip
    return [
        (trace, parent, f"{scope or ''}/{source}", response, fails and given is None and answered is None)
        for kind, trace, parent, scope, response, fails, given, answered in said if kind == "model"
    ]  # fmt: skip


def _failed_spans(rows: Rows) -> Iterable[bool]:
    return (code == 2 or error is not None for code, error in zip(rows["status_code"], rows["error_type"], strict=True))


def _failed_events(rows: Rows) -> Iterable[bool]:
    said = zip(rows["severity_number"], rows["error_type"], strict=True)
    return (error is not None or (severity or 0) >= 17 for severity, error in said)
