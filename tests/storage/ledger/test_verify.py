"""Verification: what it says of lakes that nobody tampered with, and what it remembers."""

import itertools
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from storage.catalog import Catalog
from storage.compactor import compact
from storage.erasure import Hooks, Wanted, erase
from storage.errors import StorageError
from storage.layout import FileRecord
from storage.ledger import entries, verify_catalog
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys
from storage.ledger.log_writer import LogWriter
from storage.ledger.verdicts import Finding, Report, Verdict
from storage.ledger.verify import Options, verify
from storage.ledger.verify_files import Asked, FileReader, FileRows, Gone
from storage.ledger.verify_hashing import Hashing
from storage.ledger.verify_state import State
from storage.retention import apply
from storage.retention_rules import RetentionRule
from storage.selection import Selector
from tests.lake_builder import START_NS, span
from tests.storage.ledger.tamper.tampered_lake import DAY_SECONDS, ORIGIN, Lake, entry_record, made, sealed_ns, segments


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that was sealed, and not touched since."""
    return made(tmp_path_factory.mktemp("verify") / "lake", compacted=False)


@pytest.fixture
def lake(pristine: Lake, tmp_path: Path) -> Lake:
    """A copy of its own."""
    return pristine.copy(tmp_path)


def verdicts(report: Report) -> list[tuple[Verdict, int | None, int | None]]:
    """The ranges of a report."""
    return [(finding.verdict, finding.first, finding.last) for finding in report.findings]


def only(report: Report, verdict: Verdict) -> Finding:
    """The one finding with a verdict."""
    (found,) = [finding for finding in report.findings if finding.verdict is verdict]
    return found


VALID = [(Verdict.VALID, 0, 5)]


# what is harmless


@pytest.mark.parametrize(
    "options", [{}, {"compression": "gzip", "row_group_size": 1}, {"use_dictionary": False, "data_page_version": "2.0"}]
)
def test_the_same_rows_written_anew_in_another_order_stay_valid(lake: Lake, options: dict[str, object]) -> None:
    """The file is named: it is not the one that was published, though its rows are."""
    for file in (lake.file("spans", 0), lake.file("events", 3), lake.file("metrics", 4)):
        path = lake.path(file)
        with pq.ParquetFile(path) as parquet:
            rows = parquet.read()
        pq.write_table(rows.take(pa.array(range(rows.num_rows)[::-1])), path, **options)
    report = lake.verify()
    assert verdicts(report) == VALID
    assert sum("it was rewritten" in note for note in report.notes) == 3
    assert sum("changed since it was verified last" in note for note in report.notes) == 3


def test_the_same_rows_written_by_another_engine_stay_valid(lake: Lake) -> None:
    path = lake.path(lake.file("spans", 1))
    copy = path.with_name("copy")
    with duckdb.connect() as connection:
        source = f"SELECT * FROM read_parquet('{path}', hive_partitioning = false) ORDER BY random()"
        connection.execute(f"COPY ({source}) TO '{copy}' (FORMAT parquet, COMPRESSION snappy)")
    copy.replace(path)
    assert verdicts(lake.verify()) == VALID


def test_compaction_changes_no_verdict(lake: Lake) -> None:
    lake.compact()
    assert verdicts(lake.verify()) == VALID


def test_the_catalog_may_be_written_anew(lake: Lake) -> None:
    lake.sql("VACUUM")
    assert verdicts(lake.verify()) == VALID


def test_a_lake_grows_under_the_memory_of_its_verifier(lake: Lake) -> None:
    lake.verify()
    lake.seal(segments()[0])
    report = lake.verify()
    assert verdicts(report) == [(Verdict.VALID, 0, 6)]
    assert State.load(lake.state).heads[ORIGIN].size == 7


# what is not claimed


def test_what_was_sealed_before_the_ledger_is_not_claimed(tmp_path: Path) -> None:
    """It is a warning, and it does not become more."""
    (tmp_path / "data").mkdir()
    lake = Lake(tmp_path / "data", tmp_path / "state.json")
    unlogged(lake, 5)
    lake.seal(segments()[0])
    report = lake.verify()
    assert report.ok
    assert verdicts(report) == [(Verdict.UNLEDGERED, 5, 5), (Verdict.VALID, 6, 6)]
    unlogged(lake, 4)
    more = lake.verify()
    assert not more.ok
    assert "1 more rows from before the ledger" in only(more, Verdict.EXTRA).detail


def unlogged(lake: Lake, entry: int) -> None:
    """Seal a segment as before there was a ledger."""
    with closing(Catalog.open(lake.data)) as catalog:
        files = lake.publish({"spans": [span("old")]}, entry)
        catalog.commit_entry(entry_record(ORIGIN, entry, 1), files, runs={}, trace_runs={})


def test_a_crash_between_catalog_and_log_is_not_an_attack(lake: Lake) -> None:
    """What the next seal puts into the log is not claimed yet, unless the log was signed since without it."""
    with closing(Catalog.open(lake.data)) as catalog:
        files = lake.publish({"spans": [span("new")]}, 6)
        record = replace(entry_record(ORIGIN, 6, 1), sealed_ns=sealed_ns(60))
        catalog.commit_entry(record, files, runs={}, trace_runs={}, log=[entries.segment(lake.data, record, files)])
        waiting = lake.verify()
        assert waiting.ok
        assert verdicts(waiting) == [*VALID, (Verdict.UNLEDGERED, 6, 6)]
        LogWriter(lake.data, catalog, Keys(lake.data)).advance(ORIGIN, now_ns=sealed_ns(61))
    assert verdicts(lake.verify()) == [(Verdict.VALID, 0, 6)]


def test_files_of_a_segment_that_waits_in_the_wal_are_not_strays(lake: Lake) -> None:
    """A crash between publishing and committing leaves them; sealing goes on with them."""
    from tests.collector.otlp_samples import traces
    from tests.sealed_lake import BatchHeader, RecordType, WalWriter

    other = "node/other"
    with closing(WalWriter(lake.data, other)) as writer:
        header = BatchHeader(signal="traces", tenant=None, received_ns=START_NS, policy_hash="p", records=1, digest="d")
        writer.append([(RecordType.BATCH, header.to_bytes(), traces().SerializeToString())])
        segment = writer.rotate()
    assert segment is not None
    lake.publish({"spans": [span("waits")]}, segment.entry, other)
    assert lake.verify().ok
    segment.path.unlink()
    assert only(lake.verify(), Verdict.EXTRA).origin in {"", other}


# removal by order


def test_erased_rows_are_erased_and_the_others_of_their_entry_are_valid(lake: Lake) -> None:
    wanted = Wanted(selector=Selector(actors=("ada",)), subject="actor", fingerprint="f", reason="r", by="b")
    done = erase(lake.data, wanted, now_ns=sealed_ns(70), hooks=Hooks())
    with closing(Catalog.open(lake.data)) as catalog:
        LogWriter(lake.data, catalog, Keys(lake.data)).advance(ORIGIN, now_ns=sealed_ns(70))
    report = lake.verify()
    assert report.ok
    erased = [finding for finding in report.findings if finding.verdict is Verdict.ERASED]
    assert {finding.order for finding in erased} == {done.order}
    assert sum(finding.rows for finding in erased) == done.rows > 0
    (tombstones,) = lake.log.folder.glob("tombstones/*.jsonl")
    tombstones.write_bytes(tombstones.read_bytes().replace(b'"row":0', b'"row":9'))
    broken = lake.verify()
    assert {Verdict.ALTERED, Verdict.MISSING} <= {finding.verdict for finding in broken.findings}


def test_erased_rows_that_come_back_are_extra(lake: Lake, tmp_path: Path) -> None:
    """A file of a backup stands in the place of the one that the order left."""
    wanted = Wanted(selector=Selector(run="run-1"), subject="run", fingerprint="f", reason="r", by="b")
    backup = lake.copy(tmp_path / "backup")
    erase(lake.data, wanted, now_ns=sealed_ns(70), hooks=Hooks())
    with closing(Catalog.open(lake.data)) as catalog:
        LogWriter(lake.data, catalog, Keys(lake.data)).advance(ORIGIN, now_ns=sealed_ns(70))
    file = backup.file("spans", 1)
    target = lake.data / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(backup.path(file), target)
    values = {name: getattr(file, name) for name in FileRecord.__dataclass_fields__}
    lake.sql(f"INSERT OR REPLACE INTO files ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", *values.values())
    found = only(lake.verify(), Verdict.EXTRA)
    assert (found.first, found.record_id) == (1, f"{ORIGIN}/1/0")
    assert "removed" in found.detail


def test_rows_that_a_rule_removed_are_expired(lake: Lake) -> None:
    """Also after the catalog forgot everything of them."""
    done = apply(lake.data, [RetentionRule(table="metrics", keep_seconds=1)], now_ns=sealed_ns(70), hooks=Hooks())
    with closing(Catalog.open(lake.data)) as catalog:
        LogWriter(lake.data, catalog, Keys(lake.data)).advance(ORIGIN, now_ns=sealed_ns(70))
    report = lake.verify()
    assert report.ok
    expired = only(report, Verdict.EXPIRED)
    assert (expired.first, expired.last, expired.rows, expired.order) == (4, 4, 2, done.order)


def test_the_catalog_is_compared_range_by_range(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the range holds: what it lacks, and what it has beside, is found once."""
    monkeypatch.setattr(verify_catalog, "_SEGMENTS", 2)
    assert verdicts(lake.verify(quick=True)) == VALID
    lake.sql("DELETE FROM entries WHERE entry IN (1, 2)")
    lake.sql("UPDATE entries SET rejected = 1 WHERE entry = 5")
    found = [(each.verdict, each.first, each.last) for each in lake.verify(quick=True).findings if each.broken]
    assert found == [(Verdict.MISSING, 1, 2), (Verdict.ALTERED, 5, 5)]


