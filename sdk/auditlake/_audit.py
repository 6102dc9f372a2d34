"""`audit()`: a record that is durable when the call returns."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry import trace

from auditlake import _state
from auditlake import vocabulary as names
from auditlake._client import Client
from auditlake._delivery import deliver
from auditlake._errors import AuditError
from auditlake._export import log_bytes, run_of_log
from auditlake._transport import Outcome

_SPOOLED_REASONS: Final = frozenset({"401", "403", "404", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an audit record's durability rests on."""

    acknowledged: bool  # the collector has it durably; False: it is in the encrypted spool on this host, and will be sent
    digest: str  # SHA-256 of the OTLP request, hex; a resend is identical
    recorded_ns: int  # the record's own time
    settled_ns: int  # when it became durable
    attempts: int  # requests that were sent
    run_id: str | None
    trace_id: str | None
    signed: str | None = None  # the collector's signed receipt, for `auditlake prove --receipt`; None: spooled, or it keeps no ledger

    @property
    def latency_ms(self) -> float:
        """How long it took to become durable."""
        return (self.settled_ns - self.recorded_ns) / 1e6


def audit(
    action: str,
    resource: str,
    outcome: str,
    *,
    actor: str | None = None,
    agent_id: str | None = None,
    latency_ms: float | None = None,
    details: Mapping[str, object] | None = None,
    message: str | None = None,
    timeout_seconds: float | None = None,
) -> Receipt:
    """Record `action` on `resource` with `outcome` (success, failure, denied), and return once the collector has it durably.

    Blocks for at most `timeout_seconds` (default: that of `configure`), trying again meanwhile. `details` are more attributes.
    Raises `AuditError`, with the remedy, when the record is not durable: then treat the action as not recorded. With a spool
    (`configure(spool_dir=…, spool_key=…)`) an unreachable collector is no error: the record is kept encrypted on disk, sent
    until acknowledged, and the receipt says `acknowledged=False`.
    """
    client = _state.current()
    if client is None:
        raise AuditError("record the action", action, hint="call auditlake.configure(…) first")
    values = {
        **(details or {}),
        names.ACTION: action,
        names.RESOURCE: resource,
        names.OUTCOME: outcome,
        names.USER_ID: actor,
        names.AGENT_ID: agent_id,
        names.LATENCY_MS: None if latency_ms is None else float(latency_ms),
    }
    record = client.record(names.EVENT_ACTION, values, message=message)
    payload = log_bytes([record])
    result = _settle(client, action, payload, client.settings.timeout_seconds if timeout_seconds is None else timeout_seconds)
    trace_id = record.log_record.trace_id
    return Receipt(
        acknowledged=result.delivered,
        digest=hashlib.sha256(payload).hexdigest(),
        recorded_ns=record.log_record.timestamp or 0,
        settled_ns=time.time_ns(),
        attempts=result.attempts,
        run_id=run_of_log(record),
        trace_id=trace.format_trace_id(trace_id) if trace_id else None,
        signed=result.receipt,
    )


def _settle(client: Client, action: str, payload: bytes, timeout_seconds: float) -> Outcome:
    """Make `payload` durable, with the collector or else in the spool; raises AuditError when it is in neither."""
    deadline = time.monotonic() + timeout_seconds
    result = deliver(client.transport, "logs", payload, remaining=lambda: deadline - time.monotonic())
    if result.delivered and not result.rejected:
        return result
    if client.spool is None or not _may_be_spooled(result):
        raise _not_durable(action, result)
    client.spool.put(payload)
    return result


def _may_be_spooled(result: Outcome) -> bool:
    """Whether the same bytes may succeed later: not what the collector refuses for what it is."""
    return not result.delivered and (result.retryable or result.reason in _SPOOLED_REASONS)


def _not_durable(action: str, result: Outcome) -> AuditError:
    if result.delivered:
        return AuditError("record the action", action, hint="the collector refused the record: read its log for the reason")
    return AuditError(f"record the action durably ({result.reason}, attempts: {result.attempts})", action, hint=result.hint)
