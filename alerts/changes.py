"""Rule files that were read again, as events in the lake: `rules.reload`, with the hashes of what ran and of what runs."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from storage.errors import StorageError
from storage.journal import AttributeValue, Journal, JournalEvent


class Changes:
    """Remembers the rule files as they were read last."""

    def __init__(self, *, journal: Journal, files: Sequence[Path], clock: Callable[[], datetime]) -> None:
        self._journal = journal
        self._clock = clock
        self._hash = rules_hash(files)

    def taken(self, files: Sequence[Path]) -> None:
        """These files were read, and run from now on."""
        old, self._hash = self._hash, rules_hash(files)
        self._tell({"auditlake.outcome": "ok", "auditlake.config.hash.old": old, "auditlake.config.hash.new": self._hash})

    def refused(self, problems: int) -> None:
        """The files have errors, and what ran goes on."""
        told: dict[str, AttributeValue] = {"auditlake.outcome": "refused", "auditlake.config.hash.old": self._hash}
        self._tell(told | {"auditlake.config.problems": problems}, severity=13)

    def _tell(self, told: Mapping[str, AttributeValue], *, severity: int = 9) -> None:
        whole = {"auditlake.action": "config.change", "auditlake.resource": "alert rules", **told}
        now_ns = int(self._clock().timestamp() * 1e9)
        try:
            self._journal.write([JournalEvent(name="rules.reload", time_ns=now_ns, attributes=whole, severity=severity)])
        except StorageError as error:  # rules that run are worth more than the record of them
            structlog.get_logger(__name__).error("a change of the rules is not recorded", attempted=error.attempted, hint=error.hint)


def rules_hash(files: Sequence[Path]) -> str:
    """Return 16 hex digits of the contents of rule files; one that cannot be read counts as such."""
    whole = hashlib.sha256()
    for file in files:
        try:
            whole.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError:
            whole.update(b"unreadable")
    return whole.hexdigest()[:16]
