"""Presidio's logging, closed: upstream logs matched text, and reports a pattern that it skipped instead of failing."""

import logging

from redaction.budget import BudgetExceeded


class _Silence(logging.Filter):
    """Drops every record of Presidio's, and turns the one that reports a skipped pattern into a withheld text."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is not None and issubclass(record.exc_info[0], TimeoutError):
            raise BudgetExceeded
        return False


def silence() -> None:
    """Let nothing of Presidio's reach a log; idempotent."""
    for name in ("presidio-analyzer", "decision_process"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Silence) for each in logger.filters):
            logger.addFilter(_Silence())
            logger.setLevel(logging.WARNING)
