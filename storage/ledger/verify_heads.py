"""What must be there before anything is read: heads that were seen, checkpoints that left the host, logs that were signed."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.ledger.anchors import Source
from storage.ledger.verdicts import Finding, Verdict
from storage.ledger.verify_catalog import never_written
from storage.ledger.verify_state import Head
from storage.ledger.verify_trust import Claim, Signed


def remembered(head: Head | None) -> list[Claim]:
    """Return what our memory says of a log."""
    return [] if head is None or not head.size else [Claim(size=head.size, root=bytes.fromhex(head.root), source="remembered")]


def outside(origin: str, sources: Sequence[Source]) -> tuple[list[Claim], list[str]]:
    """Return what is known of a log elsewhere, and notes about what cannot be read: that anchors nothing."""
    claims: list[Claim] = []
    notes = []
    for source in sources:
        try:
            claims.extend(_claims(source, origin))  # what is told before an error counts: it may contradict the log
        except StorageError as error:
            notes.append(f"{origin}: {error}")
    return claims, notes


def _claims(source: Source, origin: str) -> Iterator[Claim]:
    for each in source.evidence(origin):
        yield Claim(size=each.size, root=each.root, source=f"{each.kind} {each.by}", outside=True)


def elsewhere(sources: Sequence[Source]) -> Iterator[str]:
    """Yield the origins that are known elsewhere; a source that cannot be read is told when it is asked about a log."""
    for source in sources:
        with suppress(StorageError):
            yield from source.origins()


def lost(origin: str, signed: Signed, head: Head | None, stored: Sequence[str], catalog: Catalog, now_ns: int) -> Iterator[Finding]:
    """A log without a checkpoint that had one, and a checkpoint that is older than one that was seen."""
    path = f"ledger/{origin}/checkpoint"
    if signed.checkpoint is None and not signed.findings:
        if head is not None and head.size:
            detail = f"its log is gone: it had {head.size} entries when it was verified last"
            yield Finding(origin=origin, verdict=Verdict.MISSING, path=path, detail=detail)
        elif any(key.partition("+")[0] == origin for key in stored):
            yield Finding(
                origin=origin, verdict=Verdict.MISSING, path=path, detail="its log is gone: the stored keys say that it was signed"
            )
        elif (finding := never_written(catalog, origin, now_ns)) is not None:
            yield finding
    elif head is not None and signed.time_s is not None and signed.time_s < head.time_s:
        detail = "its checkpoint is older than the one that was seen last: an older copy was restored"
        yield Finding(origin=origin, verdict=Verdict.MISSING, path=path, detail=detail)


def unledgered(findings: Sequence[Finding]) -> int:
    """Return how many rows no log speaks of."""
    return sum(finding.rows for finding in findings if finding.verdict is Verdict.UNLEDGERED)


def more_unledgered(origin: str, head: Head | None, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Rows from before the ledger become no more."""
    begun = [each for each in findings if each.verdict is Verdict.UNLEDGERED and each.detail.startswith("sealed before")]
    rows = unledgered(begun)
    if head is not None and head.size and rows > head.unledgered:
        more = rows - head.unledgered
        detail = f"{more} more rows from before the ledger than when it was verified last"
        yield Finding(origin=origin, verdict=Verdict.EXTRA, detail=detail, rows=more)
