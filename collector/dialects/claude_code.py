"""Claude Code and the Claude Agent SDK: log events `claude_code.*`, and the spans of its beta traces.

A prompt is a run: `prompt.id` names it on every event that belongs to one, and the spans of a trace belong to the prompt that the
events in it name. A request that is exported as the root of a trace of its own is found again by the ids that an event without a trace
shares with it. Before there were prompt ids, a session was a run. Input tokens are sent without the cached ones.
"""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import decision, finish_reason
from collector.dialects.record import JOINS, NO_RUN, SENT_COST, Attributes, Dialect, Fields, Join, LogView, SpanView
from collector.dialects.usage import add_cached
from collector.dialects.values import boolean, integer, number, parsed, text

NAMES: Final[Names] = {
    "run_id": (text, ("prompt.id",)),
    "session_id": (text, ("session.id",)),
    "actor": (text, ("user.account_uuid", "user.account_id", "user.id")),
    "tenant": (text, ("organization.id",)),
    "release": (text, ("app.version",)),
    "agent_name": (text, ("agent.name", "agent_type")),
    "agent_id": (text, ("agent_id",)),
    "model_requested": (text, ("gen_ai.request.model", "model")),
    "response_id": (text, ("request_id", "gen_ai.response.id", "client_request_id")),
    "input_tokens": (integer, ("input_tokens",)),
    "output_tokens": (integer, ("output_tokens",)),
    "cache_read_tokens": (integer, ("cache_read_tokens",)),
    "cache_write_tokens": (integer, ("cache_creation_tokens",)),
    "finish_reason": (finish_reason, ("stop_reason", "gen_ai.response.finish_reasons")),
    "latency_ms": (number, ("duration_ms", "interaction.duration_ms", "total_duration_ms")),
    "tool_name": (text, ("tool_name",)),
    "tool_call_id": (text, ("tool_use_id", "gen_ai.tool.call.id")),
    "error_type": (text, ("error_type", "error_class", "status_code", "error_name", "error_code", "error")),
    SENT_COST: (number, ("cost_usd",)),
}
TABLE: Final = NameTable(NAMES, COMMON)
METRIC: Final[Names] = {column: NAMES[column] for column in ("session_id", "actor", "tenant", "release", "agent_name", "tool_name")} | {
    "model": (text, ("model",)),
    "operation": (text, ("query_source",)),
}
_SCOPE: Final = "com.anthropic.claude_code"
_PREFIX: Final = "claude_code."
_TYPE: Final = "span.type"
_SPANS: Final = {  # span type → step kind, operation
    "interaction": ("agent", "invoke_agent"),
    "llm_request": ("model", "chat"),
    "tool": ("tool", "execute_tool"),
}
_WAIT: Final = "tool.blocked_on_user"
_EVENTS: Final = {  # event → step kind, operation
    "user_prompt": ("message", None),
    "assistant_response": ("message", None),
    "api_request_body": ("message", None),
    "api_response_body": ("message", None),
    "api_refusal": ("message", None),
    "api_request": ("model", "chat"),
    "api_error": ("model", "chat"),
    "tool_result": ("tool", "execute_tool"),
}
_DECISION: Final = "tool_decision"
_OF_A_PROMPT: Final = frozenset({*_EVENTS, _DECISION})
"""Events that a run is made of; others may come before there is one."""
_FAILURES: Final = frozenset({"api_error", "internal_error"})
_HANDLED: Final = frozenset({"api_retries_exhausted", "hook_execution_complete"})
"""Events that repeat a failure which another event has told."""


def read_span(span: SpanView) -> Fields | None:
    """Read a span of Claude Code's tracer."""
    if not (span.scope.startswith(_SCOPE) or (span.name.startswith(_PREFIX) and _TYPE in span.attributes)):
        return None
    fields = TABLE.read(span.attributes)
    kind = text(span.attributes.get(_TYPE)) or span.name.removeprefix(_PREFIX)
    fields["step_kind"], fields["operation"] = _SPANS.get(kind, ("other", kind))
    if kind == "interaction" and span.is_root:
        fields["step_kind"] = "run"
    elif kind == _WAIT:
        _judged(fields, span.attributes)
    _complete(fields, span.attributes, failed=span.failed)
    if span.is_root:
        _found_again(fields)
    return fields


