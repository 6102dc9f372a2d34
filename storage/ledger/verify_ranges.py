"""The ranges of entries about which nothing speaks: they are valid, as far as a trusted signature covers the log."""

from collections.abc import Iterator, Sequence

import numpy as np

from storage.ledger.verdicts import Finding, Verdict
from storage.ledger.verify_log import LogAudit


def quiet_ranges(audit: LogAudit, findings: Sequence[Finding], from_entry: int) -> Iterator[Finding]:
    """Yield a verdict for every range of segments, from `from_entry` on, that no finding is about: anchored and not, apart."""
    numbers = np.frombuffer(audit.numbers, dtype=np.int64) if audit.numbers else np.empty(0, np.int64)
    indexes = np.frombuffer(audit.indexes, dtype=np.int64) if audit.indexes else np.empty(0, np.int64)
    quiet = numbers >= from_entry
    for finding in findings:
        if finding.first is not None and finding.last is not None:
            quiet[np.searchsorted(numbers, finding.first) : np.searchsorted(numbers, finding.last, side="right")] = False
    for sound in (True, False):
        for anchored in (True, False):
            chosen = quiet & ((indexes < audit.sound) == sound) & ((indexes < audit.anchored) == anchored)
            for first, last in _runs(numbers, chosen):
                if sound:
                    yield Finding(origin=audit.origin, verdict=Verdict.VALID, first=first, last=last, anchored=anchored)
                else:
                    detail = "no trusted signature covers these entries"
                    yield Finding(origin=audit.origin, verdict=Verdict.ALTERED, first=first, last=last, detail=detail)


def _runs(numbers: np.ndarray, chosen: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last number of each unbroken run of chosen places."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])).astype(np.int8)))
    for begun, ended in zip(edges[::2], edges[1::2], strict=True):
        yield int(numbers[begun]), int(numbers[ended - 1])
