"""structlog events → OpenTelemetry log records with the current trace context."""

import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final

from opentelemetry._logs import SeverityNumber

from auditlake import _state
from auditlake import vocabulary as names
from auditlake._values import attributes, text

_SEVERITY: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "warn": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "exception": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
    "fatal": SeverityNumber.FATAL,
}
_ACTION: Final = {
    "agent_id": names.AGENT_ID,
    "agent_name": names.AGENT_NAME,
    "actor": names.USER_ID,
    "action": names.ACTION,
    "resource": names.RESOURCE,
    "outcome": names.OUTCOME,
    "latency_ms": names.LATENCY_MS,
    "session_id": names.CONVERSATION_ID,
}
_OF_THE_RECORD: Final = frozenset({"event", "level", "timestamp", "exc_info", "_record", "_from_structlog"})


def structlog_processor(logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    """Send a structlog event to auditlake, and hand it on unchanged; put it before the renderer.

    The event's text becomes the body and its fields the attributes. The audit event `agent_action` becomes the event of that
    name, its fields `agent_id action resource outcome latency_ms actor` the canonical attributes. It is queued like any
    other record: where the agent must not go on before it is durable, call `auditlake.audit()`.
    """
    client = _state.current()
    if client is None:
        return event_dict
    event = event_dict.get("event")
    fields = {key: item for key, item in event_dict.items() if key not in _OF_THE_RECORD}
    fields.update(_exception(event_dict.get("exc_info")))
    severity = _SEVERITY.get(str(event_dict.get("level", method_name)), SeverityNumber.INFO)
    if event == names.EVENT_ACTION:
        client.emit(event, {_ACTION.get(key, key): item for key, item in fields.items()}, severity=severity)
    else:
        client.log(attributes(fields), event=None, body=text(str(event)) if event is not None else None, severity=severity)
    return event_dict


def _exception(exc_info: object) -> Mapping[str, object]:
    """Return OpenTelemetry's exception attributes for what structlog accepts as `exc_info`."""
    error: object
    if isinstance(exc_info, BaseException):
        error = exc_info
    elif isinstance(exc_info, tuple) and len(exc_info) == 3:
        error = exc_info[1]
    else:
        error = sys.exc_info()[1] if exc_info else None
    if not isinstance(error, BaseException):
        return {}
    trace: TracebackType | None = error.__traceback__
    return {
        names.EXCEPTION_TYPE: type(error).__qualname__,
        names.EXCEPTION_MESSAGE: str(error),
        names.EXCEPTION_STACKTRACE: "".join(traceback.format_exception(type(error), error, trace)),
    }
