"""Whether the catalog says the same as the log, and whether the lake's folders hold what the catalog lists and nothing else.

The catalog decides what queries read, and nobody signs it: whatever it says of entries and files is held against the log.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from storage.catalog import Catalog
from storage.layout import EntryRecord, sealed_path
from storage.ledger.verdicts import Finding, Verdict
from storage.ledger.verify_log import LogAudit
from storage.ledger.verify_removed import Removed
from storage.schema import TABLES
from storage.wal import closed_segments

CATALOG: Final = "catalog.sqlite"
COUNTERS: Final = ("received", "stored", "rejected", "deduplicated", "quarantined", "withheld", "own", "resent")
_SEGMENTS: Final = 2_000
_END: Final = 2**63 - 1
_Segment = tuple[int, Mapping[str, Any]]
SETTLE_NS: Final = 60 * 1_000_000_000
"""The log is written right after the catalog: what it lacks for longer, while it was signed, was never meant for it."""


class CatalogCheck:
    """Holds the catalog's entries of one origin against its log."""

    def __init__(self, catalog: Catalog, audit: LogAudit, removed: Removed, *, from_entry: int, during: tuple[int, int]) -> None:
        """`during`: unix ns from when to when this was looked at; what was sealed meanwhile is left for the next time."""
        self._catalog = catalog
        self._audit = audit
        self._removed = removed
        self._from = from_entry
        self._during = during
        self._entries: dict[int, EntryRecord] = {}  # those that are looked at now

    def findings(self, unlogged: Mapping[int, int]) -> Iterator[Finding]:
        """What the catalog says otherwise, lacks, or has beside; `unlogged`: stored rows by segments that the log has not.

        Raises `LedgerError`.
        """
        beside = sorted(unlogged)
        for first, last, segments in self._spans():
            self._entries = {each.entry: each for each in self._catalog.entries(self._audit.origin, first=first, last=last)}
            rest = {*self._entries, *beside[bisect_left(beside, first) : bisect_right(beside, last)]}
            for number, segment in segments:
                rest.discard(number)
                entry = self._entries.get(number)
                if entry is not None:
                    yield from self._differences(entry, segment)
                elif not all(self._removed.expired_by(table, number) for table in segment["tables"]):
                    yield self._finding(Verdict.MISSING, number, "the catalog does not know this segment")
            for number in sorted(rest):
                if not self._is_new(number):
                    yield self._unlogged(number, unlogged.get(number, 0))

    def _spans(self) -> Iterator[tuple[int, int, list[_Segment]]]:
        """All numbers of entries as ranges, with the segments of the log in each: memory holds one."""
        first = self._from
        held: list[_Segment] = []
        for number, segment in self._audit.segments():
            if number < first:
                continue
            held.append((number, segment))
            if len(held) == _SEGMENTS:
                yield first, number, held
                first, held = number + 1, []
        yield first, _END, held

    def _is_new(self, number: int) -> bool:
        """Whether a segment was sealed while this was looked at, or right before."""
        index = self._catalog.log_index(self._audit.origin, number)
        begun_ns, ended_ns = self._during
        entry = self._entries.get(number)
        return entry is not None and index is not None and index >= self._audit.size and begun_ns - SETTLE_NS < entry.sealed_ns <= ended_ns

    def _unlogged(self, number: int, rows: int) -> Finding:
        """The verdict about a segment that is in the catalog or in files, and not in the log."""
        if number not in self._entries:
            return self._finding(Verdict.EXTRA, number, "rows of a segment that was never sealed", rows=rows)
        numbers, index = self._audit.numbers, self._catalog.log_index(self._audit.origin, number)
        if index is not None and index < self._audit.size:
            return self._finding(Verdict.MISSING, number, "its log entry is gone", rows=rows)
        if index is not None:
            meaning = "not in the log yet: the next seal puts it there"
        elif not numbers or number < numbers[0]:
            return self._finding(Verdict.UNLEDGERED, number, "sealed before there was a ledger", rows=rows)
        else:
            meaning = "sealed while the ledger was off"
        signed_s, sealed_ns = self._audit.signed.time_s, self._entries[number].sealed_ns
        if sealed_ns > self._during[1] + SETTLE_NS:
            return self._finding(
                Verdict.EXTRA, number, "a segment that is not in the log, sealed at a time that is still to come", rows=rows
            )
        if (not numbers or number > numbers[-1]) and signed_s is not None and signed_s * 1_000_000_000 > sealed_ns + SETTLE_NS:
            return self._finding(Verdict.EXTRA, number, "a segment that is not in the log, which was signed since", rows=rows)
        return self._finding(Verdict.UNLEDGERED, number, meaning, rows=rows)

    def _differences(self, entry: EntryRecord, segment: Mapping[str, Any]) -> Iterator[Finding]:
        said: dict[str, Any] = {name: getattr(entry, name) for name in COUNTERS}
        said |= {"policy_hash": entry.policy_hash, "sealed_ns": entry.sealed_ns}
        committed = {**segment["counters"], "policy_hash": segment["policy_hash"], "sealed_ns": segment["sealed_ns"]}
        for name, value in said.items():
            if value != committed.get(name):
                yield self._finding(Verdict.ALTERED, entry.entry, f"the catalog says {name} {value}, the log {committed.get(name)}")

    def _finding(self, verdict: Verdict, number: int, detail: str, *, rows: int = 0) -> Finding:
        path = CATALOG if verdict is not Verdict.UNLEDGERED else None
        return Finding(origin=self._audit.origin, verdict=verdict, first=number, last=number, path=path, detail=detail, rows=rows)


