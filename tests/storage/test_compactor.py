"""Compaction: fewer files, the same rows, at every moment and after every crash."""

import errno
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import compactor, merge
from storage.catalog import Catalog
from storage.compaction_plan import SETTLE_NS
from storage.compactor import CompactionReport, Pace, compact
from storage.durable import DISK, FileLock, FileSystem
from storage.errors import LakeLocked, StorageError
from storage.layout import FileRecord, locate
from storage.merge import union
from storage.parquet import ParquetFileWriter, sort_rows
from storage.schema import SPANS
from storage.writer import publish_entry
from tests.failing_disk import SECOND_NS, Crash, FailingDisk, entry_record, seal
from tests.lake_checks import check_lake
from tests.lake_rows import DAY_NS, NOON_NS, span_rows, table_of, tables

HOUR_LATER_NS = NOON_NS + 3700 * SECOND_NS


def lake(data: Path, entries: int, *, spans: int = 3) -> Path:
    for entry in range(entries):
        seal(data, entry, spans=spans, at_ns=NOON_NS + entry * SECOND_NS)
    return data


def live(data: Path, table: str = "spans") -> list[str]:
    with closing(Catalog.open(data, read_only=True)) as catalog:
        return [file.path for file in catalog.live_files(table)]


def all_rows(data: Path) -> list[dict[str, object]]:
    rows = [row for path in live(data) for row in pq.read_table(locate(data, path), partitioning=None).to_pylist()]
    return sorted(rows, key=lambda row: (row["entry"], row["entry_row"]))


def test_seconds_become_minutes_and_hours_with_every_row_as_it_was(tmp_path: Path) -> None:
    """Minutes are merged when they are over, the hour when it is, and every value stays."""
    lake(tmp_path, 65)
    before = all_rows(tmp_path)
    first = compact(tmp_path, now_ns=NOON_NS + 65 * SECOND_NS)
    assert len(live(tmp_path)) == 1 + 6  # the first was sealed at second 1 of its minute
    check_lake(tmp_path)
    second = compact(tmp_path, now_ns=HOUR_LATER_NS)
    assert len(live(tmp_path)) == len(live(tmp_path, "events")) == 1
    check_lake(tmp_path)
    assert all_rows(tmp_path) == before
    assert (first.merged, first.outputs, first.rows) == (118, 2, 59 * 4)
    assert (second.merged, second.outputs, second.rows) == (2 * 6 + 2 * 2, 4, (6 + 65) * 4)  # the last minute before the hour


