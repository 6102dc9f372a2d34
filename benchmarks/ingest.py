"""Durable, redacted ingest end to end: `python -m benchmarks.ingest [--seconds N] [--workers N] [--rate N] [--json FILE]`, three minutes.

Real OTLP from a generator process into a collector process, on this machine's cores, generator included. Eight phases: 5,000 spans a
second over HTTP (latencies, freshness, memory), as fast as acknowledgements come over HTTP and over gRPC (throughput), and so over HTTP
while a backend that everything is forwarded to is away, with prompts of 10 kB, and with personal data in 5 % of the spans: every text new
at 10,000 a second, conversations that repeat, and every text new again. Beside the spans, single audit events are sent five times a
second: their acknowledgement and the time until a query shows them are measured. `benchmarks.audit` measures many of them.

`--target` drives a server that runs already, over HTTP or gRPC, and counts what it has persisted: `--count-sql`, `--count-cmd`. What can
be known of a server from outside has the names that it has in a phase. `benchmarks.peers` starts other servers, in turn with ours.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.load import BODIES, SPANS, Body, Load, Sent, generate
from benchmarks.peers import Count, add_target, counted_by, drive, refuse_headers_of_grpc
from collector.redact import Walker
from collector.signals import LOGS, TRACES
from redaction.findings import Cleaned
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor
from storage.catalog import Catalog
from storage.lake import Lake
from tests.collector_process import CollectorProcess, settle

PACED_SPANS_PER_SECOND = 5_000
PROBE_SECONDS = 0.2
VISIBLE_SECONDS = 60.0
KEY = b"benchmark" * 4
LETTERS = str.maketrans("0123456789", "ghijklmnop")
"""Ids without digits: what might be a number goes to the scanner, which is measured in benchmarks.redaction."""
UNBALANCED = "spans stored − spans acknowledged"
UNSEEN = "audit events that no query showed"
Measure = dict[str, float | str]


class Probe:
    """Single audit events beside the load: how fast they are durable, and when a query shows them."""

    def __init__(self, collector: CollectorProcess) -> None:
        self._collector = collector
        self._pending: dict[str, float] = {}
        self.acks: list[float] = []
        self.visible: list[float] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._look)]

    def __enter__(self) -> "Probe":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def missing(self) -> int:
        """Events that no query has shown in time."""
        return len(self._pending)

    def _send(self) -> None:
        url = f"http://127.0.0.1:{self._collector.ports['http']}/v1/logs"
        with httpx.Client(headers={"content-type": "application/x-protobuf"}, timeout=60) as client:
            while not self._stop.wait(PROBE_SECONDS):
                name = f"probe-{uuid.uuid4().hex.translate(LETTERS)}"
                body = audit_event(name)
                begun = time.monotonic()
                client.post(url, content=body).raise_for_status()
                self.acks.append(time.monotonic() - begun)
                self._pending[name] = time.monotonic()

    def _look(self) -> None:
        """Query whenever the catalog has changed, until nothing is missing."""
        while not (self._collector.data / "catalog.sqlite").exists():
            time.sleep(0.1)
        with Lake.open(self._collector.data) as lake:
            seen, ended = -1, 0.0
            while not self._stop.is_set() or (self._pending and time.monotonic() - ended < VISIBLE_SECONDS):
                ended = ended if self._stop.is_set() and ended else time.monotonic()
                if (version := lake.version) == seen or not self._pending:
                    time.sleep(0.05)
                    continue
                seen = version
                since = time.time_ns() - 120 * 10**9
                rows = lake.sql("SELECT body FROM events WHERE body LIKE 'probe-%'", from_ns=since)
                now = time.monotonic()
                for name in set(rows.column("body").to_pylist()) & set(self._pending):
                    self.visible.append(now - self._pending.pop(name))


class Usage:
    """Memory and processor time of the collector, which is the processes that receive, and with all others."""

    def __init__(self, collector: CollectorProcess) -> None:
        self._main = psutil.Process(collector.process.pid)
        workers = [psutil.Process(worker["pid"]) for worker in collector.health().json().get("workers", ())]
        self._receiving = workers or [self._main]
        self._cpu = self._seconds()
        self.peak_bytes = 0
        self.peak_all_bytes = 0

    def sample(self) -> None:
        """Remember the highest memory; of one process, and of all."""
        self.peak_bytes = max(self.peak_bytes, *(process.memory_info().rss for process in self._receiving))
        everything = sum(process.memory_info().rss for process in (self._main, *self._main.children(recursive=True)))
        self.peak_all_bytes = max(self.peak_all_bytes, everything)

    def cpu_seconds(self) -> tuple[float, float]:
        """Processor time since the start: of the collector alone, and with its children."""
        now = self._seconds()
        return now[0] - self._cpu[0], now[1] - self._cpu[1]

    def _seconds(self) -> tuple[float, float]:
        everything = (self._main, *self._main.children(recursive=True))
        own, total = (sum(sum(process.cpu_times()[:2]) for process in processes) for processes in (self._receiving, everything))
        return own, total


def audit_event(text: str) -> bytes:
    """A request with one audit event."""
    message = LOGS.request()
    record = message.resource_logs.add().scope_logs.add().log_records.add(event_name="agent_action")
    record.time_unix_nano, record.body.string_value = time.time_ns(), text
    return bytes(message.SerializeToString())


def phase(folder: Path, name: str, seconds: float, options: Mapping[str, Any], workers: int) -> Iterator[Measure]:
    """Run one collector under one load and yield what was measured."""
    protocol = options["protocol"]
    process = CollectorProcess(folder, node="bench", interval="1s", workers=workers)
    if options.get("away"):
        forward_to_nobody(process.config)
    with process as collector:
        collector.post("traces", Body(0).patched())  # what everyone repeats is known then
        collector.post("logs", audit_event("call 212 555 0123"))  # and the scanner is loaded
        chosen = {key: value for key, value in options.items() if key != "away"}
        load = Load(target=target(collector, protocol), seconds=seconds, connections=4 * workers, **chosen)
        usage = Usage(collector)
        with Probe(collector) as probe:
            sent = run(load, usage)
            acknowledged = time.monotonic()
            own_cpu, all_cpu = usage.cpu_seconds()
            backlog_seconds = wait_until_sealed(collector.data, acknowledged)
        collector.terminate(30)
        yield from throughput(name, load, sent)
        yield measure(name, "acknowledged and sealed", sent.spans / (sent.seconds + backlog_seconds), "spans/s")
        yield measure(name, "sealed completely after the last acknowledgement", backlog_seconds, "s")
        yield from latencies(name, "audit event beside it, in → acknowledged", probe.acks)
        yield from latencies(name, "audit event, acknowledged → visible in a query", probe.visible)
        yield measure(name, UNSEEN, probe.missing, "")
        yield measure(name, "processor time a span, collector", own_cpu / sent.spans * 1e6, "µs")
        yield measure(name, "processor time a span, with its children", all_cpu / sent.spans * 1e6, "µs")
        yield measure(
            name, "memory, collector (the largest worker)" if workers > 1 else "memory, collector", usage.peak_bytes / (1 << 20), "MiB"
        )
        yield measure(name, "memory, with its children", usage.peak_all_bytes / (1 << 20), "MiB")
        settle(collector.data)
        yield from sizes(name, collector.data, sent.spans + SPANS)
    if load.findings:
        yield measure(name, "texts that were known (look-ups that hit)", 100 * asyncio.run(known_share(load)), "%")


def forward_to_nobody(config: Path) -> None:
    """Have everything forwarded to a port at which nobody listens."""
    exporter = "  otlp_grpc/away: {endpoint: 127.0.0.1:1, tls: {insecure: true}}\n"
    text = config.read_text().replace("exporters:\n", f"exporters:\n{exporter}", 1)
    config.write_text(text.replace("exporters: [parquet]", "exporters: [parquet, otlp_grpc/away]"))


def bytes_a_span(load: Load) -> float:
    """Return the OTLP bytes of a span of this load."""
    return Body(0, findings=load.findings, spans=load.spans, prompt_bytes=load.prompt_bytes).size_bytes / load.spans


def target(collector: CollectorProcess, protocol: str) -> str:
    """Return where spans are sent to."""
    address = f"127.0.0.1:{collector.ports[protocol]}"
    return address if protocol == "grpc" else f"http://{address}/v1/traces"


class Counted(Redactor):
    """Counts how often a text was known."""

    lookups = hits = 0

    def lookup(self, text: str, key: str | None, *, subject: str | None = None) -> Cleaned | None:
        known = super().lookup(text, key, subject=subject)
        self.lookups += 1
        self.hits += known is not None
        return known


async def known_share(load: Load) -> float:
    """Return how many of a load's texts are known on sight, once every conversation was seen."""
    bodies = [Body(number, fresh_every=load.fresh_every, findings=load.findings) for number in range(BODIES)]
    with tempfile.TemporaryDirectory() as folder:
        redactor = Counted(RedactionConfig(), pseudonym_key=KEY, cache_folder=Path(folder))
        walker = Walker(redactor, id_key=KEY)
        for _again in range(2):
            redactor.lookups = redactor.hits = 0
            for body in bodies:
                message = TRACES.request()
                message.ParseFromString(body.patched())
                await walker.clean(TRACES, message)
        await redactor.close()
    return redactor.hits / redactor.lookups


