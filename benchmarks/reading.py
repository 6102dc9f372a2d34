"""What reading the lake costs: run with `python -m benchmarks.reading [spans [days [folder]]]`; prints one line a measure.

The lake is that of `benchmarks.lakes`; one that is in `folder` already is read as it is. Every measure is the median of seven, over an open
lake whose files the operating system has in memory, unless it says otherwise; machine load makes all of them larger, so it is printed.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.lakes import DAY_NS, END_NS, LONG_RUN, LONG_STEPS, first_day, write_days
from storage.lake import Lake
from storage.runs import RunFilter, page_runs, reconstruct

SPANS_TOTAL = 1_000_000
DAYS = 1
TIMES = 7
RUN_COMMAND = """
import contextlib, io, sys, time
from pathlib import Path
from storage import early
early.begin()
import rich.console, rich.text, rich.tree
import cli.access, cli.explanation, cli.logs, cli.reading, collector.config, storage.journal, storage.lake, storage.messages, storage.runs
import redaction.cleared, redaction.policy, redaction.redactor, redaction.statement
from cli.commands import _lake, run
from cli.options import OutputFormat

class Screen(io.StringIO):
    def write(self, text):
        self.last = [time.perf_counter(), time.process_time()]
        return super().write(text)

def timed(owner, name):
    call = getattr(owner, name)
    def measured(*given, **named):
        started = time.perf_counter()
        try:
            return call(*given, **named)
        finally:
            parts.append(time.perf_counter() - started)
    setattr(owner, name, measured)

parts, screen = [], Screen()
early.begin = lambda: None  # as the command does before it imports all that stands above
timed(storage.lake.Lake, "open"), timed(storage.runs, "reconstruct"), timed(run, "_print")
begun = [time.perf_counter(), time.process_time()]
with contextlib.redirect_stdout(screen):
    run.run(sys.argv[2], data=Path(sys.argv[1]), tree=False, abandoned_after="520w", output=OutputFormat.table)
print(*(last - first for last, first in zip(screen.last, begun)), *parts)
"""
"""`auditlake run` in a process that has just begun, from the end of its imports to the last byte: in all, processor time, and its parts."""
QUERIES = {
    "cost by model": "SELECT model, sum(cost_usd) FROM model_calls WHERE counted GROUP BY ALL",
    "tool latency p99": "SELECT tool_name, quantile_cont(duration_ms, 0.99) FROM tool_calls GROUP BY ALL",
    "error rate of 5 minutes": """SELECT count(*) FILTER (status = 'error') / count(*) FROM steps
        WHERE kind IN ('model', 'tool') AND started_at BETWEEN TIMESTAMP '2026-11-21 12:00' AND TIMESTAMP '2026-11-21 12:05'""",
}


def main() -> None:
    """Print name, value and unit of each measure."""
    given = sys.argv[1:]
    count, days = int(given[0]) if given else SPANS_TOTAL, int(given[1]) if len(given) > 1 else DAYS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given[2]) if len(given) > 2 else Path(temporary) / "lake"
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for name, value, unit in measures(folder, count, days):
            print(f"{name:<72}{value:>12,.1f} {unit}", flush=True)
        print(f"load of the machine: {os.getloadavg()[0]:.1f}")


def measures(data: Path, count: int = SPANS_TOTAL, days: int = DAYS) -> Iterator[tuple[str, float, str]]:
    """Each measure's name, value and unit; `data` is an empty folder, or has a lake."""
    if not (data / "catalog.sqlite").exists():
        write_days(data, count, days)
    yield "open a lake", median(lambda: Lake.open(data).close()), "ms"
    with Lake.open(data, clock=lambda: END_NS) as lake:
        yield from _one_run(lake, f"out of {count:,} spans over {days} days")
        yield from _many(lake, f"of a day of {count // days:,} spans")


def _one_run(lake: Lake, label: str) -> Iterator[tuple[str, float, str]]:
    page = page_runs(lake, RunFilter(since=first_day(), limit=5_000))
    run_id = page.rows[-1]["run_id"]
    yield f"one run of {page.rows[-1]['steps']} steps {label}", median(lambda: reconstruct(lake, run_id)), "ms"
    yield f"one run of {LONG_STEPS:,} steps {label}", median(lambda: reconstruct(lake, LONG_RUN)), "ms"
    parts = ("in all", "processor time", "opening the lake", "reconstructing", "printing")
    for part, taken in zip(parts, _command(lake.data, run_id), strict=True):
        yield f"auditlake run, a new process after its imports: {part}", taken, "ms"


def _many(lake: Lake, label: str) -> Iterator[tuple[str, float, str]]:
    day, from_ns = RunFilter(since=first_day()), END_NS - DAY_NS
    yield f"list of the newest 50 runs {label}", median(lambda: page_runs(lake, day)), "ms"
    every = "SELECT count(*), count(COLUMNS(*)) FROM runs"
    yield f"every run with every column {label}", median(lambda: lake.sql(every, from_ns=from_ns), times=3), "ms"
    for name, text in QUERIES.items():
        yield f"{name} {label}", median(lambda: lake.query(text, from_ns=from_ns)), "ms"  # noqa: B023


def median(measured: Callable[[], object], *, times: int = TIMES) -> float:
    """Milliseconds, after one that is not counted; what is returned is given back outside of them."""
    measured()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        answer = measured()
        taken.append(time.perf_counter() - started)
        del answer
    return sorted(taken)[times // 2] * 1e3


def _command(data: Path, run_id: str) -> list[float]:
    """Milliseconds of each part, after one process that is not counted."""
    arguments = [sys.executable, "-c", RUN_COMMAND, str(data), run_id]
    taken = [subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split() for _ in range(TIMES + 1)][1:]
    return [sorted(float(values[place]) for values in taken)[TIMES // 2] * 1e3 for place in range(len(taken[0]))]


if __name__ == "__main__":
    main()
