"""kill -9 at any time: a collector under load over HTTP and gRPC is killed again and again. `python -m benchmarks.soak kills [--kills N]`.

Senders behave like exporters: each sends a batch until it is acknowledged, and some send one again that was. The collector, or a child of
it, is killed at random times, while it starts too; in some rounds the disk of one of its processes is full, broken or read-only from some
call on. Every lake of some twenty kills is checked like those of the tests: whatever was acknowledged is there exactly once, and counters
balance. What is drawn follows from the seed; what it hits does not. The result goes to `benchmarks/results/soak-kills.json`.
"""

import argparse
import errno
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import httpx
import psutil

from benchmarks.soak.senders import Senders, batch
from collector.signals import TRACES
from storage.durable import Disk
from tests.lake_checks import lake_problems

if TYPE_CHECKING:
    from collector.listening import Ports

RESULT: Final = Path(__file__).parent.parent / "results/soak-kills.json"
KILLS_A_LAKE: Final = 30
START_SECONDS: Final = 60.0
LONGEST_SECONDS: Final = 1.5
FAULT: Final = "AUDITLAKE_SOAK_FAULT"
CONFIG: Final = """
# spans are acknowledged at once, log records when the scanner has loaded, which takes longer than many a collector lives here
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {endpoint: "127.0.0.1:0"}}}}
processors: {memory_limiter: {limit_mib: 512, spike_limit_mib: 64}, redaction: {}}
exporters: {parquet: {path: unused, node: soak, seal_interval: 200ms, compact_interval: 1s, retired_grace: 5s}}
extensions: {health_check: {endpoint: "127.0.0.1:0"}}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter], exporters: [parquet], allow_unredacted: true}
    logs: {receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}
    metrics: {receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}
"""
ERRORS: Final = {"full": errno.ENOSPC, "broken": errno.EIO, "read-only": errno.EROFS}
VICTIMS: Final = ("collector",) * 10 + ("starting collector",) * 6 + ("all",) * 2 + ("a child",) * 2
FORK: Final = multiprocessing.get_context("forkserver")
"""Everything is imported once: a restart costs a fork, and the processes that a collector starts itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """From its call number `after` on, `operation` fails in one of the processes; a write is torn."""

    process: str
    operation: str
    error: str
    after: int


@dataclass(slots=True)
class Tally:
    """What was done and seen, over all lakes."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    red: int = 0  # rounds in which a failed write turned health red and every answer into a refusal
    acknowledged: int = 0
    again: int = 0
    entries: Counter[str] = field(default_factory=Counter)
    ready_seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def collect(config: Path, data: Path, fault: Fault | None, announced: Any) -> None:
    """A collector; what it is forked from has imported everything."""
    import asyncio

    from cli.configuration import cache_folder
    from collector.config import load
    from collector.serving import Host, serve

    threading.Thread(target=_die_with_the_soak, daemon=True).start()
    os.environ[FAULT] = json.dumps(asdict(fault)) if fault else ""
    prepare("collector")

    def ready(ports: "Ports") -> None:
        announced.send(asdict(ports))

    host = Host(prepare_child=prepare, environ=os.environ, cache_folder=cache_folder())
    asyncio.run(serve(load(config, {}), data=data, host=host, on_ready=ready))


def _die_with_the_soak() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


def prepare(name: str) -> None:
    """Begin a process of a collector: say nothing, and fail as its fault has it."""
    import structlog

    structlog.configure(processors=[_drop])
    if os.environ[FAULT] and (fault := Fault(**json.loads(os.environ[FAULT]))).process == name:
        inject(fault)


def _drop(*_: Any) -> str:
    import structlog

    raise structlog.DropEvent


