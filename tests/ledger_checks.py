"""The ledger against the rows: every log is what the catalog says and its key signed, every row is the one that was committed to."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pyarrow as pa

from storage.catalog import Catalog, FileRecord
from storage.ledger import tombstones
from storage.ledger.errors import LedgerError
from storage.ledger.keys import known_keys
from storage.ledger.leaves import file_leaves
from storage.ledger.log import Log
from storage.ledger.merkle import root
from storage.ledger.note import Checkpoint, VerifierKey, opened

Rows = dict[int, bytes]
"""Row → leaf."""
Leaves = dict[tuple[str, int, str], list[pa.Table]]
"""Of each origin, entry and table the pieces of files that hold its rows: an hour's lake has millions, so they stay with Arrow."""


def ledger_problems(data: Path, catalog: Catalog, live: Sequence[FileRecord], missing: Sequence[FileRecord], *, settled: bool) -> list[str]:
    """What the ledger says and the lake does not, one line each; rows of `missing` files may lack. Of a lake without one nothing."""
    sizes = catalog.log_sizes()
    if not sizes:
        return []
    problems: list[str] = []
    leaves = _leaves(data, live)
    for origin, size in sizes.items():
        try:
            problems += _log_problems(data, catalog, origin, size, settled=settled)
            problems += _row_problems(data, catalog, origin, leaves, missing)
        except LedgerError as error:
            problems.append(f"the log of {origin}: {error}")
    return problems


def _leaves(data: Path, live: Sequence[FileRecord]) -> Leaves:
    found: Leaves = defaultdict(list)
    for file in live:
        leaves = file_leaves([data / file.path], file.table_name).sort_by([("origin", "ascending"), ("entry", "ascending")])
        counted = leaves.group_by(["origin", "entry"], use_threads=False).aggregate([([], "count_all")])
        at = 0
        for place in counted.to_pylist():
            found[place["origin"], place["entry"], file.table_name].append(
                leaves.slice(at, place["count_all"]).select(["entry_row", "leaf"])
            )
            at += place["count_all"]
    return found


def _rows(pieces: Sequence[pa.Table]) -> Rows:
    return {row: leaf for piece in pieces for row, leaf in zip(*(column.to_pylist() for column in piece.columns), strict=True)}


def _log_problems(data: Path, catalog: Catalog, origin: str, size: int, *, settled: bool) -> Iterator[str]:
    """The checkpoint is signed, its root is that of the tiles and of the catalog's entries."""
    log = Log(data, origin)
    note = log.checkpoint()
    if note is None:
        if settled:
            yield f"the log of {origin}: no checkpoint, {size} entries wait"
        return
    keys = [VerifierKey.parse(text) for text in known_keys(data)]
    head = Checkpoint.parse(opened(note, [key for key in keys if key.name == origin]).body)
    if head.origin != origin or head.size > size or (settled and head.size < size):
        yield f"the log of {origin}: {head.size} entries of {head.origin}, the catalog has {size}"
    if log.reader.root(head.size) != head.root:
        yield f"the log of {origin}: its tiles are not those of its checkpoint"
    kept = [record.body for record in catalog.log_records(origin, 0, head.size)]
    if any(copy not in {b"", body} for copy, body in zip(kept, log.reader.entries(0, head.size), strict=True)):
        yield f"the log of {origin}: its entries are not those of the catalog"


def _row_problems(data: Path, catalog: Catalog, origin: str, leaves: Leaves, missing: Sequence[FileRecord]) -> Iterator[str]:
    """Every row is committed to by the entry it is of, and what is committed to is there, or its tombstone."""
    log = Log(data, origin)
    waiting = catalog.log_records(origin, log.size, catalog.log_sizes()[origin])
    logged = [*log.entries(), *(orjson.loads(record.body) for record in waiting)]
    removed, expired = _removed(data, origin, logged)
    segments = {each["entry"]: each for each in logged if each["kind"] == "segment"}
    for entry, segment in segments.items():
        for table, said in segment["tables"].items():
            found = removed.get((entry, table), {}) | _rows(leaves.get((origin, entry, table), ()))
            gone = any(first <= entry <= last for first, last in expired.get(table, ()))
            lacks = any(file.origin == origin and file.min_entry <= entry <= file.max_entry for file in missing)
            if not gone and not lacks and root([leaf for _, leaf in sorted(found.items())]).hex() != said["root"]:
                yield f"entry {entry} of {origin}: its {table} are not those that the log commits to"
    first = min(segments, default=None)
    for (of, entry, table), pieces in leaves.items():
        if of == origin and first is not None and entry >= first and table not in segments.get(entry, {}).get("tables", {}):
            yield f"entry {entry} of {origin}: {sum(map(len, pieces))} {table} that the log does not know"


def _removed(data: Path, origin: str, logged: Sequence[dict[str, object]]) -> tuple[dict[tuple[int, str], Rows], tombstones.Ranges]:
    """What was removed on an order: leaves by entry and table, and by table the entries of which nothing is left."""
    leaves: dict[tuple[int, str], Rows] = defaultdict(dict)
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for entry in logged:
        file = tombstones.file_of(entry)
        for stone in tombstones.read(Log(data, origin).folder, file) if file else ():
            if stone.leaf is not None:
                leaves[stone.entry, stone.table][stone.row] = stone.leaf
        expired = entry.get("entries")
        for table, pairs in expired.items() if isinstance(expired, dict) else ():
            ranges[table] += [(first, last) for first, last in pairs]
    return leaves, ranges
