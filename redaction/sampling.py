"""How often the cache knows a text: counted for a sample of the requests, because counting costs as much as a look-up in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redaction.content import Capture
from redaction.findings import Cleaned

if TYPE_CHECKING:
    from redaction.redactor import Item, OfSubject, Redactor


class Sampled:
    """A redactor that counts; what depends on whose data a text is goes uncounted."""

    def __init__(self, redactor: "Redactor") -> None:
        self._redactor = redactor
        self.lookups = 0
        self.hits = 0
        self.subject_keys = redactor.subject_keys
        self.policy_hash = redactor.policy_hash
        self.blocked = redactor.blocked
        self.ignored = redactor.ignored
        self.may_hold = redactor.may_hold
        self.inherits = redactor.inherits

    def lookup(self, text: str, key: str | None) -> Cleaned | None:
        """See `Redactor.lookup`."""
        unknown = self._redactor.unknown_texts
        cleaned = self._redactor.lookup(text, key)
        self.lookups += 1
        self.hits += self._redactor.unknown_texts == unknown
        return cleaned

    async def clean(self, items: "Sequence[Item]") -> list[Cleaned]:
        """See `Redactor.clean`."""
        return await self._redactor.clean(items)

    def for_subject(self, subject: str | None) -> "Sampled | OfSubject":
        """See `Redactor.for_subject`."""
        cleaner = self._redactor.for_subject(subject)
        return self if cleaner is self._redactor else cleaner  # type: ignore[return-value]  # the other one is an OfSubject

    def capture(self, tenant: str | None, environment: str | None) -> Capture | None:
        """See `Redactor.capture`."""
        return self._redactor.capture(tenant, environment)
