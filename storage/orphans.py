"""Segments that nobody will ever close: their writer was killed, and no writer of that name comes again (a container's host name changes).

What is in them was acknowledged. Whoever starts on the lake closes them by the code that any writer recovers with, so that they are
sealed like all others.
"""

from collections.abc import Callable
from pathlib import Path

import structlog

from storage.errors import LakeLocked, StorageError
from storage.wal import WalWriter
from storage.wal_format import SEGMENT_HEADER_BYTES


def close_orphans(data: Path, first_entry: Callable[[str], int]) -> list[str]:
    """Close the left-over segments of all origins that no live process writes; return those origins.

    `first_entry` gives the number that an origin's entries go on with, by the catalog. An origin that cannot be recovered is logged and
    left as it is.
    """
    closed = []
    for origin in unclosed_origins(data):
        try:
            WalWriter(data, origin, first_entry=first_entry(origin)).close()
        except LakeLocked:  # alive
            continue
        except StorageError as error:
            structlog.get_logger(__name__).error("a left-over segment cannot be closed", origin=origin, hint=error.hint)
        else:
            closed.append(origin)
    return closed


def unclosed_origins(data: Path) -> list[str]:
    """The origins whose open segment holds something, by name: those that are written now, and those whose writer died.

    A writer that ends in peace closes what holds something, and leaves an empty one for its successor.
    """
    root = data / "wal"
    return sorted({path.parent.relative_to(root).as_posix() for path in root.rglob("*.open") if _holds_records(path)})


def _holds_records(path: Path) -> bool:
    try:
        return path.stat().st_size > SEGMENT_HEADER_BYTES
    except FileNotFoundError:  # closed meanwhile
        return False
