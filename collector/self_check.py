"""The self-check: while a collector runs, it verifies its own lake now and then, and says so in the lake.

It finds what disks and accidents do, and who is not careful. Whoever owns this host can also forge its verdict: it does not replace a
verification from elsewhere (docs/verify.md). It runs in the compactor's process, at its priority, and hashes row by row only files that
are new since the last time; an interruption costs what was not saved yet.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from collector.config_ledger import Checking
from storage.errors import StorageError
from storage.journal import AttributeValue, Journal, JournalEvent
from storage.ledger.verdicts import Finding, Report
from storage.ledger.verify_state import State, self_check_path

FIRST_SECONDS: Final = 300.0
"""A lake that was never checked is checked so long after the start."""
POLL_SECONDS: Final = 60.0
POLICY: Final = "own"
"""The policy hash of these events: they hold names and numbers of ours alone."""
_INFO: Final = 9
_ERROR: Final = 17


def run_self_checks(data: Path, checking: Checking, stop: threading.Event, *, clock: Callable[[], int] = time.time_ns) -> None:
    """Verify the lake whenever it is due, until `stop` is set; a failure is logged, and the next poll tries again."""
    log = structlog.get_logger(__name__)
    begun_ns = clock()
    while not stop.wait(POLL_SECONDS):
        try:
            state = State.load(self_check_path(data))
            if is_due(state, begun_ns, clock(), checking.interval_seconds):
                check(data, checking, state, clock=clock)
        except StorageError as error:
            log.error("the self-check failed, it is tried again", attempted=error.attempted, subject=error.subject, hint=error.hint)


def is_due(state: State, begun_ns: int, now_ns: int, interval_seconds: float) -> bool:
    """Whether it is time: the interval after the last verification that ended, or soon after the first start."""
    if state.verified_ns is None:
        return now_ns - begun_ns >= min(FIRST_SECONDS, interval_seconds) * 1e9
    return now_ns - state.verified_ns >= interval_seconds * 1e9


def check(data: Path, checking: Checking, state: State, *, clock: Callable[[], int] = time.time_ns) -> Report:
    """Verify the lake and write the verdict into it. Raises `StorageError` when either cannot be done."""
    from storage.ledger.anchors import sources
    from storage.ledger.verify import Options, verify

    options = Options(quick=True, sources=tuple(sources(data, checking.ledger.places)), jobs=1)
    report = verify(data, options, state, clock=clock)
    journal = Journal(data, f"{checking.node}/verify", lambda items: [text for text, _ in items], POLICY, clock)
    journal.write(events(report, clock()))
    log = structlog.get_logger(__name__)
    broken = [finding for finding in report.findings if finding.broken]
    if broken:
        log.error("the self-check found that this lake is not what was committed", findings=len(broken), first=_told(broken[0]))
    else:
        log.info("the lake was verified", rows=report.rows, unanchored=report.unanchored)
    return report


def events(report: Report, time_ns: int) -> Sequence[JournalEvent]:
    """The verdict as an event, and what is wrong as another one that alerts look for."""
    broken = [finding for finding in report.findings if finding.broken]
    said: dict[str, AttributeValue] = {
        "auditlake.action": "ledger.verify",
        "auditlake.resource": "ledger",
        "auditlake.outcome": "success" if report.ok else "failure",
        "auditlake.verify.mode": report.mode,
        "auditlake.verify.rows": report.rows,
        "auditlake.verify.findings": len(broken),
        "auditlake.verify.unanchored": report.unanchored,
        **({"auditlake.verify.first": _told(broken[0])} if broken else {}),
    }
    found = [JournalEvent(name="ledger.verified", time_ns=time_ns, attributes=said, severity=_INFO if report.ok else _ERROR)]
    if broken:
        alarm: dict[str, AttributeValue] = {
            "auditlake.security.category": "integrity",
            "auditlake.security.disposition": "allowed_with_monitoring",
            "auditlake.security.detector": "auditlake.verify",
            "auditlake.security.count": len(broken),
            "auditlake.action": "ledger.verify",
            "auditlake.resource": _where(broken[0]),
            "auditlake.reason_code": str(broken[0].verdict).lower(),
        }
        found.append(JournalEvent(name="security", time_ns=time_ns, attributes=alarm, severity=_ERROR))
    return found


def _told(finding: Finding) -> str:
    """A finding in one line; it holds names and numbers alone."""
    return f"{finding.verdict} {_where(finding)}: {finding.detail}"


def _where(finding: Finding) -> str:
    if finding.record_id or finding.path:
        return str(finding.record_id or finding.path)
    return finding.origin if finding.first is None else f"{finding.origin} entries {finding.first} to {finding.last}"
