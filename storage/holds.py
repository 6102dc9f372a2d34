"""Legal holds: rows that must stay, whatever rules and orders say. A hold names them by run, tenant, actor, time or a predicate.

What a hold means is found out whenever something is to be removed, so that it also keeps what is sealed after it was entered.
"""

import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage import catalog_removals
from storage.catalog import Catalog
from storage.catalog_removals import Hold
from storage.errors import QueryRefused, StorageError
from storage.removal import REMOVAL_LOCK, waiting_for
from storage.rows import Rows
from storage.selection import Selector, select

_SELECT: Final = "enter a hold"


class UnderHold(StorageError):
    """Rows that an order would remove are under legal hold; `holds` are the ids, `rows` how many."""

    def __init__(self, subject: str, holds: Sequence[str], rows: int) -> None:
        hint = f"{rows} of them are under hold {', '.join(holds)}: nothing was changed; see `auditlake hold list`"
        super().__init__("remove rows", subject, hint=hint)
        self.holds = tuple(holds)
        self.rows = rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The holds in force and the rows of each."""

    holds: tuple[tuple[Hold, Rows], ...]

    def has(self, table: str, origin: str, entry: int, row: int) -> bool:
        """Whether a row is under a hold."""
        return any(rows.has(table, (origin, entry, row)) for _, rows in self.holds)

    def refuse(self, subject: str, wanted: Rows) -> None:
        """Raise `UnderHold` when one of these rows is."""
        meant = {hold.id: common for hold, rows in self.holds if (common := wanted.common(rows))}
        if meant:
            raise UnderHold(subject, sorted(meant), max(meant.values()))


def enter(data: Path, selector: Selector, *, reason: str, by: str, now_ns: int, identity_keys: Sequence[str] = ()) -> tuple[Hold, int]:
    """Enter a hold; return it and how many rows it means now. From then on nothing removes them. Raises `StorageError`."""
    hold = Hold(id=str(uuid.uuid4()), created_ns=now_ns, created_by=by, reason=reason, selector=selector)
    with waiting_for(data / REMOVAL_LOCK, _SELECT), closing(Catalog.open(data)) as catalog:
        rows = len(select(data, selector, identity_keys=identity_keys).rows)  # first: what selects nothing is refused
        catalog_removals.add_hold(catalog, hold)
    return hold, rows


def held(data: Path, catalog: Catalog, identity_keys: Sequence[str] = ()) -> Held:
    """Return the rows under hold. Raises `StorageError` when that cannot be found out: then nothing may be removed."""
    return Held(holds=tuple((hold, _rows_of(data, hold, identity_keys)) for hold in catalog_removals.holds(catalog)))


def _rows_of(data: Path, hold: Hold, identity_keys: Sequence[str]) -> Rows:
    try:
        return select(data, hold.selector, identity_keys=identity_keys).rows
    except QueryRefused as error:
        hint = (
            "its condition fails on a row, so nothing was removed: enter it again so that it holds for any row (TRY_CAST), then release it"
        )
        raise StorageError("find what is under hold", hold.id, hint=hint) from error
