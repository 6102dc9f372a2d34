"""What the walk needs of the redactor (`redaction.redactor.Redactor`), and nothing more."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

Item = tuple[str, str | None]
"""A text and the attribute key it stands under; None for names, bodies and messages."""


Mode = Literal["truncated", "hash", "none"]
"""How content is stored where not all of it is."""


class CleanedText(Protocol):
    """One cleaned text: what may be stored, and what was found (entity, rule, path inside the text → count)."""

    @property
    def text(self) -> str: ...
    @property
    def receipts(self) -> Mapping[tuple[str, str, str], int]: ...


class Cleaner(Protocol):
    """Cleans the texts of one data subject, or of nobody in particular."""

    def lookup(self, text: str, key: str | None) -> CleanedText | None: ...
    def blocked(self, key: str) -> CleanedText | None: ...
    def may_hold(self, number: str, key: str | None) -> bool: ...
    def inherits(self, key: str | None) -> bool: ...
    async def clean(self, items: Sequence[Item]) -> Sequence[CleanedText]: ...


class Capture(Protocol):
    """How much content is stored of the records of a tenant in an environment."""

    def mode(self, key: str) -> Mode | None: ...
    def body_mode(self, event_name: str) -> Mode | None: ...
    def applied(self, mode: Mode, text: str, cleaned: Any) -> CleanedText: ...  # `cleaned`: what the same redactor returned, or None


class Redactor(Cleaner, Protocol):
    """A whole policy. Without `subject_keys` nothing depends on whose data it is; `capture` is None where everything is stored."""

    @property
    def subject_keys(self) -> Sequence[str]: ...
    @property
    def policy_hash(self) -> str: ...
    def ignored(self, key: str) -> bool: ...
    def for_subject(self, subject: str | None) -> Cleaner: ...
    def capture(self, tenant: str | None, environment: str | None) -> Capture | None: ...


SpreadLines = Callable[[Sequence[str]], set[int]]
"""Items of a list → which of them are lines of a private key that stands in several (`redaction.secrets.spread_key_lines`)."""
