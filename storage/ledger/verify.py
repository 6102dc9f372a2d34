"""Verification: are the stored rows the committed ones, all of them and nothing else, under a log that only ever grew?

`_Verification.origin` is the flow, from top to bottom: whose signature counts, the log under it, what was removed by order, the rows of
each table, the catalog. Everything is read, nothing is changed but the verifier's own state. A collector may write meanwhile.
"""

import fnmatch
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.layout import FileRecord, origin_name
from storage.ledger.anchors import Source
from storage.ledger.keys import known_keys
from storage.ledger.log import Log, origins
from storage.ledger.verdicts import Finding, OriginReport, Report, Verdict, ranges
from storage.ledger.verify_catalog import CatalogCheck, set_aside, stray_finding, strays
from storage.ledger.verify_files import FileReader, Gone
from storage.ledger.verify_heads import elsewhere, lost, more_unledgered, outside, remembered, unledgered
from storage.ledger.verify_log import LogAudit, audit_log
from storage.ledger.verify_ranges import quiet_ranges
from storage.ledger.verify_removed import Removed, read_removed
from storage.ledger.verify_rows import Reader, TableAudit, TableCheck
from storage.ledger.verify_state import Head, SeenFile, Spoken, State
from storage.ledger.verify_trust import signed_head, trust
from storage.ledger.verify_workers import WorkerReader
from storage.schema import TABLES

ATTEMPTS: Final = 5
SAVE_SECONDS: Final = 5.0
WORK_BYTES: Final = 4 << 20
"""Of so much another process has something to do."""
_BEGINNING: Final = -(2**63)
Progress = Callable[[int, int], None]
"""Told how many bytes of files are done, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to verify, and against what."""

    quick: bool = False  # believe the digests of files that were verified row by row before
    origins: tuple[str, ...] = ()  # names or patterns; none: all
    since_ns: int | None = None  # rows of segments sealed at or after; logs are always verified whole
    keys: tuple[str, ...] = ()  # verifier keys; none: those remembered, else those stored beside the data
    sources: tuple[Source, ...] = ()  # where heads of logs are known outside of the data directory
    jobs: int = 2  # groups of files that are read at once
    processes: bool = True  # each by a process of its own, whose death by a damaged file is noticed


