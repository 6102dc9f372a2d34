"""Logging of this package: facts and counts, never input text, and never a reason to fail."""

import contextlib

import structlog


def warn(event: str, **details: object) -> None:
    """Log a warning; a log that cannot be written (a closed stream) must not keep texts from being answered."""
    with contextlib.suppress(OSError, ValueError):
        structlog.get_logger("redaction").warning(event, **details)
