"""Bounds what one rule can raise: names that nobody counted on (a tool for each customer) must not become an alert each.

Rows beyond the bound become one, with `(other)` in every label in which they differ and the largest of their values, so that the alert
stays and says how many it stands for. Which rows are kept is decided by their labels alone: an alert must not come and go because another's
value changed. A rule with a `limit` of its own is left alone: it is an error to exceed that.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_LABEL_SETS: Final = 500
OTHER: Final = "(other)"
ANNOTATION: Final = "folded"

Row = Mapping[str, Any]


def fold(rows: Sequence[Row], value_column: str, *, most: int = MAX_LABEL_SETS) -> tuple[list[Row], int]:
    """Return at most `most` rows and how many of `rows` the last of them stands for: 0 when nothing was folded."""
    if len(rows) <= most:
        return list(rows), 0
    ordered = sorted(rows, key=lambda row: [(name, str(cell)) for name, cell in row.items() if name != value_column])
    kept, rest = ordered[: most - 1], ordered[most - 1 :]
    labels = {name: _common([row[name] for row in rest]) for name in rest[0] if name != value_column}
    values = [row[value_column] for row in rest if row[value_column] is not None and not math.isnan(row[value_column])]
    return [*kept, {**labels, value_column: max(values, default=None)}], len(rest)


def _common(cells: Sequence[Any]) -> Any:
    return cells[0] if all(cell == cells[0] for cell in cells) else OTHER