def test_outputs_keep_bloom_filters_and_order(tmp_path: Path) -> None:
    """A merged file is as good for lookups as a fresh one."""
    lake(tmp_path, 8, spans=20)
    compact(tmp_path, now_ns=HOUR_LATER_NS)
    (path,) = live(tmp_path)
    group = pq.read_metadata(tmp_path / path).row_group(0)
    names = {group.column(index).path_in_schema for index in range(group.num_columns) if group.column(index).bloom_filter_length}
    assert names == {"trace_id", "run_id"}
    keys = [(row["tenant"], row["start_ns"] // (60 * SECOND_NS), row["trace_id"]) for row in pq.read_table(tmp_path / path).to_pylist()]
    assert keys == sorted(keys)


def test_retired_files_stay_for_readers_then_go(tmp_path: Path) -> None:
    """Whoever holds the old list finds its files until the grace period is over."""
    lake(tmp_path, 5)
    old = live(tmp_path)
    compact(tmp_path, now_ns=HOUR_LATER_NS)
    assert all(locate(tmp_path, path).exists() for path in old)
    assert compact(tmp_path, now_ns=HOUR_LATER_NS + 599 * SECOND_NS) == CompactionReport()
    assert compact(tmp_path, now_ns=HOUR_LATER_NS + 601 * SECOND_NS).deleted == 10
    assert not any(locate(tmp_path, path).exists() for path in old)
    with closing(Catalog.open(tmp_path)) as catalog:
        assert catalog.retired_files() == []
    check_lake(tmp_path)


def test_the_swap_survives_death_at_every_kill_point(tmp_path: Path) -> None:
    """Die at every call of the file system; a reader of the catalog has every row once at that moment, and the next run finishes."""
    template = lake(tmp_path / "template", 2, spans=2)
    before = all_rows(template)
    for at in range(100):
        data = tmp_path / str(at)
        shutil.copytree(template, data)
        disk = FailingDisk(at, crash=True)
        try:
            compact(data, now_ns=HOUR_LATER_NS, fs=disk)
        except Crash:
            assert all_rows(data) == before  # as it stands, before anyone repairs
            compact(data, now_ns=HOUR_LATER_NS)
        assert len(live(data)) == 1
        check_lake(data)
        assert all_rows(data) == before
        if not disk.failed:
            assert at > 12
            return
    pytest.fail("more calls than expected")


def test_death_between_commit_and_moves_is_finished_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is the swap: what remains are renames."""
    for entry in range(3):
        seal(tmp_path, entry, events=0, at_ns=NOON_NS + entry * SECOND_NS)
    before = all_rows(tmp_path)

    def die(moves: list[tuple[Path, Path]], _: FileSystem) -> None:
        if moves:
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(compactor, "_move", die)
        with pytest.raises(Crash):
            compact(tmp_path, now_ns=HOUR_LATER_NS)
    (path,) = live(tmp_path)
    assert not (tmp_path / path).exists()
    assert all_rows(tmp_path) == before
    compact(tmp_path, now_ns=HOUR_LATER_NS)
    check_lake(tmp_path)
    assert all_rows(tmp_path) == before


@pytest.mark.parametrize("operation", ["open", "write", "sync", "replace", "sync_directory"])
def test_a_full_disk_harms_nothing(tmp_path: Path, operation: str) -> None:
    """The error names the remedy; the rows stay readable and the next run does the work."""
    lake(tmp_path, 3)
    before = all_rows(tmp_path)
    with pytest.raises(StorageError, match="disk is full"):
        compact(tmp_path, now_ns=HOUR_LATER_NS, fs=FailingDisk(0, operations=(operation,), error=errno.ENOSPC))
    assert all_rows(tmp_path) == before
    compact(tmp_path, now_ns=HOUR_LATER_NS)
    check_lake(tmp_path)
    assert all_rows(tmp_path) == before


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "missing"])
def test_a_damaged_file_is_set_aside_and_the_rest_merged(tmp_path: Path, damage: str) -> None:
    """Its rows are not laundered into a fresh file; it stays where it is for a restore, and the catalog says why."""
    lake(tmp_path, 5)
    victim = tmp_path / live(tmp_path)[2]
    content = victim.read_bytes()
    match damage:
        case "flip":
            victim.write_bytes(content[:999] + bytes([content[999] ^ 1]) + content[1000:])
        case "truncate":
            victim.write_bytes(content[:-100])
        case "empty":
            victim.write_bytes(b"")
        case "missing":
            victim.unlink()
    path = victim.relative_to(tmp_path).as_posix()
    report = compact(tmp_path, now_ns=HOUR_LATER_NS)
    assert report.damaged == (path,)
    assert len(live(tmp_path)) == 1
    assert [row["entry"] for row in all_rows(tmp_path)] == [0] * 3 + [1] * 3 + [3] * 3 + [4] * 3
    assert victim.exists() == (damage != "missing")
    with closing(Catalog.open(tmp_path, read_only=True)) as catalog:
        (record,) = catalog.damaged_files()
    assert record.damaged is not None
    assert "restore it from a backup" in record.damaged
    assert compact(tmp_path, now_ns=HOUR_LATER_NS + DAY_NS).damaged == ()
    check_lake(tmp_path)


def test_files_of_different_schema_versions_merge_to_the_union(tmp_path: Path) -> None:
    """A column that a file never had is NULL; one that only a newer version knows is kept."""
    with closing(Catalog.open(tmp_path)) as catalog:
        for entry in range(2):
            rows = tables(4, entry=entry, start_ns=NOON_NS + entry * SECOND_NS)
            (record,) = publish_entry(tmp_path, "n/collector", entry, rows, sealed_ns=NOON_NS + entry * SECOND_NS)
            table = (
                rows["spans"].drop_columns(["price_version"]) if entry == 0 else rows["spans"].append_column("new", pa.array([1, 2, 3, 4]))
            )
            writer = ParquetFileWriter(tmp_path / record.path, table.schema, rows=4, fs=DISK)
            writer.write(table)
            written = writer.finish()
            values = {name: getattr(record, name) for name in record.__slots__} | {"bytes": written.bytes, "sha256": written.sha256}
            catalog.commit_entry(entry_record(entry, 4), [type(record)(**values)], runs={}, trace_runs={})
    compact(tmp_path, now_ns=HOUR_LATER_NS)
    (path,) = live(tmp_path)
    merged = pq.read_table(tmp_path / path, partitioning=None)
    assert merged.schema.names == [*SPANS.names, "new"]
    assert sorted(merged["new"].to_pylist(), key=str) == [1, 2, 3, 4, None, None, None, None]
    check_lake(tmp_path)


def test_the_union_keeps_the_present_order_and_types() -> None:
    """Old 32-bit text becomes today's type."""
    old = pa.schema([("tenant", pa.string()), ("trace_id", pa.string())])
    assert union("spans", [old]) == pa.schema([("trace_id", pa.large_string()), ("tenant", pa.large_string())])


def test_late_rows_of_an_old_date_are_merged_by_when_they_were_sealed(tmp_path: Path) -> None:
    """Yesterday's spans that arrive today join their own date's folder, in files of their own."""
    for entry in range(4):
        with closing(Catalog.open(tmp_path)) as catalog:
            rows = tables(3, entry=entry, start_ns=NOON_NS - DAY_NS * (entry % 2))
            files = publish_entry(tmp_path, "n/collector", entry, rows, sealed_ns=NOON_NS + entry * SECOND_NS)
            catalog.commit_entry(entry_record(entry, 3), files, runs={}, trace_runs={})
    compact(tmp_path, now_ns=HOUR_LATER_NS)
    assert [path.split("/")[2] for path in live(tmp_path)] == ["date=2026-11-20", "date=2026-11-21"]
    check_lake(tmp_path)


def test_only_one_process_compacts(tmp_path: Path) -> None:
    """A second compactor is told who has the lock."""
    lake(tmp_path, 2)
    with FileLock(tmp_path / "compactor.lock", "compact the lake"), pytest.raises(LakeLocked, match="holds it"):
        compact(tmp_path, now_ns=HOUR_LATER_NS)
    assert compact(tmp_path, now_ns=HOUR_LATER_NS).outputs == 2


def test_stopping_leaves_the_lake_as_it_was(tmp_path: Path) -> None:
    """Between row groups it may be told to end; nothing half is left."""
    lake(tmp_path, 3)
    asked = iter([False, True])
    assert compact(tmp_path, now_ns=HOUR_LATER_NS, stopping=lambda: next(asked)) == CompactionReport()
    assert len(live(tmp_path)) == 3
    check_lake(tmp_path)


def test_minutes_that_end_while_an_hour_is_merged_do_not_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 5,000 spans a second the hour takes a minute, and a file comes every second."""
    lake(tmp_path, 3)
    for entry in range(3, 9):
        seal(tmp_path, entry, spans=3, at_ns=NOON_NS + 3600 * SECOND_NS + entry * SECOND_NS)
    before = all_rows(tmp_path)
    swapped: list[FileRecord] = []
    swap = Catalog.swap

    def noted(self: Catalog, inputs: Sequence[FileRecord], output: FileRecord, *, now_ns: int) -> None:
        swapped.append(output)
        swap(self, inputs, output, now_ns=now_ns)

    monkeypatch.setattr(Catalog, "swap", noted)
    now_ns = NOON_NS + 3630 * SECOND_NS
    report = compact(tmp_path, now_ns=now_ns, clock=lambda: now_ns + 60 * SECOND_NS)
    assert [file.level for file in swapped] == [1, 1, 2, 2]
    assert (report.merged, report.outputs, len(live(tmp_path))) == (18, 4, 2)
    check_lake(tmp_path)
    assert all_rows(tmp_path) == before
    assert compact(tmp_path, now_ns=now_ns + 60 * SECOND_NS) == CompactionReport()


def test_sealing_and_reading_go_on_while_a_compactor_process_runs(tmp_path: Path) -> None:
    """Its own process, its own clock: rows only ever grow for a reader, and all are there in the end."""
    seal(tmp_path, 0)
    program = (
        "import sys, threading\nfrom pathlib import Path\nfrom storage.compactor import run_compactor\n"
        "print('ready', file=sys.stderr, flush=True)\n"
        "stop = threading.Event()\n"
        "threading.Thread(target=lambda: (sys.stdin.read(), stop.set())).start()\n"
        f"run_compactor(Path(sys.argv[1]), stop, interval_seconds=0.01, grace_seconds=10**6, clock=lambda: {NOON_NS + 2 * DAY_NS})\n"
    )
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], **streams)
    assert process.stdin is not None
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    seen = 0
    for entry in range(1, 60):
        seal(tmp_path, entry, at_ns=NOON_NS + entry * SECOND_NS)
        paths = [locate(tmp_path, path) for path in live(tmp_path)]
        try:
            rows = sum(pq.read_metadata(path).num_rows for path in paths)
        except FileNotFoundError:  # moved after it was located: a reader asks again
            continue
        assert rows >= seen
        seen = rows
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    process.stderr.close()
    check_lake(tmp_path)
    assert len(all_rows(tmp_path)) == 180


def test_run_compactor_logs_failures_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusing disk is an operator's matter, not the end of the process."""
    stop = threading.Event()
    calls = []

    def failing(*_: object, **__: object) -> CompactionReport:
        calls.append(1)
        if len(calls) == 2:
            stop.set()
        raise StorageError("compact the lake", tmp_path, hint="the disk is full")

    monkeypatch.setattr(compactor, "compact", failing)
    compactor.run_compactor(tmp_path, stop, interval_seconds=0.001)
    assert len(calls) == 2
    assert "the disk is full" in capsys.readouterr().out


def test_memory_is_bounded_whatever_the_size_of_the_inputs(tmp_path: Path) -> None:
    """Twelve files of huge prompts, 400 MB of Arrow data together, merge within a few row groups' worth."""
    for entry in range(12):
        with closing(Catalog.open(tmp_path)) as catalog:
            rows = dict(tables(70, entry=entry, start_ns=NOON_NS + entry * SECOND_NS))
            huge = pa.array(["prompt " * 70_000] * 70, pa.large_string())
            rows["spans"] = rows["spans"].set_column(SPANS.get_field_index("status_message"), "status_message", huge)
            files = publish_entry(tmp_path, "n/collector", entry, rows, sealed_ns=NOON_NS + entry * SECOND_NS)
            catalog.commit_entry(entry_record(entry, 70), files, runs={}, trace_runs={})
    program = (
        "import json, sys\nimport pyarrow as pa\nfrom pathlib import Path\nfrom storage.compactor import compact\n"
        f"report = compact(Path(sys.argv[1]), now_ns={HOUR_LATER_NS})\n"
        "print(json.dumps([report.rows, pa.default_memory_pool().max_memory()]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    rows, peak_bytes = json.loads(done.stdout)
    assert rows == 840
    assert peak_bytes < 215 << 20
    check_lake(tmp_path)


def test_a_merge_holds_one_row_group_when_it_sorts_and_one_when_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the one before, nor beside the sorted one that which was read."""
    rows, groups = 2_000, 6
    columns = table_of("spans", span_rows(rows))
    for number in range(groups):
        pq.write_table(columns, tmp_path / str(number))
    monkeypatch.setattr(merge, "ROW_GROUP_ROWS", rows)
    monkeypatch.setattr(merge, "_BATCH_ROWS", 50)
    seen: dict[str, list[int]] = {"sort": [], "write": []}

    def sorts(name: str, table: pa.Table) -> pa.Table:
        seen["sort"].append(pa.total_allocated_bytes())
        return sort_rows(name, table)

    class Writer(ParquetFileWriter):
        def write(self, table: pa.Table) -> None:
            seen["write"].append(pa.total_allocated_bytes())
            super().write(table)

    monkeypatch.setattr(merge, "sort_rows", sorts)
    monkeypatch.setattr(merge, "ParquetFileWriter", Writer)
    inputs = [(tmp_path / str(number), columns.schema) for number in range(groups)]
    held = pa.total_allocated_bytes()
    merge.merge_files("spans", inputs, tmp_path / "merged", rows=rows * groups, stopping=lambda: False)
    most = {place: (max(sizes) - held) / columns.nbytes for place, sizes in seen.items()}
    assert len(seen["sort"]) == len(seen["write"]) == groups
    assert max(most.values()) < 2.5  # with what the reader has decoded of the next file


def test_a_compactor_starves_when_minutes_wait_and_is_busy_with_an_hour(tmp_path: Path) -> None:
    """Who is replaced in the middle of an hour begins again."""
    lake(tmp_path, 3)
    due_ns = NOON_NS + 60 * SECOND_NS + SETTLE_NS
    assert compactor.pace(tmp_path, due_ns + compactor.BEHIND_NS - 1) is Pace.KEEPS_UP
    assert compactor.pace(tmp_path, due_ns + compactor.BEHIND_NS) is Pace.STARVES
    compact(tmp_path, now_ns=due_ns)
    assert compactor.pace(tmp_path, due_ns + compactor.BEHIND_NS) is Pace.KEEPS_UP
    for entry in range(3, 6):
        seal(tmp_path, entry, spans=3, at_ns=NOON_NS + 60 * SECOND_NS + entry * SECOND_NS)
    compact(tmp_path, now_ns=due_ns + 60 * SECOND_NS)
    hour_ns = NOON_NS + 3600 * SECOND_NS + SETTLE_NS
    assert compactor.pace(tmp_path, hour_ns + compactor.BEHIND_NS - 1) is Pace.KEEPS_UP
    assert compactor.pace(tmp_path, hour_ns + compactor.BEHIND_NS) is Pace.BUSY
    assert compactor.pace(tmp_path, hour_ns + compactor.LARGE_BEHIND_NS) is Pace.STARVES
    compact(tmp_path, now_ns=hour_ns)
    assert compactor.pace(tmp_path, hour_ns + compactor.LARGE_BEHIND_NS) is Pace.KEEPS_UP
