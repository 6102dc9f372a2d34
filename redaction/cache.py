"""What is known about texts, bounded in bytes: two generations of plain dictionaries, so that a hit is one look-up."""

import sys
from typing import Final

from redaction.findings import Cleaned
from redaction.keys import KeyClass

Question = tuple[str, KeyClass] | tuple[str, KeyClass, str | None, int | None]
"""A text and the class of the key it came under: all that a result depends on; with originals in the vault, also whose data it is and
the vault's generation, for a reference is good until its subject is destroyed."""

ENTRY_BYTES: Final = 240
"""Memory of an entry beside its texts: the tuple, the result, the dictionary's slot (165 measured, more while it grows)."""


class Cache:
    """A bounded map question → result. Old entries go in whole generations; what is still in use is carried over when it is asked for.

    Reading and writing are safe from any thread: two that write at once may lose entries early, never mix them up.
    """

    def __init__(self, size_bytes: int) -> None:
        self._generation_bytes = size_bytes // 2
        self._young: dict[Question, Cleaned] = {}
        self._old: dict[Question, Cleaned] = {}
        self._young_bytes = 0
        self._old_bytes = 0

    def get(self, question: Question) -> Cleaned | None:
        """Return the result that is known, or None."""
        known = self._young.get(question)
        if known is not None:
            return known
        known = self._old.get(question)
        if known is not None:
            self.put(question, known)
        return known

    def put(self, question: Question, result: Cleaned) -> None:
        """Remember a result, unless it alone would fill a generation."""
        if not self._generation_bytes:
            return
        size = ENTRY_BYTES + sys.getsizeof(question[0]) + (0 if result.text is question[0] else sys.getsizeof(result.text))
        size += 200 * (len(result.findings) + len(result.receipts))
        if size > self._generation_bytes:
            return
        if self._young_bytes + size > self._generation_bytes:
            self._old, self._old_bytes = self._young, self._young_bytes
            self._young, self._young_bytes = {}, 0
        if question not in self._young:
            self._young_bytes += size
        self._young[question] = result

    @property
    def size_bytes(self) -> int:
        """The memory that the entries take, as counted."""
        return self._young_bytes + self._old_bytes

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
