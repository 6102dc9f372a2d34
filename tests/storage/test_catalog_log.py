"""What the ledger's logs hold, in the catalog: in order, without gaps, and only with what it tells of."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.layout import LogRecord
from tests.failing_disk import entry_record

ORIGIN = "n/collector"


def record(entry: int | None, *, origin: str = ORIGIN, kind: str = "segment") -> LogRecord:
    return LogRecord(origin=origin, kind=kind, entry=entry, body=b'{"entry":%d}' % (entry or 0))


@pytest.fixture
def catalog(tmp_path):
    with closing(Catalog.open(tmp_path)) as opened:
        yield opened


def test_an_entry_and_its_log_entry_come_together_and_once(catalog):
    for _ in range(2):
        catalog.commit_entry(entry_record(0, 1), [], runs={}, trace_runs={}, log=[record(0)])
    assert catalog.log_sizes() == {ORIGIN: 1}
    assert catalog.log_records(ORIGIN, 0, 10) == [record(0)]


def test_an_entry_that_is_refused_leaves_nothing_in_the_log(catalog):
    twice = entry_record(0, 1, origin=None)  # type: ignore[arg-type]
    with pytest.raises(StorageError):
        catalog.commit_entry(twice, [], runs={}, trace_runs={}, log=[record(0)])
    assert catalog.log_sizes() == {}


def test_every_origin_counts_for_itself(catalog):
    catalog.append_log([record(0), record(0, origin="n/access"), record(1), record(None, kind="key"), record(2)])
    catalog.append_log([record(1, origin="n/access")])
    assert catalog.log_sizes() == {ORIGIN: 4, "n/access": 2}
    assert [each.entry for each in catalog.log_records(ORIGIN, 1, 2)] == [1, None]
    assert [catalog.log_index(ORIGIN, entry) for entry in (0, 1, 2, 3)] == [0, 1, 3, None]


def test_the_newest_of_a_kind_is_found_among_the_first(catalog):
    catalog.append_log([record(0), record(None, kind="key"), record(1), record(None, kind="erasure"), record(None, kind="key")])
    assert catalog.newest_in_log(ORIGIN, "key", 5) == record(None, kind="key")
    assert catalog.newest_in_log(ORIGIN, "key", 1) is None
    assert catalog.newest_in_log(ORIGIN, "erasure", 3) is None
    assert catalog.newest_in_log("n/other", "key", 5) is None


def test_only_segments_are_forgotten(catalog):
    catalog.append_log([record(0), record(None, kind="key"), record(1), record(2)])
    catalog.empty_log(ORIGIN, 0, 3)
    assert [bool(each.body) for each in catalog.log_records(ORIGIN, 0, 4)] == [False, True, False, True]


def test_a_catalog_from_before_the_ledger_is_read_as_one_without_logs(tmp_path: Path, catalog):
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as older:
        older.execute("DROP TABLE log")
    with closing(Catalog.open(tmp_path, read_only=True)) as reading:
        assert reading.log_sizes() == {}
        assert reading.log_records(ORIGIN, 0, 1) == []
        assert reading.log_index(ORIGIN, 0) is None
        assert reading.newest_in_log(ORIGIN, "key", 1) is None
    with closing(Catalog.open(tmp_path)) as upgraded:
        upgraded.append_log([record(7)])
        assert upgraded.log_sizes() == {ORIGIN: 1}