# memory


def test_quick_reads_the_rows_of_new_files_alone(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files with the digest under which they were verified are not hashed row by row; all others are."""
    hashed: list[str] = []
    add = Hashing.add

    def counting(hashing: Hashing, path: str, rows: pa.Table) -> None:
        hashed.append(path)
        add(hashing, path, rows)

    monkeypatch.setattr(Hashing, "add", counting)
    assert lake.verify(quick=True).ok
    assert hashed == []
    lake.seal({"spans": [span("new")]})
    assert lake.verify(quick=True).ok
    assert hashed == [lake.file("spans", 6).path]


def test_an_interrupted_verification_goes_on_where_it_stopped(lake: Lake) -> None:
    """What was verified before the interruption is not hashed again, unless it changed."""
    state = State(path=lake.state)

    def interrupted(done: int, _total: int) -> None:
        if done:
            state.save()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(lake.data, Options(jobs=1, processes=False), state, clock=lambda: sealed_ns(120), progress=interrupted)
    again = State.load(lake.state)
    assert again.unfinished_ns is not None
    assert len(again.files) == 1
    verified = next(iter(again.files))
    pq.write_table(pq.read_table(lake.data / verified, partitioning=None).slice(1), lake.data / verified)
    report = verify(lake.data, Options(jobs=1, processes=False), again, clock=lambda: sealed_ns(120))
    assert not report.ok
    assert State.load(lake.state).unfinished_ns is None


def test_heads_are_remembered_only_of_logs_that_verify(lake: Lake) -> None:
    before = State.load(lake.state).heads[ORIGIN]
    lake.write_log(lake.bodies()[:4])
    lake.verify()
    assert State.load(lake.state).heads[ORIGIN] == before


def test_a_state_that_is_none_is_refused(tmp_path: Path) -> None:
    """A memory is not guessed at: it would forget that the tail was cut off."""
    path = tmp_path / "state.json"
    path.write_text('{"format": 1}')
    with pytest.raises(LedgerError, match="no state of `auditlake verify`"):
        State.load(path)


# what it rests on


def test_since_leaves_out_rows_that_were_sealed_before(lake: Lake) -> None:
    lake.edit(0, 0, "spans", name="harmless")
    assert verdicts(lake.verify(since_ns=sealed_ns(2))) == [(Verdict.VALID, 2, 5)]
    assert not lake.verify(since_ns=sealed_ns(0)).ok


def test_an_origin_that_is_not_there_is_said_to_be(lake: Lake) -> None:
    assert verdicts(lake.verify(origins=("node/*",))) == VALID
    with pytest.raises(StorageError, match="there are: node/collector"):
        lake.verify(origins=("other/*",))


def test_the_first_of_many_bad_records_is_named_once(lake: Lake) -> None:
    """One finding for neighbouring entries of a file, not one for each."""
    lake.compact()

    def change(rows: list[dict[str, object]]) -> None:
        for row in rows:
            row["actor"] = "eve"

    lake.rewrite(lake.file("spans", 0), change)
    found = [each for each in lake.verify().findings if each.verdict is Verdict.ALTERED]
    assert [(each.first, each.last, each.record_id) for each in found] == [(0, 2, f"{ORIGIN}/0/0"), (5, 5, f"{ORIGIN}/5/0")]
    assert "3 entries alike" in found[0].detail


def test_a_file_that_compaction_takes_away_meanwhile_is_found_where_its_rows_are(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    look, count = FileReader._look, itertools.count()

    def merged_first(reader: FileReader, asked: Asked, hashing: Hashing) -> FileRows:
        if next(count) == 0:
            for days in (3, 4):
                compact(lake.data, now_ns=START_NS + days * DAY_SECONDS * 1_000_000_000, grace_seconds=0)
            raise Gone(asked.record.path)
        return look(reader, asked, hashing)

    monkeypatch.setattr(FileReader, "_look", merged_first)
    assert verdicts(lake.verify()) == VALID


def test_rows_of_one_entry_in_a_known_and_in_a_new_file_are_compared_together(lake: Lake) -> None:
    """An entry of two dates: one of its files is as it was verified, the other one was written anew."""
    file = lake.file("spans", 2, date="2026-11-22")
    path = lake.path(file)
    with pq.ParquetFile(path) as parquet:
        rows = parquet.read()
    pq.write_table(rows, path)
    assert verdicts(lake.verify(quick=True)) == VALID
    place = rows.schema.get_field_index("name")
    pq.write_table(rows.set_column(place, rows.schema.field(place), pc.utf8_upper(rows["name"])), path)
    assert only(lake.verify(quick=True), Verdict.ALTERED).record_id == f"{ORIGIN}/2/1"
