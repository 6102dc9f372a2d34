"""The catalog: one truth about files and entries, for several writing processes and any number of readers."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.catalog import Catalog, EntryRecord, FileRecord
from storage.catalog_tables import META
from storage.deliveries import KEPT_NS
from storage.errors import DamagedFile, StorageError
from tests.failing_disk import entry_record

ORIGIN = "n/collector"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path)
    yield opened
    opened.close()


def file_record(entry: int, *, table: str = "spans", level: int = 0) -> FileRecord:
    return FileRecord(
        path=f"data/{table}/date=2026-11-21/{entry}.{level}.parquet",
        table_name=table,
        date="2026-11-21",
        origin=ORIGIN,
        level=level,
        rows=3,
        bytes=100,
        min_ns=entry * 100,
        max_ns=entry * 100 + 99,
        min_entry=entry,
        max_entry=entry,
        sha256="0" * 64,
        sealed_ns=entry,
    )


def commit(catalog: Catalog, entry: int, files: list[FileRecord] | None = None, **rest: object) -> EntryRecord:
    record = entry_record(entry, 3)
    given = {"runs": {}, "trace_runs": {}} | rest
    catalog.commit_entry(record, [file_record(entry)] if files is None else files, **given)  # type: ignore[arg-type]
    return record


def test_a_committed_entry_is_read_back(catalog: Catalog) -> None:
    """Entries, their files and the last number come back as they were given, descriptor included."""
    assert catalog.last_entry(ORIGIN) is None
    records = [commit(catalog, 0), commit(catalog, 1)]
    assert catalog.entries() == catalog.entries(ORIGIN) == records
    assert catalog.live_files("spans") == [file_record(0), file_record(1)]
    assert catalog.last_entry(ORIGIN) == 1
    assert catalog.has_entry(ORIGIN, 1)
    assert not catalog.has_entry(ORIGIN, 2)
    assert not catalog.has_entry("n/alerts", 1)


def test_committing_an_entry_again_changes_nothing(catalog: Catalog) -> None:
    """A replay after a crash finds its entry: neither files, runs nor the version change."""
    commit(catalog, 0, runs={"r": (5, 6)})
    version = catalog.version
    commit(catalog, 0, [file_record(9)], runs={"r": (1, 99)}, trace_runs={"t": "r"})
    assert catalog.version == version
    assert catalog.live_files() == [file_record(0)]
    assert catalog.run_span("r") == (5, 6)
    assert catalog.trace_runs() == {}


def test_a_failed_commit_leaves_nothing(catalog: Catalog) -> None:
    """Entry, files and runs are one transaction: a file that is known already undoes all of it."""
    commit(catalog, 0)
    version = catalog.version
    with pytest.raises(StorageError, match="contradicts"):
        commit(catalog, 1, [file_record(1), file_record(0)], runs={"r": (1, 2)})
    assert not catalog.has_entry(ORIGIN, 1)
    assert catalog.live_files() == [file_record(0)]
    assert catalog.run_span("r") is None
    assert catalog.version == version


def test_version_grows_with_every_commit(catalog: Catalog) -> None:
    """Equal versions mean equal answers, so caches may rely on it."""
    seen = [catalog.version]
    for change in (
        lambda: commit(catalog, 0),
        lambda: commit(catalog, 1),
        lambda: catalog.swap([file_record(0)], file_record(5, level=1), now_ns=7),
        lambda: catalog.mark_damaged(file_record(1).path, "why"),
        lambda: catalog.forget([file_record(0).path]),
    ):
        change()
        seen.append(catalog.version)
    assert seen == sorted(set(seen))


def test_files_are_pruned_by_time(catalog: Catalog) -> None:
    """A file is left out only when none of its rows can be in the range; both ends belong to it."""
    for entry in range(4):
        commit(catalog, entry)
    assert [file.min_entry for file in catalog.live_files("spans", from_ns=199)] == [1, 2, 3]
    assert [file.min_entry for file in catalog.live_files("spans", from_ns=200, to_ns=300)] == [2, 3]
    assert [file.min_entry for file in catalog.live_files("spans", to_ns=-1)] == []
    assert catalog.live_files("events") == []


def test_runs_widen_and_the_newest_join_wins(catalog: Catalog) -> None:
    """A run's span of time grows with each entry; a trace belongs to the run that was named last."""
    commit(catalog, 0, runs={"r": (50, 60), "s": (1, 2)}, trace_runs={"t1": "r", "t2": "r"})
    commit(catalog, 1, runs={"r": (55, 90)}, trace_runs={"t1": "s"})
    assert catalog.run_span("r") == (50, 90)
    assert catalog.run_span("nobody") is None
    assert catalog.trace_runs() == {"t1": "s", "t2": "r"}
    assert catalog.run_of_traces(["t1", "unknown", *map(str, range(2000))]) == {"t1": "s"}
    commit(catalog, 2, trace_runs={"t1": None, "t3": None})
    assert catalog.trace_runs() == catalog.run_of_traces(["t1", "t2", "t3"]) == {"t2": "r"}
    assert (catalog.traces_of_run("r"), catalog.traces_of_run("s")) == (["t2"], [])