def verify(
    data: Path,
    options: Options,
    state: State,
    *,
    clock: Callable[[], int] = time.time_ns,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Verify a data directory; `state` remembers heads and files, and is saved every few seconds and at the end.

    A verification that was interrupted goes on where it stopped: files that it verified, and that have not changed, are not hashed row by
    row again. Raises `StorageError` when there is no lake, an option means nothing in it, or its catalog cannot be read.
    """
    with (
        closing(Catalog.open(data, read_only=True)) as catalog,
        closing(_reader(data, catalog, options)) as reader,
        ThreadPoolExecutor(options.jobs, "verify") as pool,
    ):
        return _Verification(data, catalog, reader, options, state, pool, clock, progress).run()


def _reader(data: Path, catalog: Catalog, options: Options) -> FileReader | WorkerReader:
    """What reads the files; processes start now when there is work for them, as that takes them a while."""
    if not options.processes:
        return FileReader(data)
    at_once = 1 + sum(file.bytes for file in catalog.live_files()) // WORK_BYTES
    return WorkerReader(data, at_once=0 if options.quick else min(options.jobs, at_once))


class _Verification:
    """One verification."""

    def __init__(
        self,
        data: Path,
        catalog: Catalog,
        reader: Reader,
        options: Options,
        state: State,
        pool: ThreadPoolExecutor,
        clock: Callable[[], int],
        progress: Progress,
    ) -> None:
        self._data = data
        self._catalog = catalog
        self._reader = reader
        self._options = options
        self._state = state
        self._pool = pool
        self._clock = clock
        self._progress = progress
        self._begun_ns = clock()
        self._stored = known_keys(data)
        self._notes: list[str] = []
        self._rows = self._done = 0
        self._total = sum(file.bytes for file in catalog.live_files())
        self._saved = time.monotonic()
        self._listed: defaultdict[tuple[str, str], list[FileRecord]] = defaultdict(list)
        self._listed_version = -1
        resumed = state.unfinished_ns
        self._known = {
            path: seen.sha256 for path, seen in state.files.items() if options.quick or (resumed is not None and seen.at_ns >= resumed)
        }
        state.unfinished_ns = resumed or self._begun_ns
        state.data = str(data.absolute())

    def run(self) -> Report:
        """Every origin, then what is beside them."""
        stray = strays(self._data, self._catalog.paths())
        names = self._origins()
        reports = [self.origin(name) for name in names]
        known = self._catalog.paths()  # what was published meanwhile is in the catalog by now
        written = {origin_name(name): name for name in names}
        for path in stray:
            if path not in known and (self._data / path).exists():
                reports = _with(reports, stray_finding(path, written), everything=not self._options.origins)
        report = Report(
            mode="quick" if self._options.quick else "deep", begun_ns=self._begun_ns, ended_ns=self._clock(), origins=tuple(reports),
            rows=self._rows, bytes=self._done, notes=tuple(dict.fromkeys(self._notes)),
        )  # fmt: skip
        self._finish(report)
        return report

    def origin(self, origin: str, *, again: int = ATTEMPTS) -> OriginReport:
        """The flow of one origin; from the beginning when an order removed rows meanwhile."""
        claims, notes = outside(origin, self._options.sources)  # first: what leaves the host meanwhile is of a newer log than the one read
        log, head = Log(self._data, origin), self._state.heads.get(origin)
        counts = trust(origin, given=self._options.keys, remembered=head.keys if head else (), stored=self._stored)
        signed = signed_head(log, counts)
        audit = audit_log(log, signed, self._catalog, [*remembered(head), *claims])
        audit.findings += lost(origin, signed, head, self._stored, self._catalog, self._begun_ns)

        from_entry = self._from_entry(audit)
        removed = read_removed(log.folder, origin, audit.others)
        found = [*audit.findings, *removed.findings, *set_aside(self._catalog, origin)]
        unlogged: Counter[int] = Counter()
        for table in TABLES:
            rows = self._table(audit, table, removed, from_entry)
            found += rows.findings
            unlogged.update(rows.unlogged)
            self._rows += rows.rows
            self._notes += rows.notes
        during = (self._begun_ns, self._clock())
        found += CatalogCheck(self._catalog, audit, removed, from_entry=from_entry, during=during).findings(unlogged)
        found += [*more_unledgered(origin, head, found)]
        found += [*quiet_ranges(audit, found, from_entry)]

        if again and any(finding.broken for finding in found) and self._removed_meanwhile(audit):
            return self.origin(origin, again=again - 1)
        self._notes += notes
        report = OriginReport(
            origin=origin, findings=tuple(ranges(found)), size=audit.size, root=audit.root.hex(), time_s=signed.time_s,
            signed_by=tuple(str(key) for key in signed.by), trust=counts.source, anchored_size=audit.anchored,
            anchored_by=tuple(dict.fromkeys(audit.anchored_by)),
        )  # fmt: skip
        self._remember(audit, report)
        return report

    def _removed_meanwhile(self, audit: LogAudit) -> bool:
        """Whether the log goes on with an order that removes rows."""
        return any(record.kind in {"erasure", "expiry"} for record in self._catalog.log_records(audit.origin, audit.size, 10_000))

    def _origins(self) -> list[str]:
        """Every origin that anything speaks of, also one of which only our memory, a key or a second location is left."""
        named = {key.partition("+")[0] for key in self._stored}
        files = {file.origin for file in [*self._catalog.live_files(), *self._catalog.damaged_files()]}
        written = {*origins(self._data), *self._catalog.log_sizes()}
        every = sorted({*written, *files, *named, *self._state.heads, *elsewhere(self._options.sources)})
        wanted = self._options.origins
        chosen = [name for name in every if not wanted or any(fnmatch.fnmatchcase(name, each) for each in wanted)]
        if wanted and not chosen:
            raise StorageError("verify", ", ".join(wanted), hint=f"there is no such origin; there are: {', '.join(every) or 'none'}")
        return chosen

    def _from_entry(self, audit: LogAudit) -> int:
        """The first segment whose rows are looked at."""
        since = self._options.since_ns
        if since is None:
            return _BEGINNING
        after = audit.numbers[-1] + 1 if audit.numbers else _BEGINNING
        return next((number for number, segment in audit.segments() if segment["sealed_ns"] >= since), after)

    def _table(self, audit: LogAudit, table: str, removed: Removed, from_entry: int) -> TableAudit:
        """The rows of a table. When compaction takes a file away meanwhile, its rows are elsewhere, and the table is read again."""
        for _ in range(ATTEMPTS):
            files = self._files(audit.origin, table)
            done = self._done
            check = TableCheck(
                self._data, audit, table, removed, reader=self._reader, known=self._known, from_entry=from_entry, seen=self._seen
            )  # fmt: skip
            try:
                return check.run(files, self._pool, self._options.jobs + 1)
            except Gone:
                self._done = done
        raise StorageError("verify", table, hint="its files are replaced faster than they can be read: verify again later")

    def _files(self, origin: str, table: str) -> list[FileRecord]:
        """The live files of an origin and table, as the catalog has them at this moment."""
        version = self._catalog.version
        if version != self._listed_version:
            self._listed.clear()
            for file in self._catalog.live_files():
                self._listed[file.origin, file.table_name].append(file)
            self._listed_version = version
        return self._listed[origin, table]

    def _seen(self, file: FileRecord, digest: str | None) -> None:
        """A file is done with: remember it when all of its rows are the committed ones."""
        if digest is None:
            self._state.files.pop(file.path, None)
            self._known.pop(file.path, None)
        else:
            before = self._state.files.get(file.path)
            if before is not None and before.sha256 != digest:
                self._notes.append(f"{file.path} changed since it was verified last; its rows are the committed ones")
            self._state.files[file.path] = SeenFile(sha256=digest, at_ns=self._clock())
            self._known[file.path] = digest
        self._done += file.bytes
        self._progress(self._done, self._total)
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._state.save()
            self._saved = time.monotonic()

    def _remember(self, audit: LogAudit, report: OriginReport) -> None:
        """Keep the head of a log that verified, and what was said of its entries."""
        signed = audit.signed
        if signed.checkpoint is not None and signed.trusted and not any(finding.broken for finding in audit.findings):
            head = Head(
                size=audit.size, root=audit.root.hex(), time_s=signed.time_s or 0, last=audit.numbers[-1] if audit.numbers else None,
                unledgered=unledgered(report.findings), keys=tuple(str(key) for key in signed.keys),
            )  # fmt: skip
            self._state.raise_head(audit.origin, head)
        if self._options.since_ns is None and audit.numbers:
            below = audit.segments_below(audit.anchored)
            bad = [each for each in report.findings if each.verdict is not Verdict.VALID]
            everywhere = (audit.numbers[0], audit.numbers[-1])
            self._state.spoken[audit.origin] = Spoken(
                first=everywhere[0], last=everywhere[1], anchored=audit.numbers[below - 1] if below else None,
                bad=tuple((*_span(each, everywhere), str(each.verdict), each.detail) for each in bad),
            )  # fmt: skip

    def _finish(self, report: Report) -> None:
        """Remember that it is over."""
        live = {file.path for file in self._catalog.live_files()}
        self._state.files = {path: seen for path, seen in self._state.files.items() if path in live}
        self._state.verified_ns, self._state.mode, self._state.ok = report.ended_ns, report.mode, report.ok
        self._state.unfinished_ns = None
        self._state.save()


def _span(finding: Finding, everywhere: tuple[int, int]) -> tuple[int, int]:
    """The entries that a finding is about; what is of a whole log is about all of them."""
    if finding.first is None or finding.last is None:
        return everywhere
    return finding.first, finding.last


def _with(reports: Sequence[OriginReport], finding: Finding, *, everything: bool) -> list[OriginReport]:
    """The reports with one more finding; one of no known origin gets a report of its own, when everything was to be verified."""
    if any(report.origin == finding.origin for report in reports):
        return [replace(report, findings=(finding, *report.findings)) if report.origin == finding.origin else report for report in reports]
    return [*reports, OriginReport(origin=finding.origin, findings=(finding,))] if everything else list(reports)
