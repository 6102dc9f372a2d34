"""Whether the stored rows of one origin and table are the committed ones: every entry's root, from the leaves of the files.

Files are read in the order of their entries, some at once, and an entry is judged when no file that comes later can hold a row of it. So
memory holds the leaves of a few files, whatever the lake's size.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from storage.layout import FileRecord, locate
from storage.ledger import merkle
from storage.ledger.fingerprint import altered
from storage.ledger.verdicts import Finding, Verdict
from storage.ledger.verify_files import Asked, FileRows, groups
from storage.ledger.verify_log import LogAudit
from storage.ledger.verify_removed import Removed

ORDER: Final = ("spans", "events", "metrics")
"""Rows of an entry are numbered through its tables in this order (`storage.schema`, `entry_row`)."""
_END: Final = 2**63 - 1

_Where = tuple[str | None, str | None]  # record id, path

Seen = Callable[[FileRecord, str | None], None]
"""Told of each file that is done with: its digest when all of its rows are the committed ones, else None."""


class Reader(Protocol):
    """What reads files: `storage.ledger.verify_files.FileReader`, or processes that have one."""

    def read(self, group: Sequence[Asked]) -> list[FileRows]: ...

    def leaves(self, record: FileRecord) -> pa.Table: ...


@dataclass(slots=True)
class _Part:
    """The rows of one entry in one file."""

    file: FileRows
    rows: "np.ndarray"  # their numbers, ascending
    leaves: pa.ChunkedArray | None  # None: of a file that is known by its digest
    root: bytes | None  # over these leaves

    def is_whole(self, committed: Mapping[str, Any]) -> bool:
        """Whether these are all rows of their entry, each once, and the committed ones: what nearly every entry of a lake is."""
        if len(self.rows) != committed["rows"] or self.rows[-1] - self.rows[0] + 1 != len(self.rows) or (np.diff(self.rows) != 1).any():
            return False
        return self.leaves is None or (self.root is not None and self.root.hex() == committed["root"])


@dataclass(slots=True)
class TableAudit:
    """What was found of one origin and table."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    unlogged: dict[int, int] = field(default_factory=dict)  # rows of entries that the log has not, by entry


