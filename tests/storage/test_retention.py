"""Retention: what is older than a rule says goes, and the ledger says so."""

from contextlib import closing
from pathlib import Path

import orjson
import pytest

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.catalog_removals import BEGUN, DONE, orders
from storage.compactor import compact
from storage.erasure import Hooks
from storage.holds import enter
from storage.ledger.tombstones import file_of
from storage.retention import Expired, RetentionRule, apply
from storage.selection import Selector
from tests.collector.otlp_samples import NOW_NS
from tests.failing_disk import Crash, FailingDisk
from tests.lake_checks import check_lake
from tests.people import copied, left, run
from tests.sealed_lake import seal

DAY = 86_400.0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each of five days, the one of yesterday in an entry with today's; of another tenant the oldest."""
    data = tmp_path_factory.mktemp("lake")
    seal(data, run("day-4", "bob", days=4), tenant="acme")
    seal(data, run("day-3", "bob", days=3), run("day-2", "bob", days=2), [*run("day-1", "bob", days=1), *run("day-0", "bob")])
    compact(data, now_ns=NOW_NS + 10**18)
    return data


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    """A copy of that lake."""
    return copied(built, tmp_path / "lake")


def expire(data: Path, *rules: RetentionRule) -> Expired:
    """Apply the rules, let the logs follow, and look at everything."""
    done = apply(data, rules, now_ns=NOW_NS, hooks=Hooks())
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    check_lake(data)
    return done


def test_whole_days_go_and_the_log_names_their_entries(data: Path) -> None:
    """Nothing is rewritten, so nothing needs a tombstone; a second time nothing is due."""
    done = expire(data, RetentionRule(keep_seconds=1.5 * DAY))
    assert (done.rows, done.held, left(data)) == (9, 0, {"day-1", "day-0"})
    with closing(Catalog.open(data)) as catalog:
        said = orjson.loads(catalog.newest_in_log("node/collector", "expiry", 100).body)  # type: ignore[union-attr]
        assert (said["entries"], said["rules"]) == ({"events": [[0, 2]], "spans": [[0, 2]]}, ["all tables after 1 day, 12:00:00"])
        assert file_of(said) is None
        assert not catalog.retired_files()
    assert expire(data, RetentionRule(keep_seconds=1.5 * DAY)) == Expired()


def test_what_goes_from_an_entry_of_which_rows_stay_has_tombstones(data: Path) -> None:
    """Yesterday's rows are of the same entry as today's."""
    assert expire(data, RetentionRule(table="spans", keep_seconds=0.5 * DAY)).rows == 8
    with closing(Catalog.open(data)) as catalog:
        said = orjson.loads(catalog.newest_in_log("node/collector", "expiry", 100).body)  # type: ignore[union-attr]
    assert said["entries"] == {"spans": [[0, 2]]}
    assert file_of(said) is not None


def test_the_first_rule_that_fits_a_row_decides(data: Path) -> None:
    """One tenant's rows are kept for longer than others'; what no rule fits stays."""
    rules = (RetentionRule(tenant="acme", keep_seconds=30 * DAY), RetentionRule(table="events", keep_seconds=2.5 * DAY))
    assert expire(data, *rules).rows == 1
    assert expire(data, RetentionRule(tenant="acme", keep_seconds=1 * DAY)).rows == 3
    assert left(data) == {"day-3", "day-2", "day-1", "day-0"}


def test_what_is_under_hold_stays(data: Path) -> None:
    """The rest of its file goes."""
    _, rows = enter(data, Selector(where="body = 'note of day-3'"), reason="case", by="root", now_ns=NOW_NS)
    done = expire(data, RetentionRule(keep_seconds=1.5 * DAY))
    assert (rows, done.rows, done.held, left(data)) == (1, 8, 1, {"day-3", "day-1", "day-0"})


def test_a_run_that_was_killed_is_done_by_the_next(data: Path) -> None:
    """Before the rows are gone nothing is left of it, afterwards everything is done."""
    rule = RetentionRule(table="spans", keep_seconds=0.5 * DAY)
    with pytest.raises(Crash):
        apply(data, [rule], now_ns=NOW_NS, hooks=Hooks(), fs=FailingDisk(3, crash=True))
    with closing(Catalog.open(data)) as catalog:
        assert [order.state for order in orders(catalog)] == [BEGUN]
    expire(data, rule)
    with closing(Catalog.open(data)) as catalog:
        assert [(order.state, order.rows) for order in orders(catalog)] == [(DONE, 8)]
    assert len(list((data / "ledger").rglob("tombstones/*"))) == 1
