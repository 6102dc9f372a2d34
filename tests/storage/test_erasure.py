"""Erasure: nothing of the subject is left in any file, and everything else is what it was."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from collector.sealer import seal_pending
from redaction.errors import VaultError
from storage.catalog import Catalog
from storage.catalog_removals import DONE, holds, orders, release_hold
from storage.compactor import compact
from storage.erasure import Hooks, Wanted, erase
from storage.errors import StorageError
from storage.holds import UnderHold, enter
from storage.lake import Lake
from storage.ledger.leaves import file_leaves
from storage.ledger.log import log_folder
from storage.ledger.tombstones import file_of, read
from storage.selection import Selector
from storage.wal import RecordType, WalWriter
from tests.collector.otlp_samples import NOW_NS
from tests.failing_disk import Crash, FailingDisk
from tests.lake_builder import event, span, write_lake
from tests.lake_checks import check_lake
from tests.leak_scan import scan
from tests.people import ALICE, copied, left, run
from tests.sealed_lake import seal

ORIGIN = "node/collector"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alice and Bob in shared entries, over two days; a part of it compacted, so that retired files hold rows, too."""
    data = tmp_path_factory.mktemp("lake")
    seal(data, [*run("alice-1", ALICE), *run("bob-1", "bob")], [*run("bob-2", "bob"), *run("alice-2", ALICE, days=1)])
    seal(data, run("alice-3", ALICE), origin="node/worker-2")
    compact(data, now_ns=NOW_NS + 10**18)
    seal(data, [*run("alice-4", ALICE), *run("bob-3", "bob")])
    return data


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    """A copy of that lake."""
    return copied(built, tmp_path / "lake")


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
        lake._files.look_for_damage(held_list, thorough=False)  # what a query does that ran meanwhile
        assert lake.sql(count).to_pylist() == [{"rows": 6}]
        assert lake.damaged == ()


def test_a_hold_refuses_the_whole_order(data: Path) -> None:
    """Nothing is changed; what the hold does not mean may go."""
    with Lake.open(data) as lake:
        (hers,) = {row["run_id"] for row in lake.sql("SELECT run_id FROM spans WHERE attributes['said'] = 'for-alice-2'").to_pylist()}
    hold, rows = enter(data, Selector(run=hers), reason="case 12", by="root", now_ns=NOW_NS)
    assert rows == 3
    destroyed: list[int] = []
    hooks = Hooks(destroy_keys=lambda _: destroyed.append(1) or 1)  # type: ignore[func-returns-value]
    with pytest.raises(UnderHold, match=f"3 of them are under hold {hold.id}"):
        erase(data, wanted(), now_ns=NOW_NS, hooks=hooks)
    assert (left(data), destroyed) == ({f"{who}-{number}" for who in ("alice", "bob") for number in range(1, 5)} - {"bob-4"}, [])
    assert erase(data, wanted(where="actor = 'bob'"), now_ns=NOW_NS, hooks=hooks).rows == 3


def test_values_to_which_no_record_refers_any_more_are_to_be_destroyed(tmp_path: Path) -> None:
    """Those of others and of records that are still to be sealed stay; after a crash of the vault the next order follows it up."""
    own, shared, waiting = ("a" * 24, "b" * 24, "c" * 24)
    mine = {"said": json.dumps({"call": [f"<PHONE_NUMBER:v1:{each}>" for each in (own, shared, waiting)]})}
    write_lake(
        tmp_path,
        spans=[span("a", run="r1", tenant="acme", attributes=mine), span("b", run="r2", attributes={"to": f"<PHONE_NUMBER:v1:{shared}>"})],
    )
    with closing(WalWriter(tmp_path, "node/late")) as writer:
        writer.append([(RecordType.BATCH, b"{}", f"<PHONE_NUMBER:v1:{waiting}>".encode())])
    told: list[Sequence[str]] = []

    def destroy(references: Sequence[str]) -> int:
        told.append(references)
        if len(told) == 1:
            raise VaultError("destroy", "vault", hint="busy", failure="unfinished")
        return len(references)

    order = replace(wanted(tenant="acme"), subject="tenant")
    with pytest.raises(VaultError):
        erase(tmp_path, order, now_ns=NOW_NS, hooks=Hooks(destroy_keys=destroy))
    assert scan(tmp_path / "data", [own])[own] == [], "the rows are gone, whatever becomes of the keys"
    with closing(Catalog.open(tmp_path)) as catalog:
        assert [("vault" in each.remains[0], each.state) for each in orders(catalog)] == [(True, DONE)]
    again = erase(tmp_path, order, now_ns=NOW_NS, hooks=Hooks(destroy_keys=destroy))
    assert (told, again.keys, again.remains) == ([[own], [own]], 1, ())
    assert erase(tmp_path, order, now_ns=NOW_NS, hooks=Hooks(destroy_keys=destroy)).keys == 0


