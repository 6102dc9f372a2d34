"""What is merged when: a lake of steady traffic stays small in files, and no file is rewritten more often than needed."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from storage.compaction_plan import MINUTE, SETTLE_NS, Merge, first_due, plan
from storage.layout import FileRecord, sealed_path
from tests.failing_disk import SECOND_NS
from tests.lake_rows import DAY_NS, NOON_NS

MIDNIGHT_NS = NOON_NS - NOON_NS % DAY_NS


def sealed(entry: int, sealed_ns: int, *, size: int = 30_000, origin: str = "n/collector", date: str | None = None) -> FileRecord:
    day = date or datetime.fromtimestamp(sealed_ns // SECOND_NS, UTC).date().isoformat()
    return FileRecord(
        path=sealed_path("spans", day, origin, entry),
        table_name="spans",
        date=day,
        origin=origin,
        level=0,
        rows=3,
        bytes=size,
        min_ns=sealed_ns,
        max_ns=sealed_ns,
        min_entry=entry,
        max_entry=entry,
        sha256="",
        sealed_ns=sealed_ns,
    )


def merged(live: dict[str, FileRecord], merge: Merge, rewritten: Counter[int]) -> None:
    """Carry a merge out, on records only."""
    for file in merge.inputs:
        del live[file.path]
        rewritten[file.level] += file.rows
    assert merge.path not in live
    first = merge.inputs[0]
    live[merge.path] = replace(
        first,
        path=merge.path,
        level=merge.level,
        rows=sum(file.rows for file in merge.inputs),
        bytes=sum(file.bytes for file in merge.inputs),
        min_entry=min(file.min_entry for file in merge.inputs),
        max_entry=max(file.max_entry for file in merge.inputs),
        sealed_ns=max(file.sealed_ns for file in merge.inputs),
    )


def replaced(live: dict[str, FileRecord], now_ns: int, rewritten: Counter[int], max_bytes: int) -> None:
    """Merge until nothing is due."""
    while merges := plan(list(live.values()), now_ns, max_bytes=max_bytes):
        for merge in merges:
            merged(live, merge, rewritten)


def simulate(seconds: int, *, size: int = 30_000, max_bytes: int = 512 << 20) -> tuple[int, dict[str, FileRecord], Counter[int]]:
    """Steady traffic, one file a second, compaction every five seconds: the most live files ever, the last ones, rows rewritten a level."""
    live: dict[str, FileRecord] = {}
    rewritten: Counter[int] = Counter()
    most = 0
    for second in range(seconds):
        file = sealed(second, MIDNIGHT_NS + second * SECOND_NS, size=size)
        live[file.path] = file
        if second % 5 == 0:
            replaced(live, file.sealed_ns, rewritten, max_bytes)
        most = max(most, len(live))
    return most, live, rewritten


def test_a_day_of_steady_traffic_never_has_more_than_200_live_files() -> None:
    """24 hours of one-second files, counted at every second; each row is rewritten three times at most."""
    most, live, rewritten = simulate(86_400, size=1000)
    assert most <= 200
    assert sum(file.rows for file in live.values()) == 3 * 86_400
    assert set(rewritten) == {0, 1}  # no hour is merged into a day that is not over
    assert max(rewritten.values()) <= 3 * 86_400
    after = dict(live)
    replaced(after, MIDNIGHT_NS + DAY_NS + SETTLE_NS, rewritten, 512 << 20)
    assert [(file.level, file.rows) for file in after.values()] == [(3, 3 * 86_400)]


def test_seconds_do_not_pile_up_while_an_hour_is_merged() -> None:
    """That takes four minutes here, in which minutes are merged; its own last one was before it began."""
    live: dict[str, FileRecord] = {}
    most = until = 0
    under_way: Merge | None = None
    for second in range(2 * 3600 + 600):
        file = sealed(second, MIDNIGHT_NS + second * SECOND_NS, size=1000)
        live[file.path] = file
        if under_way and second >= until:
            merged(live, under_way, Counter())
            under_way = None
        for merge in plan(list(live.values()), file.sealed_ns) if second % 5 == 0 else ():
            if merge.level == MINUTE:
                merged(live, merge, Counter())
            elif under_way is None:
                under_way, until = merge, second + 240
        most = max(most, len(live))
    assert [file.level for file in live.values() if file.level > MINUTE] == [2, 2]
    settling = SETTLE_NS // SECOND_NS + 5
    assert most <= 1 + 60 + 60 + 3 + settling


def test_an_hour_of_which_nothing_was_merged_does_not_wait_for_its_minutes() -> None:
    files = [sealed(second, MIDNIGHT_NS + second * SECOND_NS) for second in range(3600)]
    (merge,) = plan(files, MIDNIGHT_NS + 3700 * SECOND_NS)
    assert (merge.level, len(merge.inputs)) == (2, 3600)


def test_files_stop_growing_at_the_bound() -> None:
    """Heavy traffic: outputs stay within the bound, and files of half the bound are never rewritten."""
    _, live, _ = simulate(3_700, size=1_000_000, max_bytes=100_000_000)
    assert max(file.bytes for file in live.values()) <= 100_000_000
    grown = [file for file in live.values() if file.bytes >= 50_000_000]
    assert grown
    for merge in plan(list(live.values()), MIDNIGHT_NS + 3 * DAY_NS, max_bytes=100_000_000):
        assert not set(merge.inputs) & set(grown)


def test_only_complete_minutes_are_merged() -> None:
    """The minute that is being sealed is left alone until it is over and settled."""
    files = [sealed(second, MIDNIGHT_NS + second * SECOND_NS) for second in range(60)]
    end = MIDNIGHT_NS + 60 * SECOND_NS
    assert plan(files, end + SETTLE_NS - 1) == []
    (merge,) = plan(files, end + SETTLE_NS)
    assert (merge.level, merge.inputs) == (1, tuple(files))
    assert merge.path == "data/spans/date=2026-11-21/n~collector-000000000000-000000000059.minute.parquet"


def test_dates_origins_and_tables_stay_apart() -> None:
    """A merge never mixes what is addressed apart."""
    files = [sealed(entry, MIDNIGHT_NS + entry, origin=origin, date=date) for entry, (origin, date) in enumerate(
        [("a/x", "2026-11-20"), ("a/x", "2026-11-21"), ("b/x", "2026-11-20")] * 2
    )]  # fmt: skip
    files += [replace(file, table_name="events", path=file.path.replace("spans", "events")) for file in files]
    merges = plan(files, MIDNIGHT_NS + 3 * DAY_NS)
    assert len(merges) == 6
    for merge in merges:
        assert len({(file.table_name, file.origin, file.date) for file in merge.inputs}) == 1


def test_what_piled_up_is_merged_once() -> None:
    """After a long stop seconds go straight into their day, not through minute and hour."""
    files = [sealed(entry, MIDNIGHT_NS + entry * 1000 * SECOND_NS) for entry in range(80)]
    (merge,) = plan(files, MIDNIGHT_NS + 2 * DAY_NS)
    assert (merge.level, len(merge.inputs)) == (3, 80)


def test_a_file_alone_is_left_alone() -> None:
    """Rewriting a single file would gain nothing."""
    assert plan([sealed(0, MIDNIGHT_NS)], MIDNIGHT_NS + 2 * DAY_NS) == []


def test_the_first_merge_is_due_when_there_is_a_plan_and_no_moment_before() -> None:
    """Also for a compactor that has been away for hours, days, or half a level."""
    minute, hour = 60 * SECOND_NS, 3600 * SECOND_NS
    cases = [
        [sealed(0, MIDNIGHT_NS), sealed(1, MIDNIGHT_NS + SECOND_NS)],
        [sealed(0, MIDNIGHT_NS), sealed(1, MIDNIGHT_NS + 5 * minute)],
        [sealed(0, MIDNIGHT_NS), sealed(1, MIDNIGHT_NS + 5 * hour)],
        [replace(sealed(0, MIDNIGHT_NS), level=1), sealed(1, MIDNIGHT_NS + SECOND_NS), sealed(2, MIDNIGHT_NS + 9 * minute)],
    ]
    for files in cases:
        due = first_due(files)
        assert due is not None
        assert plan(files, due)
        assert not plan(files, due - 1)
    assert [(first_due(files) or 0) - MIDNIGHT_NS - SETTLE_NS for files in cases] == [minute, hour, 24 * hour, hour]


def test_nothing_to_merge_is_never_due() -> None:
    huge = [sealed(entry, MIDNIGHT_NS + entry, size=300 << 20) for entry in range(3)]
    for files in ([], [sealed(0, MIDNIGHT_NS)], huge, [replace(file, bytes=3, level=3) for file in huge]):
        assert first_due(files) is None
