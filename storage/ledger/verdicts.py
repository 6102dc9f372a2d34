"""What verification says: a verdict for each range of entries of an origin, and for what stands beside them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final


class Verdict(StrEnum):
    """What holds for a range of entries."""

    VALID = "VALID"  # every row is the one that was committed
    ALTERED = "ALTERED"  # something is not what was committed
    MISSING = "MISSING"  # something that was committed, or that was there before, is gone
    EXTRA = "EXTRA"  # something is there that was never committed
    ERASED = "ERASED"  # rows were erased by an order, which the log holds
    EXPIRED = "EXPIRED"  # rows were deleted by a rule, which the log holds
    UNLEDGERED = "UNLEDGERED"  # sealed before there was a log, or not in it yet: nothing is claimed


BROKEN: Final = frozenset({Verdict.ALTERED, Verdict.MISSING, Verdict.EXTRA})
"""The verdicts that make verification fail."""
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict about entries `first` to `last` of an origin; both None for what is not of single entries (its log, its key)."""

    origin: str
    verdict: Verdict
    first: int | None = None
    last: int | None = None
    detail: str = ""
    record_id: str | None = None  # the first bad record, as far as it can be told
    path: str | None = None  # the file that shows it, relative to the data directory
    table: str | None = None
    order: str | None = None  # of an erasure
    rows: int = 0
    anchored: bool = False  # a checkpoint that covers these entries stands outside of this data directory

    @property
    def broken(self) -> bool:
        """Whether verification fails by it."""
        return self.verdict in BROKEN

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it: what is unknown is left out."""
        return {name: value for name, value in asdict(self).items() if value not in {None, ""}}


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginReport:
    """What was found of one origin."""

    origin: str
    findings: tuple[Finding, ...]
    size: int = 0  # entries of its log
    root: str = ""  # hex
    time_s: int | None = None  # when its checkpoint was signed
    signed_by: tuple[str, ...] = ()  # verifier keys that signed the checkpoint and are trusted
    trust: str = ""  # why: given | remembered | stored beside the data
    anchored_size: int = 0  # entries of the log that a checkpoint elsewhere covers
    anchored_by: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is altered, missing or extra."""
        return not any(finding.broken for finding in self.findings)

    @property
    def unanchored(self) -> int:
        """How many entries of the log no checkpoint elsewhere covers."""
        return max(0, self.size - self.anchored_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one verification found."""

    mode: str  # deep | quick
    begun_ns: int
    ended_ns: int
    origins: tuple[OriginReport, ...] = ()
    rows: int = 0  # whose leaf hash was computed, or whose file is known by its digest
    bytes: int = 0  # of the files that were read
    notes: tuple[str, ...] = field(default=())  # what is harmless and still worth a look

    @property
    def ok(self) -> bool:
        """Whether nothing is altered, missing or extra."""
        return all(origin.ok for origin in self.origins)

    @property
    def unanchored(self) -> int:
        """How many log entries no checkpoint elsewhere covers."""
        return sum(origin.unanchored for origin in self.origins)

    @property
    def unledgered(self) -> int:
        """How many rows no log speaks of."""
        return sum(finding.rows for finding in self.findings if finding.verdict is Verdict.UNLEDGERED)

    @property
    def findings(self) -> Iterator[Finding]:
        """All findings, origin by origin."""
        return (finding for origin in self.origins for finding in origin.findings)

    def counts(self) -> Mapping[str, int]:
        """How many findings have each verdict."""
        found: dict[str, int] = {}
        for finding in self.findings:
            found[finding.verdict] = found.get(finding.verdict, 0) + 1
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        origins = [
            {**asdict(origin), "findings": [finding.to_json() for finding in origin.findings], "ok": origin.ok,
             "unanchored": origin.unanchored}
            for origin in self.origins
        ]  # fmt: skip
        return {**asdict(self), "origins": origins, "ok": self.ok, "unanchored": self.unanchored, "unledgered": self.unledgered,
                "counts": self.counts()}  # fmt: skip


def ranges(findings: Iterable[Finding]) -> list[Finding]:
    """Merge findings of neighbouring entries about the same file and table into one, which names the first bad record.

    What is not of single entries comes first, the others by entry.
    """

    def alike(finding: Finding) -> tuple[str, ...]:
        said = _NUMBER.sub("#", finding.detail)
        return tuple(str(part) for part in (finding.verdict, finding.table, finding.path, finding.order, finding.anchored, said))

    merged: list[Finding] = []
    counts: list[int] = []
    for finding in sorted(findings, key=lambda each: (*alike(each), each.first or 0, each.last or 0)):
        last = merged[-1] if merged else None
        if last is not None and alike(last) == alike(finding) and _continues(last, finding):
            merged[-1] = replace(last, last=max(last.last or 0, finding.last or 0), rows=last.rows + finding.rows)
            counts[-1] += 1
        else:
            merged.append(finding)
            counts.append(1)
    said = [replace(each, detail=f"{each.detail}; {count} entries alike") if count > 1 else each
            for each, count in zip(merged, counts, strict=True)]  # fmt: skip
    return sorted(said, key=lambda each: (each.first is not None, each.first or 0, each.last or 0))


def _continues(last: Finding, finding: Finding) -> bool:
    return last.last is not None and finding.first is not None and finding.first <= last.last + 1
