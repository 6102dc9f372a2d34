"""Erasure: nothing of the subject is left in any file, and everything else is what it was."""

from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.catalog_removals import DONE, orders
from storage.compactor import compact
from storage.erasure import Hooks, Wanted, erase
from storage.holds import UnderHold, enter
from storage.lake import Lake
from storage.ledger.leaves import file_leaves
from storage.ledger.log import log_folder
from storage.ledger.tombstones import file_of, read
from storage.selection import Selector
from tests.collector.otlp_samples import NOW_NS
from tests.failing_disk import Crash, FailingDisk
from tests.lake_checks import check_lake
from tests.leak_scan import scan
from tests.people import ALICE, copied, left, run
from tests.sealed_lake import seal

ORIGIN = "node/collector"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Alice and Bob in shared entries, over two days; a part of it compacted, so that retired files hold rows, too."""
    seal(tmp_path, [*run("alice-1", ALICE), *run("bob-1", "bob")], [*run("bob-2", "bob"), *run("alice-2", ALICE, days=1)])
    seal(tmp_path, run("alice-3", ALICE), origin="node/worker-2")
    compact(tmp_path, now_ns=NOW_NS + 10**18)
    seal(tmp_path, [*run("alice-4", ALICE), *run("bob-3", "bob")])
    return tmp_path


def wanted(**said: Any) -> Wanted:
    """An order about Alice, unless it says otherwise."""
    return Wanted(
        selector=Selector(**(said or {"actors": (ALICE,)})), subject="actor", fingerprint="f", reason="ticket 7", by="root",
        identity_keys=("user.id",),
    )  # fmt: skip


def test_nothing_of_a_person_is_left_in_any_file_and_others_are_whole(data: Path) -> None:
    """Decoded, live, retired, in the catalog and its free pages."""
    done = erase(data, wanted(), now_ns=NOW_NS, hooks=Hooks())
    assert (done.rows, done.pending, done.remains) == (12, False, ())
    assert left(data) == {"bob-1", "bob-2", "bob-3"}
    traces_of_hers = [f"alice-{number}".encode().rjust(16, b".").hex() for number in range(1, 5)]
    found = scan(data, [ALICE, "for-alice-1", "note of alice-2", *traces_of_hers])
    assert found == {needle: [] for needle in found}
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    check_lake(data)


def test_leaf_hashes_stay_as_tombstones_that_the_log_names(data: Path) -> None:
    """So that the roots of entries can still be computed from what is left."""
    with closing(Catalog.open(data)) as catalog:
        before = {
            (row["origin"], file.table_name, row["entry"], row["entry_row"]): row["leaf"]
            for file in catalog.live_files()
            for row in file_leaves([data / file.path], file.table_name).to_pylist()
        }
        done = erase(data, wanted(), now_ns=NOW_NS, hooks=Hooks())
        after = {
            (row["origin"], file.table_name, row["entry"], row["entry_row"]): row["leaf"]
            for file in catalog.live_files()
            for row in file_leaves([data / file.path], file.table_name).to_pylist()
        }
        stones: dict[tuple[str, str, int, int], bytes | None] = {}
        for origin in (ORIGIN, "node/worker-2"):
            record = catalog.newest_in_log(origin, "erasure", 1000)
            assert record is not None
            said = orjson.loads(record.body)
            assert (said["order"], said["reason"], said["by"]) == (done.order, "ticket 7", "root")
            file = file_of(said)
            assert file is not None
            found = {(origin, each.table, each.entry, each.row): each.leaf for each in read(log_folder(data, origin), file)}
            assert len(found) == said["rows"]
            stones |= found
    assert None not in stones.values()
    assert before == after | stones


def test_a_reader_that_was_open_before_misses_nothing(data: Path) -> None:
    """Files that an order removed are not taken for damaged ones."""
    with Lake.open(data) as lake:
        count = "SELECT count(*) AS rows FROM spans"
        assert lake.sql(count).to_pylist() == [{"rows": 14}]
        held_list = lake._select((None, None), fresh=False)
        erase(data, wanted(), now_ns=NOW_NS, hooks=Hooks())
        lake._set_aside(held_list, thorough=False)  # what a query does that ran meanwhile
        assert lake.sql(count).to_pylist() == [{"rows": 6}]
        assert lake.damaged == ()


def test_a_hold_refuses_the_whole_order(data: Path) -> None:
    """Nothing is changed; what the hold does not mean may go."""
    with Lake.open(data) as lake:
        (hers,) = {row["run_id"] for row in lake.sql("SELECT run_id FROM spans WHERE attributes['said'] = 'for-alice-2'").to_pylist()}
    hold, rows = enter(data, Selector(run=hers), reason="case 12", by="root", now_ns=NOW_NS)
    assert rows == 3
    destroyed: list[int] = []
    hooks = Hooks(destroy_keys=lambda: destroyed.append(1) or 1)  # type: ignore[func-returns-value]
    with pytest.raises(UnderHold, match=f"3 of them are under hold {hold.id}"):
        erase(data, wanted(), now_ns=NOW_NS, hooks=hooks)
    assert (left(data), destroyed) == ({f"{who}-{number}" for who in ("alice", "bob") for number in range(1, 5)} - {"bob-4"}, [])
    assert erase(data, wanted(where="actor = 'bob'"), now_ns=NOW_NS, hooks=hooks).rows == 3


def test_an_erasure_goes_on_after_a_crash_at_any_step(tmp_path: Path) -> None:
    """Either nothing was changed, or the rows are gone and the next order does the rest."""
    data = seal(tmp_path / "lake", [*run("alice-1", ALICE), *run("bob-1", "bob")])
    counting = FailingDisk(10**9)
    erase(copied(data, tmp_path / "whole"), wanted(), now_ns=NOW_NS, hooks=Hooks(), fs=counting)
    outcomes = set()
    for at in (2, counting.calls // 2, counting.calls - 6, counting.calls - 1):
        lake = copied(data, tmp_path / str(at))
        with pytest.raises(Crash):
            erase(lake, wanted(), now_ns=NOW_NS, hooks=Hooks(), fs=FailingDisk(at, crash=True))
        outcomes.add(len(left(lake)))
        assert not erase(lake, wanted(), now_ns=NOW_NS, hooks=Hooks()).pending
        assert scan(lake, [ALICE, "for-alice-1"]) == {ALICE: [], "for-alice-1": []}
        with closing(Catalog.open(lake)) as catalog:
            seal_pending(lake, catalog)
            assert sum(order.rows for order in orders(catalog, state=DONE)) == 3
        assert len(list((lake / "ledger").rglob("tombstones/*"))) == 1
        check_lake(lake)
    assert outcomes == {2, 1}
