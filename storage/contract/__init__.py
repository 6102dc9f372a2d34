"""What must be recorded of a run: the event contract of every run, and what a team's trace-contract file requires beside it."""

from typing import TYPE_CHECKING

from storage.contract.fields import CHECKS, gaps
from storage.contract.file import TraceContract, load_contract
from storage.contract.report import Gap, Report
from storage.contract.rules import Facts, check_rules
from storage.excerpt import excerpt

if TYPE_CHECKING:
    from storage.lake import Lake

__all__ = ["Gap", "Report", "TraceContract", "check", "load_contract"]


def check(lake: "Lake", run_id: str, contract: TraceContract | None = None) -> Report | None:
    """Return how a run (or the run of a trace) stands against the event contract and, if given, a trace contract; None if unknown.

    Raises `StorageError`.
    """
    with excerpt(lake, run_id) as found:
        if found.run is None:
            return None
        rows = found.view(CHECKS)
        if contract is None:
            return Report(run_id=found.run_id, checked=len(rows), gaps=gaps(rows))
        facts = Facts(run=found.run, steps=found.steps, calls=found.view("tool_authorizations"))
    rows = [row for row in rows if not contract.waives(row["event"], row["field"])]
    checked, violations = check_rules(contract, facts)
    return Report(run_id=found.run_id, checked=len(rows) + checked, gaps=(*gaps(rows), *violations), contract=contract.title)
