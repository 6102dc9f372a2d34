"""What detection says about a text, and how a text is rewritten by it; pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

NOTHING: Final[Mapping[str, int]] = MappingProxyType({})

WITHHELD: Final = "WITHHELD"
BLOCKED_KEY: Final = "BLOCKED_KEY"
KEY_NOT_ALLOWED: Final = "KEY_NOT_ALLOWED"

TIMEOUT: Final = "timeout"
ERROR: Final = "error"
TOO_LARGE: Final = "too_large"
WORKER: Final = "worker"
"""The reasons for which a text is withheld; one that a scanner answers in place of findings."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One entity in a text: `text[start:end]`, in code points; `rule` names the recognizer and its pattern."""

    start: int
    end: int
    entity: str
    score: float
    rule: str


Findings = tuple[Finding, ...]
Verdict = Findings | str
"""The findings of a text, or the reason why there are none to trust."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """The result for one text: `text` may be stored; `counts` says how many of each entity were taken out."""

    text: str
    counts: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    findings: Findings = ()


def withheld(reason: str) -> Cleaned:
    """Return the result for a text that could not be checked."""
    return Cleaned(text=f"<{WITHHELD}:{reason}>", counts={WITHHELD: 1})


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings that do not overlap: each covers a whole cluster of overlapping ones and carries the name of its strongest."""
    clusters: list[Finding] = []
    for finding in sorted(findings):
        if not clusters or finding.start >= clusters[-1].end:
            clusters.append(finding)
            continue
        last = clusters[-1]
        strongest = max(last, finding, key=lambda each: (each.score, each.end - each.start, each.entity))
        clusters[-1] = Finding(last.start, max(last.end, finding.end), strongest.entity, strongest.score, strongest.rule)
    return clusters


def rewritten(text: str, findings: Sequence[Finding], label: Callable[[str, str], str]) -> Cleaned:
    """Return `text` with every finding replaced by `label(entity, matched text)`; the counts are of what was replaced."""
    if not findings:
        return Cleaned(text=text)
    pieces: list[str] = []
    counts: dict[str, int] = {}
    position = 0
    for finding in merged(findings):
        pieces += (text[position : finding.start], label(finding.entity, text[finding.start : finding.end]))
        counts[finding.entity] = counts.get(finding.entity, 0) + 1
        position = finding.end
    pieces.append(text[position:])
    return Cleaned(text="".join(pieces), counts=counts, findings=tuple(findings))


def total(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    """Return the sums by entity."""
    sums: dict[str, int] = {}
    for each in counts:
        for entity, count in each.items():
            sums[entity] = sums.get(entity, 0) + count
    return sums or NOTHING
