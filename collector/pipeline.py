"""The flow up to the acknowledgement: receive, parse, admit, redact, append, acknowledge. Read `export` from top to bottom.

Nothing raw reaches a disk, and nothing is acknowledged that is not durable. What happens behind the acknowledgement is in
`collector.sealer`.
"""

import asyncio
import time
from collections.abc import Callable, Collection

from collector.admission import admit, is_audit
from collector.committer import Committer
from collector.errors import Refused
from collector.receivers.encoding import Encoding, decode_request, response_message
from collector.redact import Findings, Walker
from collector.resends import Resends, digest
from collector.signals import Message, Signal
from collector.telemetry import Acknowledged, Telemetry
from storage.wal import BatchHeader

UNREDACTED = "unredacted"
"""The policy hash of records whose pipeline says `allow_unredacted`."""


class Pipeline:
    """One collector's flow; every receiver calls `export`, from one event loop."""

    def __init__(
        self,
        *,
        policy_hash: str,
        walker: Walker,
        committer: Committer,
        resends: Resends,
        telemetry: Telemetry,
        unredacted_signals: Collection[str] = (),
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._policy_hash = policy_hash
        self._walker = walker
        self._committer = committer
        self._resends = resends
        self._telemetry = telemetry
        self._unredacted_signals = unredacted_signals
        self._time_ns = time_ns

    async def export(self, signal: Signal, encoding: Encoding, body: bytes) -> Message:
        """Take one request and return its success message once all of it is durable; raises Refused when none of it was taken."""
        begun, received_ns = time.perf_counter(), self._time_ns()
        message = decode_request(signal, encoding, body)
        admitted = admit(signal, message)
        audit = is_audit(signal, message)
        redaction_begun = time.perf_counter()
        findings = Findings() if signal.name in self._unredacted_signals else await self._walker.clean(signal, message)
        redaction_seconds = time.perf_counter() - redaction_begun
        if admitted.records:
            await self._make_durable(signal, message, admitted.records, findings, received_ns, audit=audit)
        self._committer.count_rejected(admitted.rejected)
        self._telemetry.acknowledged(
            Acknowledged(
                signal=signal.name,
                audit=audit,
                records=admitted.records,
                rejected=sum(admitted.rejected.values()),
                size_bytes=len(body),
                redaction_seconds=redaction_seconds,
                seconds=time.perf_counter() - begun,
            )
        )
        return response_message(signal, sum(admitted.rejected.values()), admitted.message)

    def refused(self, error: Refused) -> None:
        """Count a request that was not taken."""
        self._telemetry.refused(error.reason)

    async def _make_durable(
        self, signal: Signal, message: Message, records: int, findings: Findings, received_ns: int, *, audit: bool
    ) -> None:
        """Append the redacted message to the WAL, unless the same was appended within the window: then wait for that."""
        payload: bytes = message.SerializeToString()
        key = digest(signal.name, payload)
        commit = self._resends.first_commit(key)
        if commit is not None:
            await asyncio.shield(commit)
            self._committer.count_deduplicated(records)
            self._telemetry.deduplicated(records)
            return
        header = BatchHeader(
            signal=signal.name,
            tenant=None,
            received_ns=received_ns,
            policy_hash=UNREDACTED if signal.name in self._unredacted_signals else self._policy_hash,
            records=records,
            withheld=findings.withheld,
            redactions=findings.by_record,
            digest=key.hex(),
        )
        commit = self._committer.submit(header, payload, audit=audit)
        self._resends.expect(key, commit, received_ns)
        await asyncio.shield(commit)  # a sender that goes away does not undo what is being written
