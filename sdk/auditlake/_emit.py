"""How events leave: queued, and never at the agent's expense."""

from collections.abc import Mapping

from opentelemetry._logs import SeverityNumber

from auditlake import _state


def emit(event: str, values: Mapping[str, object], message: str | None = None, *, severity: SeverityNumber = SeverityNumber.INFO) -> None:
    """Queue an event; before `configure()` do nothing. A value that cannot be written costs the record, which is counted."""
    client = _state.current()
    if client is None:
        return
    try:
        client.emit(event, values, message=message, severity=severity)
    except Exception:  # noqa: BLE001 - the boundary to the agent: counted, logged and reported as dropped
        client.drops.add("logs", "unencodable")
