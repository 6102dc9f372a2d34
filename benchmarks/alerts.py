"""How many alert rules keep their interval, and how soon a bad event is told: `python -m benchmarks.alerts [LAKE] [--json FILE]`.

*Rules × series*: rules over windows of five and fifteen minutes, each of which counts about as many series as it is told (label sets of one
rule) and raises an alert for one of a hundred; in twenty groups, all due at the same instant, with the state committed and the
dispatcher told, as the alert process does it. LAKE is one of `benchmarks.lakes` (10 M spans over ten days, say); nothing is written into
it. Without LAKE one of a million spans is made. The largest number is that whose slower of two rounds ends within the interval.

*From a bad event to a webhook*: a collector and the alert process on one machine, rules every five seconds, a route without `group_wait`;
the clock starts when the event is sent, and stops when the webhook has it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, Final

from benchmarks.ingest import Measure, audit_event, measure
from benchmarks.lakes import END_NS, write_days

INTERVAL: Final = timedelta(seconds=30)
COUNTS: Final = (50, 100, 250, 500, 1_000, 2_000, 4_000)
SERIES: Final = 1_000
ALONE: Final = 20
"""Rules that are also measured without tables that they share."""
GROUPS: Final = 20
EVENTS: Final = 8
END_INTERVAL: Final = timedelta(seconds=5)
SHAPES: Final = (
    "SELECT {by}, avg(CASE WHEN status = 'error' THEN 1.0 ELSE 0.0 END) AS value FROM tool_calls {since} GROUP BY ALL",
    "SELECT {by}, quantile_cont(duration_ms, 0.95) AS value FROM tool_calls {since} GROUP BY ALL",
    "SELECT {by}, sum(cost_usd) AS value FROM model_calls {since} AND counted GROUP BY ALL",
    "SELECT {by}, count(*)::DOUBLE AS value FROM steps {since} GROUP BY ALL",
)
RULE: Final = """
      - alert: Rule{number}
        expr: |
          SELECT series, value FROM ({shape}) WHERE hash(series, {number}) % 100 = 0
        for: 1m
        labels: {{severity: warning}}
        annotations: {{summary: "series {{{{ labels.series }}}} is at {{{{ value | number }}}}"}}
"""
CONFIG: Final = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}, http: {{endpoint: "127.0.0.1:0"}}}}}}}}
processors: {{memory_limiter: {{limit_mib: 512, spike_limit_mib: 64}}, redaction: {{}}}}
exporters: {{parquet: {{path: unused, seal_interval: 1s, node: bench}}}}
extensions:
  alerts:
    rules: ["{rules}"]
    interval: {interval}
    route: {{receiver: on-call, group_by: ["..."], group_wait: 0s, group_interval: 1s}}
    receivers: [{{name: on-call, webhook_configs: [{{url: "{url}"}}]}}]
service:
  extensions: [alerts]
  pipelines:
    traces: {{receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}}
    logs: {{receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}}
    metrics: {{receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}}
"""
BAD: Final = """
groups:
  - name: bad
    lookback: 15m
    rules:
      - alert: Bad
        expr: SELECT message, count(*) AS value FROM audit_actions WHERE message LIKE 'bad %' GROUP BY ALL
        labels: {severity: critical}
"""


def main() -> None:
    """Print a line a measure, and write the JSON when asked for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("lake", type=Path, nargs="?", help="a lake of benchmarks.lakes")
    options.add_argument("--series", type=int, default=SERIES, help="label sets that a rule counts")
    options.add_argument("--most", type=int, default=COUNTS[-1], help="most rules that are tried")
    options.add_argument("--only", choices=("rules", "webhook"), help="measure only this")
    options.add_argument("--json", type=Path, help="also write the measures to this file")
    chosen = options.parse_args()
    rows = []
    for row in measures(chosen.lake, chosen.series, chosen.most, chosen.only):
        rows.append(row)
        print(f"{row['phase']:<44}{row['what']:<52}{row['value']:>12,.2f} {row['unit']}", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=2) + "\n")


def measures(lake: Path | None, series: int, most: int, only: str | None) -> Iterator[Measure]:
    """Yield every measure."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if only != "webhook":
            if lake is None:
                lake = folder / "lake"
                write_days(lake, 1_000_000, 1)
            yield from capacity(lake, folder, series, [count for count in COUNTS if count <= most])
        if only != "rules":
            yield from end_to_end(folder)


