"""The lake of a rule unit test: in a temporary folder, of the records that the test gives, as far as they were there at the time."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from alerts.unit_tests.rows import InputRow
from storage.catalog import Catalog
from storage.damage import Damage
from storage.held_views import HeldViews
from storage.lake import Lake
from storage.layout import EntryRecord
from storage.schema import SCHEMA_VERSION, TABLES
from storage.writer import publish_entry

ORIGIN: Final = "test/collector"
SALT: Final = bytes(16)
MEMORY_MIB: Final = 256

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TimedLake:
    """A lake whose clock is set, and which has the records that were readable by then."""

    def __init__(self, folder: Path, rows: Sequence[InputRow], stack: ExitStack) -> None:
        self._folder = folder
        self._rows = sorted(rows, key=lambda row: row.visible_at)
        self._published = 0
        self._entry = 0
        self._now_ns = 0
        self._catalog = Catalog.open(folder)
        stack.callback(self._catalog.close)
        self._lake = stack.enter_context(Lake.open(folder, memory_limit_mib=MEMORY_MIB, threads=1, clock=lambda: self._now_ns))
        self._views = stack.enter_context(HeldViews(self._lake))

    def advance(self, moment: datetime) -> None:
        """Set the clock, and publish the records that became readable until then."""
        self._now_ns = max(_ns(moment), self._now_ns)
        end = self._published
        while end < len(self._rows) and self._rows[end].visible_at <= moment:
            end += 1
        if end > self._published:
            self._publish(self._rows[self._published : end], moment)
            self._published = end
            self._views.changed()

    @property
    def damaged(self) -> Sequence[Damage]:
        """Nothing: the files were written a moment ago."""
        return ()

    def query(self, text: str, **asked: Any) -> pa.Table:
        """Answer as `Lake.query` does, which says what may be asked."""
        return self._views.query(text, **asked)

    def together(self, texts: Mapping[str, str], *, shared: Sequence[str] = (), **asked: Any) -> dict[str, pa.Table]:
        """Answer several queries as `Lake.together` does."""
        del shared
        return {name: self._views.query(text, **asked) for name, text in texts.items()}

    @property
    def version(self) -> int:
        """Changes with every change of the lake."""
        return self._lake.version

    @property
    def catalog(self) -> Catalog:
        """Which files there are."""
        return self._lake.catalog

    def remember(self, recordings: pa.Table, *, since: datetime) -> None:
        """Let the rules that follow read what was recorded."""
        self._lake.remember(recordings, since=since)

    def _publish(self, rows: Sequence[InputRow], moment: datetime) -> None:
        tables: dict[str, pa.Table] = {}
        number = 0
        for name, listed in groupby(sorted(rows, key=lambda row: list(TABLES).index(row.table)), key=lambda row: row.table):
            values = []
            for row in listed:
                ours = {"entry": self._entry, "entry_row": number, "salt": SALT, "schema_version": SCHEMA_VERSION}
                values.append({"origin": ORIGIN, "policy_hash": "test", "clock_flagged": False, **row.values, **ours})
                number += 1
            tables[name] = pa.Table.from_pylist(values, schema=TABLES[name])
        files = publish_entry(self._folder, ORIGIN, self._entry, tables, sealed_ns=_ns(moment))
        self._catalog.commit_entry(_entry(self._entry, len(rows), _ns(moment)), files, runs={}, trace_runs={})
        self._entry += 1


@contextmanager
def timed_lake(rows: Sequence[InputRow]) -> Iterator[TimedLake]:
    """Give the lake of a test, for as long as it runs."""
    with tempfile.TemporaryDirectory(prefix="auditlake-test-") as folder, ExitStack() as stack:
        yield TimedLake(Path(folder), rows, stack)


def _entry(number: int, rows: int, sealed_ns: int) -> EntryRecord:
    return EntryRecord(
        origin=ORIGIN,
        entry=number,
        sealed_ns=sealed_ns,
        first_received_ns=sealed_ns,
        last_received_ns=sealed_ns,
        received=rows,
        stored=rows,
        rejected=0,
        deduplicated=0,
        quarantined=0,
        withheld=0,
        own=0,
        bytes=0,
        policy_hash="test",
        descriptor={},
    )


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
