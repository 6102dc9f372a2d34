"""What the collector says about itself as events: configuration changes, values that had to be withheld, refusals, a WAL that failed.

They go the way of its metrics: scope `auditlake.collector`, into its own WAL, never counted as received. They hold names, hashes and
numbers of ours alone, so there is nothing in them to redact; of a sender its configured name or, without one, the IP address.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from collector.reload import Outcome
from collector.signals import LOGS

SCOPE: Final = "auditlake.collector"
INFO: Final = 9
WARN: Final = 13
ERROR: Final = 17
_SEVERITY_TEXT: Final = {INFO: "INFO", WARN: "WARN", ERROR: "ERROR"}
EVENT_EVERY_SECONDS: Final = 60.0
SECURITY_CATEGORIES: Final = {"unauthenticated": "authentication", "rate_limited": "flood", "overloaded": "flood"}
"""Reasons of refusals that are events `security`, with the category of each."""
SENDERS: Final = 100
OTHER_SENDERS: Final = "other"
UNKNOWN_SENDER: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEvent:
    """One event: `attributes` are of ours, never text that was sent or configured."""

    name: str
    severity: int
    attributes: Mapping[str, str | int | Sequence[str]]


def reload_event(outcome: Outcome) -> OwnEvent:
    """Return the event `config.reload`."""
    refused = outcome.new_hash is None
    attributes: dict[str, str | int | Sequence[str]] = {
        "auditlake.outcome": "refused" if refused else "ok",
        "auditlake.config.policy_hash.old": outcome.old_hash,
    }
    if outcome.new_hash is not None:
        attributes["auditlake.config.policy_hash.new"] = outcome.new_hash
    for name, value in (("old", outcome.old_config), ("new", outcome.new_config)):
        if value:
            attributes[f"auditlake.config.hash.{name}"] = value
    if outcome.problems:
        attributes["auditlake.config.problems"] = outcome.problems
    if outcome.at_restart:
        attributes["auditlake.config.at_restart"] = outcome.at_restart
    return OwnEvent(name="config.reload", severity=WARN if refused else INFO, attributes=attributes)


class WithheldEvents:
    """Turns counts of withheld values into events `redaction.withheld`: at once, then one a minute for each reason, with the sum."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._values: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def add(self, reasons: Mapping[str, int]) -> None:
        """Count withheld values by reason."""
        for reason, values in reasons.items():
            self._values[reason] = self._values.get(reason, 0) + values

    def take(self, *, everything: bool = False) -> list[OwnEvent]:
        """Return the events that are due; `everything`: also those that would have to wait for their minute."""
        now = self._clock()
        due = [reason for reason in self._values if everything or now - self._told.get(reason, -EVENT_EVERY_SECONDS) >= EVENT_EVERY_SECONDS]
        self._told |= dict.fromkeys(due, now)
        return [_withheld_event(reason, self._values.pop(reason)) for reason in due]


class SenderEvents:
    """Turns refusals that somebody should look at into events `security`: at once, then one a minute for each reason and sender.

    `SENDERS` of these are told apart in a minute; all others of a reason are one, `other`. Never a token, and no more of an address than
    the peer's IP.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._senders: dict[tuple[str, str], _Refusals] = {}

    def add(self, reason: str, sender: str | None) -> None:
        """Count a refused request; reasons that are nobody's attempt at anything are ignored."""
        if reason not in SECURITY_CATEGORIES:
            return
        key = (reason, sender or UNKNOWN_SENDER)
        if key not in self._senders and len(self._senders) >= SENDERS:
            key = (reason, OTHER_SENDERS)
        self._senders.setdefault(key, _Refusals()).requests += 1

    def take(self, *, everything: bool = False) -> list[OwnEvent]:
        """Return the events that are due; `everything`: also those that would have to wait for their minute."""
        now = self._clock()
        events = []
        for key, refusals in list(self._senders.items()):
            due = everything or refusals.told is None or now - refusals.told >= EVENT_EVERY_SECONDS
            if due and refusals.requests:
                events.append(_refused_event(*key, refusals.requests))
                refusals.requests, refusals.told = 0, now
            elif due:
                del self._senders[key]
        return events


@dataclass(slots=True)
class _Refusals:
    """Requests since the last event, and when that was."""

    requests: int = 0
    told: float | None = None


def _refused_event(reason: str, sender: str, requests: int) -> OwnEvent:
    return OwnEvent(
        name="security",
        severity=WARN,
        attributes={
            "auditlake.security.category": SECURITY_CATEGORIES[reason],
            "auditlake.security.disposition": "blocked",
            "auditlake.security.detector": SCOPE,
            "auditlake.security.count": requests,
            "auditlake.security.sender": sender,
            "auditlake.action": "export",
            "auditlake.outcome": "denied",
            "auditlake.reason_code": reason,
        },
    )


def wal_damaged_event(origin: str, pieces: int) -> OwnEvent:
    """Return the event `security` about pieces of a WAL that were no records: a disk did that, or somebody."""
    return OwnEvent(
        name="security",
        severity=ERROR,
        attributes={
            "auditlake.security.category": "integrity",
            "auditlake.security.disposition": "filtered",
            "auditlake.security.detector": SCOPE,
            "auditlake.security.count": pieces,
            "auditlake.action": "wal.quarantine",
            "auditlake.resource": f"wal/{origin}",
            "auditlake.reason_code": "wal_damaged",
        },
    )


def wal_failed_event(origin: str) -> OwnEvent:
    """Return the event `wal.failed`: the WAL had stopped taking records before this start."""
    return OwnEvent(
        name="wal.failed",
        severity=ERROR,
        attributes={"auditlake.resource": f"wal/{origin}", "auditlake.outcome": "failure", "auditlake.reason_code": "wal_failed"},
    )


def _withheld_event(reason: str, values: int) -> OwnEvent:
    return OwnEvent(
        name="redaction.withheld",
        severity=WARN,
        attributes={"auditlake.redaction.reason": reason, "auditlake.redaction.values": values},
    )


def payload(node: str, events: Sequence[OwnEvent], time_ns: int) -> bytes:
    """Return the events as an OTLP logs request."""
    message = LOGS.request()
    group = message.resource_logs.add()
    for key, value in (("service.name", "auditlake"), ("service.instance.id", node)):
        group.resource.attributes.add(key=key).value.string_value = value
    scope = group.scope_logs.add()
    scope.scope.name = SCOPE
    for event in events:
        record = scope.log_records.add(time_unix_nano=time_ns, observed_time_unix_nano=time_ns, event_name=event.name)
        record.severity_number, record.severity_text = event.severity, _SEVERITY_TEXT[event.severity]
        for name, said in event.attributes.items():
            target = record.attributes.add(key=name).value
            if isinstance(said, str):
                target.string_value = said
            elif isinstance(said, int):
                target.int_value = said
            else:
                for item in said:
                    target.array_value.values.add().string_value = item
    return bytes(message.SerializeToString())
