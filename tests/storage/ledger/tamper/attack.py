"""What an attack is: something done to a lake, and the verdict that has to name it."""

from collections.abc import Callable
from dataclasses import dataclass

from storage.ledger.verdicts import Finding, Report, Verdict
from tests.storage.ledger.tamper.tampered_lake import Lake


@dataclass(frozen=True)
class Attack:
    """One attack."""

    what: str
    do: Callable[[Lake], object]
    verdict: Verdict
    entry: int | None = None  # that the verdict is about, or in the range of
    record_id: str | None = None  # that it names
    path: str = ""  # a part of the path that it names
    says: str = ""  # a part of what it says

    def named(self, report: Report) -> bool:
        """Whether a finding names the attack."""
        return any(self._fits(finding) for finding in report.findings)

    def _fits(self, finding: Finding) -> bool:
        about = self.entry is None or (
            finding.first is not None and finding.last is not None and finding.first <= self.entry <= finding.last
        )
        record = self.record_id is None or finding.record_id == self.record_id
        return finding.verdict is self.verdict and about and record and self.path in (finding.path or "") and self.says in finding.detail
