"""What was found in a request, by record: kept in the batch's header, so that each row of the lake knows what was taken out of it.

A receipt says which entity was found by which rule under which key, and how often. The key is the cleaned one: what a sender writes
into a key is nobody's business here either. Cleaned forms are known only at the end of a walk, so findings hold places until then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from storage.wal import Receipt

RECEIPTS_OF_A_RECORD: Final = 64
RECEIPTS_OF_A_GROUP: Final = 16
"""What is told apart of one record, and of a resource or scope (which is told with each of its records)."""
OTHER_KEYS: Final = "*"
"""The key of the receipts beyond that: they are told by entity and rule."""
KEY_CHARS: Final = 240

_WITHHELD: Final = "WITHHELD"


class Place(NamedTuple):
    """Where a text stands: behind `around`, under a name of ours, then under a sender's key."""

    around: "Place | None"
    name: str
    key: str | None = None

    def below(self, outermost: "Place") -> "Place | None":
        """Return the place directly inside of `outermost` that this one is or stands in; None when it stands elsewhere."""
        if self.around is None:
            return None
        return self if self.around is outermost else self.around.below(outermost)

    def label(self, keys: Mapping[str, str]) -> str:
        """Return the place as text; `keys` has the cleaned form of every key that is not clean."""
        parts: list[str] = []
        place: Place | None = self
        while place is not None:
            parts.append(place.name if place.key is None else place.name + keys.get(place.key, place.key))
            place = place.around
        return "".join(reversed(parts))


Found = tuple[str, str, Place, str]
"""Entity, rule, where the text stands, and where inside the text."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was found, by records in document order, and the numbers of withheld values by reason.

    What stands in a resource or scope concerns all of its records: findings are kept by range of records and spread out once.
    """

    by_range: dict[tuple[int, int], dict[Found, int]] = field(default_factory=dict)
    cleaned_keys: dict[str, str] = field(default_factory=dict)  # of the keys that are not clean
    withheld_by_reason: dict[str, int] = field(default_factory=dict)

    @property
    def withheld(self) -> int:
        """The number of values that were withheld."""
        return sum(self.withheld_by_reason.values())

    def add(self, records: range, place: Place, receipts: Mapping[tuple[str, str, str], int]) -> None:
        """Count what was found in the text at `place` on each of `records`; `receipts`: entity, rule and path inside the text → count."""
        found = self.by_range.setdefault((records.start, records.stop), {})
        for (entity, rule, path), count in receipts.items():
            if entity == _WITHHELD:
                self.withheld_by_reason[rule] = self.withheld_by_reason.get(rule, 0) + count
            key = (entity, rule, place, path)
            found[key] = found.get(key, 0) + count

    @property
    def by_record(self) -> dict[int, list[Receipt]]:
        """The receipts of each record that has any, by its index; records that share theirs share the list."""
        spread: dict[int, list[Receipt]] = {}
        for (start, stop), found in self.by_range.items():
            receipts = self._receipts(found, RECEIPTS_OF_A_RECORD if stop - start == 1 else RECEIPTS_OF_A_GROUP)
            for index in range(start, stop):
                known = spread.get(index)
                spread[index] = receipts if known is None else known + receipts
        return spread

    def _receipts(self, found: Mapping[Found, int], limit: int) -> list[Receipt]:
        """Return findings as receipts, of at most `limit` places and those of all others by entity and rule."""
        sums: dict[tuple[str, str, str], int] = {}
        for (entity, rule, place, path), count in found.items():
            key = (entity, rule, (place.label(self.cleaned_keys) + path)[:KEY_CHARS])
            if key not in sums and len(sums) >= limit:
                key = (entity, rule, OTHER_KEYS)
            sums[key] = sums.get(key, 0) + count
        return [(entity, rule, key, count) for (entity, rule, key), count in sums.items()]