def test_runs_of_which_nothing_is_left_are_told_while_their_rows_are_there_and_after(data: Path) -> None:
    """What else tells of them has to go first: after a crash nobody knows their names."""
    hers = {f"alice-{number}".encode().rjust(16, b".").hex() for number in range(1, 5)}
    everything = left(data)
    with pytest.raises(StorageError, match="keeps it busy"):
        erase(data, wanted(), now_ns=NOW_NS, hooks=Hooks(forget_runs=lambda _: "somebody keeps it busy"))
    assert left(data) == everything
    told: list[tuple[set[str], int]] = []

    def forget(runs: Sequence[str]) -> str | None:
        told.append((set(runs), len(left(data))))
        return None if len(told) == 1 else "somebody keeps it busy"

    done = erase(data, wanted(), now_ns=NOW_NS, hooks=Hooks(forget_runs=forget))
    assert told == [(hers, 7), (hers, 3)]
    assert (done.rows, done.pending, done.remains) == (12, True, ("somebody keeps it busy",))


def test_exports_that_hold_or_may_hold_what_was_erased_are_named(tmp_path: Path) -> None:
    """From what the lake recorded of them: not those of others, nor those from before, and nobody who is to be forgotten."""

    def left_lake(action: str, resource: str, *, at: float = 60, by: str = "root") -> dict[str, Any]:
        return event(
            "lake.export", run=None, at=at, scope_name="auditlake.access", actor=by, action=action, resource=resource, outcome="success"
        )

    write_lake(
        tmp_path,
        spans=[span("a", run="r1", trace="t1", actor=ALICE), span("b", run="r2", trace="t2")],
        events=[
            left_lake("bundle", "r1"), left_lake("export", "r2"), left_lake("bundle", "r1", at=-3600), left_lake("export", "ocsf"),
            left_lake("prove", "node/collector/1/0"), left_lake("prove", "node/collector/1/1"), left_lake("download", "t1", by=ALICE),
        ],
        trace_runs={"t1": "r1"},
    )  # fmt: skip
    done = erase(tmp_path, wanted(), now_ns=NOW_NS, hooks=Hooks())
    said = {(place.split(",")[0].removeprefix("export "), "may" in place) for place in done.remains}
    assert said == {("(bundle) by root", False), ("(download) by somebody", False), ("(prove) by root", False), ("(export) by root", True)}
    assert scan(tmp_path, [ALICE]) == {ALICE: []}


def test_a_hold_that_is_over_does_not_keep_whom_it_was_about(tmp_path: Path) -> None:
    """Also a tenant, and a reason that names somebody; what is in force is said, since nobody may change it."""
    data = seal(tmp_path, run("bob-1", "bob"))
    with closing(Catalog.open(data)) as catalog:
        for at, (selector, reason) in enumerate((
            (Selector(actors=("al",)), "r"), (Selector(tenant="x", where="true"), "r"), (Selector(run="r"), f"about {ALICE}"),
            (Selector(tenant="other"), "stays"),
        )):  # fmt: skip
            hold, _ = enter(data, selector, reason=reason, by="root", now_ns=NOW_NS + at)
            release_hold(catalog, hold.id, now_ns=NOW_NS, by="root", reason="over")
        in_force, rows = enter(data, Selector(tenant="x"), reason="r", by="root", now_ns=NOW_NS + 9)
        assert rows == 0
        for said in ({"actors": (ALICE, "AL")}, {"tenant": "x"}):
            done = erase(data, wanted(**said), now_ns=NOW_NS, hooks=Hooks())
        assert done.remains == (f"hold {in_force.id} says whom this is about: release it, then give the order again",)
        kept = [(hold.selector, hold.reason) for hold in holds(catalog, released=True)]
    nothing = (Selector(), "erased with whom it was about")
    assert kept == [nothing, nothing, nothing, (Selector(tenant="other"), "stays"), (Selector(tenant="x"), "r")]


def test_an_erasure_goes_on_after_a_crash_at_any_step(tmp_path: Path) -> None:
    """Either nothing was changed, or the rows are gone and the next order does the rest."""
    data = seal(tmp_path / "lake", [*run("alice-1", ALICE), *run("bob-1", "bob")])
    counting = FailingDisk(10**9)
    erase(copied(data, tmp_path / "whole"), wanted(), now_ns=NOW_NS, hooks=Hooks(), fs=counting)
    outcomes = set()
    for at in (2, counting.calls // 2, counting.calls - 1):
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
