"""What is let in: records whose ids are ids, and no more bytes in flight than the configuration allows.

A record with a malformed id is rejected by itself (partial success), the rest of its request is stored. Ids also must not be
a way for text to pass unredacted, which is why every id in a request has the right length when `admit` returns.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from collector.errors import Overloaded, TooLarge
from collector.sender import Account
from collector.signals import LOGS, TRACES, Message, Signal

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8
_NO_TRACE: Final = bytes(TRACE_ID_BYTES)
_NO_SPAN: Final = bytes(SPAN_ID_BYTES)

MEMORY_PER_BYTE: Final = 3
"""Bytes of memory that a request's byte costs while it is in flight: the body, the parsed message, and the redacted copy."""

JSON_MEMORY_PER_BYTE: Final = 12
"""The same for JSON, whose values are Python objects for a moment."""

AUDIT_EVENTS: Final = frozenset({"agent_action", "run.started", "policy.decision", "approval", "checkpoint", "security"})
"""Events whose sender waits for durability (collector/dialects/vocabulary.yaml): a request of these is not queued behind bulk data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """How many records of a request go on, and how many were rejected, by reason; `details` say which, where that is not plain."""

    records: int
    rejected: dict[str, int]
    noun: str
    details: str = ""
    emptied: int = 0  # ids of links, exemplars and log records that were none

    @property
    def message(self) -> str:
        """Say what was rejected and what is lacking of the rest, for `partial_success.error_message`; empty when all is well."""
        told = "; ".join(f"{count} {self.noun} rejected: {reason}" for reason, count in self.rejected.items())
        told = f"{told} ({self.details})" if self.details else told
        warned = f"{self.emptied} ids of links, exemplars or log records left out: they have the wrong length" if self.emptied else ""
        return "; ".join(filter(None, (told, warned)))


def admit(signal: Signal, message: Message) -> Admitted:
    """Remove the records of `message` that cannot be stored, in place; metrics have no ids of their own and always pass.

    Ids of links and exemplars that are malformed are emptied: they do not cost the record, but the sender is told.
    """
    rejected: Counter[str] = Counter()
    emptied: Counter[str] = Counter()
    if signal is TRACES:
        records = sum(
            _keep(scope.spans, rejected, emptied, _span_problem) for resource in message.resource_spans for scope in resource.scope_spans
        )
    elif signal is LOGS:
        records = sum(
            _keep(scope.log_records, rejected, emptied, _log_problem) for resource in message.resource_logs for scope in resource.scope_logs
        )
    else:
        records = sum(len(points) for points in _data_points(message))
        for points in _data_points(message):
            _repair_exemplars(points, emptied)
    return Admitted(records=records, rejected=dict(rejected), noun=signal.record_noun, emptied=emptied.total())


def is_audit(signal: Signal, message: Message) -> bool:
    """Say whether a request holds audit events alone, by the event names of its log records: what a sender waits for.

    An SDK's batch that has some among other records is bulk data: nobody waits for it.
    """
    if signal is not LOGS:
        return False
    found = False
    for resource in message.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                if record.event_name not in AUDIT_EVENTS:
                    return False
                found = True
    return found


def data_points(metric: Message) -> Any:
    """Return the data points of a metric, whatever its type; empty for a metric without data."""
    kind = metric.WhichOneof("data")
    return () if kind is None else getattr(metric, kind).data_points


def _data_points(message: Message) -> Iterator[Any]:
    for resource in message.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield data_points(metric)


def _keep(records: Any, rejected: Counter[str], emptied: Counter[str], problem_of: Any) -> int:
    """Drop the records that have a problem and return how many stay."""
    problems = [problem_of(record, emptied) for record in records]
    if any(problems):
        rejected.update(problem for problem in problems if problem)
        kept = [record for record, problem in zip(records, problems, strict=True) if not problem]
        del records[:]
        records.extend(kept)
    return len(records)


def _span_problem(span: Message, emptied: Counter[str]) -> str | None:
    trace_id = span.trace_id
    if len(trace_id) != TRACE_ID_BYTES or trace_id == _NO_TRACE:
        return "trace_id must be 16 bytes and not zero"
    span_id = span.span_id
    if len(span_id) != SPAN_ID_BYTES or span_id == _NO_SPAN:
        return "span_id must be 8 bytes and not zero"
    parent = span.parent_span_id
    if parent and len(parent) != SPAN_ID_BYTES:
        return "parent_span_id must be empty or 8 bytes"
    if parent == _NO_SPAN:
        span.parent_span_id = b""  # some senders spell "no parent" with zeros
    for link in span.links:
        _repair_ids(link, emptied)
    return None


def _log_problem(record: Message, emptied: Counter[str]) -> str | None:
    trace_id, span_id = record.trace_id, record.span_id
    if trace_id and len(trace_id) != TRACE_ID_BYTES:
        return "trace_id must be empty or 16 bytes"
    if span_id and len(span_id) != SPAN_ID_BYTES:
        return "span_id must be empty or 8 bytes"
    _repair_ids(record, emptied)
    return None


def _repair_exemplars(points: Any, emptied: Counter[str]) -> None:
    for point in points:
        for exemplar in getattr(point, "exemplars", ()):
            _repair_ids(exemplar, emptied)


def _repair_ids(holder: Message, emptied: Counter[str]) -> None:
    """Empty ids that are zero, which some senders write for none, and those that are malformed, which are counted."""
    trace_id, span_id = holder.trace_id, holder.span_id
    if trace_id and (len(trace_id) != TRACE_ID_BYTES or trace_id == _NO_TRACE):
        emptied["trace_id"] += len(trace_id) != TRACE_ID_BYTES
        holder.trace_id = b""
    if span_id and (len(span_id) != SPAN_ID_BYTES or span_id == _NO_SPAN):
        emptied["span_id"] += len(span_id) != SPAN_ID_BYTES
        holder.span_id = b""


class Held:
    """What all requests of one account hold together."""

    __slots__ = ("held_bytes", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.held_bytes = 0


class Reservation:
    """The bytes that one request holds while it is in flight; `account` has what its sender holds, None where nobody is told apart."""

    __slots__ = ("_account", "_limiter", "held_bytes")

    def __init__(self, limiter: "MemoryLimiter", account: Held | None) -> None:
        self._limiter = limiter
        self._account = account
        self.held_bytes = 0

    def grow_to(self, body_bytes: int, memory_per_byte: int = MEMORY_PER_BYTE) -> None:
        """Hold what a body of this size costs; raises Overloaded when that is more than is free, TooLarge when it is more than there is."""
        self.hold(body_bytes * memory_per_byte, f"a body of {body_bytes} bytes or more")

    def hold(self, wanted: int, what: str) -> None:
        """Hold so many bytes of memory; raises as `grow_to`, `what` says in the message what needs them."""
        if wanted > self.held_bytes:
            if not self._limiter.ever_has(wanted):
                raise TooLarge(f"{what} never fits into what memory_limiter lets be in flight")
            self._limiter.take(wanted - self.held_bytes, self._account)
            self.held_bytes = wanted


class MemoryLimiter:
    """Bytes in flight against a limit: the `memory_limiter` processor. `limit_bytes` None means no limit.

    Where senders are told apart, several requests of one account may hold half of it together, so that a tenant whose bodies come slowly
    does not keep the others out.
    """

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit_bytes = limit_bytes
        self._accounts: dict[Account, Held] = {}
        self.in_flight_bytes = 0

    @contextmanager
    def reserve(self, account: Account | None = None) -> Iterator[Reservation]:
        """Yield the reservation of one request; everything it holds is given back at the end."""
        held = None if account is None else self._accounts.setdefault(account, Held())
        reservation = Reservation(self, held)
        if held is not None:
            held.requests += 1
        try:
            yield reservation
        finally:
            self.in_flight_bytes -= reservation.held_bytes
            if account is not None and held is not None:
                held.requests -= 1
                held.held_bytes -= reservation.held_bytes
                if not held.requests:
                    del self._accounts[account]

    def ever_has(self, size_bytes: int) -> bool:
        """Whether so much could be in flight when nothing else is: what could not is no use to be sent again."""
        return self._limit_bytes is None or size_bytes <= self._limit_bytes

    def take(self, size_bytes: int, account: Held | None = None) -> None:
        """Count `size_bytes` as in flight; raises Overloaded instead when they do not fit."""
        if self._limit_bytes is not None:
            if self.in_flight_bytes + size_bytes > self._limit_bytes:
                raise Overloaded("too much data is in flight: send again later, or raise memory_limiter.limit_mib")
            if account is not None and account.requests > 1 and account.held_bytes + size_bytes > self._limit_bytes // 2:
                raise Overloaded("too much data of this sender is in flight: send again later, or raise memory_limiter.limit_mib")
        self.in_flight_bytes += size_bytes
        if account is not None:
            account.held_bytes += size_bytes