def read_log(record: LogView) -> Fields | None:
    """Read an event of Claude Code; `event.name` stands without the prefix that the body has."""
    named = record.body if isinstance(record.body, str) else ""
    ours = record.event_name.startswith(_PREFIX) or named.startswith(_PREFIX)
    if not (ours or record.scope.startswith(_SCOPE)):
        return None
    event = (record.event_name or named).removeprefix(_PREFIX)
    fields = TABLE.read(record.attributes)
    fields["step_kind"], fields["operation"] = _EVENTS.get(event, ("other", event))
    if event == _DECISION:
        _judged(fields, record.attributes)
    _complete(fields, record.attributes, failed=event in _FAILURES or record.attributes.get("status") == "failed")
    if event == "api_refusal":
        fields["finish_reason"] = "content_filter"
    elif event in _HANDLED:
        fields.pop("error_type", None)
    if not record.in_span:
        _identify(fields, event)
    return fields


def _complete(fields: Fields, attributes: Attributes, *, failed: bool) -> None:
    """Say how the step ended; make its counts inclusive, or drop them where it is no call."""
    success = boolean(attributes.get("success"))
    if success is not None and fields["step_kind"] != "message":
        fields["outcome"] = "success" if success else "failure"
    if not failed and success is not False:
        fields.pop("error_type", None)
    elif "error_type" in fields:
        fields["error_type"] = fields["error_type"].split("\n", 1)[0][:128]
    if fields["step_kind"] != "model":
        called = fields.get("response_id") if fields["step_kind"] == "message" else None
        genai.without_call(fields)
        if called is not None:
            fields["response_id"] = called
        if fields["step_kind"] == "tool":
            _delegated(fields, attributes)
        return
    fields["provider"] = "anthropic"
    attempt = integer(attributes.get("attempt"))
    if attempt is not None:
        fields["retry_count"] = max(attempt - 1, 0)
    add_cached(fields)


def _judged(fields: Fields, attributes: Attributes) -> None:
    """Read a permission: one that a user gave is an approval, any other a policy's decision."""
    verdict = decision(attributes.get("decision"))
    source = text(attributes.get("source"))
    fields["reason_code"], fields["action"] = source, fields.get("tool_name")
    if verdict not in {"allow", "deny"} or source in {None, "unknown"}:
        fields["step_kind"] = "other"
    elif str(source).startswith("user"):
        fields |= {"step_kind": "approval", "approval_state": "granted" if verdict == "allow" else "denied"}
        fields["approver"] = fields.get("actor")
        fields["requires_approval"] = True
    else:
        fields |= {"step_kind": "policy", "decision": verdict}


def _delegated(fields: Fields, attributes: Attributes) -> None:
    """Say which subagent a call starts."""
    given = parsed(attributes.get("tool_parameters"))
    subagent = text(attributes.get("subagent_type")) or (text(given.get("subagent_type")) if isinstance(given, dict) else None)
    if subagent is not None:
        fields["handoff_to"] = subagent


def _identify(fields: Fields, event: str) -> None:
    """Name the run of an event outside of any trace, and what its spans share with it when they have lost theirs."""
    if "run_id" in fields:
        shared = _shared(fields)
        if shared:
            fields[JOINS] = (Join(f"run:{fields['run_id']}"), *shared)
    elif event in _OF_A_PROMPT and "session_id" in fields:
        fields["run_id"] = fields["session_id"]
    else:
        fields[NO_RUN] = True


def _found_again(fields: Fields) -> None:
    """Join a request or a call that is the root of its own trace with the prompt that an event names for it."""
    if fields["step_kind"] in {"model", "tool"}:
        fields[JOINS] = _shared(fields)


def _shared(fields: Fields) -> tuple[Join, ...]:
    ids = (fields.get("response_id"), fields.get("tool_call_id"))
    return tuple(Join(f"claude:{known}") for known in ids if known is not None)


DIALECT: Final = Dialect(
    "claude-code",
    1,
    read_span,
    read_log,
    recognised_by="scope `com.anthropic.claude_code…`, or a name that begins with `claude_code.`",
    reads="Claude Code and the Claude Agent SDK: log events, and the spans of the beta traces",
    scopes=(_SCOPE,),
    marks=frozenset({_TYPE}),
)
