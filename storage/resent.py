"""Records that came twice: a batch that was cut differently when it was sent again, or went to another collector, is not recognised there.

A span is one of its trace, whatever else a second copy says; log records have no id and are the same when all that was sent is.
"""

from typing import Any, Final

import pyarrow as pa

_SPAN: Final = ("trace_id", "span_id", "start_ns", "end_ns", "name")
_EVENT: Final = ("trace_id", "span_id", "time_ns", "event_name", "body", "severity_number", "sequence")
_PLACE: Final = ("origin", "entry", "entry_row")


def without_resent(table_name: str, rows: pa.Table) -> pa.Table:
    """Return rows of `spans` or `events` without those that came before, in the order of the log."""
    keys = _SPAN if table_name == "spans" else _EVENT
    if rows.num_rows < 2 or rows.group_by(list(keys)).aggregate([]).num_rows == rows.num_rows:
        return rows
    places = list(zip(*(rows[name].to_pylist() for name in _PLACE), strict=True))
    contents = list(zip(*(rows[name].to_pylist() for name in keys), strict=True))
    more = [None] * rows.num_rows if table_name == "spans" else [str(value) for value in rows["attributes"].to_pylist()]
    first: dict[Any, int] = {}
    for number in sorted(range(rows.num_rows), key=places.__getitem__):
        first.setdefault((contents[number], more[number]), number)
    return rows.take(pa.array(sorted(first.values())))
