"""The self-check verifies the lake when it is due, and says in the lake what it found."""

from contextlib import closing
from pathlib import Path
from typing import Any

from collector.config_ledger import Checking, LedgerConfig
from collector.sealer import seal_pending
from collector.self_check import check, is_due
from storage.catalog import Catalog
from storage.lake import Lake
from storage.ledger.verify_state import State, self_check_path
from tests.storage.ledger.tamper.tampered_lake import Lake as Committed
from tests.storage.ledger.tamper.tampered_lake import made, sealed_ns

CHECKING = Checking(node="node", interval_seconds=3_600, ledger=LedgerConfig())
SECOND_NS = 1_000_000_000


def checked(lake: Committed) -> list[dict[str, Any]]:
    """What the lake says of itself after a self-check."""
    check(lake.data, CHECKING, State.load(self_check_path(lake.data)), clock=lambda: sealed_ns(120))
    with closing(Catalog.open(lake.data)) as catalog:
        seal_pending(lake.data, catalog, clock=lambda: sealed_ns(121))
    with Lake.open(lake.data, clock=lambda: sealed_ns(122)) as found:
        columns = "event_name, severity_text, attributes, origin"
        query = f"SELECT {columns} FROM events WHERE scope_name = 'auditlake.verify' ORDER BY entry, entry_row"
        return [row | {"attributes": dict(row["attributes"])} for row in found.sql(query).to_pylist()]


def test_a_lake_that_verifies_says_so(tmp_path: Path) -> None:
    lake = made(tmp_path / "lake", compacted=False)
    (event,) = checked(lake)
    assert (event["event_name"], event["severity_text"], event["origin"]) == ("ledger.verified", "INFO", "node/verify")
    said = event["attributes"]
    assert (said["auditlake.outcome"], said["auditlake.verify.mode"], said["auditlake.verify.rows"]) == ("success", "quick", "17")
    assert State.load(self_check_path(lake.data)).spoken["node/collector"].last == 5


def test_a_lake_that_was_altered_says_what_and_raises_an_alarm(tmp_path: Path) -> None:
    lake = made(tmp_path / "lake", compacted=False)
    lake.edit(1, 0, "spans", actor="eve")
    verdict, alarm = checked(lake)
    assert verdict["severity_text"] == alarm["severity_text"] == "ERROR"
    assert verdict["attributes"]["auditlake.outcome"] == "failure"
    assert verdict["attributes"]["auditlake.verify.first"].startswith("ALTERED node/collector/1/0: ")
    assert alarm["event_name"] == "security"
    assert alarm["attributes"]["auditlake.security.category"] == "integrity"
    assert alarm["attributes"]["auditlake.reason_code"] == "altered"


def test_it_is_due_soon_after_the_first_start_and_then_every_interval() -> None:
    now = 10_000 * SECOND_NS
    never = State()
    assert not is_due(never, now, now + 299 * SECOND_NS, 3_600)
    assert is_due(never, now, now + 300 * SECOND_NS, 3_600)
    once = State(verified_ns=now)
    assert not is_due(once, now, now + 3_599 * SECOND_NS, 3_600)
    assert is_due(once, now + 3_600 * SECOND_NS, now + 3_600 * SECOND_NS, 3_600)


def test_it_can_be_switched_off() -> None:
    assert LedgerConfig(self_check_interval=None).checking("node") is None
    assert LedgerConfig(enabled=False).checking("node") is None
    assert LedgerConfig().checking("node") is not None
