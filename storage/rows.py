"""A set of rows of the lake, by their place: what a selection found, what a legal hold keeps, what is to be removed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from storage.layout import FileRecord

Place = tuple[str, int, int]
"""Origin, entry, row."""


@dataclass(slots=True)
class Rows:
    """A byte for each row number up to the highest that is in it, by table, origin and entry."""

    _marks: dict[tuple[str, str], dict[int, bytearray]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(sum(marks) for entries in self._marks.values() for marks in entries.values())

    def add(self, table: str, origin: str, entry: int, row: int) -> None:
        """Put a row into the set."""
        marks = self._marks.setdefault((table, origin), {}).setdefault(entry, bytearray())
        if row >= len(marks):
            marks.extend(bytes(row + 1 - len(marks)))
        marks[row] = 1

    def note(self, table: str, places: pa.Table) -> None:
        """Put rows of a table into the set; `places` has the columns origin, entry and entry_row."""
        for batch in places.select(["origin", "entry", "entry_row"]).to_batches(max_chunksize=65_536):
            for origin, entry, row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                self.add(table, origin, entry, row)

    def of(self, table: str, origin: str) -> Mapping[int, bytearray]:
        """Return what is in the set of a table and origin, by entry."""
        return self._marks.get((table, origin), {})

    def touches(self, file: FileRecord) -> bool:
        """Whether a row of the set may be in a file."""
        return any(file.min_entry <= entry <= file.max_entry for entry in self.of(file.table_name, file.origin))

    def mask(self, table: str, origin: str, entries: Iterable[int], rows: Iterable[int]) -> list[bool]:
        """Return of each row whether it is in the set."""
        marked, none = self.of(table, origin), bytearray()
        return [row < len(marks := marked.get(entry, none)) and marks[row] == 1 for entry, row in zip(entries, rows, strict=True)]

    def has(self, table: str, place: Place) -> bool:
        """Whether one row is in the set."""
        origin, entry, row = place
        return self.mask(table, origin, [entry], [row])[0]

    def places(self) -> Iterator[tuple[str, Place]]:
        """Yield every row with its table."""
        for (table, origin), entries in self._marks.items():
            for entry, marks in entries.items():
                yield from ((table, (origin, entry, row)) for row, marked in enumerate(marks) if marked)

    def common(self, other: "Rows") -> int:
        """Return how many rows are in both sets."""
        found = 0
        for place, entries in self._marks.items():
            others = other.of(*place)
            found += sum(
                mine & theirs for entry, marks in entries.items() for mine, theirs in zip(marks, others.get(entry, b""), strict=False)
            )
        return found
