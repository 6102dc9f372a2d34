"""Codex (OpenAI's coding agent): log events `codex.*` and the spans of its tracing.

A turn is a run: `turn.id` names it on the spans of its task. Everything else that Codex does runs in traces of its own: those that name
the conversation, and its log records, most of which have no trace, are of the turn that had begun last; the internals that name nothing (a
library's spans, caches, file reads) are of the turn whose trace began in the same minute in the same program, when there is exactly one,
and of no run otherwise. Where only log records are exported, nothing tells turns apart: a conversation is a run.
The log's attribute `event.name` names the event; the record's own event name is a place in the source.
"""

from typing import Any, Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import decision
from collector.dialects.record import JOINS, NEARBY, NO_RUN, OPENS, TURNS, Attributes, Dialect, Fields, Join, LogView, SpanView
from collector.dialects.usage import make_inclusive
from collector.dialects.values import boolean, integer, number, text


def _identifier(value: Any) -> str | None:
    """Return a conversation's id; `thread.id` is also the number of an operating system's thread."""
    return value if isinstance(value, str) and not value.isdecimal() and value else None


_OF_TURN: Final = "codex.turn.token_usage."
_TURN: Final = _OF_TURN + "input_tokens"
NAMES: Final[Names] = {
    "run_id": (_identifier, ("turn.id", "turn_id")),
    "session_id": (_identifier, ("conversation.id", "thread.id", "thread_id", "session.id")),
    "actor": (text, ("user.account_id", "user.email")),
    "release": (text, ("app.version",)),
    "model_requested": (text, ("model", "slug")),
    "input_tokens": (integer, ("input_token_count", "gen_ai.usage.input_tokens", _TURN)),
    "output_tokens": (integer, ("output_token_count", "gen_ai.usage.output_tokens", _OF_TURN + "output_tokens")),
    "cache_read_tokens": (integer, ("cached_token_count", "gen_ai.usage.cache_read.input_tokens", _OF_TURN + "cached_input_tokens")),
    "cache_write_tokens": (integer, ("cache_write_token_count", "gen_ai.usage.cache_write.input_tokens")),
    "reasoning_tokens": (integer, ("reasoning_token_count", "codex.usage.reasoning_output_tokens", _OF_TURN + "reasoning_output_tokens")),
    "retry_count": (integer, ("attempt",)),
    "latency_ms": (number, ("duration_ms", "initial_duration_ms")),
    "tool_name": (text, ("tool_name",)),
    "tool_call_id": (text, ("call_id",)),
    "error_type": (text, ("error.type", "auth.error_code", "http.response.status_code", "error.message")),
}
TABLE: Final = NameTable(NAMES, COMMON)
METRIC: Final[Names] = {column: NAMES[column] for column in ("session_id", "actor", "release")} | {
    "model": (text, ("model",)),
    "tool_name": (text, ("tool", "tool_name")),
}
_PROGRAMS: Final = ("codex_", "codex-")
_OF_RUST: Final = frozenset({"busy_ns", "idle_ns", "thread.id", "thread.name", "code.module.name", "code.namespace", "target"})
"""What Rust's tracing puts on every span: another program that is named after Codex has other spans."""
_PREFIX: Final = "codex."
_CALL: Final = "gen_ai.usage.input_tokens"
_TOOL: Final = "aborted"
"""Stands on the span around a tool's execution, beside `tool_name` and `call_id`."""
_REQUESTS: Final = frozenset({"api_request", "websocket_request", "websocket_connect"})
_STREAMS: Final = frozenset({"sse_event", "websocket_event"})
_COMPLETED: Final = "response.completed"
_LAST_ATTEMPT: Final = 4
"""The last of the attempts, counted from 0, that Codex makes where its configuration says nothing; client errors are not tried again."""


def read_span(span: SpanView) -> Fields | None:
    """Read a span of Codex; all spans of its process are exported, also those of the libraries that it uses."""
    if not (span.scope.startswith(_PROGRAMS) or _TURN in span.attributes):
        return None
    attributes = span.attributes
    fields = TABLE.read(attributes)
    _add_environment(fields, span.resource)
    if _TURN in attributes or span.name == "session_task.turn":
        fields["step_kind"], fields["operation"] = "run", "invoke_agent"
    elif _CALL in attributes:
        fields["step_kind"], fields["operation"] = "model", "chat"
        make_inclusive(fields, integer(attributes.get("codex.usage.total_tokens")))
    elif _TOOL in attributes and "tool_name" in fields:
        fields["step_kind"], fields["operation"] = "tool", "execute_tool"
    else:
        fields["step_kind"] = "other"
        fields.pop("tool_name", None)
    if fields["step_kind"] == "run":
        genai.keep_total(fields, integer(attributes.get(_OF_TURN + "total_tokens")))
    elif fields["step_kind"] != "model":
        _without_call(fields)
    if not span.failed:
        fields.pop("error_type", None)
    _join(fields, span)
    return fields


