"""One run reconstructed: a tree of all that happened with a statement of what is missing from it.

A reconstruction never hides: a step whose parent did not come stands at the top level and is counted, so does a step of a cycle,
and what cannot be known is None.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from storage.excerpt import excerpt
from storage.lake import Lake
from storage.messages import conversation
from storage.runs import story
from storage.runs.completeness import completeness
from storage.runs.delegation import graph
from storage.runs.integrity import integrity
from storage.runs.repetition import loops

_MARGIN_NS: Final = 3600 * 1_000_000_000


def reconstruct(lake: Lake, run_id: str, *, states: Sequence[Path] = ()) -> dict[str, Any] | None:
    """Return everything about a run; None if unknown. `run_id` may be a trace of the run. Raises `StorageError`.

    `run` (row of the view), `steps` (ordered tree), `completeness`, `loops`, `graph`, `messages` (each once), `integrity`. Steps come
    parents first; each has the columns of the view `steps`, `depth` (0 at the top), `parent_record_id` (None at the top), `orphan` and
    `clock_offset_ms` (None unless its clock is off). Times are naive UTC datetimes, maps are dictionaries. `states`: files of verifiers
    that may know of the integrity of the records, beside the self-check's.
    """
    with _no_collection(), excerpt(lake, run_id) as found:
        run = found.run
        if run is None:
            return None
        steps, anomalies = story.tell(found.steps, found.begun.keys())
        duplicates = found.duplicates
        whole = completeness(run, steps, anomalies=anomalies, dropped=_dropped(lake, run), duplicates=duplicates)
        parts = {"loops": loops(steps), "graph": graph(steps), "messages": conversation(steps)}
    return {"run": run, "steps": steps, "completeness": whole, **parts, "integrity": integrity(steps, lake.data, states)}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Make many objects, none of them garbage, without looking for garbage among them: a tenth of the time of a large run."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _dropped(lake: Lake, run: Mapping[str, Any]) -> dict[str, int]:
    window = (_unix_ns(run["started_at"]), _unix_ns(run["last_at"]) + _MARGIN_NS)
    params = {"agent_name": run["agent_name"], "from_time": run["started_at"], "to_time": run["last_at"]}
    return {signal: dropped for signal, dropped in lake.few("dropped_records", window, params) if dropped}


def _unix_ns(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1e6) * 1000
