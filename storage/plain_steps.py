"""The steps of a run made of its rows as stored, where every record is a step and none tells what another does.

Says in Python what `sql/views/_span_steps.sql` and `_event_steps.sql` say, in the order of `sql/queries/run_steps.sql`: to bind those
hundred columns takes longer than all else about a short run, and most columns of a run are NULL. tests/storage/runs/test_run_row.py
holds the two together.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from storage.schema import TABLES
from storage.stored_rows import BESIDE, Rows, Values

_FIRST: Final = (
    "record_id", "run_id", "session_id", "tenant", "project", "environment", "release", "agent_name", "agent_id", "agent_version", "actor",
    "kind", "name", "started_at", "ended_at", "duration_ms", "status", "status_message", "trace_id", "span_id", "parent_span_id", "source",
)  # fmt: skip
_UNTOLD: Final = frozenset({"salt", "resent", "step_kind", "start_time", "end_time", "status_code", "time", "time_ns"})
"""Columns of rows that steps do not have, or have under other names."""
_UNTOLD_OF_EVENTS: Final = frozenset({"observed_time", "observed_ns"})
_OF_SPANS: Final = tuple(name for name in (*TABLES["spans"].names, *BESIDE) if name not in _UNTOLD.union(_FIRST))
_OF_EVENTS: Final = tuple(name for name in TABLES["events"].names if name not in _UNTOLD.union(_UNTOLD_OF_EVENTS, _FIRST, _OF_SPANS))
NAMES: Final = (*_FIRST, *_OF_SPANS, "span_kind", *_OF_EVENTS, "counted", "retried", "repeated")
"""The columns of a step, in the order of the view `steps`."""
_COLUMNS: Final = frozenset(NAMES)
_OWN: Final = "auditlake."
_ERROR: Final = 2
_OK: Final = 1
_SEVERE: Final = 17


def steps_of_run(run_id: str, runs: Mapping[str, str], spans: Rows, events: Rows) -> list[dict[str, Any]]:
    """Return the steps of the run, in the order of its story, each with the columns of `NAMES`.

    `runs` says of traces to which run they belong; of others the rows say it.
    """
    blank = dict.fromkeys(NAMES) | {"run_id": run_id, "retried": False, "repeated": False}
    steps = [
        *_steps(_spans_of(run_id, runs, spans), _told_by_spans, blank),
        *_steps(_events_of(run_id, runs, events), _told_by_events, blank),
    ]
    steps.sort(key=_place)
    return steps


def _spans_of(run_id: str, runs: Mapping[str, str], rows: Rows) -> Rows:
    named = zip(rows["trace_id"], rows["run_id"], rows["scope_name"], strict=True)
    return rows.only([runs.get(trace, run) == run_id and not _is_own(scope) for trace, run, scope in named])


def _events_of(run_id: str, runs: Mapping[str, str], rows: Rows) -> Rows:
    named = zip(rows["trace_id"], rows["run_id"], rows["scope_name"], strict=True)
    return rows.only([runs.get(run if trace is None else trace, run) == run_id and not _is_own(scope) for trace, run, scope in named])


def _is_own(scope: str | None) -> bool:
    return scope is not None and scope.startswith(_OWN)


def _steps(rows: Rows, told: Callable[[Rows], dict[str, Values]], blank: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not len(rows):
        return []
    columns = {name: rows[name] for name in rows.known() if name in _COLUMNS and name != "run_id"} | told(rows)
    steps = []
    for values in zip(*columns.values(), strict=True):
        step = dict(blank)
        step.update(zip(columns, values, strict=True))
        steps.append(step)
    return steps


def _told_by_spans(rows: Rows) -> dict[str, Values]:
    begun, ended = rows["start_ns"], rows["end_ns"]
    kinds = ["other" if kind is None else kind for kind in rows["step_kind"]]
    said = zip(rows["step_kind"], rows["outcome"], rows["status_code"], strict=True)
    took = [(end - begin) / 1e6 if end is not None and end >= begin else None for begin, end in zip(begun, ended, strict=True)]
    return {
        "record_id": _record_ids(rows),
        "kind": kinds,
        "started_at": rows["start_time"],
        "ended_at": [time if end is not None and end > 0 else None for time, end in zip(rows["end_time"], ended, strict=True)],
        "duration_ms": took,
        "status": [_span_status(kind, outcome, code) for kind, outcome, code in said],
        "source": ["span"] * len(rows),
        "span_kind": rows["kind"],
        "counted": [kind == "model" for kind in kinds],
    }


def _told_by_events(rows: Rows) -> dict[str, Values]:
    kinds = ["other" if kind is None else kind for kind in rows["step_kind"]]
    named = zip(rows["attributes"], rows["event_name"], strict=True)
    said = zip(rows["severity_number"], rows["outcome"], rows["error_type"], rows["step_kind"], rows["event_name"], strict=True)
    return {
        "record_id": _record_ids(rows),
        "parent_span_id": rows["span_id"],
        "kind": kinds,
        "name": [_event_name(attributes or {}, name) for attributes, name in named],
        "started_at": rows["time"],
        "ended_at": rows["time"],
        "start_ns": rows["time_ns"],
        "end_ns": rows["time_ns"],
        "duration_ms": rows["latency_ms"],
        "status": [_event_status(*each) for each in said],
        "source": ["event"] * len(rows),
        "counted": [kind == "model" for kind in kinds],
    }


def _record_ids(rows: Rows) -> list[str]:
    return [f"{origin}/{entry}/{row}" for origin, entry, row in zip(rows["origin"], rows["entry"], rows["entry_row"], strict=True)]


def _span_status(kind: str | None, outcome: str | None, code: int | None) -> str:
    if kind == "tool" and outcome == "failure":
        return "error"
    if code == _ERROR:
        return "unset" if outcome in {"waiting", "handed_over"} else "error"
    return "ok" if code == _OK else "unset"


def _event_name(attributes: Mapping[str, str], name: str | None) -> str:
    return attributes.get("event.name") or (name if name is not None else attributes.get("event_name") or "log record")


def _event_status(severity: int | None, outcome: str | None, error: str | None, kind: str | None, name: str | None) -> str:
    repeats = kind is None or kind == "message" or (name is not None and name.startswith("resilience."))
    if (severity is not None and severity >= _SEVERE) or outcome == "failure" or (error is not None and not repeats):
        return "error"
    return "ok" if outcome == "success" else "unset"


def _place(step: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where a step stands in the order of `run_steps`: what is not known comes last."""
    is_event = step["source"] == "event"
    sequence, span_id, end_ns = step["sequence"], step["span_id"], step["end_ns"]
    known = ((sequence is None, sequence or 0), is_event, (span_id is None, span_id or ""), (end_ns is None, -(end_ns or 0)))
    told = tuple((step[name] is None, step[name] or "") for name in ("event_name", "body")) if is_event else ()
    return step["start_ns"], *known, told, step["record_id"]