def capacity(data: Path, folder: Path, series: int, counts: list[int]) -> Iterator[Measure]:
    """Evaluate more and more rules, until two rounds of them take longer than the interval."""
    kept = 0
    alone = one_count(data, folder / "alone", ALONE, series, shared=False)
    yield measure(f"{ALONE} rules × {series:,} series", "a rule, without tables that rules share", alone["seconds"] / ALONE * 1e3, "ms")
    for count in counts:
        found = one_count(data, folder / str(count), count, series, shared=True)
        phase = f"{count:,} rules × {series:,} series"
        yield measure(phase, "slower of two rounds", found["seconds"], "s")
        yield measure(phase, "processor time of it", found["processor"], "s")
        yield measure(phase, "a rule", found["seconds"] / count * 1e3, "ms")
        yield measure(phase, "alerts", found["alerts"], "")
        yield measure(phase, "most memory so far", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")
        if found["seconds"] > INTERVAL.total_seconds():
            break
        kept = count
    yield measure("rules × series", f"most that were tried and keep {INTERVAL.total_seconds():.0f} s", kept * series, "series")


def one_count(data: Path, folder: Path, count: int, series: int, *, shared: bool) -> dict[str, float]:
    """Evaluate so many rules for three rounds; seconds, processor time and alerts of the slower of the last two."""
    from alerts.dispatch import Dispatcher
    from alerts.enrichment import Enricher
    from alerts.groups import Context, GroupRunner
    from alerts.routing import Routing, everything
    from alerts.rules import load_rules
    from alerts.scheduler import LAKE_MEMORY_MIB
    from alerts.state import AlertStore
    from storage.lake import Lake
    from storage.sharing import SharedTables

    folder.mkdir()
    rules = folder / "rules.yaml"
    rules.write_text(rule_file(count, series))
    now = datetime.fromtimestamp(END_NS / 1e9, UTC) - 4 * INTERVAL
    store = AlertStore.open(folder)
    with Lake.open(data, memory_limit_mib=LAKE_MEMORY_MIB, threads=1, clock=lambda: END_NS) as lake:
        context = Context(
            data=folder,
            lake=lake,
            store=store,
            notifier=Dispatcher(store, Routing(route=everything(["nobody"])), [], external_url="http://lake.test"),
            clean=lambda items: [text for text, _ in items],
            interval=INTERVAL,
            query_offset=timedelta(seconds=3),
            stop=threading.Event(),
            sharing=SharedTables(lake) if shared else None,
            enrich=Enricher(clean=lambda items: [text for text, _ in items], external_url="http://lake.test"),
        )
        runner = GroupRunner(context, load_rules([rules]))
        rounds = []
        for number in range(2 if not shared else 3):
            begun, used = time.perf_counter(), time.process_time()
            runner.tick(now + number * INTERVAL)
            rounds.append((time.perf_counter() - begun, time.process_time() - used))
    errors = [status.error for status in store.rules() if status.error]
    alerts = sum(len(found) for found in store.alerts().values())
    store.close()
    if errors:
        sys.exit(f"a rule failed: {errors[0]}")
    seconds, processor = max(rounds[1:])
    return {"seconds": seconds, "processor": processor, "alerts": alerts}


def rule_file(count: int, series: int) -> str:
    """Return rules of four shapes over two windows, each unlike the others."""
    groups = []
    for group in range(min(GROUPS, count)):
        window = "15m" if group % 2 else "5m"
        since = f"WHERE started_at > $eval_ts - INTERVAL {window[:-1]} MINUTE AND started_at <= $eval_ts"
        by = f"'s' || hash(record_id) % {series} AS series"
        rules = [
            RULE.format(number=number, shape=SHAPES[number // GROUPS % len(SHAPES)].format(by=by, since=since))
            for number in range(group, count, GROUPS)
        ]
        groups.append(f"  - name: g{group}\n    lookback: {window}\n    rules:{''.join(rules)}")
    return "groups:\n" + "\n".join(groups)


def end_to_end(folder: Path) -> Iterator[Measure]:
    """Send bad events at odd moments and wait for each at the webhook."""
    from tests.collector_process import CollectorProcess

    received: Queue[tuple[float, Any]] = Queue()
    with _webhook(received) as url, CollectorProcess(folder, node="bench", interval="1s") as collector:
        rules, config = folder / "bad.yaml", folder / "alerts.yaml"
        rules.write_text(BAD)
        config.write_text(CONFIG.format(rules=rules, url=url, interval=f"{END_INTERVAL.total_seconds():.0f}s"))
        collector.post("logs", audit_event("a first one, so that there is a lake"))
        words = [sys.executable, "-m", "cli", "alerts", "run", "--config", str(config), "--data", str(collector.data)]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        try:
            seconds = [taken for number in range(EVENTS + 1) if (taken := _told(collector, received, number)) and number]
        finally:
            process.terminate()
            process.wait(20)
    phase = f"bad event → webhook, rules every {END_INTERVAL.total_seconds():.0f} s"
    yield measure(phase, f"median of {len(seconds)}", sorted(seconds)[len(seconds) // 2], "s")
    yield measure(phase, "longest", max(seconds), "s")
    yield measure(phase, "goal: interval + 5 s", END_INTERVAL.total_seconds() + 5, "s")


def _told(collector: Any, received: "Queue[tuple[float, Any]]", number: int) -> float:
    """Send a bad event and return the seconds until the webhook had it."""
    time.sleep(0.7 * number)  # another moment of the interval each time
    sent = time.time()
    collector.post("logs", audit_event(f"bad event {number}"))
    while True:
        at, body = received.get(timeout=60)
        if any(alert["labels"].get("message") == f"bad event {number}" for alert in body["alerts"]):
            return at - sent


class _webhook:  # noqa: N801 - a context manager
    """A server on loopback that puts what it gets into a queue, with the time."""

    def __init__(self, received: "Queue[tuple[float, Any]]") -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.put((time.time(), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    main()
