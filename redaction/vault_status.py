"""How much the vault holds, told without a key: counts alone, no text and nobody's name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from redaction.vault_store import VaultStore
from redaction.vault_tables import ROOT, SEALED, SUBJECTS, TOMBSTONES


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultStatus:
    """Counts; `unfinished`: a deleted key still has traces on the disk."""

    values: Mapping[str, int]
    subjects: int
    destroyed_subjects: int
    destroyed_values: int
    last_destroyed_ns: int | None
    unfinished: bool

    def as_row(self) -> dict[str, Any]:
        """Return it as one row."""
        return {
            "values": sum(self.values.values()),
            "entities": dict(self.values),
            "subjects": self.subjects,
            "destroyed_subjects": self.destroyed_subjects,
            "destroyed_values": self.destroyed_values,
            "last_destroyed_ns": self.last_destroyed_ns,
            "unfinished": self.unfinished,
        }


def read_status(folder: Path) -> VaultStatus:
    """Return the counts of the vault in `folder`; raises `VaultError` when there is none. Finishes an interrupted erasure."""
    store = VaultStore.open(folder, create=False)
    try:
        with store.reading("count what the vault holds") as connection:
            by_entity = sa.select(SEALED.c.entity, sa.func.count().label("held")).group_by(SEALED.c.entity).order_by(SEALED.c.entity)
            values = {row.entity: row.held for row in connection.execute(by_entity)}
            subjects = connection.execute(sa.select(sa.func.count()).select_from(SUBJECTS)).scalar_one()
            sums = sa.select(
                sa.func.count().label("subjects"),
                sa.func.coalesce(sa.func.sum(TOMBSTONES.c.destroyed_values), 0).label("destroyed"),
                sa.func.max(TOMBSTONES.c.destroyed_ns).label("last_ns"),
            )
            tombstones = connection.execute(sums).one()
            root = connection.execute(sa.select(ROOT.c.erasures, ROOT.c.wiped)).one_or_none()
    finally:
        store.close()
    return VaultStatus(
        values=values,
        subjects=subjects,
        destroyed_subjects=tombstones.subjects,
        destroyed_values=tombstones.destroyed,
        last_destroyed_ns=tombstones.last_ns,
        unfinished=root is not None and root.erasures != root.wiped,
    )
