"""Erasing what is about somebody, by order: read `erase` from top to bottom.

After it none of the rows is in any file of the lake, live or retired; their salts are gone with them, their leaf hashes stay as
tombstones, and the log of each origin says who ordered it and why. Whom the order is about stands nowhere: a keyed fingerprint recognises
an order that is given again after a crash. What is not the lake's is done by whoever calls (`Hooks`): vault keys, queues of exporters.
"""

import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa

from storage import catalog_removals
from storage.catalog import Catalog
from storage.catalog_removals import Change, Hold, Order, Removal
from storage.compactor import finish as finish_moves
from storage.durable import DISK, FileSystem, hint_for
from storage.errors import StorageError
from storage.exports import exports
from storage.holds import Held, held
from storage.layout import FileRecord, LogRecord
from storage.ledger.burial import bury
from storage.ledger.log import log_folder
from storage.ledger.tombstones import TombstoneFile, erasure, read, tombstones_path
from storage.leftovers import quarantined, remove_quarantined
from storage.person import mention
from storage.references import standing, stated
from storage.removal import Staying, clear, locked, removals, survey, write_anew
from storage.rows import Rows
from storage.selection import Selector, select
from storage.vanished import vanished

_ERASE: Final = "erase rows"
_KEYS: Final = "vault: keys of what is erased are not destroyed yet; give the order again"
_PENDING: Final = "catalog.sqlite: a reader holds on to what was in it; the next order wipes it, or `auditlake retention apply`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be erased. `fingerprint` is keyed, the same for the same order; `reason` and `by` are cleaned by the policy."""

    selector: Selector
    subject: str  # actor | run | tenant
    fingerprint: str
    reason: str
    by: str
    identity_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What others have to do."""

    destroy_keys: Callable[[Sequence[str]], int] | None = None
    """Of the vault: the key of the person, and the values of these references, to which no record refers any more; returns how many
    values nobody can read again."""
    forget_copies: Callable[[Rows], Sequence[str]] = lambda _: ()  # in queues; returns where copies are that nobody here can reach
    forget_runs: Callable[[Sequence[str]], str | None] = lambda _: None
    """Of what tells of these runs and traces beside the lake; returns why it cannot. Called before their rows go, since after a crash
    nobody knows their names, and when they are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an order came to. `remains` names where copies are or may be; `pending`: something has to be tried again."""

    order: str
    rows: int
    entries: int = 0
    files: int = 0
    keys: int = 0
    quarantined: int = 0
    remains: tuple[str, ...] = ()
    pending: bool = False


def preview(data: Path, wanted: Wanted) -> tuple[Rows, Held]:
    """Return what an order would erase, and what is under hold; changes nothing. Raises `StorageError`."""
    with closing(Catalog.open(data)) as catalog:
        return select(data, wanted.selector, identity_keys=wanted.identity_keys).rows, held(data, catalog, wanted.identity_keys)


def erase(data: Path, wanted: Wanted, *, now_ns: int, hooks: Hooks, fs: FileSystem = DISK) -> Erased:
    """Erase everything that is sealed of what is wanted; after a crash the same call goes on.

    Raises `UnderHold` when a row is under legal hold and `DamagedFile` when one cannot be read: nothing was changed then. Raises
    `StorageError` when the disk refuses: what was done is done, and the same call continues.
    """
    with locked(data, _ERASE), closing(Catalog.open(data)) as catalog:
        try:
            finish_moves(catalog, data, fs)
            earlier = resume(data, catalog, now_ns=now_ns, hooks=hooks, fs=fs)
            done = _erase(data, catalog, wanted, now_ns, hooks, fs)
            told = [place for each in earlier for place in each.remains if place not in {_KEYS, _PENDING}]
            return replace(done, remains=tuple(dict.fromkeys([*told, *done.remains])))
        except OSError as error:
            raise StorageError(_ERASE, data, hint=hint_for(error)) from error


def resume(data: Path, catalog: Catalog, *, now_ns: int, hooks: Hooks, fs: FileSystem = DISK) -> list[Erased]:
    """Finish the orders whose rows are gone and whose copies may not be; the vault waits for an order. The caller holds the locks."""
    return [
        _finish(data, catalog, order, catalog_removals.removals(catalog, order.id), hooks=hooks, now_ns=now_ns, fs=fs)
        for order in catalog_removals.orders(catalog, state=catalog_removals.REMOVED)
    ]


def _erase(data: Path, catalog: Catalog, wanted: Wanted, now_ns: int, hooks: Hooks, fs: FileSystem) -> Erased:
    selection = select(data, wanted.selector, identity_keys=wanted.identity_keys)
    keep = held(data, catalog, wanted.identity_keys)
    keep.refuse(f"rows of this {wanted.subject}", selection.rows)
    order = catalog_removals.begin(catalog, _order(wanted, now_ns))
    files = [file for file in catalog.live_files() if selection.rows.touches(file)]
    taken = survey(data, files, _Marked(selection.rows))
    gone = removals(taken, Staying(data, catalog, taken))
    outputs = write_anew(data, taken, order.id, fs)
    buried = bury(data, order.id, [each.file for each in taken], selection.rows, fs)
    log = [_told(origin, order, rows, file) for origin, (file, rows) in sorted(buried.items())]
    deleted, said = _quarantine(data, wanted, gone, keep, fs)
    aside = sorted({*selection.damaged, *(file.path for file in catalog.damaged_files())})
    mentions = _mentions(_names(wanted.selector))
    gone_holds, naming = _holds(catalog, wanted.selector, mentions)
    said += [*naming, *exports(data, catalog, taken, gone, selection.rows, mentions)]
    said += [f"{path}: damaged, nobody can tell what it holds; restore or delete it, then give the order again" for path in aside]
    rows = sum(each.rows for each in gone)
    order = replace(order, remains=(*said, *([] if hooks.destroy_keys is None else [_KEYS])), rows=rows)
    traces, runs = vanished(data, catalog, taken, outputs)
    if trouble := hooks.forget_runs(runs):
        raise StorageError(_ERASE, f"of this {wanted.subject}", hint=trouble)
    catalog_removals.commit(
        catalog,
        Change(
            order=order, inputs=[each.file for each in taken], outputs=outputs, removals=gone, log=log, gone_traces=traces, gone_runs=runs,
            mentions=mentions, gone_holds=gone_holds,
            references=() if hooks.destroy_keys is None else stated(data, catalog, [each.file for each in taken], selection.rows),
        ),
        now_ns=now_ns,
    )  # fmt: skip
    done = _finish(data, catalog, order, gone, hooks=hooks, now_ns=now_ns, fs=fs)
    done, keys = _destroy_keys(data, catalog, done, hooks, now_ns)
    done = _with_trouble(done, hooks.forget_runs(runs))
    entries = len({(each.origin, entry) for each in gone for entry in range(each.first, each.last + 1)})
    return replace(done, entries=entries, files=len(taken), keys=keys, quarantined=deleted)


def _with_trouble(done: Erased, trouble: str | None) -> Erased:
    return done if trouble is None else replace(done, remains=(*done.remains, trouble), pending=True)


def _order(wanted: Wanted, now_ns: int) -> Order:
    return Order(
        id=str(uuid.uuid4()), kind="erasure", at_ns=now_ns, subject=wanted.subject, fingerprint=wanted.fingerprint, reason=wanted.reason,
        ordered_by=wanted.by,
    )  # fmt: skip


def _told(origin: str, order: Order, rows: int, file: TombstoneFile) -> LogRecord:
    return erasure(origin, order.id, at_ns=order.at_ns, reason=order.reason, by=order.ordered_by, rows=rows, tombstones=file)


def _names(selector: Selector) -> list[str]:
    """By what the rows are known; a tenant's name is a word like any other."""
    return [*selector.actors, *([selector.run] if selector.run else [])]


