"""The one exception family of this package. Its messages never contain text that was to be redacted."""

from typing import Literal

VaultFailure = Literal["key", "wrong_key", "unknown", "destroyed", "tampered", "unavailable", "unfinished"]


class RedactionError(Exception):
    """Redaction could not be set up or was used wrongly.

    `attempted` says what was tried, `subject` on what (a path, an option: never input text), `hint` is the operator's remedy.
    """

    def __init__(self, attempted: str, subject: object = None, *, hint: str = "") -> None:
        super().__init__(f"cannot {attempted}" + (f": {subject}" if subject is not None else "") + (f" ({hint})" if hint else ""))
        self.attempted = attempted
        self.subject = subject
        self.hint = hint


class VaultError(RedactionError):
    """The vault could not do what was asked.

    `failure` is `key` (no usable master key), `wrong_key` (not this vault's), `unknown` (no such reference), `destroyed` (erased),
    `tampered` (the file is not what was written), `unavailable` (the file cannot be read or written), `unfinished` (the key is
    deleted, but its traces could not be wiped from the disk yet).
    """

    def __init__(self, attempted: str, subject: object = None, *, hint: str, failure: VaultFailure) -> None:
        super().__init__(attempted, subject, hint=hint)
        self.failure: VaultFailure = failure
