"""Sealing everything that was received up to now: whoever removes rows must not leave some of them in the WAL."""

import time
from contextlib import closing
from pathlib import Path
from typing import Final

from collector.pricing import Pricer
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.errors import StorageError
from storage.ledger.log_writer import Ledger
from storage.orphans import close_orphans, unclosed_origins
from storage.wal import closed_segments
from storage.wal_reading import segments_in

WAIT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


def settle(data: Path, *, prices: Pricer, ledger: Ledger, wait_seconds: float = WAIT_SECONDS) -> None:
    """Seal every record that is in the WAL now, also what dead writers left; a live collector closes its own segment within its interval.

    Raises `StorageError` when one cannot be sealed, or is not closed in time.
    """
    until = time.monotonic() + wait_seconds
    with closing(Catalog.open(data)) as catalog:
        close_orphans(data, lambda origin: (-1 if (last := catalog.last_entry(origin)) is None else last) + 1)
        waiting = {(segment.origin, segment.entry) for segment in closed_segments(data)}
        for origin in unclosed_origins(data):
            waiting |= {(origin, segment.entry) for segment in segments_in(data / "wal" / origin, origin)}
        while True:
            seal_pending(data, catalog, prices=prices, ledger=ledger)
            left = {(segment.origin, segment.entry) for segment in closed_segments(data)}
            waiting = {place for place in waiting if place in left or not catalog.has_entry(*place)}
            if not waiting:
                return
            if time.monotonic() >= until:
                origin, entry = min(waiting)
                hint = f"after {wait_seconds:.0f} s it is not sealed: is its collector stuck? look at its log, then try again"
                raise StorageError(f"seal entry {entry}", origin, hint=hint)
            time.sleep(_POLL_SECONDS)
