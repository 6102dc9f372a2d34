"""One text → its findings: long texts in overlapping parts, what is escaped or encoded also as what it means, always within a budget."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from redaction.budget import BudgetExceeded, cpu_budget
from redaction.encodings import Stretch, stretches
from redaction.escapes import View, views
from redaction.findings import ERROR, TIMEOUT, Finding, Findings, Verdict

CHUNK_CHARS: Final = 4096
OVERLAP_CHARS: Final = 512
"""Chunks share this much, so that an entity (at most 320 characters) and the words before it stand whole in one of them."""

FREE_BUDGETS: Final = 2
BUDGET_CHARS: Final = 65_536
"""A long text has the budget of two chunks, and of one more for so many characters: a tenth of what its chunks could use together."""


class Finder(Protocol):
    """What a scanner needs of a detector (`redaction.presidio.Analyzer`)."""

    def find(self, text: str, context: Sequence[str]) -> Findings: ...

    def find_long(self, text: str) -> Findings: ...


class Gate(Protocol):
    """What can tell that nothing will be found (`redaction.prefilter.Prefilter`)."""

    def may_match(self, text: str, context: Sequence[str]) -> bool: ...

    def may_match_long(self, text: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Part:
    """What is scanned in one go: a chunk of a text that begins at `offset`, or the whole of a long one for what may exceed a chunk."""

    text: str
    offset: int = 0
    whole: bool = False


class Scanner:
    """Scans texts with a finder; never raises because of a text, and never says nothing was found when it did not look."""

    def __init__(
        self,
        finder: Finder,
        *,
        timeout_seconds: float,
        decodes: bool = True,
        gate: Gate | None = None,
        budget: Callable[[float], AbstractContextManager[None]] = cpu_budget,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._finder = finder
        self._timeout_seconds = timeout_seconds
        self._decodes = decodes
        self._gate = gate
        self._budget = budget
        self._clock = clock

    def verdict(self, text: str, context: Sequence[str]) -> Verdict:
        """Return the findings in `text`, or the reason (`timeout`, `error`) why it has to be withheld."""
        end = self._clock() + allowance_seconds(text, self._timeout_seconds)
        found: list[tuple[int, Findings]] = []
        for part in parts(text, context, self._gate):
            verdict = self.part(part.text, context, whole=part.whole)
            if isinstance(verdict, str):
                return verdict
            found.append((part.offset, verdict))
            if self._clock() > end:
                return TIMEOUT
        return joined(found)

    def part(self, text: str, context: Sequence[str], *, whole: bool = False) -> Verdict:
        """Return the findings in one part of a text, or the reason why it has to be withheld."""
        try:
            with self._budget(allowance_seconds(text, self._timeout_seconds) if whole else self._timeout_seconds):
                return self._found(text, context, whole=whole)
        except BudgetExceeded:
            return TIMEOUT
        except Exception:  # noqa: BLE001 - the boundary to other people's recognizers: fail closed; messages may hold text
            return ERROR

    def _found(self, text: str, context: Sequence[str], *, whole: bool) -> Findings:
        find = self._finder.find_long if whole else lambda view: self._finder.find(view, context)
        found = list(find(text))
        for view in views(text):
            found = _united(found, view, list(find(view[0])))
        if self._decodes:
            found += (_over(stretch, each) for stretch in stretches(text) for each in find(stretch.text))
        return tuple(sorted(set(found)))


def parts(text: str, context: Sequence[str] = (), gate: Gate | None = None) -> Iterator[Part]:
    """Yield what has to be scanned of a text: its chunks, and a long one as a whole, too; not those in which `gate` says is nothing."""
    if len(text) <= CHUNK_CHARS:
        yield Part(text)
        return
    if gate is None or gate.may_match_long(text):
        yield Part(text, whole=True)
    for start, end in chunks(text):
        chunk = text[start:end]
        if gate is None or gate.may_match(chunk, context):
            yield Part(chunk, start)


def allowance_seconds(text: str, timeout_seconds: float) -> float:
    """Return the CPU time that all of a text's parts may take together."""
    return timeout_seconds * (1 if len(text) <= CHUNK_CHARS else FREE_BUDGETS + len(text) / BUDGET_CHARS)


def joined(parts_of_text: Iterable[tuple[int, Findings]]) -> Findings:
    """Return the findings of a text from those of its parts and their offsets."""
    return tuple(sorted({moved(each, offset) for offset, found in parts_of_text for each in found}))


def chunks(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of overlapping chunks that cover `text`; borders fall on white space where there is some."""
    start = 0
    while True:
        end = start + CHUNK_CHARS
        if end >= len(text):
            yield start, len(text)
            return
        end = _space_before(text, end, limit=end - 256)
        yield start, end
        start = _space_before(text, end - OVERLAP_CHARS, limit=end - OVERLAP_CHARS - 256)


def _space_before(text: str, position: int, *, limit: int) -> int:
    return next((index for index in range(position, limit, -1) if text[index].isspace()), position)


def moved(finding: Finding, offset: int) -> Finding:
    """Return `finding` as seen from a text that has `offset` more characters before it."""
    return Finding(finding.start + offset, finding.end + offset, finding.entity, finding.score, finding.rule) if offset else finding


def _over(stretch: Stretch, finding: Finding) -> Finding:
    """Return a finding in what an encoded stretch means: it takes the whole of it."""
    return Finding(stretch.start, stretch.end, finding.entity, finding.score, f"{finding.rule}/{stretch.encoding}")


def _united(raw: list[Finding], view: View, found: list[Finding]) -> list[Finding]:
    r"""Join both views; where the raw one only swallowed the letter of an escape (`\njane@…`), the decoded one is right."""
    positions = view[1]
    mapped = [Finding(positions[each.start], positions[each.end], each.entity, each.score, each.rule) for each in found]
    better = {(each.entity, each.end): each.start for each in mapped}
    return [each for each in raw if better.get((each.entity, each.end), -1) <= each.start] + mapped
