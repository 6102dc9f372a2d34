"""An hour of steady load: `python -m benchmarks.soak ingest [--minutes M] [--rate SPANS_PER_SECOND]`.

Half of the spans come over HTTP and half over gRPC, in an open loop, with 20 audit events a second beside them. Memory of the collector and
of each of its children, files and the WAL are looked at every ten seconds. Well is: the memory of none of them grows by more than 1 MiB in
ten minutes once the first quarter of its life is over, there are never more live files than compaction promises, every acknowledged record
is stored once, received = stored + rejected + deduplicated + quarantined in every entry, and the lake is whole. The result is written to
`benchmarks/results/soak-ingest.json`.
"""

import argparse
import contextlib
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.ingest import audit_event, target
from benchmarks.load import Load, Sent, generate
from storage.catalog import Catalog
from storage.lake import Lake
from tests.collector_process import CollectorProcess, settle
from tests.lake_checks import lake_problems

RESULT: Final = Path(__file__).parent.parent / "results/soak-ingest.json"
EVERY_SECONDS: Final = 10.0
EVENTS_PER_SECOND: Final = 20
WINDOW_SECONDS: Final = 450
SLOPE_MIB: Final = 1.0
"""How much the memory of a process may grow in ten minutes."""
FILES: Final = 23 + 60 + 60 + 19
"""Live files of a table, date and origin (storage/compaction_plan.py), and what is sealed while a merge waits for its turn."""


@dataclass(slots=True)
class Series:
    """What was seen, one value a sample."""

    seconds: list[float] = field(default_factory=list)
    rss: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # by process: (seconds, MiB)
    files: list[int] = field(default_factory=list)  # of the (table, date, origin) that has most
    retired: list[int] = field(default_factory=list)
    wal_mib: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)


def main(arguments: Sequence[str]) -> bool:
    """Run; returns whether all is well."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak ingest", description=__doc__)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--rate", type=int, default=5_000, help="spans a second")
    options.add_argument("--json", type=Path, default=RESULT, help="where the result is written")
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, CollectorProcess(Path(folder), node="soak", interval="1s") as collector:
        collector.post("logs", audit_event("call 212 555 0123"))  # the scanner is loaded then
        seconds = chosen.minutes * 60
        loads = [
            Load("http", target(collector, "http"), seconds, chosen.rate // 2, 2),
            Load("grpc", target(collector, "grpc"), seconds, chosen.rate // 2, 2),
            Load("http", target(collector, "http").replace("traces", "logs"), seconds, EVENTS_PER_SECOND, 2, spans=1, audit=True),
        ]
        series = Series()
        sent = watched(loads, collector, series)
        collector.terminate(60)
        settle(collector.data)
        result = seen(chosen, series, sent)
        write(chosen.json, {**result, "problems": [*result["problems"], "the lake was not checked"]})  # an hour is not lost with the check
        result["problems"] += lost(sent, collector.data)
    write(chosen.json, result)
    print(json.dumps({key: value for key, value in result.items() if key != "series"}, indent=1))
    return not result["problems"]


def watched(loads: Sequence[Load], collector: CollectorProcess, series: Series) -> list[Sent]:
    """Run the generators, and take a sample every ten seconds until they have ended."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    for load in loads:
        ours, theirs = context.Pipe(duplex=False)
        context.Process(target=generate, args=(load, theirs), daemon=True).start()
        theirs.close()
        pipes.append(ours)
    begun = time.monotonic()
    while not all(pipe.poll() for pipe in pipes):
        time.sleep(EVERY_SECONDS)
        sample(series, time.monotonic() - begun, collector)
    return [pipe.recv() for pipe in pipes]


def sample(series: Series, seconds: float, collector: CollectorProcess) -> None:
    """Look at the processes and the files once."""
    main_process = psutil.Process(collector.process.pid)
    series.seconds.append(round(seconds, 1))
    series.descriptors.append(main_process.num_fds())
    for name, process in {"collector": main_process, **children(main_process)}.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            series.rss.setdefault(name, []).append((seconds, process.memory_info().rss / (1 << 20)))
    with closing(Catalog.open(collector.data, read_only=True)) as catalog:
        groups = [(file.table_name, file.date, file.origin) for file in catalog.live_files()]
        series.files.append(max(map(groups.count, set(groups)), default=0))
        series.retired.append(len(catalog.retired_files()))
    series.wal_mib.append(round(sum(map(size_bytes, (collector.data / "wal").rglob("*.*"))) / (1 << 20), 2))
    if len(series.seconds) % 30 == 0:
        print(f"{seconds / 60:.0f} min: {series.rss['collector'][-1][1]:.1f} MiB, {series.files[-1]} files", file=sys.stderr, flush=True)


