"""What detection says about a text, and how a text is rewritten by it; pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

Receipt = tuple[str, str, str]
"""Entity, rule, and where inside the text it was: "" for the text itself, `.messages[].content` for a leaf of its JSON."""

NOTHING: Final[Mapping[Receipt, int]] = MappingProxyType({})
NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})

WITHHELD: Final = "WITHHELD"
BLOCKED_KEY: Final = "BLOCKED_KEY"
KEY_NOT_ALLOWED: Final = "KEY_NOT_ALLOWED"
KEPT: Final = "KEPT"
"""Entity of what was found and left in place by the action `keep`; the rule says what it is: `EMAIL_ADDRESS/EmailRecognizer`."""

TIMEOUT: Final = "timeout"
ERROR: Final = "error"
TOO_LARGE: Final = "too_large"
WORKER: Final = "worker"
VAULT: Final = "vault"
UNSCANNED: Final = "unscanned"
"""The reasons for which a text is withheld; one that a scanner answers in place of findings."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One entity in a text: `text[start:end]`, in code points; `rule` names the recognizer and its pattern."""

    start: int
    end: int
    entity: str
    score: float
    rule: str


PATH_CHARS: Final = 120
"""Longer paths are cut: receipts are read by people, and grouped."""

Findings = tuple[Finding, ...]
Verdict = Findings | str
"""The findings of a text, or the reason why there are none to trust."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """The result for one text: `text` may be stored; `receipts` say what was taken out, by which rule and where."""

    text: str
    receipts: Mapping[Receipt, int] = field(default_factory=lambda: NOTHING)
    findings: Findings = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of each entity were found."""
        if not self.receipts:
            return NO_COUNTS
        sums: dict[str, int] = {}
        for (entity, _, _), count in self.receipts.items():
            sums[entity] = sums.get(entity, 0) + count
        return sums


def withheld(reason: str) -> Cleaned:
    """Return the result for a text that could not be checked."""
    return Cleaned(text=f"<{WITHHELD}:{reason}>", receipts={(WITHHELD, reason, ""): 1})


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


def rewritten(text: str, clusters: Iterable[Finding], label: Callable[[Finding], str]) -> Cleaned:
    """Return `text` with every finding replaced by its label; findings are in order and do not overlap."""
    pieces: list[str] = []
    receipts: dict[Receipt, int] = {}
    position = 0
    for finding in clusters:
        pieces += (text[position : finding.start], label(finding))
        position = finding.end
        receipt = (finding.entity, finding.rule, "")
        receipts[receipt] = receipts.get(receipt, 0) + 1
    pieces.append(text[position:])
    return Cleaned(text="".join(pieces), receipts=receipts)


def total(parts: Iterable[tuple[str, Mapping[Receipt, int]]]) -> Mapping[Receipt, int]:
    """Return the sum of receipts, each seen from outside through the path of its part."""
    sums: dict[Receipt, int] = {}
    for outer, receipts in parts:
        for (entity, rule, path), count in receipts.items():
            receipt = (entity, rule, (outer + path)[:PATH_CHARS] if path else outer)
            sums[receipt] = sums.get(receipt, 0) + count
    return sums or NOTHING
