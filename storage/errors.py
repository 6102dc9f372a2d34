"""The one exception family of `storage`: what was attempted, on what, and the operator's remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StorageError(Exception):
    """An operation on the lake failed; `hint` says what the operator can do. Never holds stored text."""

    def __init__(self, attempted: str, subject: Path | str, *, hint: str) -> None:
        super().__init__(f"could not {attempted}: {subject} ({hint})")
        self.attempted = attempted
        self.subject = str(subject)
        self.hint = hint


class LakeLocked(StorageError):
    """Another live process holds the lock of this origin or data directory."""


class DamagedFile(StorageError):
    """A file of the lake or of the WAL is not what was written."""


class QueryRefused(StorageError):
    """A user's SQL is not one read-only SELECT over the published views."""


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Name what an error inside is about, beside what it says itself."""
    try:
        yield
    except StorageError as error:
        raise type(error)(error.attempted, subject, hint=f"{error.subject}: {error.hint}") from error
