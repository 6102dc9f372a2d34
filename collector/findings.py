"""What was found in a request, by record: kept in the batch's header, so that each row of the lake knows what was taken out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_WITHHELD: Final = "WITHHELD"


@dataclass(slots=True, kw_only=True)
class Findings:
    """Entity counts of the records in document order, and the number of withheld values.

    What stands in a resource or scope concerns all of its records: counts are kept by range of records and spread out once.
    """

    by_range: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict)
    withheld: int = 0

    def add(self, records: range, counts: Mapping[str, int]) -> None:
        """Count `counts` on each of `records`."""
        self.withheld += counts.get(_WITHHELD, 0)
        _merge(self.by_range.setdefault((records.start, records.stop), {}), counts)

    @property
    def by_record(self) -> dict[int, dict[str, int]]:
        """The counts of each record that has any, by its index."""
        spread: dict[int, dict[str, int]] = {}
        for (start, stop), counts in self.by_range.items():
            for index in range(start, stop):
                _merge(spread.setdefault(index, {}), counts)
        return spread


def _merge(found: dict[str, int], counts: Mapping[str, int]) -> None:
    for entity, number in counts.items():
        found[entity] = found.get(entity, 0) + number
