"""Messages of the outbox, as the dispatcher makes them, for receivers that are tested by themselves."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.evaluate import Alert, State, fingerprint
from alerts.outbox import Message
from alerts.payload import payload

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
URL = "https://auditlake.test"
GROUP_KEY = '{}:{alertname="AgentDown"}'


def alert(agent: str = "support", *, resolved: bool = False, annotations: Mapping[str, str] | None = None, **labels: str) -> Alert:
    """One that fires since noon, or did until five past."""
    named = {"alertname": "AgentDown", "agent_name": agent, "severity": "critical", "run_id": f"run/{agent}", **labels}
    return Alert(
        fingerprint=fingerprint(named),
        labels=named,
        annotations={"summary": f"{agent} is silent", **(annotations or {})},
        value=1.0,
        state=State.RESOLVED if resolved else State.FIRING,
        active_at=NOON,
        fired_at=NOON,
        resolved_at=NOON + timedelta(minutes=5) if resolved else None,
    )


def message(*alerts: Alert, key: str = "key-1", **more: Any) -> Message:
    """What a receiver called on-call is sent about a group."""
    body = payload(alerts, "on-call", {"alertname": "AgentDown"}, group_key=GROUP_KEY, external_url=URL) | more
    return Message(key=key, receiver="on-call", group_key=GROUP_KEY, body=json.dumps(body), created_at=NOON)


def at(alert: Alert, moment: datetime) -> Alert:
    """The same alert, firing since another moment."""
    return replace(alert, active_at=moment, fired_at=moment)