def size_bytes(path: Path) -> int:
    """Return a file's size, 0 when it was sealed meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def children(collector: psutil.Process) -> dict[str, psutil.Process]:
    """Return each child by what it is and its id: one that takes another's place is another series."""
    found: dict[str, psutil.Process] = {}
    for child in collector.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
            found[f"{'scanner' if 'redaction.scanner' in ' '.join(child.cmdline()) else child.name()} {child.pid}"] = child
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the growth in MiB in ten minutes: least squares over the medians of windows, after the first quarter of its life.

    Memory goes up and down by a hundred MiB every few minutes, as segments are sealed and files merged: a window is longer than that. A
    process that did not live for three of them has no growth.
    """
    first, last = points[0][0], points[-1][0]
    begin, window = first + (last - first) / 4, min(WINDOW_SECONDS, last / 8)
    newest = round((last - begin) / window) - 1
    windows: dict[int, list[float]] = {}
    for seconds, mib in points:
        if seconds >= begin:
            windows.setdefault(min(int((seconds - begin) // window), newest), []).append(mib)
    medians = [statistics.median(values) for _, values in sorted(windows.items())]
    return statistics.linear_regression(range(len(medians)), medians).slope * 600 / window if len(medians) > 2 else 0.0


def leaks(growth: Mapping[str, float]) -> list[str]:
    """Return what is wrong with how much each process grows in ten minutes, in MiB."""
    return [f"{name}: memory grows by {mib} MiB in ten minutes" for name, mib in growth.items() if mib > SLOPE_MIB]


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write the result down."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def lost(sent: Sequence[Sent], data: Path) -> list[str]:
    """Return what is wrong with the lake, and with what it has of what was acknowledged."""
    http, grpc, events = sent
    problems = lake_problems(data)
    with Lake.open(data) as lake:
        stored_spans = lake.sql("SELECT count(*) FROM spans").column(0)[0].as_py()
        stored_events = lake.sql("SELECT count(*) FROM events WHERE event_name = 'agent_action'").column(0)[0].as_py()
        unbalanced = (
            lake.sql("SELECT count(*) FROM ingest_log WHERE received <> stored + rejected + deduplicated + quarantined")
            .column(0)[0]
            .as_py()
        )
    missing = {"spans": http.spans + grpc.spans - stored_spans, "events": events.spans + 1 - stored_events}
    problems += [f"{what}: {number} acknowledged and not stored once" for what, number in missing.items() if number]
    return problems + ([f"{unbalanced} entries whose counters do not balance"] if unbalanced else [])


def seen(chosen: argparse.Namespace, series: Series, sent: Sequence[Sent]) -> dict[str, Any]:
    """Return the result before the lake is checked, its `problems` empty when all is well."""
    http, grpc, events = sent
    growth = {name: round(slope(points), 3) for name, points in series.rss.items()}
    problems = leaks(growth)
    problems += [f"{max(series.files)} live files of one table, date and origin"] if max(series.files) > FILES else []
    latencies = sorted(events.latencies)
    return {
        "soak": "ingest",
        "commit": git("rev-parse", "HEAD"),
        "changed_since": git("status", "--porcelain", "--", "collector", "redaction", "storage").splitlines(),
        "minutes": chosen.minutes,
        "spans_acknowledged": http.spans + grpc.spans,
        "spans_per_second": round((http.spans + grpc.spans) / http.seconds, 1),
        "events_acknowledged": events.spans,
        "requests_refused": sum(each.failures for each in sent),
        "event_ack_ms": {
            "p50": round(latencies[len(latencies) // 2] * 1e3, 2),
            "p99": round(latencies[len(latencies) * 99 // 100] * 1e3, 2),
        },
        "rss_growth_mib_per_10_minutes": growth,
        "rss_mib_at_most": {name: round(max(value for _, value in points), 1) for name, points in series.rss.items()},
        "live_files_of_a_table_at_most": max(series.files),
        "retired_files_at_most": max(series.retired),
        "wal_mib_at_most": max(series.wal_mib),
        "descriptors_at_most": max(series.descriptors),
        "problems": problems,
        "series": {
            "seconds": series.seconds[::6],
            **{f"{name}_mib": [round(value, 1) for _, value in points[::6]] for name, points in series.rss.items()},
            "live_files": series.files[::6],
            "wal_mib": series.wal_mib[::6],
        },
    }


def git(*arguments: str) -> str:
    """Return what git says of this repository."""
    return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
