"""A small lake under a ledger, and what somebody with write access to all of it can do to it: files, rows, catalog and log."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.catalog import Catalog
from storage.compactor import compact
from storage.layout import EntryRecord, FileRecord, locate
from storage.ledger import entries
from storage.ledger.keys import Keys
from storage.ledger.log import Log
from storage.ledger.log_writer import LogWriter
from storage.ledger.note import Checkpoint, SigningKey, signed
from storage.ledger.tile_writer import TileWriter
from storage.ledger.verdicts import Report
from storage.ledger.verify import Options, verify
from storage.ledger.verify_state import State
from storage.schema import SCHEMA_VERSION
from storage.writer import publish_entry
from tests.lake_builder import START_NS, Row, event, metric, model, span, table

ORIGIN = "node/collector"
MINUTE_NS = 60 * 1_000_000_000
DAY_SECONDS = 86_400
Change = Callable[[list[Row]], object]


def own_salt(entry: int, row: int) -> bytes:
    """A salt of 16 bytes, another one for each row."""
    return sha256(f"{entry}/{row}".encode()).digest()[:16]


def segments() -> list[dict[str, list[Row]]]:
    """The rows of each segment: all tables, two dates in one segment, every kind of value."""
    call = model(
        "call", at=1, took=0.25, cost=0.1, latency_ms=0.30000000000000004, eval_passed=True, actor="ada", release="r1",
        attributes={"a": "1", "b": "two", "c": ""}, trace_state="", redactions={"EMAIL_ADDRESS": 2},
        events=[{"time_ns": START_NS, "name": "first", "attributes": [("k", "v")]}, {"time_ns": START_NS + 1, "name": "second"}],
    )  # fmt: skip
    plain = [span(f"step {at}", at=at, attributes={"n": str(at)}) for at in range(3)]
    two_days = [span("today", at=5), span("tomorrow", at=DAY_SECONDS), span("café", at=6, id="coffee")]
    return [
        {"spans": plain},
        {"spans": [call, span("zero", at=2, eval_score=0.0)], "events": [event("run.started", at=0), event(None, at=3, body="said")]},
        {"spans": two_days},
        {"events": [event(f"tick {at}", at=at) for at in range(3)]},
        {"metrics": [metric("queue", at=at, value=at / 3) for at in range(2)]},
        {"spans": [span("last", at=9), span("very last", at=10)]},
    ]


@dataclass(frozen=True, slots=True)
class Lake:
    """A data directory and the state of who verified it last."""

    data: Path
    state: Path

    # making one

    def seal(self, rows: dict[str, list[Row]], *, origin: str = ORIGIN) -> None:
        """Seal rows as the next segment and write the log, one minute after the segment before."""
        with closing(Catalog.open(self.data)) as catalog:
            last = catalog.last_entry(origin)
            entry = 0 if last is None else last + 1
            files = self.publish(rows, entry, origin)
            record = entry_record(origin, entry, sum(map(len, rows.values())))
            catalog.commit_entry(record, files, runs={}, trace_runs={}, log=[entries.segment(self.data, record, files)])
            LogWriter(self.data, catalog, Keys(self.data)).advance(origin, now_ns=record.sealed_ns)

    def publish(self, rows: dict[str, list[Row]], entry: int, origin: str = ORIGIN) -> list[FileRecord]:
        """Write files of an entry into the lake."""
        tables, number = {}, 0
        for name, listed in rows.items():
            places = [
                {"origin": origin, "entry": entry, "entry_row": number + at, "salt": own_salt(entry, number + at)}
                for at, _ in enumerate(listed)
            ]
            tables[name] = table(name, [row | place for row, place in zip(listed, places, strict=True)])
            number += len(listed)
        return publish_entry(self.data, origin, entry, tables, sealed_ns=sealed_ns(entry))

    def stamp(self) -> None:
        """Sign the log again an hour later, as an idle collector does."""
        with closing(Catalog.open(self.data)) as catalog:
            LogWriter(self.data, catalog, Keys(self.data)).stamp(ORIGIN, now_ns=sealed_ns(60))

    def compact(self) -> None:
        """Merge everything there is to merge, and delete what was merged."""
        for days in (3, 4):
            compact(self.data, now_ns=START_NS + days * DAY_SECONDS * 1_000_000_000, grace_seconds=0)

    def copy(self, target: Path) -> "Lake":
        """The same lake, and the same memory, elsewhere."""
        target.mkdir(exist_ok=True)
        shutil.copytree(self.data, target / "data")
        shutil.copy(self.state, target / "state.json")
        return Lake(target / "data", target / "state.json")

    def verify(self, **options: Any) -> Report:
        """Verify with the memory of who verified the lake before anybody changed it."""
        return verify(
            self.data, Options(**{"jobs": 1, "processes": False, **options}), State.load(self.state), clock=lambda: sealed_ns(120)
        )

    # files and rows

    def file(self, name: str = "spans", entry: int = 0, *, date: str | None = None) -> FileRecord:
        """The live file with rows of an entry; of the first date unless another one is said."""
        with closing(Catalog.open(self.data, read_only=True)) as catalog:
            found = [each for each in catalog.live_files(name) if each.min_entry <= entry <= each.max_entry and each.origin == ORIGIN]
        return next(each for each in found if date in {None, each.date})

    def path(self, file: FileRecord) -> Path:
        """Where a file is."""
        return locate(self.data, file.path)

    def rewrite(self, file: FileRecord, change: Change, *, schema: pa.Schema | None = None) -> None:
        """Change the rows of a file as Python objects, write it anew, and have the catalog believe it."""
        path = self.path(file)
        with pq.ParquetFile(path) as parquet:
            found = parquet.read()
        rows = found.to_pylist()
        change(rows)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema or found.schema), path)
        self.believe(file)

    def edit(self, entry: int, row: int, table: str, /, **columns: Any) -> None:
        """Give one row other values; a function makes the new value of the old one."""

        def change(rows: list[Row]) -> None:
            (found,) = [each for each in rows if (each["entry"], each["entry_row"]) == (entry, row)]
            for column, value in columns.items():
                new = value(found[column]) if callable(value) else value
                assert new != found[column] or str(new) != str(found[column]), "an attack that changes nothing"
                found[column] = new

        self.rewrite(self._holding(table, entry, row), change)

    def _holding(self, name: str, entry: int, row: int) -> FileRecord:
        with closing(Catalog.open(self.data, read_only=True)) as catalog:
            for file in catalog.live_files(name):
                with pq.ParquetFile(self.path(file)) as parquet:
                    places = parquet.read(["entry", "entry_row"]).to_pylist()
                if {"entry": entry, "entry_row": row} in places:
                    return file
        raise LookupError((name, entry, row))

    def believe(self, file: FileRecord, **columns: Any) -> None:
        """Have the catalog say of a file what is true of it now, as far as its bytes and rows go."""
        path = self.path(file)
        content = path.read_bytes()
        said = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
        with suppress(pa.ArrowException):
            said["rows"] = pq.read_metadata(path).num_rows
        self.sql(
            f"UPDATE files SET {', '.join(f'{name} = ?' for name in said | columns)} WHERE path = ?", *(said | columns).values(), file.path
        )

    # catalog

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Change the catalog."""
        with closing(sqlite3.connect(self.data / "catalog.sqlite")) as connection, connection:
            return connection.execute(statement, values).fetchall()

    # the log

    @property
    def log(self) -> Log:
        """The log of the origin."""
        return Log(self.data, ORIGIN)

    @property
    def signer(self) -> SigningKey:
        """The key of this lake: who owns the host has it."""
        return Keys(self.data).signer(ORIGIN)

    def bodies(self) -> list[bytes]:
        """The entries of the log."""
        return self.log.reader.entries(0, self.log.size)

    def write_log(self, bodies: Sequence[bytes], signer: SigningKey | None = None) -> None:
        """Replace the log by another one with these entries, signed, and have the catalog believe it."""
        shutil.rmtree(self.log.folder)
        root = TileWriter(self.log.folder).append(0, bodies)
        body = Checkpoint(ORIGIN, len(bodies), root).body()
        key = signer or self.signer
        (self.log.folder / "checkpoint").write_text(signed(body, [key.sign(body), key.cosign(body, sealed_ns(120) // 1_000_000_000)]))
        self.sql("DELETE FROM log WHERE origin = ?", ORIGIN)
        for index, each in enumerate(bodies):
            number = entries_number(each)
            self.sql(
                "INSERT INTO log (origin, idx, kind, entry, body) VALUES (?, ?, 'segment', ?, ?)", ORIGIN, index, number, each.decode()
            )

    def ledger_file(self, part: str) -> Path:
        """The one file of the log whose path has this part."""
        (found,) = [each for each in self.log.folder.rglob("*") if each.is_file() and part in each.as_posix()]
        return found


def entries_number(body: bytes) -> int:
    """The number of a segment."""
    import orjson

    return int(orjson.loads(body)["entry"])


def sealed_ns(entry: int) -> int:
    """When a segment was sealed."""
    return START_NS + entry * MINUTE_NS


def entry_record(origin: str, entry: int, records: int) -> EntryRecord:
    """The catalog's entry of a segment."""
    counts = {"rejected": 0, "deduplicated": 0, "quarantined": 0, "withheld": 0, "own": 0, "bytes": 1}
    received = {"first_received_ns": START_NS, "last_received_ns": START_NS, "received": records, "stored": records}
    return EntryRecord(
        origin=origin, entry=entry, sealed_ns=sealed_ns(entry), policy_hash="policy", descriptor={"schema_version": SCHEMA_VERSION},
        **received, **counts,
    )  # fmt: skip


def made(folder: Path, *, compacted: bool) -> Lake:
    """A lake that verifies, with the state of who did it."""
    folder.mkdir(parents=True)
    lake = Lake(folder / "data", folder / "state.json")
    for rows in segments():
        lake.seal(rows)
    lake.stamp()
    if compacted:
        lake.compact()
    report = lake.verify()
    assert report.ok, report.to_json()
    return lake


def flipped(path: Path, at: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder."""
    return (Path(root) / name for root, _, names in os.walk(folder) for name in names)


def live_files(lake: Lake) -> list[FileRecord]:
    """The live files of a lake."""
    with closing(Catalog.open(lake.data, read_only=True)) as catalog:
        return catalog.live_files()
