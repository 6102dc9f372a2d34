"""Scopes `auditlake.…` are those of our own processes, whose records are in no run and count in no objective: nobody else may use them.

Else a sender could hide what an agent did from every run, or write alerts, audit latencies and security events in our name. What comes
over the wire from such a scope is kept under a name that says so, forwarded copies of our own telemetry included.
"""

from typing import Final

from collector.signals import LOGS, METRICS, TRACES, Message, Signal

RESERVED: Final = "auditlake."
SENT_AS: Final = "sent-as:"
_FIELDS: Final = {
    TRACES: ("resource_spans", "scope_spans"),
    LOGS: ("resource_logs", "scope_logs"),
    METRICS: ("resource_metrics", "scope_metrics"),
}


def disown(signal: Signal, message: Message) -> None:
    """Rename the scopes of a request that only we may use, in place."""
    resources, scopes = _FIELDS[signal]
    for resource in getattr(message, resources):
        for group in getattr(resource, scopes):
            if group.scope.name.startswith(RESERVED):
                group.scope.name = SENT_AS + group.scope.name
