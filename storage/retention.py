"""Retention: rows that are older than a rule says go, unless a legal hold keeps them.

The first rule that fits a row, by table and tenant, decides; a row that no rule fits stays for ever. Age is counted from the time that
decides a row's date, and a file goes when its newest row is old enough: at most a day later than the rule says, and then without being
rewritten, unless rules or holds tell its rows apart. The log says what expired: entries of which nothing is left by their numbers, other
rows by tombstones.
"""

import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from storage import catalog_removals
from storage.catalog import Catalog
from storage.catalog_removals import BEGUN, Change, Order, Removal
from storage.compactor import finish as finish_moves
from storage.durable import DISK, FileSystem, hint_for
from storage.erasure import Hooks, resume
from storage.errors import DamagedFile, StorageError
from storage.holds import Held, held
from storage.layout import FileRecord, LogRecord
from storage.ledger import tombstones
from storage.ledger.burial import Buried, bury
from storage.removal import Staying, Taken, clear, locked, removals, survey, write_anew
from storage.retention_rules import RetentionRule
from storage.rows import Rows

_EXPIRE: Final = "remove what expired"
_FINGERPRINT: Final = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What one run removed."""

    order: str | None = None
    rows: int = 0
    files: int = 0
    held: int = 0  # rows that only a hold kept
    resumed: int = 0  # erasures whose copies are gone now
    damaged: tuple[str, ...] = ()


def apply(
    data: Path, rules: Sequence[RetentionRule], *, now_ns: int, hooks: Hooks, identity_keys: Sequence[str] = (), fs: FileSystem = DISK
) -> Expired:
    """Remove what expired at `now_ns`, and finish what earlier orders left; a crash leaves the lake whole, the next run continues.

    Raises `LakeLocked` while another process moves files for long, `StorageError` when the disk refuses or a hold cannot be looked up.
    """
    with locked(data, _EXPIRE), closing(Catalog.open(data)) as catalog:
        try:
            finish_moves(catalog, data, fs)
            _forget_begun(data, catalog, fs)
            resumed = len(resume(data, catalog, now_ns=now_ns, hooks=hooks, fs=fs))
            files = due(data, catalog, rules, now_ns)
            if not files:
                return Expired(resumed=resumed)
            return replace(_apply(data, catalog, rules, files, held(data, catalog, identity_keys), now_ns, fs), resumed=resumed)
        except OSError as error:
            raise StorageError(_EXPIRE, data, hint=hint_for(error)) from error


def due(data: Path, catalog: Catalog, rules: Sequence[RetentionRule], now_ns: int) -> list[FileRecord]:
    """Return the live files that may hold rows which expired."""
    return [file for file in catalog.live_files() if any(_may_expire(data, file, rule, now_ns) for rule in rules)]


def _may_expire(data: Path, file: FileRecord, rule: RetentionRule, now_ns: int) -> bool:
    if rule.table not in {None, file.table_name} and file.table_name != "derivations":
        return False
    if file.max_ns >= rule.cutoff_ns(now_ns):
        return False
    return rule.tenant is None or _may_hold(data / file.path, rule.tenant)


def _may_hold(path: Path, tenant: str) -> bool:
    """Whether a file can have rows of a tenant, by its statistics; rows are sorted by tenant first."""
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return True  # who reads it finds out
    leaf = next((at for at in range(metadata.num_columns) if metadata.schema.column(at).path == "tenant"), None)
    if leaf is None:
        return False
    groups = (metadata.row_group(number).column(leaf).statistics for number in range(metadata.num_row_groups))
    return any(found is None or not found.has_min_max or found.min <= tenant <= found.max for found in groups)


def _forget_begun(data: Path, catalog: Catalog, fs: FileSystem) -> None:
    """Take away what a run that was killed before it removed anything left."""
    for order in catalog_removals.orders(catalog, state=BEGUN):
        if order.kind == "expiry":
            for path in sorted((data / "ledger").rglob(f"{tombstones.FOLDER}/{order.id}.*")):
                fs.unlink(path)
            catalog_removals.drop(catalog, order)


def _apply(
    data: Path, catalog: Catalog, rules: Sequence[RetentionRule], files: Sequence[FileRecord], keep: Held, now_ns: int, fs: FileSystem
) -> Expired:
    rule = _Ages(tuple(rules), now_ns, keep)
    taken, damaged = _surveyed(data, catalog, files, rule)
    if not taken:
        return Expired(held=rule.kept, damaged=damaged)
    gone = removals(taken, Staying(data, catalog, taken))
    texts = tuple(str(each) for each in rules)
    order = Order(
        id=str(uuid.uuid4()), kind="expiry", at_ns=now_ns, subject="rules", fingerprint=_FINGERPRINT, reason="; ".join(texts),
        ordered_by="auditlake", rows=sum(each.rows for each in gone),
    )  # fmt: skip
    order = replace(catalog_removals.begin(catalog, order), rows=order.rows)
    outputs = write_anew(data, taken, order.id, fs)
    apart = _apart(data, taken, gone)
    buried = bury(data, order.id, [each.file for each in taken], apart, fs) if len(apart) else {}
    change = Change(
        order=order, inputs=[each.file for each in taken], outputs=outputs, removals=gone, log=_log(order, texts, gone, buried),
        oldest_ns=_oldest_ns(catalog, taken, outputs, now_ns),
    )  # fmt: skip
    catalog_removals.commit(catalog, change, now_ns=now_ns)
    clear(data, catalog, gone, fs)
    catalog_removals.finish(catalog, order.id, now_ns=now_ns, remains=(), pending=False)
    return Expired(order=order.id, rows=order.rows, files=len(taken), held=rule.kept, damaged=damaged)


def _surveyed(data: Path, catalog: Catalog, files: Sequence[FileRecord], rule: "_Ages") -> tuple[list[Taken], tuple[str, ...]]:
    """What goes of each file; one that is damaged is set aside, and named."""
    taken: list[Taken] = []
    damaged = []
    for file in files:
        try:
            taken += survey(data, [file], rule)
        except DamagedFile as error:
            catalog.mark_damaged(file.path, error.hint)
            structlog.get_logger(__name__).error("damaged file set aside", path=file.path, rows=file.rows, reason=error.hint)
            damaged.append(file.path)
    return taken, tuple(damaged)


@dataclass(slots=True)
class _Ages:
    """Rows whose rule lets them go at this time, and that no hold keeps."""

    rules: tuple[RetentionRule, ...]
    now_ns: int
    keep: Held
    columns: tuple[str, ...] = ("tenant", "of_table")
    kept: int = 0
    _known: dict[tuple[str, str | None, int], bool] = field(default_factory=dict)

    def mask(self, file: FileRecord, rows: pa.RecordBatch) -> list[bool]:
        """Return of each row whether it goes."""
        names = rows.schema.names
        tenants = rows.column("tenant").to_pylist() if "tenant" in names else [None] * rows.num_rows
        tables = rows.column("of_table").to_pylist() if "of_table" in names else [file.table_name] * rows.num_rows
        marks = [self._goes(table, tenant, file.max_ns) for table, tenant in zip(tables, tenants, strict=True)]
        return self._without_held(file, rows, marks) if self.keep.holds and any(marks) else marks

    def _goes(self, table: str, tenant: str | None, newest_ns: int) -> bool:
        place = (table, tenant, newest_ns)
        if place not in self._known:
            fits = (rule for rule in self.rules if rule.table in {None, table} and rule.tenant in {None, tenant})
            first = next(fits, None)
            self._known[place] = first is not None and newest_ns < first.cutoff_ns(self.now_ns)
        return self._known[place]

    def _without_held(self, file: FileRecord, rows: pa.RecordBatch, marks: list[bool]) -> list[bool]:
        entries, numbers = rows.column("entry").to_pylist(), rows.column("entry_row").to_pylist()
        for _, held_rows in self.keep.holds:
            under = held_rows.mask(file.table_name, file.origin, entries, numbers)
            self.kept += sum(goes and kept for goes, kept in zip(marks, under, strict=True))
            marks = [goes and not kept for goes, kept in zip(marks, under, strict=True)]
        return marks


def _apart(data: Path, taken: Sequence[Taken], gone: Sequence[Removal]) -> Rows:
    """The rows that go from entries of which others of the table stay: they need tombstones."""
    shared = {(each.table, each.origin, each.first) for each in gone if not each.whole}
    found = Rows()
    for each in taken:
        file = each.file
        if not any((file.table_name, file.origin, entry) in shared for entry in each.gone):
            continue
        at = 0
        with pq.ParquetFile(data / file.path) as parquet:
            for batch in parquet.iter_batches(columns=["entry", "entry_row"], use_threads=False):
                marks = each.marks[at : at + batch.num_rows]
                at += batch.num_rows
                for entry, row, goes in zip(*(column.to_pylist() for column in batch.columns), marks, strict=True):
                    if goes and (file.table_name, file.origin, entry) in shared:
                        found.add(file.table_name, file.origin, entry, row)
    return found


def _log(order: Order, rules: Sequence[str], gone: Sequence[Removal], buried: Buried) -> list[LogRecord]:
    records: list[LogRecord] = []
    for origin in sorted({each.origin for each in gone}):
        here = [each for each in gone if each.origin == origin]
        entries: dict[str, list[tuple[int, int]]] = {}
        for each in here:
            if each.whole:
                entries.setdefault(each.table, []).append((each.first, each.last))
        file = buried[origin][0] if origin in buried else None
        rows = sum(each.rows for each in here)
        records += tombstones.expiry(origin, order.id, at_ns=order.at_ns, rules=rules, rows=rows, entries=entries, tombstones=file)
    return records


def _oldest_ns(catalog: Catalog, taken: Sequence[Taken], outputs: Sequence[FileRecord], now_ns: int) -> int:
    """The time of the oldest row that stays, or may be in a file that is set aside and restored one day."""
    replaced = {each.file.path for each in taken}
    staying = [file for file in catalog.live_files() if file.path not in replaced]
    return min((file.min_ns for file in [*staying, *outputs, *catalog.damaged_files()]), default=now_ns)