class TableCheck:
    """Checks one table of one origin."""

    def __init__(
        self,
        data: Path,
        audit: LogAudit,
        table: str,
        removed: Removed,
        *,
        reader: Reader,
        known: Mapping[str, str],
        from_entry: int,
        seen: Seen,
    ) -> None:
        """`known`: digests by path under which files were verified row by row. Entries before `from_entry` are left out."""
        self.found = TableAudit()
        self._data = data
        self._audit = audit
        self._table = table
        self._removed = removed
        self._reader = reader
        self._known = known
        self._from = from_entry
        self._seen = seen
        self._parts: dict[int, list[_Part]] = {}
        self._open: list[FileRows] = []  # files with entries that are not judged yet
        self._unreadable: list[FileRecord] = []
        self._bad: set[str] = set()  # paths of files with a row that is not committed, as far as the log says by now
        self._read_again: tuple[str, pa.Table] | None = None  # the leaves of the known file that was read last
        self._expected = self._committed()
        self._next = next(self._expected, None)

    def run(self, files: Sequence[FileRecord], pool: ThreadPoolExecutor, ahead: int) -> TableAudit:
        """Read the files, `ahead` groups of them at once, and judge every entry. Raises `Gone` when a file vanishes, `LedgerError`."""
        missing = {each.path for each in files if not locate(self._data, each.path).exists()}
        rest = deque(groups([each for each in files if each.max_entry >= self._from]))
        reading: deque[Future[list[FileRows]]] = deque()
        limits = deque([*(group[0].min_entry for group in rest), _END][1:])
        try:
            while rest or reading:
                while rest and len(reading) < ahead:
                    reading.append(pool.submit(self._reader.read, [self._asked(each, missing) for each in rest.popleft()]))
                for file in reading.popleft().result():
                    self._gather(file)
                self._judge_to(limits.popleft())
            self._judge_to(_END)
        finally:
            for future in reading:
                future.cancel()
            wait(reading)
        return self.found

    def _asked(self, record: FileRecord, missing: Collection[str]) -> Asked:
        """A file to read, with the digest that the log names when it names one under a signature that counts."""
        index = self._audit.index_of(record.min_entry) if record.min_entry == record.max_entry else None
        published = None
        if index is not None and index < self._audit.sound:
            named = (self._audit.segment(record.min_entry) or {})["tables"].get(self._table, {}).get("files", ())
            published = next((each["sha256"] for each in named if each["path"] == record.path), None)
        return Asked(record=record, known=self._known.get(record.path), published=published, missing=record.path in missing)

    def _gather(self, file: FileRows) -> None:
        """Take the rows of a file apart by entries."""
        self.found.findings += file.findings
        self.found.notes += [file.note] if file.note else []
        self.found.bytes += file.record.bytes
        if file.rows is None:
            self._unreadable.append(file.record)
            self._seen(file.record, None)
            return
        self.found.rows += file.rows.num_rows
        self._open.append(file)
        if file.findings:
            self._bad.add(file.record.path)
        entries, numbers = file.rows["entry"].to_numpy(), file.rows["entry_row"].to_numpy()
        leaves = None if file.known else file.rows["leaf"]
        bounds = [0, *(np.flatnonzero(np.diff(entries)) + 1).tolist(), len(entries)] if len(entries) else []
        for begun, ended in pairwise(bounds):
            own = None if leaves is None else leaves.slice(begun, ended - begun)
            entry = int(entries[begun])
            self._parts.setdefault(entry, []).append(_Part(file, numbers[begun:ended], own, file.roots.get(entry)))

    def _committed(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The segments that have rows of this table, ascending."""
        for number, segment in self._audit.segments():
            if number >= self._from and segment["tables"].get(self._table, {}).get("rows"):
                yield number, segment

    def _judge_to(self, limit: int) -> None:
        """Judge all entries below `limit`: nothing more of them comes."""
        ready = {entry for entry in self._parts if entry < limit}
        while self._next is not None and self._next[0] < limit:
            number, segment = self._next
            ready.discard(number)
            self._judge(number, segment, self._parts.pop(number, []))
            self._next = next(self._expected, None)
        for entry in sorted(ready):
            self._unlogged(entry, self._parts.pop(entry))
        done = [file for file in self._open if file.record.max_entry < limit]
        self._open = [file for file in self._open if file.record.max_entry >= limit]
        for file in done:
            whole = file.record.path not in self._bad and file.record.min_entry >= self._from
            self._seen(file.record, file.digest if whole else None)

    def _unlogged(self, entry: int, parts: list[_Part]) -> None:
        """Rows of an entry that has none of this table by the log, or that is not in the log at all."""
        if entry < self._from:
            return
        rows = sum(len(part.rows) for part in parts)
        self._bad.update(part.file.record.path for part in parts)  # also when its entry is in the log later: nothing was held against it
        if entry < 0 or self._audit.index_of(entry) is not None:
            detail = f"{rows} rows of {self._table} that were never committed"
            self._tell(Verdict.EXTRA, entry, detail, rows=rows, where=self._where(entry, int(parts[0].rows[0]), parts))
        else:
            self.found.unlogged[entry] = self.found.unlogged.get(entry, 0) + rows

    def _judge(self, entry: int, segment: Mapping[str, Any], parts: list[_Part]) -> None:
        """One entry: the right rows, each once, under the committed root."""
        before = len(self.found.findings)
        self._compare(entry, segment, parts)
        if any(finding.broken for finding in self.found.findings[before:]):
            self._bad.update(part.file.record.path for part in parts)

    def _compare(self, entry: int, segment: Mapping[str, Any], parts: list[_Part]) -> None:
        committed = segment["tables"][self._table]
        stones = self._removed.of(self._table, entry)
        order = self._removed.expired_by(self._table, entry)
        if len(parts) == 1 and not stones and order is None and parts[0].is_whole(committed):
            return
        present = [row for part in parts for row in part.rows.tolist()]
        numbers = set(present)
        if order is not None and not present:
            self._tell(Verdict.EXPIRED, entry, f"all of its rows of {self._table} expired", rows=committed["rows"], order=order)
            return
        if len(numbers) < len(present):
            twice = next(row for at, row in enumerate(sorted(present)[1:]) if row == sorted(present)[at])
            extra = len(present) - len(numbers)
            self._tell(Verdict.EXTRA, entry, f"{extra} rows are there twice", rows=extra, where=self._where(entry, twice, parts))
        elif back := sorted(numbers & stones.keys()) or (sorted(numbers) if order is not None else []):
            detail = f"{len(back)} rows are there that {order or stones[back[0]].order} removed"
            self._tell(Verdict.EXTRA, entry, detail, rows=len(back), where=self._where(entry, back[0], parts))
        elif len(numbers) + len(stones) != committed["rows"]:
            self._count(entry, segment, numbers | stones.keys(), parts)
        elif self._same_rows(entry, committed, parts, stones) and stones:
            stone = next(iter(stones.values()))
            detail = f"{len(stones)} of {committed['rows']} rows were removed by order, the others are as committed"
            self._tell(stone.verdict, entry, detail, rows=len(stones), order=stone.order)

    def _count(self, entry: int, segment: Mapping[str, Any], numbers: set[int], parts: list[_Part]) -> None:
        """Too few rows, or too many."""
        rows = segment["tables"][self._table]["rows"]
        before = ORDER[: ORDER.index(self._table)] if self._table in ORDER else ()
        begun = sum(segment["tables"].get(name, {}).get("rows", 0) for name in before)
        whole = range(begun, begun + rows)
        if len(numbers) < rows:
            lacking = next((row for row in whole if row not in numbers), None)
            detail = f"{rows - len(numbers)} of {rows} rows of {self._table} are gone"
            self._tell(Verdict.MISSING, entry, detail, rows=rows - len(numbers), where=self._where(entry, lacking, parts))
        else:
            beyond = next((row for row in sorted(numbers) if row not in whole), None)
            detail = f"{len(numbers) - rows} rows of {self._table} more than were committed"
            self._tell(Verdict.EXTRA, entry, detail, rows=len(numbers) - rows, where=self._where(entry, beyond, parts))

    def _same_rows(self, entry: int, committed: Mapping[str, Any], parts: list[_Part], stones: Mapping[int, Any]) -> bool:
        """Compare the leaves with the committed root, and name the rows that differ."""
        if all(part.leaves is None for part in parts):
            return True  # every row stands in a file that was verified row by row and has not changed
        leaves = {row: stone.leaf for row, stone in stones.items()}
        for part in parts:
            leaves.update(zip(part.rows.tolist(), self._leaves(entry, part), strict=True))
        ordered = sorted(leaves)
        unsalted = next((row for row in ordered if leaves[row] is None), None)
        if unsalted is not None:
            self._tell(Verdict.ALTERED, entry, "a row has no salt, so no hash", where=self._where(entry, unsalted, parts))
            return False
        hashes = [leaf for row in ordered if (leaf := leaves[row]) is not None]
        if merkle.root(hashes).hex() == committed["root"]:
            return True
        places = altered(hashes, committed.get("fingerprints", ""))
        rows = [ordered[place] for span in places for place in span]
        if not places:
            detail, first = f"a row of {self._table} is not the one that was committed: which, cannot be told", None
        elif len(places[0]) > 1:
            detail, first = f"a row of {self._table} among {rows[0]} to {ordered[places[0][-1]]} is not the one that was committed", rows[0]
        else:
            detail, first = f"{len(rows)} of {len(ordered)} rows of {self._table} are not those that were committed", rows[0]
        self._tell(Verdict.ALTERED, entry, detail, rows=len(rows), where=self._where(entry, first, parts))
        return False

    def _leaves(self, entry: int, part: _Part) -> list[bytes | None]:
        """The leaves of a part, also of a file that is known: an entry may lie in a known file and a new one."""
        if part.leaves is None:
            path = part.file.record.path
            if self._read_again is None or self._read_again[0] != path:
                self._read_again = path, self._reader.leaves(part.file.record)
            rows = self._read_again[1]
            wanted = np.flatnonzero(rows["entry"].to_numpy() == entry)
            part.leaves = rows["leaf"].slice(int(wanted[0]), len(wanted))
        return list(part.leaves.to_pylist())

    def _where(self, entry: int, row: int | None, parts: list[_Part]) -> _Where:
        """The record that is first to blame, and the file that it is in, or was."""
        holding = next((part.file.record for part in parts if row is not None and (part.rows == row).any()), None)
        lost = next((each for each in self._unreadable if each.min_entry <= entry <= each.max_entry), None)
        file = holding or lost or (parts[0].file.record if parts else None)
        record_id = None if row is None else f"{self._audit.origin}/{entry}/{row}"
        return record_id, None if file is None else file.path

    def _tell(
        self, verdict: Verdict, entry: int, detail: str, *, rows: int = 0, where: _Where = (None, None), order: str | None = None
    ) -> None:
        record_id, path = where
        finding = Finding(
            origin=self._audit.origin, verdict=verdict, first=entry, last=entry, table=self._table, detail=detail, rows=rows, order=order,
            record_id=record_id, path=path,
        )  # fmt: skip
        self.found.findings.append(finding)
