"""The flow up to the acknowledgement: receive, parse, admit, redact, append, acknowledge. Read `take` from top to bottom.

Nothing raw reaches a disk, and nothing is acknowledged that is not durable. Behind the acknowledgement goes on `collector.sealer`.
"""

import asyncio
import time
from collections.abc import Callable

from collector.committer import Committer
from collector.detached import detached
from collector.errors import Refused
from collector.findings import Findings
from collector.policies import Policies
from collector.receipts import Answer, Receipts
from collector.receivers.encoding import response_message
from collector.receivers.events import BodyEncoding
from collector.request import Request, read_request
from collector.resends import Resends, Stored
from collector.sender import ANONYMOUS, Sender
from collector.signals import Signal
from collector.telemetry import Acknowledged, Telemetry
from collector.turns import TURNS
from storage.layout import Delivery
from storage.wal import BatchHeader

UNREDACTED = "unredacted"  # the policy hash of records whose pipeline says allow_unredacted


class Pipeline:
    """One collector's flow; every receiver calls `export` or `take`, from one event loop."""

    def __init__(
        self,
        *,
        policies: Policies,
        committer: Committer,
        resends: Resends,
        telemetry: Telemetry,
        origin: str = "",
        receipts: Receipts | None = None,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`origin` is whose WAL the committer writes; `receipts` None: senders get none."""
        self._origin = origin
        self._receipts = receipts
        self._policies = policies
        self._committer = committer
        self._resends = resends
        self._telemetry = telemetry
        self._time_ns = time_ns

    async def export(self, signal: Signal, encoding: BodyEncoding, body: bytes, sender: Sender = ANONYMOUS) -> Answer:
        """Take one request; return its success message and receipt once all of it is durable. Raises Refused when none of it was taken.

        A sender that goes away undoes nothing: what it sent is stored all the same.
        """
        return await detached(self.take(signal, encoding, body, sender, begun=time.perf_counter()))

    async def take(self, signal: Signal, encoding: BodyEncoding, body: bytes, sender: Sender, *, begun: float) -> Answer:
        """As `export`, for who sees to it that nobody cancels it; the request was in at `begun` (`time.perf_counter`)."""
        with TURNS.first(len(body)):
            request = await read_request(signal, encoding, body, sender, self._time_ns(), self._resends)
            stored = await self._store_once(request) if (admitted := request.admitted).records else None
            self._committer.count_rejected(admitted.rejected)
            self._telemetry.acknowledged(
                Acknowledged(
                    signal=signal.name,
                    audit=request.audit,
                    records=admitted.records,
                    rejected=admitted.rejected,
                    size_bytes=len(body),
                    redaction_seconds=None if stored is None else stored.redaction_seconds,
                    seconds=time.perf_counter() - begun,
                )
            )
            receipt = await self._receipts.issue(stored.at, admitted.records, body) if self._receipts and stored else None
            return Answer(response_message(signal, sum(admitted.rejected.values()), admitted.message), receipt)

    def refused(self, error: Refused) -> None:
        """Count a request that was not taken."""
        self._telemetry.refused(error.reason, error.peer if error.sender_name == ANONYMOUS.name else error.sender_name)

    async def _store_once(self, request: Request) -> Stored:
        """Store a request, unless the same is being stored or was within the window: then wait for that, and redact nothing."""
        commit = self._resends.first_commit(request.identity)
        if commit is not None:
            stored = await asyncio.shield(commit)
            self._committer.count_deduplicated(request.admitted.records)
            self._telemetry.deduplicated(request.admitted.records)
            return stored._replace(redaction_seconds=None)
        self._resends.expect(request.identity)
        try:
            stored = await self._store(request)
        except BaseException as error:
            self._resends.fail(request.identity, error)
            raise
        self._resends.settle(request.identity, stored)
        return stored

    async def _store(self, request: Request) -> Stored:
        """Redact, under the policy in force now, and append to the WAL; done when that is durable."""
        begun = time.perf_counter()
        with self._policies.lease() as policy:
            redacted = request.signal.name not in policy.unredacted_signals
            findings = await policy.walker.clean(request.signal, request.message, request.sender.tenant) if redacted else Findings()
        seconds = time.perf_counter() - begun
        if findings.withheld_by_reason:
            self._telemetry.withheld(findings.withheld_by_reason)
        header = BatchHeader(
            signal=request.signal.name,
            tenant=request.sender.tenant,
            received_ns=request.received_ns,
            policy_hash=policy.policy_hash if redacted else UNREDACTED,
            records=request.admitted.records,
            withheld=findings.withheld,
            redactions=findings.by_record,
            digest=(request.identity or b"").hex(),
        )
        place = await self._committer.submit(header, request.message.SerializeToString(), audit=request.audit)
        return Stored(Delivery(self._origin, *place), seconds)
