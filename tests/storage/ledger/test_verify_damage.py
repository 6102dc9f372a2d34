"""Verification of what somebody made to mislead or to stop it: it gives a verdict, and the right one."""

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from storage.catalog import Catalog
from storage.ledger import entries, verify_files
from storage.ledger.anchors import Anchor
from storage.ledger.keys import Keys
from storage.ledger.log_writer import LogWriter
from storage.ledger.merkle import leaf_hash
from storage.ledger.tiles import encode_bundle
from storage.ledger.verdicts import Verdict
from storage.ledger.verify import Options, verify
from storage.ledger.verify_state import State
from tests.lake_builder import span
from tests.storage.ledger.tamper.log_attacks import BUNDLE, TILE
from tests.storage.ledger.tamper.tampered_lake import ORIGIN, Lake, entry_record, live_files, made, sealed_ns


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that was sealed, and not touched since."""
    return made(tmp_path_factory.mktemp("damage") / "lake", compacted=False)


@pytest.fixture
def lake(pristine: Lake, tmp_path: Path) -> Lake:
    """A copy of its own."""
    return pristine.copy(tmp_path)


def test_a_log_that_only_the_second_location_knows_is_missing(lake: Lake, tmp_path: Path) -> None:
    """For a verifier that remembers nothing, of a lake that says everywhere that there never was a ledger."""
    place = Anchor(str(tmp_path / "elsewhere"))
    place.publish(ORIGIN, lake.log.checkpoint() or "", time_s=1)
    shutil.rmtree(lake.data / "ledger")
    lake.sql("DELETE FROM log")
    alone = verify(lake.data, Options(jobs=1, processes=False), State(), clock=lambda: sealed_ns(120))
    assert alone.ok, "nothing speaks of a log"
    assert alone.unledgered == sum(finding.rows for finding in alone.findings) > 0
    report = verify(lake.data, Options(jobs=1, processes=False, sources=(place,)), State(), clock=lambda: sealed_ns(120))
    found = next(finding for finding in report.findings if finding.broken)
    assert found.verdict is Verdict.MISSING
    assert f"6 entries, says copy {place.name}" in found.detail


def test_a_file_that_was_read_before_its_entry_was_in_the_log_is_read_again(lake: Lake) -> None:
    """Nothing was there to hold its rows against: it was altered between its seal and the log."""
    with closing(Catalog.open(lake.data)) as catalog:
        files = lake.publish({"spans": [span("new")]}, 6)
        record = replace(entry_record(ORIGIN, 6, 1), sealed_ns=sealed_ns(60))
        catalog.commit_entry(record, files, runs={}, trace_runs={}, log=[entries.segment(lake.data, record, files)])
        lake.edit(6, 0, "spans", name="harmless")
        assert lake.verify().ok
        LogWriter(lake.data, catalog, Keys(lake.data)).advance(ORIGIN, now_ns=sealed_ns(61))
    assert [(each.verdict, each.first) for each in lake.verify(quick=True).findings if each.broken] == [(Verdict.ALTERED, 6)]


def test_row_groups_with_dictionaries_of_their_own_are_one_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As large files are read, whose text comes as it is stored."""
    monkeypatch.setattr(verify_files, "_SMALL_ROWS", 1)
    for file in live_files(lake):
        path = lake.path(file)
        with pq.ParquetFile(path) as parquet:
            rows = parquet.read()
        pq.write_table(rows, path, row_group_size=1)
    assert [(each.verdict, each.first, each.last) for each in lake.verify().findings] == [(Verdict.VALID, 0, 5)]
    lake.edit(1, 0, "spans", actor="eve")
    assert [each.record_id for each in lake.verify().findings if each.broken] == [f"{ORIGIN}/1/0"]


def test_a_segment_of_the_future_that_the_log_has_not_is_extra(lake: Lake) -> None:
    """Else nothing would ever have been signed since."""
    files = lake.publish({"spans": [span("never happened")]}, 6)
    with closing(Catalog.open(lake.data)) as catalog:
        record = replace(entry_record(ORIGIN, 6, 1), sealed_ns=sealed_ns(10**6))
        catalog.commit_entry(record, files, runs={}, trace_runs={})
    assert [(each.verdict, each.first) for each in lake.verify(quick=True).findings if each.broken] == [(Verdict.EXTRA, 6)]


def test_a_link_to_a_folder_elsewhere_is_a_stray(lake: Lake, tmp_path: Path) -> None:
    """There are readers that follow it."""
    (tmp_path / "elsewhere").mkdir()
    (lake.data / "data" / "spans" / "date=2026-11-25").symlink_to(tmp_path / "elsewhere")
    assert [each.path for each in lake.verify(quick=True).findings if each.broken] == ["data/spans/date=2026-11-25"]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b'{"kind":"segment","entry":2}',
        b'{"kind":"segment","entry":2,"sealed_ns":1,"tables":{"spans":{"rows":1}},"counters":{},"policy_hash":""}',
        b'{"kind":"segment","entry":1e300,"sealed_ns":1,"tables":{},"counters":{},"policy_hash":""}',
        b'{"kind":"segment","entry":4611686018427387903,"sealed_ns":1,"tables":{},"counters":{},"policy_hash":""}',
        b'{"kind":"erasure","order":"o","entries":[]}',
        b'{"kind":"expiry","order":"o","entries":{"spans":[[1e300,0]]}}',
        b'{"kind":"erasure","order":"o","tombstones":7}',
    ],
)
def test_a_log_entry_of_any_content_gives_a_verdict(lake: Lake, body: bytes) -> None:
    """Also where neither the tile nor the catalog knows better."""
    bodies = lake.bodies()
    bodies[2] = body
    lake.ledger_file(BUNDLE).write_bytes(encode_bundle(bodies))
    lake.sql("UPDATE log SET body = ''")
    report = lake.verify(quick=True)
    assert any(finding.verdict is Verdict.ALTERED and "log entry 2" in finding.detail for finding in report.findings)


def test_a_tile_and_the_catalog_that_agree_against_the_log_are_the_false_ones(lake: Lake) -> None:
    """The signed root is that of the entries: what the copy says is not believed meanwhile."""
    copy = orjson.dumps({**orjson.loads(lake.bodies()[2]), "entry": 1000}, option=orjson.OPT_SORT_KEYS)
    lake.sql("UPDATE log SET body = ? WHERE idx = 2", copy.decode())
    tile = lake.ledger_file(TILE)
    content = tile.read_bytes()
    tile.write_bytes(content[:64] + leaf_hash(copy) + content[96:])
    found = [(each.verdict, each.first, each.path) for each in lake.verify(quick=True).findings]
    assert found == [
        (Verdict.ALTERED, None, f"ledger/{ORIGIN}/tile/0/000"),
        (Verdict.VALID, 0, None),
    ]