def run(load: Load, usage: Usage) -> Sent:
    """Run the generator and sample memory meanwhile."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    generator = context.Process(target=generate, args=(load, theirs))
    generator.start()
    theirs.close()
    while not ours.poll(0.25):
        usage.sample()
    sent: Sent = ours.recv()
    generator.join()
    return sent


def wait_until_sealed(data: Path, acknowledged: float) -> float:
    """Return how long after the last acknowledgement everything was sealed."""
    while any((data / "wal").rglob("*.wal")) or any(path.stat().st_size > 16 for path in (data / "wal").rglob("*.open")):
        if time.monotonic() - acknowledged > VISIBLE_SECONDS:
            break
        time.sleep(0.05)
    return time.monotonic() - acknowledged


def of_target(load: Load, count: Count) -> Iterator[Measure]:
    """Drive a server that runs already, and yield what can be known of it from outside."""
    name = f"{load.protocol}, a target"
    result = drive(load, count)
    yield from throughput(name, load, result.sent)
    yield measure(name, "persisted", result.rows, "rows")
    yield measure(name, "acknowledged and persisted", result.rate, "rows/s")
    yield measure(name, "persisted completely after the last acknowledgement", max(0.0, result.seconds - result.sent.seconds), "s")
    yield measure(name, UNBALANCED, result.rows - result.acknowledged, "")


def throughput(name: str, load: Load, sent: Sent) -> Iterator[Measure]:
    """What the generator saw, whoever the server is."""
    size = bytes_a_span(load)
    yield measure(name, "acknowledged", sent.spans / sent.seconds, "spans/s")
    yield measure(name, "acknowledged bytes", sent.spans * size / sent.seconds / 1e6, "MB/s")
    yield measure(name, "OTLP bytes a span as sent", size, "B")
    yield measure(name, "requests refused", sent.failures, "")
    yield from latencies(name, f"request of {load.spans} spans, in → acknowledged", sent.latencies)
    yield measure(name, "processor time a span, generator", sent.cpu_seconds / max(sent.spans, 1) * 1e6, "µs")


def latencies(name: str, what: str, seconds: Sequence[float]) -> Iterator[Measure]:
    ordered = sorted(seconds) or [float("nan")]
    yield measure(name, f"{what}: p50", statistics.median(ordered) * 1e3, "ms")
    yield measure(name, f"{what}: p99", ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3, "ms")
    yield measure(name, f"{what}: max", ordered[-1] * 1e3, "ms")


def sizes(name: str, data: Path, spans: int) -> Iterator[Measure]:
    catalog = Catalog.open(data, read_only=True)
    files = catalog.live_files("spans")
    catalog.close()
    stored = sum(file.rows for file in files)
    yield measure(name, "stored bytes a span", sum(file.bytes for file in files) / max(stored, 1), "B")
    yield measure(name, "live span files", len(files), "")
    yield measure(name, UNBALANCED, stored - spans, "")


def measure(phase_name: str, what: str, value: float, unit: str) -> Measure:
    return {"phase": phase_name, "what": what, "value": round(value, 3), "unit": unit}


PHASES: dict[str, dict[str, Any]] = {
    f"http, {PACED_SPANS_PER_SECOND:,} spans/s": {"protocol": "http", "rate": PACED_SPANS_PER_SECOND},
    "http, as fast as it goes": {"protocol": "http", "rate": 0},
    "grpc, as fast as it goes": {"protocol": "grpc", "rate": 0},
    "http, a backend away": {"protocol": "http", "rate": 0, "away": True},
    "prompts of 10 kB": {"protocol": "http", "rate": 0, "spans": 64, "prompt_bytes": 10_000},
    "findings, every text new, 10,000 spans/s": {"protocol": "http", "rate": 10_000, "findings": True, "fresh_every": 1},
    "findings, conversations": {"protocol": "http", "rate": 0, "findings": True},
    "findings, every text new": {"protocol": "http", "rate": 0, "findings": True, "fresh_every": 1},
}


def measures(seconds: float, chosen: Sequence[str], workers: int = 1, rate: int | None = None) -> Iterator[Measure]:
    """Yield every measure of the phases whose names hold one of `chosen`; of all when there is none. `rate`: not each phase's own."""
    for name, options in PHASES.items():
        if not chosen or any(each in name for each in chosen):
            with tempfile.TemporaryDirectory() as folder:
                yield from phase(Path(folder), name, seconds, options if rate is None else {**options, "rate": rate}, workers)