def read_log(record: LogView) -> Fields | None:
    """Read an event of Codex."""
    if not record.event_name.startswith(_PREFIX):
        return None
    attributes = record.attributes
    event = record.event_name.removeprefix(_PREFIX)
    fields = TABLE.read(attributes)
    _add_environment(fields, record.resource)
    fields["step_kind"], fields["operation"] = "other", event
    if event in _REQUESTS or event in _STREAMS:
        _read_request(fields, event, attributes)
    elif event == "tool_result":
        _read_call(fields, attributes)
    elif event == "tool_decision":
        _read_decision(fields, attributes)
    elif event == "sandbox_outcome":
        outcome = text(attributes.get("outcome"))
        verdict = decision(outcome)
        fields |= {"step_kind": "policy", "reason_code": outcome, "action": fields.get("tool_name")}
        fields["decision"] = verdict if verdict in {"allow", "deny"} else None
    elif event in {"user_prompt", "agent_response", "agent_communication"}:
        fields["step_kind"] = "message"
    if fields["step_kind"] != "model":
        _without_call(fields)
    _identify(fields, record)
    return fields


def _read_request(fields: Fields, event: str, attributes: Attributes) -> None:
    """A completed response is a call, and so is one that failed for good; requests that were answered repeat the response's call, and
    a request that is made again is the same call.
    """
    status = integer(attributes.get("http.response.status_code"))
    success = boolean(attributes.get("success"))
    failed = success is False or bool(attributes.get("error.message") or attributes.get("error.type")) or (status or 0) >= 400
    completed = attributes.get("event.kind") == _COMPLETED and "input_tokens" in fields
    if not failed:
        fields.pop("error_type", None)
    again = event in _REQUESTS and not 400 <= (status or 0) < 500 and (integer(attributes.get("attempt")) or 0) < _LAST_ATTEMPT
    if failed:
        fields["outcome"] = "failure"
        fields["error_type"] = str(fields.get("error_type") or attributes.get("event.kind") or "error").split("\n", 1)[0][:128]
    if event == "websocket_connect" or (not completed and (not failed or again)):
        return
    fields["step_kind"], fields["operation"] = "model", "chat"
    if completed:
        make_inclusive(fields, integer(attributes.get("tool_token_count")))


def _read_call(fields: Fields, attributes: Attributes) -> None:
    fields["step_kind"], fields["operation"] = "tool", "execute_tool"
    success = boolean(attributes.get("success"))
    if success is not None:
        fields["outcome"] = "success" if success else "failure"
    if success is False:
        fields.setdefault("error_type", "tool_error")
    else:
        fields.pop("error_type", None)


def _read_decision(fields: Fields, attributes: Attributes) -> None:
    """Read a permission: one that a user gave is an approval, any other a policy's decision."""
    sent, source = (text(attributes.get(name)) or "" for name in ("decision", "source"))
    allowed = sent.lower().startswith("approved")
    fields["reason_code"], fields["action"] = source.lower() or None, fields.get("tool_name")
    if source.lower() == "user":
        state = "granted" if allowed else "expired" if sent.lower() == "timed_out" else "denied"
        fields |= {"step_kind": "approval", "approval_state": state, "approver": fields.get("actor"), "requires_approval": True}
    else:
        fields |= {"step_kind": "policy", "decision": "allow" if allowed else "deny"}


def _without_call(fields: Fields) -> None:
    genai.without_call(fields)
    fields.pop("retry_count", None)


def _add_environment(fields: Fields, resource: Attributes) -> None:
    environment = text(resource.get("env"))
    if environment is not None and "deployment.environment" not in resource and "deployment.environment.name" not in resource:
        fields.setdefault("environment", environment)


def _join(fields: Fields, span: SpanView) -> None:
    """Say what a trace shares with others: the conversation, else the program and the minute in which it began."""
    joins = list(_of_conversation(fields, opens=span.name == "session_init")) if "session_id" in fields else []
    if span.is_root or fields["step_kind"] == "run":
        program = ":".join(str(span.resource.get(name, "")) for name in ("service.name", "service.version", "env", "service.instance.id"))
        joins.append(Join(f"{NEARBY}codex:{program}"))
    if joins:
        fields[JOINS] = tuple(joins)
    if "run_id" not in fields and fields["step_kind"] == "other" and not _OF_RUST.isdisjoint(span.attributes):
        fields[NO_RUN] = True


def _identify(fields: Fields, record: LogView) -> None:
    if "session_id" not in fields:
        return
    fields[JOINS] = _of_conversation(fields, opens=fields["operation"] == "conversation_starts")
    if "run_id" not in fields and not record.in_span:
        fields["run_id"] = fields["session_id"]


def _of_conversation(fields: Fields, *, opens: bool) -> tuple[Join, ...]:
    """What a record shares with its conversation; `opens`: it is the first of a process, which begins or resumes it."""
    key = f"codex:{fields['session_id']}"
    return (Join(key, TURNS), Join(key, OPENS)) if opens else (Join(key, TURNS),)


DIALECT: Final = Dialect(
    "codex",
    2,
    read_span,
    read_log,
    recognised_by="a scope that begins with `codex_` or `codex-`, or an event name that begins with `codex.`",
    reads="Codex: the CLI, `codex exec`, the app server and the editor's extension",
    scopes=_PROGRAMS,
    marks=frozenset({_TURN}),
)
