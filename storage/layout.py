"""Where things are in a data directory, and the rows of the catalog that say so: what every part of `storage` shares.

`FileRecord.path` is where a live file is, relative to the data directory: `data/<table>/date=YYYY-MM-DD/<name>.parquet`. The same
path below `data/.staging` and `data/.retired` is where it is before it is published and after compaction replaced it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

LEVELS: Final = ("second", "minute", "hour", "day")
"""A file's level: how much sealing time it holds. Level 0 is what one seal wrote."""
TURN_MARK: Final = "\n"
"""In the map of traces to runs, between the name that records without a trace share and the time from which on they are of another run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One Parquet file of the lake. Its rows are all of one table, one UTC date and one origin."""

    path: str
    table_name: str
    date: str  # YYYY-MM-DD
    origin: str
    level: int
    rows: int
    bytes: int
    min_ns: int  # of the times that decided the date, so of rows with an absurd clock the receive time
    max_ns: int
    min_entry: int
    max_entry: int
    sha256: str  # hex, of the file as published
    sealed_ns: int  # when the newest row in it was sealed
    retired_ns: int | None = None  # replaced by compaction
    damaged: str | None = None  # why it is set aside


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """One sealed WAL segment. The counts are records: received = stored + rejected + deduplicated + quarantined."""

    origin: str
    entry: int
    sealed_ns: int
    first_received_ns: int | None
    last_received_ns: int | None
    received: int
    stored: int
    rejected: int
    deduplicated: int
    quarantined: int
    withheld: int  # values, not records
    own: int  # rows that auditlake wrote about itself: in the files, in no other count
    bytes: int  # of the segment
    policy_hash: str
    descriptor: Mapping[str, Any]

    @property
    def resent(self) -> int:
        """Of the stored records those of requests that another collector had stored before."""
        return int(self.descriptor.get("counters", {}).get("resent", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One entry of an origin's log, as the catalog takes it in the transaction that makes it true (`storage.ledger.log`)."""

    origin: str
    kind: str  # segment | erasure | expiry | key
    entry: int | None  # of a segment: its number
    body: bytes  # canonical JSON; of a segment that the log has had for long, read from the catalog, empty


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRecord:
    """What a trace shares with other traces of its run: it stated `key`, in a role that `collector.joins` understands."""

    trace_id: str
    key: str
    role: str
    ns: int  # the earliest time at which it did


class Delivery(NamedTuple):
    """Where a request is: an entry of an origin, whose rows of this receive time are its records."""

    origin: str
    entry: int
    received_ns: int


def turn_name(holder: str, from_ns: int) -> str:
    """The name in the map of traces to runs that says of which run the records of `holder`, which have no trace, are from then on."""
    return f"{holder}{TURN_MARK}{from_ns:020d}"


def holder_of(name: str) -> str | None:
    """Whose records a name of `turn_name` tells apart; None for any other name."""
    holder, mark, ns = name.rpartition(TURN_MARK)
    return holder if mark and ns.isdecimal() else None


def origin_name(origin: str) -> str:
    """An origin as part of a file name; different origins give different names (`~` is in no origin)."""
    return origin.replace("/", "~")


def sealed_path(table: str, date: str, origin: str, entry: int) -> str:
    """The live path of what one seal writes for a table and date: the same for every replay."""
    return f"data/{table}/date={date}/{origin_name(origin)}-{entry:012d}.parquet"


def merged_path(table: str, date: str, origin: str, entries: tuple[int, int], level: int) -> str:
    """The live path of a compaction's output. Entries are in one file only, so first and last never repeat in a level."""
    return f"data/{table}/date={date}/{origin_name(origin)}-{entries[0]:012d}-{entries[1]:012d}.{LEVELS[level]}.parquet"


def staged(data: Path, path: str, *, merged: bool = False) -> Path:
    """Where the file of the live `path` is written; sealing and compaction apart, as each clears up only its own."""
    return data / "data" / ".staging" / ("merged" if merged else "sealed") / Path(path).relative_to("data")


def retired(data: Path, path: str) -> Path:
    """Where the file of the live `path` waits for its deletion, out of the folders that a glob reads."""
    return data / "data" / ".retired" / Path(path).relative_to("data")


def locate(data: Path, path: str) -> Path:
    """Where the file of the live `path` is at this moment, also while compaction moves it or was killed doing so.

    Returns the live path when it is nowhere, so that opening it says what is missing.
    """
    for candidate in (data / path, staged(data, path, merged=True), retired(data, path)):
        if candidate.exists():
            return candidate
    return data / path