def chosen_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; ends with a message when they do not go together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each phase")
    parser.add_argument("--phase", action="append", default=[], help="only phases with this in their name; may be repeated")
    parser.add_argument("--workers", type=int, help="receiving processes of the collector; 1 by default")
    parser.add_argument("--rate", type=int, help="spans a second, in place of what the phase says; 0: as fast as acknowledgements come")
    parser.add_argument("--json", type=Path, help="also write the measures to this file")
    add_target(parser, "drive this server instead: a URL, or HOST:PORT over gRPC (benchmarks/peers.md)", required=False)
    chosen = parser.parse_args(arguments)
    counts = chosen.count_sql or chosen.count_cmd
    if chosen.target is None:
        if counts or chosen.header or chosen.request_spans:
            parser.error("--count-sql, --count-cmd, --header and --request-spans belong to a --target")
        return chosen
    if chosen.phase or chosen.workers is not None:
        parser.error("--phase and --workers belong to a collector that is started here: they do not go with --target")
    if not counts:
        parser.error("--target needs --count-sql 'URL QUERY' or --count-cmd 'COMMAND' (benchmarks/peers.md)")
    refuse_headers_of_grpc(parser, chosen)
    return chosen


def chosen_measures(chosen: argparse.Namespace) -> Iterator[Measure]:
    """Yield the measures of the target, or of the phases."""
    if chosen.target is None:
        return measures(chosen.seconds, chosen.phase, chosen.workers or 1, chosen.rate)
    size, headers = chosen.request_spans or SPANS, tuple(chosen.header)
    load = Load(*chosen.target, chosen.seconds, chosen.rate or 0, 4, spans=size, headers=headers)
    return of_target(load, counted_by(sql=chosen.count_sql, command=chosen.count_cmd))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write the JSON when asked for."""
    chosen = chosen_of(arguments)
    rows = []
    for row in chosen_measures(chosen):
        rows.append(row)
        print(f"{row['phase']:<26}{row['what']:<56}{row['value']:>14,.2f} {row['unit']}", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(1 if any(row["what"] in {UNBALANCED, UNSEEN} and row["value"] for row in rows) else 0)


if __name__ == "__main__":
    main()
