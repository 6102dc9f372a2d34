"""Derivations: what is made of sealed rows when they are read again by newer dialects and prices.

Sealed rows never change. A derivation is a row of its own in the table `derivations`, published like any other: in an entry of the
origin `<node>/rederive`, in files of the sealed row's date, in one catalog transaction with what that origin's log says of it. The
views of rows show the newest derivation of a row, and in `derived_from` that they do. So a crash leaves the lake as it was, or with
some rows derived: the next run does the rest.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from storage.catalog import Catalog
from storage.durable import DISK, FileLock, FileSystem
from storage.lake import Lake
from storage.layout import EntryRecord, FileRecord, JoinRecord, sealed_path
from storage.ledger.entries import segment
from storage.ledger.salts import seeded
from storage.schema import DERIVATIONS, SCHEMA_VERSION
from storage.views import query_sql
from storage.writer import publish_entry

TABLE: Final = "derivations"
SLICE_ROWS: Final = 40_000
_POLICY: Final = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Rows to read at once: of a table, date and origin, and of a range of entries."""

    table: str
    origin: str
    date: str
    first: int
    last: int
    rows: int  # about as many
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joins:
    """What changes in the catalog's knowledge of which traces are one run."""

    stated: Sequence[JoinRecord] = ()
    withdrawn: Sequence[JoinRecord] = ()
    trace_runs: Mapping[str, str | None] | None = None


def slices(catalog: Catalog, *, from_ns: int | None, to_ns: int | None) -> list[Slice]:
    """The rows that may lie in [from_ns, to_ns], as parts of a bounded size; rows that are sealed meanwhile are not among them."""
    parts: list[Slice] = []
    for table in ("spans", "events", "metrics"):
        for file in catalog.live_files(table, from_ns=from_ns, to_ns=to_ns):
            parts += _parts(file)
    return parts


def _parts(file: FileRecord) -> Iterator[Slice]:
    """A file as ranges of entries: where its rows are meanwhile, compaction decides."""
    entries = file.max_entry - file.min_entry + 1
    number = min(entries, -(-file.rows // SLICE_ROWS))
    step = -(-entries // max(number, 1))
    for first in range(file.min_entry, file.max_entry + 1, step):
        last = min(first + step - 1, file.max_entry)
        rows = file.rows * (last - first + 1) // entries
        yield Slice(
            table=file.table_name, origin=file.origin, date=file.date, first=first, last=last, rows=rows,
            from_ns=file.min_ns, to_ns=file.max_ns,
        )  # fmt: skip


def read_slice(lake: Lake, part: Slice) -> pa.Table:
    """Return the rows of a slice with their newest canonical columns; what auditlake wrote about itself is left out."""
    params = {"origin": part.origin, "first": part.first, "last": part.last, "date": part.date}
    return lake.sql(query_sql(f"rereading_{part.table}"), params, from_ns=part.from_ns, to_ns=part.to_ns)


class Publisher:
    """Publishes derivations as entries of one origin. One at a time in a data directory: raises `LakeLocked` while another lives."""

    def __init__(self, data: Path, node: str, *, ledgered: bool = True, fs: FileSystem = DISK) -> None:
        """`node` begins the origin's name; without `ledgered` the ledger's log says nothing of what is published.

        Takes away what a run that was killed published without entering it into the catalog.
        """
        self._ledgered = ledgered
        self.origin = f"{node}/rederive"
        self._data = data
        self._fs = fs
        self._lock = FileLock(data / "rederive.lock", "read sealed rows again")
        self.catalog = Catalog.open(data)
        last = self.catalog.last_entry(self.origin)
        self._entry = 0 if last is None else last + 1
        pattern = Path(sealed_path(TABLE, "*", self.origin, self._entry)).relative_to("data").as_posix()
        for left in sorted((data / "data").glob(pattern)):
            fs.unlink(left)

    def close(self) -> None:
        """Give the lock and the catalog back."""
        self.catalog.close()
        self._lock.release()

    def publish(self, rows: pa.Table, *, now_ns: int, runs: Mapping[str, tuple[int, int]], joins: Joins | None = None) -> None:
        """Make derivations durable and visible, with what they change in the catalog, all or nothing. Raises `StorageError`.

        `rows` have the columns of `DERIVATION` and `CANONICAL`; may be none. `runs`: first and last unix ns of rows by run id.
        """
        joins = joins or Joins()
        table = self._numbered(rows, now_ns)
        files = publish_entry(self._data, self.origin, self._entry, {TABLE: table}, sealed_ns=now_ns, fs=self._fs)
        entry = self._record(rows.num_rows, now_ns)
        self.catalog.commit_entry(
            entry, files, runs=runs, trace_runs=joins.trace_runs or {}, joins=joins.stated, withdrawn=joins.withdrawn,
            log=[segment(self._data, entry, files)] if self._ledgered else [],
        )  # fmt: skip
        self._entry += 1

    def _numbered(self, rows: pa.Table, now_ns: int) -> pa.Table:
        """The rows with the ledger columns that every row has."""
        count = rows.num_rows
        ledger = {
            "origin": pa.repeat(pa.scalar(self.origin, pa.large_string()), count),
            "entry": pa.repeat(pa.scalar(self._entry, pa.int64()), count),
            "entry_row": pa.array(range(count), pa.int64()),
            "received_ns": pa.repeat(pa.scalar(now_ns, pa.int64()), count),
            "clock_flagged": pa.repeat(pa.scalar(value=False), count),
            "policy_hash": pa.repeat(pa.scalar(_POLICY, pa.large_string()), count),
            "schema_version": pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int32()), count),
        }
        names = set(rows.schema.names)
        columns = [
            rows[field.name] if field.name in names else ledger.get(field.name, pa.nulls(count, field.type)) for field in DERIVATIONS
        ]
        return seeded(TABLE, pa.Table.from_arrays(columns, schema=DERIVATIONS), secrets.token_bytes)

    def _record(self, rows: int, now_ns: int) -> EntryRecord:
        return EntryRecord(
            origin=self.origin, entry=self._entry, sealed_ns=now_ns, first_received_ns=None, last_received_ns=None, received=0, stored=0,
            rejected=0, deduplicated=0, quarantined=0, withheld=0, own=rows, bytes=0, policy_hash=_POLICY,
            descriptor={"tables": {TABLE: {"rows": rows}}, "schema_version": SCHEMA_VERSION},
        )  # fmt: skip
