"""What the SDK raises. Each error says what was attempted, on what, and the remedy."""


class AuditlakeError(Exception):
    """Base of the SDK's errors; `hint` is the remedy."""

    def __init__(self, attempted: str, subject: object = None, *, hint: str) -> None:
        """Say that `attempted` failed on `subject`, and what to do about it."""
        super().__init__(f"could not {attempted}" + (f": {subject}" if subject is not None else "") + f"; {hint}")
        self.attempted = attempted
        self.subject = subject
        self.hint = hint


class ConfigurationError(AuditlakeError):
    """`configure()` was given something that cannot work."""


class AuditError(AuditlakeError):
    """An audit record is not durable: the action must not be treated as recorded."""


class BudgetError(AuditlakeError):
    """Nobody could say whether enough of a budget is left."""
