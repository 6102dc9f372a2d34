"""Audit events, each of which somebody waits for: `python -m benchmarks.audit [--seconds N] [--phase NAME] [--json FILE]`, two minutes.

1,000 single events a second, open loop, over HTTP and over gRPC: alone, and beside 2,500 spans a second of bulk data. A server of
grpc.aio that does nothing takes the same calls at the end: what a collector over gRPC cannot be faster than. What an
acknowledgement cannot be faster than, a write of 4 kB and its fdatasync, is measured on the same disk before. Latencies are the senders';
what the collector itself measured, request in to durable, is read from the view `audit_writes` afterwards.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import psutil

from benchmarks.audit_bare import bare_server
from benchmarks.ingest import Measure, audit_event, latencies, measure, target
from benchmarks.load import Body, Load, Sent, generate
from storage.lake import Lake
from tests.collector_process import CollectorProcess, settle

EVENTS_PER_SECOND: Final = 1_000
SPANS_PER_SECOND: Final = 2_500
CONNECTIONS: Final = 16
SYNCS: Final = 1_000
REQUEST_SPANS: Final = (64, 512)
"""Spans of a bulk request: what an SDK's batch holds, and the most that it holds by default."""


def main() -> None:
    """Print the table, and write the JSON when asked for; exits 1 when an acknowledged event is not stored."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=15.0, help="length of each phase")
    options.add_argument("--phase", action="append", default=[], help="only phases with this in their name, or `bare`; may be repeated")
    options.add_argument("--json", type=Path, help="also write the measures to this file")
    chosen = options.parse_args()
    rows = []
    for row in measures(chosen.seconds, chosen.phase):
        rows.append(row)
        print(f"{row['phase']:<44}{row['what']:<44}{row['value']:>12,.2f} {row['unit']}", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(any(row["value"] for row in rows if row["what"] == "events stored − events acknowledged"))


def measures(seconds: float, chosen: Sequence[str] = ()) -> Iterator[Measure]:
    """Yield every measure; only of phases whose names hold one of `chosen`, when there are any."""
    with tempfile.TemporaryDirectory() as folder:
        yield from latencies("the disk", "write of 4 kB and fdatasync", syncs(Path(folder)))
    for protocol in ("http", "grpc"):
        names = {0: f"{protocol}, {EVENTS_PER_SECOND:,} events/s alone"}
        names |= {spans: f"{protocol}, beside {SPANS_PER_SECOND:,} spans/s, {spans} a request" for spans in REQUEST_SPANS}
        for spans, name in names.items():
            if not chosen or any(each in name for each in chosen):
                yield from phase(name, protocol, seconds, bulk_spans=spans)
    if not chosen or "bare" in chosen:
        yield from bare(seconds)


def bare(seconds: float) -> Iterator[Measure]:
    """What grpc.aio needs for the same calls when nothing is done with them: at the same rate, and as fast as acknowledgements come."""
    with bare_server() as (where, process):
        for name, rate in ((f"bare grpc.aio, {EVENTS_PER_SECOND:,} calls/s", EVENTS_PER_SECOND), ("bare grpc.aio, as fast as it goes", 0)):
            before = cpu_seconds(process)
            (sent,) = run([Load("grpc", where, seconds, rate, CONNECTIONS, spans=1, audit=True)])
            yield measure(name, "calls", sent.spans / sent.seconds, "calls/s")
            yield from latencies(name, "due → answered, by the sender", sent.latencies)
            yield measure(name, "processor time a call, server", (cpu_seconds(process) - before) / sent.spans * 1e6, "µs")
            yield measure(name, "processor time a call, sender", sent.cpu_seconds / sent.spans * 1e6, "µs")


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has used, without its children."""
    return sum(process.cpu_times()[:2])


def syncs(folder: Path) -> list[float]:
    """Return the seconds of each of many small durable appends."""
    seconds = []
    descriptor = os.open(folder / "appended", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _again in range(SYNCS):
        begun = time.perf_counter()
        os.write(descriptor, bytes(4096))
        os.fdatasync(descriptor)
        seconds.append(time.perf_counter() - begun)
    os.close(descriptor)
    return seconds


def phase(name: str, protocol: str, seconds: float, *, bulk_spans: int = 0) -> Iterator[Measure]:
    """Run one collector under audit events, and bulk data beside them."""
    with tempfile.TemporaryDirectory() as folder, CollectorProcess(Path(folder), node="bench", interval="1s") as collector:
        collector.post("traces", Body(0).patched())
        collector.post("logs", audit_event("call 212 555 0123"))  # the scanner is loaded then
        where = target(collector, protocol)
        loads = [Load(protocol, where.replace("traces", "logs"), seconds, EVENTS_PER_SECOND, CONNECTIONS, spans=1, audit=True)]
        if bulk_spans:
            loads.append(Load(protocol, where, seconds + 1, SPANS_PER_SECOND, 4, spans=bulk_spans))
        process = psutil.Process(collector.process.pid)
        before = cpu_seconds(process)
        events, *bulk = run(loads)
        used = cpu_seconds(process) - before
        collector.terminate(30)
        settle(collector.data)
        yield measure(name, "events acknowledged", events.spans / events.seconds, "events/s")
        yield measure(name, "requests refused", events.failures + sum(each.failures for each in bulk), "")
        yield from latencies(name, "due → acknowledged, by the sender", events.latencies)
        yield measure(name, "processor time an event, collector", used / events.spans * 1e6, "µs")
        yield measure(name, "processor time an event, sender", events.cpu_seconds / events.spans * 1e6, "µs")
        yield from as_counted(name, collector.data)
        with Lake.open(collector.data) as lake:
            stored = lake.sql("SELECT count(*) FROM events WHERE event_name = 'agent_action'").column(0)[0].as_py()
        yield measure(name, "events stored − events acknowledged", stored - 1 - events.spans, "")
        for each in bulk:
            yield measure(name, "spans acknowledged beside them", each.spans / each.seconds, "spans/s")


def run(loads: Sequence[Load]) -> list[Sent]:
    """Run a generator process for each load at the same time."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    for load in loads:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=generate, args=(load, theirs))
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    results: list[Sent] = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    return results


def as_counted(name: str, data: Path) -> Iterator[Measure]:
    """What the view of the objective says: the median report's percentiles, and the share within 20 ms of all."""
    with Lake.open(data) as lake:
        rows = lake.sql("SELECT p50_ms, p99_ms, writes, within_20ms FROM audit_writes WHERE class = 'audit' AND writes > 100").to_pylist()
    for what in ("p50_ms", "p99_ms"):
        yield measure(name, f"audit_writes: {what.removesuffix('_ms')}", statistics.median(row[what] for row in rows), "ms")
    yield measure(
        name, "audit_writes: within 20 ms", 100 * sum(row["within_20ms"] for row in rows) / sum(row["writes"] for row in rows), "%"
    )


if __name__ == "__main__":
    main()
