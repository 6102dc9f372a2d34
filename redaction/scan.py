"""One text → its findings: long texts in overlapping chunks, escaped texts also as what they stand for, always within a budget."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from redaction.budget import BudgetExceeded, cpu_budget
from redaction.escapes import unescaped
from redaction.findings import ERROR, TIMEOUT, Finding, Findings, Verdict

CHUNK_CHARS: Final = 4096
OVERLAP_CHARS: Final = 512
"""Chunks share this much, so that an entity (at most 320 characters) and the words before it stand whole in one of them."""


class Finder(Protocol):
    """What a scanner needs of a detector (`redaction.presidio.Analyzer`)."""

    def find(self, text: str, context: Sequence[str]) -> Findings: ...

    def find_long(self, text: str) -> Findings: ...


class Gate(Protocol):
    """What can tell that nothing will be found (`redaction.prefilter.Prefilter`)."""

    def may_match(self, text: str, context: Sequence[str]) -> bool: ...


class Scanner:
    """Scans texts with a finder; never raises because of a text, and never says nothing was found when it did not look."""

    def __init__(
        self,
        finder: Finder,
        *,
        timeout_seconds: float,
        gate: Gate | None = None,
        budget: Callable[[float], AbstractContextManager[None]] = cpu_budget,
    ) -> None:
        self._finder = finder
        self._gate = gate
        self._timeout_seconds = timeout_seconds
        self._budget = budget

    def verdict(self, text: str, context: Sequence[str]) -> Verdict:
        """Return the findings in `text`, or the reason (`timeout`, `error`) why it has to be withheld."""
        try:
            found = self._found(text, context)
            if (decoded := unescaped(text)) is not None:
                found = _united(found, decoded, self._found(decoded[0], context))
        except BudgetExceeded:
            return TIMEOUT
        except Exception:  # noqa: BLE001 - the boundary to other people's recognizers: fail closed; messages may hold text
            return ERROR
        return tuple(sorted(set(found)))

    def _found(self, text: str, context: Sequence[str]) -> list[Finding]:
        if len(text) <= CHUNK_CHARS:
            with self._budget(self._timeout_seconds):
                return list(self._finder.find(text, context))
        with self._budget(self._timeout_seconds * (1 + len(text) / CHUNK_CHARS / 8)):
            found = list(self._finder.find_long(text))
        for start, end in chunks(text):
            chunk = text[start:end]
            with self._budget(self._timeout_seconds):
                if self._gate is None or self._gate.may_match(chunk, context):
                    found += [moved(each, start) for each in self._finder.find(chunk, context)]
        return found


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
    return Finding(finding.start + offset, finding.end + offset, finding.entity, finding.score, finding.rule)


def _united(raw: list[Finding], decoded: tuple[str, list[int]], found: list[Finding]) -> list[Finding]:
    r"""Join both views; where the raw one only swallowed the letter of an escape (`\njane@…`), the decoded one is right."""
    positions = decoded[1]
    mapped = [Finding(positions[each.start], positions[each.end], each.entity, each.score, each.rule) for each in found]
    better = {(each.entity, each.end): each.start for each in mapped}
    return [each for each in raw if better.get((each.entity, each.end), -1) <= each.start] + mapped
