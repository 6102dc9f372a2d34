"""Controls: questions about the lake that have an answer with evidence (`auditlake controls`, the release gate)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from storage.controls.control import BUILT_IN, Control, built_in, chosen, load_controls
from storage.views import needed

if TYPE_CHECKING:
    from storage.lake import Lake
from storage.live_files import Window

__all__ = ["Control", "ControlResult", "built_in", "chosen", "evaluate", "load_controls"]

BEFORE_NS: Final = 7 * 86_400 * 1_000_000_000
"""How long before the window a decision or the beginning of a run is looked for."""
AFTER_NS: Final = 86_400 * 1_000_000_000
"""How long after it the end of a run is looked for."""
PARENT_NS: Final = 300 * 1_000_000_000
"""How long before a run the parent of its first step may begin."""
TIMEOUT_SECONDS: Final = 300.0
SHARED: Final = ("runs", "tool_authorizations")
BEYOND_RUNS: Final = frozenset({"releases_evaluated"})
"""Built-in controls that look at more than the runs that they are asked about."""

_QUESTION: Final = """\
SELECT
    count(*) AS checked,
    count(problem) AS failed,
    max_by(control, coalesce(time, TIMESTAMP '1970-01-01'), {limit}) FILTER (problem IS NOT NULL) AS evidence
FROM (
{sql}
) AS control
WHERE {conditions}
"""
_CONDITIONS: Final = {
    "since": "time >= $since",
    "until": "time <= $until",
    "run_ids": "run_id IN (SELECT unnest($run_ids::VARCHAR[]))",
    "tenant": "tenant = $tenant",
    "release": "release = $release",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """What a control found."""

    name: str
    title: str
    passed: bool  # also when there was nothing to check
    checked: int  # things that it is about: calls, runs, records
    failed: int
    evidence: tuple[dict[str, Any], ...]  # the newest of what failed: record_id, run_id, time, problem, and more that the control knows
    rationale: str = ""
    reference: str | None = None

    @property
    def state(self) -> str:
        """`pass`, `fail`, or `not applicable` when there was nothing to check."""
        return "fail" if self.failed else "pass" if self.checked else "not applicable"


def evaluate(
    lake: "Lake",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    run_ids: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    tenant: str | None = None,
    release: str | None = None,
    controls: Sequence[Control] | None = None,
    evidence_limit: int = 100,
) -> list[ControlResult]:
    """Ask the controls, the built-in ones unless `controls` gives others, and return their answers in the same order.

    `since` and `until` (naive UTC) are of the time of what is checked, `run_ids`, `tenant` and `release` of its run; None is any.
    Evidence holds the newest `evidence_limit` things that failed; `failed` counts all. Raises `StorageError` that names the control.
    """
    asked = tuple(controls) if controls is not None else built_in()
    if names is not None:
        asked = chosen(asked, names)
    given = {"since": since, "until": until, "run_ids": None if run_ids is None else list(run_ids), "tenant": tenant, "release": release}
    params = {name: value for name, value in given.items() if value is not None}
    conditions = " AND ".join(_CONDITIONS[name] for name in params) or "true"
    limit = max(evidence_limit, 1)
    texts = {control.name: _QUESTION.format(sql=control.sql, conditions=conditions, limit=limit) for control in asked}
    if run_ids:
        inside, around = _windows_of(lake, run_ids)
        close = {name: text for name, text in texts.items() if name in BUILT_IN and name not in BEYOND_RUNS}
        far = {name: text for name, text in texts.items() if name not in close}
        answers = _asked(lake, close, params, inside, rows=inside) | _asked(lake, far, params, around)
    else:
        answers = _asked(lake, texts, params, _window(since, until))
    return [_result(control, answers[control.name], evidence_limit) for control in asked]


def _asked(
    lake: "Lake", texts: Mapping[str, str], params: Mapping[str, Any], files: "Window", *, rows: "Window" = (None, None)
) -> dict[str, dict[str, Any]]:
    """Return the one row of each answer."""
    if not texts:
        return {}
    answers = lake.together(
        texts, shared=_shared(texts), params=params, timeout_seconds=TIMEOUT_SECONDS, from_ns=files[0], to_ns=files[1], rows=rows
    )
    return {name: answer.to_pylist()[0] for name, answer in answers.items()}


def _shared(texts: Mapping[str, str]) -> list[str]:
    """The costly views that more than one control reads, each after those that it reads itself."""
    uses = Counter(view for text in texts.values() for view in needed(text))
    return [view for view in SHARED if uses[view] > 1]


def _result(control: Control, row: Mapping[str, Any], limit: int) -> ControlResult:
    return ControlResult(
        name=control.name,
        title=control.title,
        passed=row["failed"] == 0,
        checked=row["checked"],
        failed=row["failed"],
        evidence=tuple((row["evidence"] or ())[:limit]),
        rationale=control.rationale,
        reference=control.reference,
    )


def _window(since: datetime | None, until: datetime | None) -> "Window":
    """The time of the files that can matter: with what came before (decisions) and after (the end of a run)."""
    return None if since is None else _unix_ns(since) - BEFORE_NS, None if until is None else _unix_ns(until) + AFTER_NS


def _windows_of(lake: "Lake", run_ids: Sequence[str]) -> "tuple[Window, Window]":
    """The time of these runs, with the request around the first, and a wider one; open when the catalog does not know them."""
    traces = {trace for run in run_ids for trace in lake.catalog.traces_of_run(run)}
    known = lake.catalog.run_spans([*run_ids, *traces])
    if any(run not in known for run in run_ids):
        return (None, None), (None, None)
    first, last = min(begun for begun, _ in known.values()), max(ended for _, ended in known.values())
    return (first - PARENT_NS, last), (first - BEFORE_NS, last + AFTER_NS)


def _unix_ns(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1e6) * 1000
