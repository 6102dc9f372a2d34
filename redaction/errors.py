"""The one exception family of this package. Its messages never contain text that was to be redacted."""


class RedactionError(Exception):
    """Redaction could not be set up or was used wrongly.

    `attempted` says what was tried, `subject` on what (a path, an option: never input text), `hint` is the operator's remedy.
    """

    def __init__(self, attempted: str, subject: object = None, *, hint: str = "") -> None:
        super().__init__(f"cannot {attempted}" + (f": {subject}" if subject is not None else "") + (f" ({hint})" if hint else ""))
        self.attempted = attempted
        self.subject = subject
        self.hint = hint
