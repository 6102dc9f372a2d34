"""What a check of a run against a contract gives back."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One requirement that a run does not meet."""

    record_id: str | None  # None where it is the run as a whole
    requirement: str  # `tool: idempotency key`, `tools.require_approval: issue_refund`
    event: str  # run model tool retrieval memory policy approval eval, or the rule of a trace contract
    field: str | None  # the missing field; None for a rule
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run stands against its contract."""

    run_id: str
    checked: int  # requirements that apply to its records
    gaps: tuple[Gap, ...]
    contract: str | None = None  # name and version of the trace contract that was checked beside the event contract

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return not self.gaps

    @property
    def verdict(self) -> str:
        """The report in one line: `complete: all 27 requirements are met`."""
        if self.ok:
            return f"complete: all {self.checked} requirements are met"
        return f"{len(self.gaps)} of {self.checked} requirements are not met"