def test_batches_are_remembered_for_their_window(catalog: Catalog) -> None:
    """Digests of an origin are found while a resend is plausible, then dropped; not those of an entry that is not sealed yet."""
    catalog.settle_copies(ORIGIN, 0, [("a", 10), ("b", 20)])

    def batches(origin: str | None, since_ns: int) -> dict[str, int]:
        return {digest: stored.received_ns for digest, stored in catalog.recent_batches(origin, since_ns).items()}

    assert batches(ORIGIN, 15) == {"b": 20}
    assert batches(None, 0) == {"a": 10, "b": 20}
    assert batches("n/alerts", 0) == {}
    catalog.settle_copies(ORIGIN, 1, [("c", KEPT_NS + 15)])
    assert batches(ORIGIN, 0) == {"a": 10, "b": 20, "c": KEPT_NS + 15}
    commit(catalog, 0)
    catalog.settle_copies(ORIGIN, 2, [("d", KEPT_NS + 15)])
    assert batches(ORIGIN, 0) == {"b": 20, "c": KEPT_NS + 15, "d": KEPT_NS + 15}


def test_swap_needs_all_its_inputs_live(catalog: Catalog) -> None:
    """A merge of files that someone else replaced or set aside meanwhile changes nothing."""
    for entry in range(3):
        commit(catalog, entry)
    catalog.mark_damaged(file_record(2).path, "flipped")
    for inputs in ([0, 2], [0, 7]):
        with pytest.raises(StorageError, match="planned again"):
            catalog.swap([file_record(entry) for entry in inputs], file_record(100, level=1), now_ns=7)
    assert catalog.live_files() == [file_record(0), file_record(1)]
    catalog.swap([file_record(0), file_record(1)], file_record(100, level=1), now_ns=7)
    assert catalog.live_files() == [file_record(100, level=1)]
    assert catalog.retired_files() == [replace(file_record(entry), retired_ns=7) for entry in (0, 1)]
    assert catalog.retired_files(before_ns=7) == []
    assert [file.damaged for file in catalog.damaged_files()] == ["flipped"]
    catalog.forget([file_record(entry).path for entry in (0, 1, 2)])
    assert catalog.retired_files() == []
    assert len(catalog.damaged_files()) == 1


def test_a_reader_needs_a_lake_and_cannot_change_it(tmp_path: Path) -> None:
    """Reading never creates anything; the remedy says what to do."""
    with pytest.raises(StorageError, match="no lake here"):
        Catalog.open(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []
    Catalog.open(tmp_path).close()
    reader = Catalog.open(tmp_path, read_only=True)
    with pytest.raises(StorageError):
        reader.mark_damaged("x", "y")
    reader.close()


def test_an_unusable_data_directory_is_one_clear_error(tmp_path: Path) -> None:
    """A file where the folder should be: the path and a remedy, no traceback from the database."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="open the catalog"):
        Catalog.open(tmp_path / "file")


def test_a_catalog_on_read_only_media_is_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An auditor's copy needs no folder that SQLite can write into."""
    catalog = Catalog.open(tmp_path)
    commit(catalog, 0)
    catalog.close()
    monkeypatch.setattr("os.access", lambda *_: False)
    reader = Catalog.open(tmp_path, read_only=True)
    assert reader.last_entry(ORIGIN) == 0
    reader.close()
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.sqlite"]


def test_a_newer_catalog_is_refused(tmp_path: Path) -> None:
    """Old software never writes into a lake of newer software."""
    catalog = Catalog.open(tmp_path)
    with catalog._engine.begin() as connection:
        connection.execute(sa.update(META).where(META.c.key == "schema_version").values(value=99))
    catalog.close()
    for read_only in (True, False):
        with pytest.raises(StorageError, match="upgrade auditlake"):
            Catalog.open(tmp_path, read_only=read_only)


def test_a_file_that_is_no_catalog_is_named(tmp_path: Path) -> None:
    """Damage of the catalog is one clear error."""
    (tmp_path / "catalog.sqlite").write_bytes(b"garbage " * 1000)
    with pytest.raises(DamagedFile, match="restore the catalog"):
        Catalog.open(tmp_path)


def test_several_processes_commit_while_another_reads(tmp_path: Path) -> None:
    """No commit is lost or doubled, none fails as locked, and a reader sees versions only grow."""
    Catalog.open(tmp_path).close()
    program = (
        "import sys\nfrom pathlib import Path\nfrom storage.catalog import Catalog\nfrom tests.failing_disk import entry_record\n"
        "catalog = Catalog.open(Path(sys.argv[1]))\n"
        "for entry in range(60):\n"
        "    catalog.commit_entry(entry_record(entry, 1, origin=sys.argv[2]), [], runs={'r': (1, 2)}, trace_runs={})\n"
        "catalog.close()\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), f"n/w{number}"]) for number in range(3)]
    reader = Catalog.open(tmp_path, read_only=True)
    versions = [reader.version]
    while any(writer.poll() is None for writer in writers):
        versions.append(reader.version)
        reader.entries("n/w0")
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert versions == sorted(versions)
    assert reader.version == 180
    assert len(reader.entries()) == 180
    reader.close()