def inject(fault: Fault) -> None:
    """Have this process's disk fail."""
    original, calls = getattr(Disk, fault.operation), itertools.count()

    def failing(disk: Disk, *arguments: Any) -> Any:
        if next(calls) < fault.after:
            return original(disk, *arguments)
        if fault.operation == "write":
            descriptor, content = arguments
            original(disk, descriptor, content[: len(content) // 2])
        raise OSError(ERRORS[fault.error], os.strerror(ERRORS[fault.error]))

    setattr(Disk, fault.operation, failing)


def draw_fault(chance: Random) -> Fault | None:
    """In one round of five something fails."""
    if chance.random() > 0.2:
        return None
    process = chance.choice(("collector", "collector", "sealer", "compactor"))
    operation = chance.choice(("write", "sync") if process == "collector" else ("write", "sync", "replace", "unlink", "sync_directory"))
    return Fault(process, operation, chance.choice(list(ERRORS)), chance.randrange(3, 60))


def run_lake(folder: Path, chance: Random, kills: int, tally: Tally) -> None:
    """Kill a collector on one data directory so many times, then let it end in peace, and check what it leaves."""
    config, data = folder / "soak.yaml", folder / "data"
    config.write_text(CONFIG)
    senders = Senders(f"{chance.random()}")
    try:
        for _ in range(kills):
            run_round(config, data, chance, senders, tally)
        process, ports = start(config, data, None)
        senders.point_at(ports)
        senders.stop()
    except BaseException:
        senders.abandon()
        raise
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    if process.exitcode != 0:
        tally.problems.append(f"the last collector ended with {process.exitcode}")
    check(data, senders, tally)


def run_round(config: Path, data: Path, chance: Random, senders: Senders, tally: Tally) -> None:
    """Start a collector, and kill it or a child of it."""
    victim, seconds, fault = chance.choice(VICTIMS), chance.uniform(0, LONGEST_SECONDS), draw_fault(chance)
    tally.kills[victim] += 1
    if victim == "starting collector":
        process, _ = launch(config, data, None)
        time.sleep(seconds / 2)
        return end(process)
    if fault is not None:
        tally.faults[f"{fault.process} {fault.operation} {fault.error}"] += 1
    begun = time.monotonic()
    process, ports = start(config, data, fault)
    tally.ready_seconds.append(time.monotonic() - begun)
    senders.point_at(ports)
    time.sleep(seconds)
    if fault is not None and fault.process == "collector":
        tally.red += is_red(ports, tally)
    if victim == "a child":
        children = psutil.Process(process.pid).children()
        with suppress(psutil.Error):
            chance.choice(children).kill()
        time.sleep(seconds)
    return end(process, and_children=victim == "all")


def is_red(ports: dict[str, int], tally: Tally) -> bool:
    """Return whether the WAL failed; then health is red, and nothing is acknowledged."""
    answer = httpx.get(f"http://127.0.0.1:{ports['health']}/", timeout=10, trust_env=False)
    if answer.json()["components"]["wal"]["state"] == "ok":
        return False
    posted = httpx.post(f"http://127.0.0.1:{ports['http']}/v1/traces", content=batch(TRACES, ["refused"]), timeout=10, trust_env=False,
                        headers={"content-type": "application/x-protobuf"})  # fmt: skip
    if (answer.status_code, posted.status_code) != (503, 503):
        tally.problems.append(f"the WAL failed; health answered {answer.status_code}, a request {posted.status_code}")
    return True


def launch(config: Path, data: Path, fault: Fault | None) -> tuple[Any, Any]:
    announced, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=collect, args=(config, data, fault, theirs))
    process.start()
    theirs.close()
    return process, announced


def start(config: Path, data: Path, fault: Fault | None) -> tuple[Any, dict[str, int]]:
    """Start a collector and return it with its ports, once it takes requests."""
    process, announced = launch(config, data, fault)
    if not announced.poll(START_SECONDS):
        raise RuntimeError("the collector does not start")
    try:
        return process, announced.recv()
    except EOFError:
        if fault is None:
            raise RuntimeError("the collector ended while it started") from None
        process.join()  # its disk failed before it was ready: what it had to do is done by the next one
        return start(config, data, None)


def end(process: Any, *, and_children: bool = False) -> None:
    """kill -9."""
    children = psutil.Process(process.pid).children(recursive=True) if and_children and process.is_alive() else []
    process.kill()
    for child in children:
        with suppress(psutil.Error):
            child.kill()
    process.join()


def check(data: Path, senders: Senders, tally: Tally) -> None:
    """Compare what is stored with what was acknowledged, and verify the lake."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from collector.sealer import seal_pending
    from storage.catalog import Catalog

    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)  # what a busy machine had no time for
    tally.problems += lake_problems(data)
    stored: Counter[str] = Counter()
    with closing(Catalog.open(data, read_only=True)) as catalog:
        for file in catalog.live_files():
            if (column := {"spans": "name", "events": "body"}.get(file.table_name)) is not None:
                rows = pq.ParquetFile(data / file.path).read([column, "scope_name"])
                stored.update(rows.filter(pc.is_null(rows["scope_name"]))[column].to_pylist())  # not what the collector says of itself
        for entry in catalog.entries():
            for name in ("received", "stored", "rejected", "deduplicated", "quarantined", "resent"):
                tally.entries[name] += getattr(entry, name)
    acknowledged = Counter(senders.acknowledged)
    for wrong, found in (("lost", acknowledged - stored), ("stored twice", Counter(name for name, n in stored.items() if n > 1))):
        tally.problems += [f"{name}: {wrong}" for name in itertools.islice(found, 5)]
    tally.problems += [f"{name}: stored, but nobody was answered" for name in itertools.islice(stored.keys() - acknowledged.keys(), 5)]
    tally.acknowledged += acknowledged.total()
    tally.again += senders.again


def main(arguments: Sequence[str]) -> bool:
    """Run all; returns whether nothing was lost or doubled."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak kills", description=__doc__)
    options.add_argument("--kills", type=int, default=210, help="how many")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--json", type=Path, default=RESULT, help="where the result is written")
    chosen = options.parse_args(arguments)
    FORK.set_forkserver_preload(["collector.serving", "cli.configuration", "benchmarks.soak.kills"])
    begun, tally, chance = time.monotonic(), Tally(), Random(chosen.seed)
    while (left := chosen.kills - tally.kills.total()) > 0:
        known = len(tally.problems)
        with tempfile.TemporaryDirectory(prefix="auditlake-kills-") as folder:
            run_lake(Path(folder), chance, min(left, KILLS_A_LAKE), tally)
        print(*tally.problems[known:], sep="\n", end="")
        seconds = time.monotonic() - begun
        print(
            f"{tally.kills.total()} kills, {tally.acknowledged:,} records acknowledged, {len(tally.problems)} problems, {seconds:.0f} s",
            flush=True,
        )
    report(chosen.json, chosen.seed, tally, time.monotonic() - begun)
    return not tally.problems


def report(file: Path, seed: int, tally: Tally, seconds: float) -> None:
    """Write down what was done and found."""
    result = {
        "soak": "kills",
        "seed": seed,
        "commit": _git("rev-parse", "HEAD"),
        "changed_since": _git("status", "--porcelain", "--", "collector", "storage").splitlines(),
        "python": sys.version.split()[0],
        "kills": tally.kills.total(),
        "killed": dict(sorted(tally.kills.items())),
        "faults": dict(sorted(tally.faults.items())),
        "red_rounds": tally.red,
        "records_acknowledged": tally.acknowledged,
        "batches_sent_again": tally.again,
        "entries": dict(tally.entries),
        "ready_seconds_p50": round(median(tally.ready_seconds), 2),
        "ready_seconds_max": round(max(tally.ready_seconds), 2),
        "problems": tally.problems,
        "seconds": round(seconds, 1),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {file}")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, check=True, capture_output=True, text=True).stdout.strip()
