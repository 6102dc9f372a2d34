"""Model Context Protocol: the spans of its clients and servers, by OpenTelemetry's conventions for it.

A call is told up to three times: by the agent that executes the tool, by the client that sends the request, and by the server that
handles it, whose span is the client's child when the context was sent along. The server's span is the call only where it begins a
trace. Whether a client's span lies in an agent's own tool span cannot be seen from it: the views count the outer one.
"""

from typing import Any, Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Dialect, Fields, LogView, SpanView
from collector.dialects.values import text

METHOD: Final = "mcp.method.name"


def _error(value: Any) -> str | None:
    """Return the code of a JSON-RPC error; 0 and OK are none."""
    code = text(value)
    return None if code is None or code.upper() in {"0", "OK"} else code


NAMES: Final[Names] = {
    "session_id": (text, ("gen_ai.conversation.id", "session.id", "mcp.session.id")),
    "operation": (text, (METHOD,)),
    "resource": (text, ("mcp.resource.uri",)),
    "tool_name": (text, ("gen_ai.tool.name", "mcp.tool.name")),
    "tool_call_id": (text, ("gen_ai.tool.call.id",)),
    "prompt_version": (text, ("gen_ai.prompt.version",)),
    "error_type": (_error, ("error.type", "rpc.response.status_code", "rpc.jsonrpc.error_code", "jsonrpc.error_code")),
}
TABLE: Final = NameTable(NAMES, COMMON)
_SERVER: Final = 2
_CALL: Final = "tools/call"
_ELICITATION: Final = "elicitation/create"
_ANSWERS: Final = {"accept": "granted", "decline": "denied", "cancel": "denied"}
_ACTION: Final = "mcp.elicitation.action"


def read_span(span: SpanView) -> Fields | None:
    """Read a span of an MCP client or server."""
    method = span.attributes.get(METHOD)
    if method is None:
        return None
    fields = TABLE.read(span.attributes)
    genai.without_call(fields)
    handled_elsewhere = span.kind == _SERVER and not span.is_root
    if method == _CALL:
        fields.setdefault("tool_name", _target(span.name))
    if handled_elsewhere and _ACTION not in span.attributes:  # who was asked may tell the answer, and the one who asked the question alone
        fields["step_kind"] = "other"
    elif method == _CALL:
        fields["step_kind"], fields["operation"] = "tool", "execute_tool"
    elif method == _ELICITATION:
        state = _ANSWERS.get(str(span.attributes.get(_ACTION)).lower(), "requested")
        fields |= {"step_kind": "approval", "approval_state": state, "action": fields.get("tool_name") or method}
    else:
        fields["step_kind"] = "run" if span.is_root else "other"
    if not span.failed and fields.get("error_type") != "tool_error":
        fields.pop("error_type", None)
    return fields


def read_log(record: LogView) -> Fields | None:
    """Read a log record about a request: what it says is of the span that it was written in."""
    if METHOD not in record.attributes:
        return None
    return {**TABLE.read(record.attributes), "step_kind": "other"}


def _target(name: str) -> str | None:
    """Return the tool of a span that is named after the method and what it is applied to."""
    _, called, target = name.rpartition(f"{_CALL} ")
    return target or None if called else None


DIALECT: Final = Dialect(
    "mcp",
    1,
    read_span,
    read_log,
    recognised_by=f"the attribute `{METHOD}`",
    reads="Model Context Protocol SDKs, FastMCP, and instrumentations of them",
    marks=frozenset({METHOD}),
)