def never_written(catalog: Catalog, origin: str, now_ns: int) -> Finding | None:
    """What a log without a checkpoint means: gone, unless the first segment was sealed just now."""
    first = catalog.log_records(origin, 0, 1)
    if not first:
        return None
    body = orjson.loads(first[0].body or b"{}")  # the log had it long ago
    if now_ns - int(body.get("sealed_ns") or body.get("at_ns") or 0) < SETTLE_NS:
        return None
    detail = "it has no checkpoint, and the catalog has what was put into its log: the log was removed"
    return Finding(origin=origin, verdict=Verdict.MISSING, path=f"ledger/{origin}", detail=detail)


def set_aside(catalog: Catalog, origin: str) -> Iterator[Finding]:
    """Files of an origin that queries leave out because the catalog calls them damaged."""
    for file in [each for each in catalog.damaged_files() if each.origin == origin]:
        yield Finding(
            origin=file.origin, verdict=Verdict.MISSING, first=file.min_entry, last=file.max_entry, table=file.table_name, path=file.path,
            detail="the catalog sets this file aside as damaged: no query reads its rows", rows=file.rows,
        )  # fmt: skip


def strays(data: Path, known: set[str]) -> list[str]:
    """Return the files in the lake's folders that the catalog does not list, apart from those of segments that wait to be sealed."""
    waiting = {(segment.origin, segment.entry) for segment in closed_segments(data)}
    found = []
    for name in TABLES:
        for path in sorted((data / "data" / name).rglob("*")):
            relative = path.relative_to(data).as_posix()
            if (path.is_file() or path.is_symlink()) and relative not in known and not _is_waiting(relative, waiting):
                found.append(relative)
    return found


def _is_waiting(path: str, waiting: set[tuple[str, int]]) -> bool:
    """Whether a file is what sealing a waiting segment writes."""
    parts = path.split("/")
    return len(parts) == 4 and any(
        path == sealed_path(parts[1], parts[2].removeprefix("date="), origin, entry) for origin, entry in waiting
    )


def stray_finding(path: str, origins: Mapping[str, str]) -> Finding:
    """The verdict about a file that the catalog does not list; `origins` are their names by how file names write them."""
    name = path.rpartition("/")[2]
    origin = next((each for written, each in origins.items() if name.startswith(f"{written}-")), "")
    detail = "a file in the lake that the catalog does not list: readers of the folder count its rows, queries do not"
    return Finding(origin=origin, verdict=Verdict.EXTRA, path=path, detail=detail)
