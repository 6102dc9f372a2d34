"""What the lake says of the runs of a release, as samples."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from storage.gate.estimates import Sample, sample
from storage.gate.measures import MEASURES, Measure, evaluation
from storage.lake import Lake

Row = Mapping[str, Any]
Units = dict[str, tuple[float, float]]
"""Unit → the sum over it and what that is divided by."""
MARGIN_NS: Final = 3600 * 1_000_000_000
_ENDED: Final = ("ok", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which runs of a release are judged; None means any. Times are naive UTC and of a run's start."""

    since: datetime | None = None
    until: datetime | None = None
    agent: str | None = None
    tenant: str | None = None
    environment: str | None = None

    def params(self) -> dict[str, Any]:
        """The parameters of the queries."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseData:
    """The runs of one release and their evaluations."""

    release: str
    known: bool  # the lake has records of it, in the scope or not
    runs: tuple[Row, ...]
    evaluations: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)  # name → rows

    @property
    def run_ids(self) -> list[str]:
        """In order."""
        return [row["run_id"] for row in self.runs]

    def units(self, measure: Measure) -> Units:
        """Return what a measure needs of each run (evaluation: run, case or record) that has it."""
        if measure.name in _OF_RUN:
            read = _OF_RUN[measure.name]
            found = {row["run_id"]: read(row) for row in self.runs}
            return {unit: value for unit, value in found.items() if value is not None}
        return _evaluated(self.evaluations.get(measure.name.partition(":")[2], ()), scored=measure.kind == "mean")

    def sample(self, measure: Measure) -> Sample:
        """Return the sample of a measure."""
        return as_sample(self.units(measure).values())

    def coverage(self, measure: Measure) -> Sample | None:
        """Return of which of its runs with model calls cost or tokens are known; None for other measures and without such runs."""
        asked = [row for row in self.runs if row["model_calls"] and row["status"] != "running"]
        if measure.name not in {"cost_usd", "tokens"} or not asked:
            return None
        known = self.units(measure)
        return sample([row["run_id"] in known for row in asked])

    def counts(self) -> dict[str, Any]:
        """How many runs of which status there are, and when they began."""
        statuses = [row["status"] for row in self.runs]
        counted = {status: statuses.count(status) for status in ("ok", "error", "abandoned", "running")}
        begun = [row["started_at"] for row in self.runs]
        unpriced = sum(1 for row in self.runs if row["unpriced_calls"])
        return {
            "runs": len(self.runs),
            **counted,
            "unpriced": unpriced,
            "first_started_at": min(begun, default=None),
            "last_started_at": max(begun, default=None),
        }


def as_sample(units: Iterable[tuple[float, float]]) -> Sample:
    """Return units as a sample."""
    pairs = list(units)
    return sample([each[0] for each in pairs], [each[1] for each in pairs])


def read_releases(lake: Lake, releases: Sequence[str], scope: Scope, *, gaps: bool = True) -> dict[str, ReleaseData]:
    """Return the data of each release; without `gaps` nothing is said of the event contract. Raises `StorageError`."""
    seen = {row["release"]: row for row in lake.named("gate_seen", releases=list(releases)).to_pylist()}
    rows: list[Row] = []
    evaluations: list[Row] = []
    if seen:
        window = _window(seen.values(), scope)
        params = {"releases": list(releases), **scope.params()}
        rows = lake.named("gate_runs", **window, **params).to_pylist()
        ids = [row["run_id"] for row in rows]
        evaluations = lake.named("gate_evals", run_ids=ids, from_ns=window["from_ns"], **params).to_pylist()
        short = set(lake.named("gate_gaps", run_ids=ids, **window).column("run_id").to_pylist()) if gaps and rows else set()
        rows = [{**row, "short": row["run_id"] in short if gaps else None} for row in rows]
    return {release: _release(release, release in seen, rows, evaluations) for release in releases}


def measures_of(*releases: ReleaseData, named: Iterable[str] = ()) -> list[Measure]:
    """Return the measures of a comparison: the built-in ones, and each evaluation that any release has or that is `named`."""
    found: list[Measure] = list(MEASURES)
    for name in sorted({name for release in releases for name in release.evaluations} | set(named)):
        rows = [release.evaluations.get(name, ()) for release in releases]
        scored = all(any(row["eval_score"] is not None for row in each) for each in rows if each)
        found.append(evaluation(name, scored=scored))
    return found


def _window(seen: Iterable[Row], scope: Scope) -> dict[str, int]:
    """The time in which the runs have their records: files outside are not read."""
    rows = list(seen)
    first, last = min(row["first_ns"] for row in rows) - MARGIN_NS, max(row["last_ns"] for row in rows) + MARGIN_NS
    if scope.since is not None:
        first = max(first, int(scope.since.replace(tzinfo=UTC).timestamp() * 1e6) * 1000 - MARGIN_NS)
    return {"from_ns": first, "to_ns": last}


def _release(release: str, known: bool, rows: Sequence[Row], evaluations: Sequence[Row]) -> ReleaseData:
    runs = tuple(row for row in rows if row["release"] == release)
    ids = {row["run_id"] for row in runs}
    named: dict[str, list[Row]] = {}
    for row in evaluations:
        if row["run_id"] in ids or (row["run_id"] is None and row["release"] == release):
            named.setdefault(row["name"], []).append(row)
    return ReleaseData(release=release, known=known, runs=runs, evaluations={name: tuple(found) for name, found in named.items()})


def _evaluated(rows: Iterable[Row], *, scored: bool) -> Units:
    units: Units = {}
    for row in rows:
        value = row["eval_score"] if scored else row["eval_passed"]
        if value is not None:
            total, count = units.get(row["unit"], (0.0, 0.0))
            units[row["unit"]] = (total + float(value), count + 1)
    return {unit: (total / count, 1.0) for unit, (total, count) in units.items()} if scored else units


def _success(row: Row) -> tuple[float, float] | None:
    return None if row["status"] == "running" else (float(row["status"] == "ok"), 1.0)


def _duration(row: Row) -> tuple[float, float] | None:
    return (float(row["duration_ms"]), 1.0) if row["status"] in _ENDED and row["duration_ms"] is not None else None


def _cost(row: Row) -> tuple[float, float] | None:
    known = row["status"] != "running" and (row["cost_usd"] or 0) >= 0 and row["cost_usd"] is not None and not row["unpriced_calls"]
    return (float(row["cost_usd"]), 1.0) if known else None


def _tokens(row: Row) -> tuple[float, float] | None:
    known = row["status"] != "running" and row["input_tokens"] is not None and row["output_tokens"] is not None
    return (float(row["input_tokens"] + row["output_tokens"]), 1.0) if known else None


def _share(part: str, whole: str) -> Callable[[Row], tuple[float, float] | None]:
    return lambda row: (float(row[part]), float(row[whole])) if row[whole] else None


_OF_RUN: Final[Mapping[str, Callable[[Row], tuple[float, float] | None]]] = {
    "success_rate": _success,
    "latency_p50_ms": _duration,
    "latency_p95_ms": _duration,
    "cost_usd": _cost,
    "tokens": _tokens,
    "tool_error_rate": _share("tool_errors", "tool_calls"),
    "policy_denial_rate": _share("denials", "decisions"),
    "contract_gap_rate": lambda row: None if row["status"] == "running" or row["short"] is None else (float(row["short"]), 1.0),
}
