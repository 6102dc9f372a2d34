"""What no statistics excuse: the trace contract on the release's runs, the audit controls, and that the lake is whole."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from storage import contract as contracts
from storage import controls
from storage.errors import StorageError
from storage.gate.reading import ReleaseData, Scope
from storage.gate.thresholds import Thresholds
from storage.lake import Lake

_NAMED_AT_MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractResult:
    """How the runs of the release stand against the contract file."""

    file: str
    passed: bool
    reason: str
    runs: int = 0  # that the release has and that ended
    checked: int = 0
    short: tuple[dict[str, Any], ...] = ()  # of the first short runs: run_id, gaps, first requirements


def check_contract(lake: Lake, path: Path, release: ReleaseData, thresholds: Thresholds) -> ContractResult:
    """Check the contract on the ended runs, of many on a sample that only their ids decide. Fails where nothing could be checked."""
    try:
        contract = contracts.load_contract(path)
    except StorageError as error:
        return ContractResult(file=path.name, passed=False, reason=f"the contract cannot be used: {error}")
    ended = [row["run_id"] for row in release.runs if row["status"] != "running"]
    chosen = sorted(sorted(ended, key=_lot)[: thresholds.contract_runs])
    answers = {run_id: contracts.check(lake, run_id, contract) for run_id in chosen}
    reports = [report for report in answers.values() if report is not None]
    gone = len(answers) - len(reports)
    short = [report for report in reports if not report.ok]
    told = tuple(
        {"run_id": report.run_id, "gaps": len(report.gaps), "requirements": sorted({gap.requirement for gap in report.gaps})}
        for report in short[:_NAMED_AT_MOST]
    )
    if not reports:
        reason = "no run could be checked"
    elif gone:
        reason = f"{gone} of {len(answers)} runs could not be checked"
    else:
        reason = f"{len(short)} of {len(reports)} checked runs are short of it" if short else "every checked run keeps it"
    return ContractResult(
        file=path.name, passed=bool(reports) and not short and not gone, reason=reason, runs=len(ended), checked=len(reports), short=told
    )


def evaluate_controls(lake: Lake, release: ReleaseData, thresholds: Thresholds) -> tuple[controls.ControlResult, ...]:
    """Return the controls over the runs of the release; none where they are switched off. Raises `StorageError`."""
    names = thresholds.asked
    if names == () or not release.runs:
        return ()
    return tuple(controls.evaluate(lake, run_ids=release.run_ids, names=names, evidence_limit=_NAMED_AT_MOST))


def unstated(lake: Lake, release: ReleaseData, baseline: ReleaseData | None, thresholds: Thresholds) -> list[str]:
    """Return what the baseline's calls said of their tools and the release's keep back: controls cannot look at what is not said."""
    if thresholds.asked == () or baseline is None or not release.runs or not baseline.runs:
        return []
    rows = lake.named("gate_unstated", release_runs=release.run_ids, baseline_runs=baseline.run_ids).to_pylist()
    words = (("side_effects", "its side effect"), ("approvals", "whether it needs an approval"))
    return [
        f"tool {row['tool_name']}: {row[name]} calls do not state {what}, as every call of the baseline does"
        for row in rows
        for name, what in words
        if row[name]
    ]


def damage(lake: Lake, scope: Scope) -> list[str]:
    """Return the files that are missing from the answer and could hold records of runs of the scope.

    What the lake still knows of a release says nothing of what was in a file that is gone: only the scope leaves days out.
    """
    found = []
    for file in lake.damaged:
        day = _day(str(file.path))
        first = None if scope.since is None else scope.since.date() - timedelta(days=1)
        if day is None or first is None or day >= first:
            found.append(str(file.path))
    return found


def _day(path: str) -> date | None:
    text = path.partition("date=")[2][:10]
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _lot(run_id: str) -> bytes:
    return hashlib.sha256(run_id.encode()).digest()
