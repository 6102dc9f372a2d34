"""What a gate compares, and how each is judged."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["rate", "mean", "quantile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that is compared; its units are runs, or pairs of runs of the same task."""

    name: str
    kind: Kind
    unit: str
    higher_is_better: bool = False
    scale: Literal["difference", "ratio"] = "difference"
    share: float = 0.0  # of a quantile
    smallest: float = 0.0  # on the scale of ratios: values below are not told apart
    tolerance: float = 0.0  # so much worse is as good; of a ratio in proportion
    required: bool = False  # the gate is closed where neither release has data
    text: str

    @property
    def worse(self) -> int:
        """1 where more is worse, else -1."""
        return -1 if self.higher_is_better else 1


MEASURES: Final = (
    Measure(
        name="success_rate", kind="rate", unit="of ended runs", higher_is_better=True, tolerance=0.01, required=True,
        text="runs that ended without an error; an abandoned run is no success, a run that is going on is left out",
    ),
    Measure(
        name="latency_p50_ms", kind="quantile", share=0.5, scale="ratio", smallest=1e-3, unit="ms a run", tolerance=0.1, required=True,
        text="median duration of the runs that ended",
    ),
    Measure(
        name="latency_p95_ms", kind="quantile", share=0.95, scale="ratio", smallest=1e-3, unit="ms a run", tolerance=0.1, required=True,
        text="duration that 95 % of the runs that ended stay below",
    ),
    Measure(
        name="cost_usd", kind="mean", scale="ratio", smallest=1e-9, unit="USD a run", tolerance=0.1,
        text="mean cost of the runs whose every model call has a price",
    ),
    Measure(
        name="tokens", kind="mean", scale="ratio", smallest=1e-3, unit="tokens a run", tolerance=0.1,
        text="mean of input and output tokens of the runs that know both",
    ),
    Measure(name="tool_error_rate", kind="rate", unit="of tool calls", tolerance=0.01, text="tool calls that failed"),
    Measure(
        name="policy_denial_rate", kind="rate", unit="of policy decisions", tolerance=0.02, text="actions that a policy denied"
    ),
    Measure(
        name="contract_gap_rate", kind="rate", unit="of runs", tolerance=0.01,
        text="runs in which an event lacks a field of the contract's eight event types",
    ),
)  # fmt: skip
"""In the order of the report. Evaluations come behind, one measure a name (`evaluation`)."""

EVALUATIONS: Final = "eval"
"""The name in thresholds that speaks of every evaluation; `eval:<name>` of one."""


def evaluation(name: str, *, scored: bool) -> Measure:
    """Return the measure of one evaluation: its mean score, or where scores are unknown the share that passed."""
    return Measure(
        name=f"{EVALUATIONS}:{name}",
        kind="mean" if scored else "rate",
        unit="mean score" if scored else "of evaluations passed",
        higher_is_better=True,
        tolerance=0.02,
        text="score of an evaluation, averaged over the runs" if scored else "evaluations that passed",
    )
