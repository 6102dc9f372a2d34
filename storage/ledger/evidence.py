"""The evidence of stored rows: the rows as they are stored, and what leads from their leaf hashes up to a signed checkpoint.

`prove` and `bundle` write it down. Nothing is handed on that does not verify: rows whose entry has another root are refused here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.layout import FileRecord, locate
from storage.ledger.attested import Attested, best
from storage.ledger.canonical import leaf_sql
from storage.ledger.errors import LedgerError
from storage.ledger.log import Log, log_folder
from storage.ledger.merkle import leaf_hash, root, root_from_inclusion
from storage.ledger.proof import EntryProof
from storage.ledger.salts import with_own
from storage.ledger.tiles import TILE_WIDTH
from storage.ledger.tombstones import FOLDER
from storage.schema import TABLES

if TYPE_CHECKING:
    import duckdb

_GATHER: Final = "gather evidence"
_NO_ROWS: Final = {"rows": 0, "root": ""}
_PLACED: Final = pa.schema([("entry", pa.int64()), ("entry_row", pa.int64()), ("leaf", pa.binary())])
_LEAVES: Final = (
    "SELECT entry, entry_row, {leaf} AS leaf FROM read_parquet($path, hive_partitioning = false) "
    "WHERE entry BETWEEN $first AND $last AND list_contains($entries, entry)"
)


class Place(NamedTuple):
    """Where a row is: its table, and its record id in parts."""

    table: str
    origin: str
    entry: int
    row: int

    @property
    def record_id(self) -> str:
        """As the views have it."""
        return f"{self.origin}/{self.entry}/{self.row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEvidence:
    """Rows of one table of one entry, and the tree that they stand in."""

    rows: pa.Table  # by entry_row, in the schema of the table, with their own salts
    positions: tuple[int, ...]  # of these rows in the tree
    leaves: tuple[bytes, ...]  # of all rows of the table in the entry, those of removed ones too


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryEvidence:
    """One entry of a log, and rows that it commits to."""

    origin: str
    index: int  # in the log
    entry: int  # the segment
    body: bytes  # the entry as the log has it
    proof: EntryProof
    tables: Mapping[str, TableEvidence]
    timestamps: Mapping[str, bytes]  # of the checkpoint (RFC 3161), by file name


def gather(data: Path, catalog: Catalog, places: Iterable[Place]) -> list[EntryEvidence]:
    """Return the evidence of rows, by origin and entry, with the newest checkpoint of each log; it has been checked against it.

    Raises `LedgerError` for rows that the ledger does not cover, or not as they are stored; `StorageError` where files cannot be read.
    """
    wanted: dict[str, dict[int, dict[str, set[int]]]] = {}
    for place in places:
        wanted.setdefault(place.origin, {}).setdefault(place.entry, {}).setdefault(place.table, set()).add(place.row)
    found: list[EntryEvidence] = []
    for origin in sorted(wanted):
        found += _of_origin(data, catalog, origin, wanted[origin])
    return found


def _of_origin(data: Path, catalog: Catalog, origin: str, wanted: Mapping[int, Mapping[str, Set[int]]]) -> Iterator[EntryEvidence]:
    log = CheckedLog(data, catalog, origin)
    indexes = log.indexes(wanted)
    shown, bodies = log.shown_with(indexes.values()), log.bodies(indexes.values())
    names, removed = sorted({name for parts in wanted.values() for name in parts}), Removed(data, origin, wanted)
    stored = {
        name: _Stored.read(data, catalog, origin, name, {e: parts[name] for e, parts in wanted.items() if name in parts}) for name in names
    }
    for entry in sorted(wanted):
        index = indexes[entry]
        body = bodies[index]
        stated = orjson.loads(body)["tables"]
        tables = {}
        for name in (table for table in TABLES if table in wanted[entry]):
            tables[name] = stored[name].evidence(removed, origin, entry, name, stated.get(name, _NO_ROWS))
            if tables[name].rows.num_rows != len(wanted[entry][name]):
                raise LedgerError(_GATHER, f"entry {entry} of {origin}", hint=f"rows of {name} are not stored any more: `auditlake verify`")
        proof = log.proof(index, body, shown)
        yield EntryEvidence(origin=origin, index=index, entry=entry, body=body, proof=proof, tables=tables, timestamps=shown.timestamps)


class CheckedLog:
    """One log, up to the checkpoint that its entries are shown with."""

    def __init__(self, data: Path, catalog: Catalog, origin: str) -> None:
        self._origin = origin
        self._catalog = catalog
        self._log = Log(data, origin)

    def indexes(self, entries: Iterable[int]) -> dict[int, int]:
        """Return where in the log segments stand. Raises `LedgerError` when one is from before the ledger."""
        found = {}
        for entry in entries:
            index = self._catalog.log_index(self._origin, entry)
            if index is None:
                raise LedgerError(_GATHER, f"entry {entry} of {self._origin}", hint="it is from before the ledger, which does not cover it")
            found[entry] = index
        return found

    def shown_with(self, indexes: Collection[int]) -> Attested:
        """Return the checkpoint to show these log entries with. Raises `LedgerError` when none covers them yet."""
        found = best(self._log, max(indexes) + 1)
        if found is None:
            hint = "they are sealed, but in no signed checkpoint yet: try again in a second; `auditlake ledger status` tells how far it is"
            raise LedgerError(_GATHER, f"the newest records of {self._origin}", hint=hint)
        return found

    def bodies(self, indexes: Collection[int]) -> dict[int, bytes]:
        """Return what the log has at these indexes. Raises `LedgerError`."""
        groups: dict[int, list[int]] = {}
        for index in indexes:
            groups.setdefault(index // TILE_WIDTH, []).append(index)
        contents: dict[int, bytes] = {}
        for group in groups.values():
            first = min(group)
            contents.update(enumerate(self._log.reader.entries(first, max(group) - first + 1), first))
        return contents

    def proof(self, index: int, body: bytes, shown: Attested) -> EntryProof:
        """Return the proof of an entry. Raises `LedgerError` when the log is not the one of the checkpoint."""
        head = shown.checkpoint
        hashes = self._log.reader.inclusion_proof(index, head.size)
        if root_from_inclusion(leaf_hash(body), index, head.size, hashes) != head.root:
            raise LedgerError(_GATHER, self._log.folder, hint="its files are not those of its checkpoint: `auditlake verify` says more")
        return EntryProof(index=index, hashes=tuple(hashes), checkpoint=shown.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What live files hold of some entries of one table."""

    rows: pa.Table
    leaves: pa.Table

    @classmethod
    def read(cls, data: Path, catalog: Catalog, origin: str, table: str, wanted: Mapping[int, Set[int]]) -> "_Stored":
        from storage.early import connected

        rows, leaves = [TABLES[table].empty_table()], [_PLACED.empty_table()]
        with connected(threads=2) as connection:
            for file in _holding(catalog.live_files(table), origin, wanted):
                among = {entry: wanted[entry] for entry in wanted if file.min_entry <= entry <= file.max_entry}
                found, hashed = _read(connection, data, file, among)
                rows.append(found)
                leaves.append(hashed)
        return cls(rows=pa.concat_tables(rows), leaves=pa.concat_tables(leaves))

    def evidence(self, removed: "Removed", origin: str, entry: int, table: str, stated: Mapping[str, Any]) -> TableEvidence:
        """Raises `LedgerError` when the rows of the entry, with what stays of removed ones, do not lead to the root that is `stated`."""
        ours = self.leaves.filter(pc.equal(self.leaves["entry"], entry))
        leaves = dict(zip(ours["entry_row"].to_pylist(), ours["leaf"].to_pylist(), strict=True))
        if len(leaves) < stated["rows"]:
            leaves = {**removed.rows(table, entry), **leaves}
        order = sorted(leaves)
        hashes = [leaves[row] or b"" for row in order]
        if len(hashes) != stated["rows"] or root(hashes).hex() != stated["root"]:
            hint = f"its rows of {table} are not those that the log committed to: `auditlake verify --origin {origin}` says which"
            raise LedgerError(_GATHER, f"entry {entry} of {origin}", hint=hint)
        rows = self.rows.filter(pc.equal(self.rows["entry"], entry)).sort_by("entry_row")
        places = {row: position for position, row in enumerate(order)}
        return TableEvidence(rows=rows, positions=tuple(places[row] for row in rows["entry_row"].to_pylist()), leaves=tuple(hashes))


