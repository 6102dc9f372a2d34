"""Whether a log is the one that was signed: its entries, tiles and checkpoint, and the catalog's copy of it.

One pass, a bundle of 256 entries at a time, whatever the log's size. Where two copies of an entry differ, the one under the signed root
is the true one, so that one edited file is named as what it is and costs no other verdict.
"""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, TypeVar

import orjson

from storage.catalog import Catalog
from storage.ledger import merkle
from storage.ledger.errors import LedgerError
from storage.ledger.log import Log
from storage.ledger.prefixes import Roots
from storage.ledger.tiles import TILE_WIDTH, bundle_path, tile_path
from storage.ledger.verdicts import Finding, Verdict
from storage.ledger.verify_trust import Claim, Signed

_CACHED_BUNDLES: Final = 4
_CACHED_SEGMENTS: Final = 8192
"""Descriptors that stay read: a verification asks for each several times, and a few kB each are 30 MB at most."""
_NUMBERS: Final = range(-(2**63), 2**63)
_Read = TypeVar("_Read")


@dataclass(slots=True, kw_only=True)
class LogAudit:
    """What a pass over one log found."""

    log: Log
    signed: Signed
    size: int = 0
    root: bytes = merkle.EMPTY_ROOT
    sound: int = 0  # entries that a trusted root covers
    numbers: "array[int]" = field(default_factory=lambda: array("q"))  # of segments, ascending
    indexes: "array[int]" = field(default_factory=lambda: array("q"))  # where in the log they stand
    others: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)  # index and entry of whatever is no segment
    findings: list[Finding] = field(default_factory=list)
    anchored: int = 0  # entries that a claim from outside covers
    anchored_by: list[str] = field(default_factory=list)
    restored: dict[int, bytes] = field(default_factory=dict)  # index → the catalog's copy of an entry whose own is altered or gone
    gone: set[int] = field(default_factory=set)  # indexes of entries whose own bundle cannot be read
    _bundles: OrderedDict[int, list[bytes]] = field(default_factory=OrderedDict)
    _descriptors: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The origin's name."""
        return self.log.origin

    def index_of(self, entry: int) -> int | None:
        """Return where in the log a segment stands."""
        at = bisect_left(self.numbers, entry)
        return self.indexes[at] if at < len(self.numbers) and self.numbers[at] == entry else None

    def segment(self, entry: int) -> Mapping[str, Any] | None:
        """Return what the log says of a segment; None when it has none of this number. Raises `LedgerError`."""
        index = self.index_of(entry)
        return None if index is None else orjson.loads(self.body(index))

    def segments(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield number and descriptor of each segment, ascending. Raises `LedgerError`."""
        for number, index in zip(self.numbers, self.indexes, strict=True):
            descriptor = self._descriptors.get(index)
            if descriptor is None:
                descriptor = orjson.loads(self.body(index))
                if len(self._descriptors) < _CACHED_SEGMENTS:
                    self._descriptors[index] = descriptor
            yield number, descriptor

    def segments_below(self, size: int) -> int:
        """Return how many segments stand among the first `size` entries."""
        return bisect_left(self.indexes, size)

    def body(self, index: int) -> bytes:
        """Return a log entry as it stands, or as the catalog has it where that is the true one. Raises `LedgerError`."""
        if index in self.restored:
            return self.restored[index]
        bundle, at = divmod(index, TILE_WIDTH)
        if bundle not in self._bundles:
            start = bundle * TILE_WIDTH
            self._bundles[bundle] = self.log.reader.entries(start, min(TILE_WIDTH, self.size - start))
            if len(self._bundles) > _CACHED_BUNDLES:
                self._bundles.popitem(last=False)
        return self._bundles[bundle][at]


def audit_log(log: Log, signed: Signed, catalog: Catalog, claims: Sequence[Claim]) -> LogAudit:
    """Return what a log is worth: against its checkpoint, against what is remembered and anchored, against the catalog's copy."""
    audit = LogAudit(log=log, signed=signed, findings=list(signed.findings))
    head = signed.checkpoint
    every = [*signed.claims, *claims]
    if head is None:
        if not signed.findings:  # nothing is there: what stands elsewhere says how much there was
            _judge_claims(audit, Roots(()), [claim for claim in every if claim.outside])
        return audit
    audit.size = head.size
    roots = Roots({head.size, *(claim.size for claim in every if claim.size <= head.size)})
    for start in range(0, head.size, TILE_WIDTH):
        _chunk(audit, catalog, roots, start, min(TILE_WIDTH, head.size - start))
    _judge_root(audit, roots, head.root)
    _judge_claims(audit, roots, every)
    _judge_order(audit, catalog)
    _judge_upper_tiles(audit, roots)
    return audit


def _chunk(audit: LogAudit, catalog: Catalog, roots: Roots, start: int, count: int) -> None:
    """One bundle: what its entries say, and where tile, bundle and catalog differ."""
    origin, index = audit.origin, start // TILE_WIDTH
    copies: list[bytes | None] = [record.body or None for record in catalog.log_records(origin, start, count)]
    if len(copies) < count:
        detail = f"the catalog lacks log entries {start + len(copies)} to {start + count - 1}: an older catalog was restored"
        audit.findings.append(Finding(origin=origin, verdict=Verdict.MISSING, path="catalog.sqlite", detail=detail))
        copies += [None] * (count - len(copies))
    tile = bodies = None
    try:
        tile = _twice(lambda: audit.log.reader.hashes(0, start, count))
    except LedgerError as error:
        audit.findings.append(_file_finding(audit, error, tile_path(0, index), "a tile of the log"))
    try:
        bodies = _twice(lambda: audit.log.reader.entries(start, count))
    except LedgerError as error:
        audit.gone.update(range(start, start + count))
        audit.findings.append(_file_finding(audit, error, bundle_path(index), "a bundle of log entries"))
    hashes = [None if copy is None else merkle.leaf_hash(copy) for copy in copies]
    by_entry = hashes if bodies is None else [merkle.leaf_hash(body) for body in bodies]
    by_tile = by_entry if tile is None else tile
    known_tile = [each or bytes(merkle.HASH_BYTES) for each in by_tile]
    known_entry = [each or bytes(merkle.HASH_BYTES) for each in by_entry]
    for at in range(count):
        if known_tile[at] != known_entry[at]:
            roots.differing.append(start + at)
        if hashes[at] is not None and hashes[at] not in {known_tile[at], known_entry[at]}:
            roots.copied.append(start + at)
        own = bodies[at] if bodies is not None else None
        copy = copies[at]
        if copy is not None and (own is None or (known_tile[at] != known_entry[at] and hashes[at] == known_tile[at])):
            audit.restored[start + at] = copy
        _take(audit, start + at, audit.restored.get(start + at, own))
    roots.add(start, known_tile, known_entry)


def _twice(read: Callable[[], _Read]) -> _Read:
    """Read part of the log; once more when its file went meanwhile, as a partial tile does when the full one is there."""
    try:
        return read()
    except LedgerError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return read()
        raise


def _take(audit: LogAudit, index: int, body: bytes | None) -> None:
    """Enter one log entry into the index of segments, or keep what else it is."""
    if body is None:
        return
    try:
        entry = orjson.loads(body)
        if entry["kind"] != "segment":
            audit.others.append((index, entry))
        elif _is_segment(entry):
            audit.numbers.append(entry["entry"])
            audit.indexes.append(index)
        else:
            raise ValueError(index)
    except (ValueError, KeyError, TypeError, AttributeError):
        detail = f"log entry {index} is not readable"
        audit.findings.append(Finding(origin=audit.origin, verdict=Verdict.ALTERED, detail=detail))


def _is_segment(entry: Mapping[str, Any]) -> bool:
    """Whether a log entry says of a segment what every one says: who can write the log's files can write anything there."""
    numbers = [entry["entry"], entry["sealed_ns"], *(table["rows"] for table in entry["tables"].values())]
    texts = [text for table in entry["tables"].values() for text in (table["root"], table.get("fingerprints", ""))]
    return (
        all(type(number) is int and number in _NUMBERS for number in numbers)
        and all(isinstance(text, str) for text in texts)
        and isinstance(entry["counters"], dict)
        and "policy_hash" in entry
    )


def _index_anew(audit: LogAudit) -> None:
    """Index the entries as they stand in the log, after those of a copy were indexed that proved to be the false ones."""
    audit.restored = {index: body for index, body in audit.restored.items() if index in audit.gone}
    audit.numbers, audit.indexes, audit.others = array("q"), array("q"), []
    for index in range(audit.size):
        if index not in audit.gone or index in audit.restored:
            _take(audit, index, audit.body(index))


def _file_finding(audit: LogAudit, error: LedgerError, below: str, what: str) -> Finding:
    gone = isinstance(error.__cause__, FileNotFoundError)
    verdict = Verdict.MISSING if gone else Verdict.ALTERED
    return Finding(origin=audit.origin, verdict=verdict, path=f"ledger/{audit.origin}/{below}", detail=f"{what}: {error.hint}")


def _judge_root(audit: LogAudit, roots: Roots, signed_root: bytes) -> None:
    """Compare with the checkpoint, and name the entries, or tiles, that are not what was signed."""
    origin, folder = audit.origin, f"ledger/{audit.origin}"
    if roots.tiles.get(audit.size) == signed_root:
        for index in roots.differing:
            detail = f"log entry {index} is not the one that was signed"
            path = f"{folder}/{bundle_path(index // TILE_WIDTH)}"
            audit.findings.append(_altered(audit, index, path, detail))
    elif roots.entries.get(audit.size) == signed_root:
        roots.uses_tiles = False
        _index_anew(audit)
        for index in sorted({each // TILE_WIDTH for each in roots.differing}):
            detail = f"the hashes of log entries {index * TILE_WIDTH} and following are not theirs"
            audit.findings.append(Finding(origin=origin, verdict=Verdict.ALTERED, path=f"{folder}/{tile_path(0, index)}", detail=detail))
    else:
        first = min([*roots.differing, *roots.copied], default=None)
        where = "" if first is None else f", the first at log entry {first}"
        detail = f"its entries do not lead to the root that its checkpoint signs: entries were changed, removed or inserted{where}"
        audit.findings.append(Finding(origin=origin, verdict=Verdict.ALTERED, path=folder, detail=detail))
        return
    audit.root = signed_root
    audit.sound = audit.size if audit.signed.trusted else 0
    for index in [each for each in roots.copied if each not in roots.differing]:
        detail = f"the catalog's copy of log entry {index} is another one"
        audit.findings.append(_altered(audit, index, "catalog.sqlite", detail))


def _altered(audit: LogAudit, index: int, path: str, detail: str) -> Finding:
    """A finding about one log entry, by the number of its segment, if it is one."""
    at = bisect_left(audit.indexes, index)
    number = audit.numbers[at] if at < len(audit.indexes) and audit.indexes[at] == index else None
    return Finding(origin=audit.origin, verdict=Verdict.ALTERED, first=number, last=number, path=path, detail=detail)


def _judge_claims(audit: LogAudit, roots: Roots, claims: Sequence[Claim]) -> None:
    """Hold remembered, anchored and rotation heads against the log; of many that one source contradicts, the smallest is told."""
    contradicted: dict[tuple[str, Verdict], list[str]] = {}
    for claim in sorted(claims, key=lambda each: each.size):
        if claim.size > audit.size:
            contradicted.setdefault((claim.source, Verdict.MISSING), []).append(_too_short(audit, claim))
        elif roots.at(claim.size) != claim.root:
            by = claim.source if claim.outside or claim.source == "rotation" else "what was seen before"
            detail = f"its first {claim.size} entries are not those of {by}: the log was rewritten"
            contradicted.setdefault((claim.source, Verdict.ALTERED), []).append(detail)
        else:
            audit.sound = max(audit.sound, claim.size)
            if claim.outside:
                audit.anchored = max(audit.anchored, claim.size)
                audit.anchored_by.append(claim.source)
    for (_, verdict), details in contradicted.items():
        more = f" (and {len(details) - 1} more of its checkpoints)" if len(details) > 1 else ""
        audit.findings.append(Finding(origin=audit.origin, verdict=verdict, detail=details[0] + more))


def _too_short(audit: LogAudit, claim: Claim) -> str:
    said = f"{claim.size} entries, says {claim.source}" if claim.outside else f"{claim.size} entries were seen before"
    return f"its log has {audit.size} entries, {said}: its tail was cut off, or an older copy was restored"


def _judge_order(audit: LogAudit, catalog: Catalog) -> None:
    """Segments of an origin are numbered without a gap; what was sealed while the ledger was off is in the catalog."""
    for before, after in pairwise(audit.numbers):
        if after <= before:
            detail = f"segment {after} follows segment {before} in the log"
            audit.findings.append(Finding(origin=audit.origin, verdict=Verdict.ALTERED, first=after, last=after, detail=detail))
        elif after > before + 1:
            detail = "no segment of this number was ever sealed"
            sealed = [each.entry for each in catalog.entries(audit.origin, first=before + 1, last=after - 1)]
            audit.findings += [
                Finding(origin=audit.origin, verdict=Verdict.MISSING, first=low + 1, last=high - 1, detail=detail)
                for low, high in pairwise([before, *sealed, after])
                if high > low + 1
            ]


def _judge_upper_tiles(audit: LogAudit, roots: Roots) -> None:
    """Tiles above level 0 repeat the roots of those below."""
    level, below = 1, roots.upper
    while below and audit.root != merkle.EMPTY_ROOT:
        for start in range(0, len(below), TILE_WIDTH):
            part = below[start : start + TILE_WIDTH]
            path = tile_path(level, start // TILE_WIDTH)
            try:
                if audit.log.reader.hashes(level, start, len(part)) == part:
                    continue
                finding = Finding(
                    origin=audit.origin,
                    verdict=Verdict.ALTERED,
                    path=f"ledger/{audit.origin}/{path}",
                    detail="a tile of the log does not hold the roots of the tiles below it",
                )
            except LedgerError as error:
                finding = _file_finding(audit, error, path, "a tile of the log")
            audit.findings.append(finding)
        below = [merkle.root(below[at : at + TILE_WIDTH]) for at in range(0, len(below) - len(below) % TILE_WIDTH, TILE_WIDTH)]
        level += 1
