"""A shadow pair: runs of two releases that did the same task, made to stand beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from storage.gate.checks import Comparison
from storage.gate.measures import Measure
from storage.gate.reading import ReleaseData, Row, as_sample

KEYS: Final = {
    "task": ("task_key", "the task's id (auditlake.task.id)"),
    "case": ("case_key", "the evaluation's case id (auditlake.eval.case_id)"),
    "session": ("session_key", "the session id"),
    "input": ("input_key", "the digest of the run's first input"),
}
"""In the order in which they are tried: the surest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The pairs that were made, and of what."""

    key: str
    text: str
    ids: tuple[tuple[str, str], ...]  # run of the release, run of the baseline
    unpaired: tuple[int, int]  # runs without a partner
    repeated: tuple[int, int]  # further runs of a task that has a pair

    def compared(self, measure: Measure, release: ReleaseData, baseline: ReleaseData) -> Comparison:
        """Return the samples of a measure, row by row of one pair; a pair counts where both runs have the measure.

        Of a rate, a pair counts where either run has anything to divide by.
        """
        ours, theirs = release.units(measure), baseline.units(measure)
        rated = measure.kind == "rate" and measure.name in {"tool_error_rate", "policy_denial_rate"}
        found = [
            (ours.get(one, (0.0, 0.0)), theirs.get(other, (0.0, 0.0)))
            for one, other in self.ids
            if (one in ours and other in theirs) or (rated and (one in ours or other in theirs))
        ]
        candidate, partner = as_sample(pair[0] for pair in found), as_sample(pair[1] for pair in found)
        return Comparison(candidate=candidate, baseline=partner, paired=True)


def make_pairs(release: ReleaseData, baseline: ReleaseData, *, by: str | None, enough: int) -> Pairs:
    """Return pairs by the first key that makes `enough` of them, else by the one that makes the most; `by` names the key to use.

    Of several runs of a task in one release the first counts.
    """
    made = [_paired(key, release.runs, baseline.runs) for key in (KEYS if by is None else (by,))]
    return next((pairs for pairs in made if len(pairs.ids) >= enough), max(made, key=lambda pairs: len(pairs.ids)))


def _paired(key: str, ours: Sequence[Row], theirs: Sequence[Row]) -> Pairs:
    column, text = KEYS[key]
    first, other = _by_key(ours, column), _by_key(theirs, column)
    shared = sorted(first.keys() & other.keys())
    kept = [sum(len(of[name]) for name in shared) for of in (first, other)]
    return Pairs(
        key=key,
        text=text,
        ids=tuple((first[name][0], other[name][0]) for name in shared),
        unpaired=(len(ours) - kept[0], len(theirs) - kept[1]),
        repeated=(kept[0] - len(shared), kept[1] - len(shared)),
    )


def _by_key(rows: Sequence[Row], column: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: (row["started_at"], row["run_id"])):
        if row[column] is not None:
            found.setdefault(row[column], []).append(row["run_id"])
    return found
