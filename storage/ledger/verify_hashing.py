"""The leaves of many files at once: a kernel costs as much for a row as for hundreds, so rows of small files are hashed together."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.ledger import merkle
from storage.ledger.errors import LedgerError
from storage.ledger.kernels import salted_forms
from storage.ledger.leaves import BATCH_ROWS, hashed

NOBODY: Final = -(2**62)
"""The entry and number of a row that has none: no entry has it."""
_FEWEST: Final = 4
"""A column with so few different values, of a hundred, is cheaper by its dictionary."""


class Leaves(NamedTuple):
    """The rows of one file by entry and number, each with its leaf; and by entry the root over them, where each has one."""

    rows: pa.Table
    roots: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one row group."""

    path: str
    rows: pa.Table


class Hashing:
    """Takes the row groups of files, and hashes their rows; memory holds one row group, or small ones up to a batch."""

    def __init__(self) -> None:
        self._waiting: dict[pa.Schema, list[_Part]] = {}
        self._found: defaultdict[str, list[pa.RecordBatch]] = defaultdict(list)
        self._failed: set[str] = set()

    def add(self, path: str, rows: pa.Table) -> None:
        """Take one row group of a file."""
        part = _Part(path, rows)
        if rows.num_rows >= BATCH_ROWS // 2:
            self._hash([part])
            return
        parts = self._waiting.setdefault(rows.schema.remove_metadata(), [])
        parts.append(part)
        if sum(each.rows.num_rows for each in parts) >= BATCH_ROWS:
            self._hash(self._waiting.pop(rows.schema.remove_metadata()))

    def finish(self) -> dict[str, Leaves]:
        """Return the leaves by file; those of a file whose rows have no canonical form are not there."""
        for parts in self._waiting.values():
            self._hash(parts)
        self._waiting = {}
        return {path: _ordered(pa.Table.from_batches(batches)) for path, batches in self._found.items() if path not in self._failed}

    def _hash(self, parts: list[_Part]) -> None:
        try:
            rows = parts[0].rows if len(parts) == 1 else _together([each.rows for each in parts])
            leaves = pa.concat_arrays([hashed(salted_forms(batch)) for batch in rows.to_batches(BATCH_ROWS) or _no_rows(rows)])
        except (pa.ArrowException, LedgerError):
            if len(parts) == 1:
                self._failed.add(parts[0].path)
                return
            for part in parts:
                self._hash([part])
            return
        begun = 0
        for part in parts:
            places = [pc.fill_null(part.rows[name].cast(pa.int64()), NOBODY).combine_chunks() for name in ("entry", "entry_row")]
            columns = [*places, leaves.slice(begun, part.rows.num_rows)]
            self._found[part.path].append(pa.RecordBatch.from_arrays(columns, names=["entry", "entry_row", "leaf"]))
            begun += part.rows.num_rows


def _no_rows(rows: pa.Table) -> list[pa.RecordBatch]:
    return [pa.RecordBatch.from_arrays([pa.array([], each.type) for each in rows.schema], schema=rows.schema)]


def _together(tables: list[pa.Table]) -> pa.Table:
    """The rows of several row groups as one; text that repeats as a dictionary, whose form is made once."""
    rows = pa.concat_tables([each.replace_schema_metadata() for each in tables]).combine_chunks()
    for place, field in enumerate(rows.schema):
        column = rows.column(place)
        if pa.types.is_large_string(field.type) and column.null_count < len(column):
            encoded = column.combine_chunks().dictionary_encode()
            if len(encoded.dictionary) * _FEWEST <= len(column):
                rows = rows.set_column(place, field.name, encoded)
    return rows


def _ordered(rows: pa.Table) -> Leaves:
    """Rows by entry and number, and the roots over them."""
    rows = rows.sort_by([("entry", "ascending"), ("entry_row", "ascending")]).combine_chunks()
    entries, leaves = rows["entry"].to_numpy(), rows["leaf"].combine_chunks()
    if leaves.null_count:
        return Leaves(rows, {})
    hashes = leaves.to_pylist()
    bounds = [0, *(np.flatnonzero(np.diff(entries)) + 1).tolist(), len(entries)] if len(entries) else [0]
    roots = {int(entries[begun]): merkle.root(hashes[begun:ended]) for begun, ended in pairwise(bounds)}
    return Leaves(rows, roots)