def _holding(files: Sequence[FileRecord], origin: str, entries: Iterable[int]) -> list[FileRecord]:
    numbers = list(entries)
    return [file for file in files if file.origin == origin and any(file.min_entry <= entry <= file.max_entry for entry in numbers)]


def _read(
    connection: "duckdb.DuckDBPyConnection", data: Path, file: FileRecord, wanted: Mapping[int, Set[int]], *, again: bool = True
) -> tuple[pa.Table, pa.Table]:
    """The wanted rows of a file, and the leaf hashes of all rows of their entries; once more when compaction moves it meanwhile."""
    import duckdb
    import pyarrow.parquet as pq

    path = locate(data, file.path)
    limits = {"path": str(path), "first": min(wanted), "last": max(wanted), "entries": list(wanted)}
    try:
        sql = _LEAVES.format(leaf=leaf_sql(pq.read_schema(path)))
        return _rows(path, file.table_name, wanted), connection.sql(sql, params=limits).to_arrow_table().cast(_PLACED)
    except (OSError, pa.ArrowException, duckdb.Error) as error:
        if again and locate(data, file.path) != path:
            return _read(connection, data, file, wanted, again=False)
        raise StorageError(_GATHER, path, hint="it cannot be read: `auditlake doctor` names damaged files") from error


def _rows(path: Path, table: str, wanted: Mapping[int, Set[int]]) -> pa.Table:
    """The wanted rows of a file, in the schema of today, with their own salts: a seed would tell those of others."""
    import pyarrow.parquet as pq

    numbers = sorted(set().union(*wanted.values()))
    found = pq.read_table(path, filters=[("entry", "in", list(wanted)), ("entry_row", "in", numbers)], partitioning=None)
    keys = zip(found["entry"].to_pylist(), found["entry_row"].to_pylist(), strict=True)
    found = found.filter(pa.array([row in wanted[entry] for entry, row in keys], pa.bool_()))
    columns = [
        found[field.name].cast(field.type) if field.name in found.column_names else pa.nulls(found.num_rows, field.type)
        for field in TABLES[table]
    ]
    return with_own(pa.table(columns, schema=TABLES[table]))


class Removed:
    """The leaf hashes that stay of rows of some entries of an origin that were erased or expired; unverified."""

    def __init__(self, data: Path, origin: str, entries: Collection[int]) -> None:
        self._folder = log_folder(data, origin) / FOLDER
        self._entries = entries

    def rows(self, table: str, entry: int) -> Mapping[int, bytes]:
        """Return them by the number of the row."""
        return self._found.get((table, entry), {})

    @cached_property
    def _found(self) -> dict[tuple[str, int], dict[int, bytes]]:
        found: dict[tuple[str, int], dict[int, bytes]] = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as lines:
                for stone in map(orjson.loads, lines):
                    if stone["entry"] in self._entries and stone["leaf"] is not None:
                        found.setdefault((stone["table"], stone["entry"]), {})[stone["row"]] = bytes.fromhex(stone["leaf"])
        return found
