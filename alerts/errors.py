"""The exception family of `alerts`: what was attempted, on what, and the operator's remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class AlertsError(Exception):
    """Something about alerting failed; `hint` says what the operator can do. Never holds stored text."""

    def __init__(self, attempted: str, subject: Path | str, *, hint: str) -> None:
        super().__init__(f"could not {attempted}: {subject} ({hint})")
        self.attempted = attempted
        self.subject = str(subject)
        self.hint = hint


class Outdated(Exception):
    """Somebody was erased since this process read what it remembers: nothing was written, and it is to be read again."""


class NotYet(Exception):
    """What a rule asks is not known yet: its alerts stay as they are, and nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong in a rule file: where it stands (file, line from 1, key path) and what it is, with the remedy."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}: {place}{self.message}"


class RuleFileError(AlertsError):
    """Files that somebody wrote are refused; `problems` lists everything that is wrong with them, not only the first."""

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        what: str = "rule files",
        hint: str = "correct the lines below, then check with: auditlake alerts check",
    ) -> None:
        self.problems = tuple(sorted(problems))
        self.what = what
        files = ", ".join(sorted({problem.file for problem in self.problems}))
        super().__init__(f"use the {what}", files, hint=hint)

    def __str__(self) -> str:
        count = len(self.problems)
        return "\n".join([f"{count} problem{'s' if count != 1 else ''} in {self.what}", *(f"  {problem}" for problem in self.problems)])


class DeliveryFailed(AlertsError):
    """A receiver did not take a notification; `retryable` says whether the same one may be taken later, `asked_seconds` how long the
    receiver wants to be left alone."""

    def __init__(self, receiver: str, reason: str, *, retryable: bool, asked_seconds: float | None = None) -> None:
        hint = "it is kept and sent again" if retryable else "it is not sent again: correct the receiver"
        super().__init__("deliver a notification", receiver, hint=f"{reason}; {hint}")
        self.reason = reason
        self.retryable = retryable
        self.asked_seconds = asked_seconds