def _mentions(names: Sequence[str]) -> Callable[[str], bool]:
    pattern = mention(names)
    return re.compile(pattern).search if pattern else lambda _: False  # type: ignore[return-value]


def _destroy_keys(data: Path, catalog: Catalog, done: Erased, hooks: Hooks, now_ns: int) -> tuple[Erased, int]:
    """Last: rows are found by what the key makes of a name, and must not stay when the vault refuses."""
    if hooks.destroy_keys is None:
        return done, 0
    gone = catalog_removals.references(catalog)
    keys = hooks.destroy_keys(sorted(gone - standing(data, catalog, gone)))
    catalog_removals.forget_references(catalog)
    remains = tuple(each for each in done.remains if each != _KEYS)
    catalog_removals.finish(catalog, done.order, now_ns=now_ns, remains=remains, pending=done.pending)
    return replace(done, remains=remains), keys


def _holds(catalog: Catalog, meant: Selector, mentions: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Return the released holds that say whom an order is about, and what to say of those in force."""
    names = {name.lower() for name in meant.actors}

    def is_about(hold: Hold) -> bool:
        said = hold.selector
        same = (said.run is not None and said.run == meant.run) or (said.tenant is not None and said.tenant == meant.tenant)
        texts = (said.run, said.tenant, said.where, *said.actors, hold.reason, hold.release_reason)
        return same or not names.isdisjoint(name.lower() for name in said.actors) or any(text and mentions(text) for text in texts)

    about = [hold for hold in catalog_removals.holds(catalog, released=True) if is_about(hold)]
    naming = [
        f"hold {hold.id} says whom this is about: release it, then give the order again" for hold in about if hold.released_ns is None
    ]
    return [hold.id for hold in about if hold.released_ns is not None], naming


def _quarantine(data: Path, wanted: Wanted, gone: Sequence[Removal], keep: Held, fs: FileSystem) -> tuple[int, list[str]]:
    """Delete what is quarantined and may hold what is erased; return how many files, and those that a hold keeps."""
    entries = {(each.origin, entry) for each in gone for entry in range(each.first, each.last + 1)}
    names = [*_names(wanted.selector), *([wanted.selector.tenant] if wanted.selector.tenant else [])]
    paths = quarantined(data, entries, names)
    if keep.holds:  # nobody can tell whose bytes these are
        held_by = ", ".join(hold.id for hold, _ in keep.holds)
        return 0, [f"{path.relative_to(data)}: kept while hold {held_by} is in force; then give the order again" for path in paths]
    remove_quarantined(paths, fs)
    return len(paths), []


def _finish(data: Path, catalog: Catalog, order: Order, gone: Sequence[Removal], *, hooks: Hooks, now_ns: int, fs: FileSystem) -> Erased:
    """Take what is gone out of everything else: retired files, queues, the catalog's own pages."""
    clear(data, catalog, gone, fs)
    remains = [each for each in order.remains if each != _PENDING]
    if order.kind == "erasure":
        remains += [each for each in hooks.forget_copies(_rows_of(data, order, gone)) if each not in remains]
    pending = not catalog.wipe()
    if pending:
        remains.append(_PENDING)
    catalog_removals.finish(catalog, order.id, now_ns=now_ns, remains=remains, pending=pending)
    return Erased(order=order.id, rows=order.rows, remains=tuple(remains), pending=pending)


def _rows_of(data: Path, order: Order, gone: Sequence[Removal]) -> Rows:
    """The rows that an order removed, from their tombstones."""
    found = Rows()
    for origin in sorted({each.origin for each in gone}):
        for stone in read(log_folder(data, origin), TombstoneFile(tombstones_path(order.id), "")):
            found.add(stone.table, origin, stone.entry, stone.row)
    return found


@dataclass(frozen=True, slots=True)
class _Marked:
    """Rows of a set go."""

    rows: Rows
    columns: tuple[str, ...] = ()

    def mask(self, file: FileRecord, rows: pa.RecordBatch) -> Sequence[bool]:
        entries, numbers = rows.column("entry").to_pylist(), rows.column("entry_row").to_pylist()
        return self.rows.mask(file.table_name, file.origin, entries, numbers)
