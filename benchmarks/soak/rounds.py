"""Memory of the sealer and the compactor, faster than time: `python -m benchmarks.soak rounds [--minutes M] [--spans N]`, twenty minutes.

Their own functions are called in two processes, with a clock that goes one second a round: a segment of agent spans is sealed in each,
and every fifth the lake is compacted. Nothing is synced, and after each round both are asked how much memory they hold. Well is: neither
grows by more than 1 MiB in ten minutes of that clock, once the first quarter is over (`benchmarks.soak ingest` has the same bar; of a few
minutes the first merges are more than a quarter).
"""

import argparse
import contextlib
import gc
import hashlib
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pyarrow as pa
import structlog

from benchmarks.load import BODIES, SPANS, Body
from benchmarks.soak.ingest import leaks, slope
from collector.sealer import COLLECTIONS, Sealing, seal_all
from storage.catalog import Catalog
from storage.compactor import compact
from storage.durable import Disk
from storage.ledger.log_writer import Ledger
from storage.small_pool import small_pool
from storage.spare_memory import give_back
from storage.wal import BatchHeader, Counters, RecordType, WalWriter

ORIGIN: Final = "soak/collector"
SECOND_NS: Final = 1_000_000_000
BEGIN_NS: Final = 1_800_000_000 * SECOND_NS
COMPACT_EVERY: Final = 5
Rounds = dict[str, list[tuple[float, float]]]
"""By process: the clock's seconds, MiB."""


def main(arguments: Sequence[str]) -> bool:
    """Run; returns whether all is well."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak rounds", description=__doc__)
    options.add_argument("--minutes", type=int, default=60, help="of the clock")
    options.add_argument("--spans", type=int, default=1_024, help="of a segment; several of a request")
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        seen = rounds(Path(folder), chosen.minutes * 60, chosen.spans)
    growth = {name: round(slope(points), 2) for name, points in seen.items()}
    for name, points in seen.items():
        told = ", ".join(f"{mib:.1f}" for _, mib in points[:: max(1, len(points) // 20)])
        print(f"{name}: {told} MiB; {growth[name]} MiB in ten minutes")
    problems = leaks(growth)
    print("\n".join(problems) or "well")
    return not problems


def rounds(data: Path, seconds: int, spans: int) -> Rounds:
    """Let so many seconds go by, and return what each process held after each of its rounds."""
    seen: Rounds = {"sealer": [], "compactor": []}
    with process(_write, data, spans) as writer, process(_seal, data) as sealer, process(_compact, data) as compactor:
        for second in range(seconds):
            now_ns = BEGIN_NS + second * SECOND_NS
            _asked(writer, now_ns)
            seen["sealer"].append((second, _asked(sealer, now_ns + SECOND_NS)))
            if second % COMPACT_EVERY == 0:
                seen["compactor"].append((second, _asked(compactor, now_ns + SECOND_NS)))
            if second % 60 == 59:
                print(
                    f"{second // 60 + 1} min: {seen['sealer'][-1][1]:.1f}, {seen['compactor'][-1][1]:.1f} MiB", file=sys.stderr, flush=True
                )
    return seen


@contextlib.contextmanager
def process(target: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """Run a function in a process of its own, which ends with the pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(theirs, *arguments))
    with small_pool():
        child.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        child.join()


def _asked(pipe: Connection, now_ns: int) -> float:
    pipe.send(now_ns)
    return float(pipe.recv())


def _times(pipe: Connection) -> Iterator[int]:
    """The time of each round, until the parent is gone; behind each, how much memory this process holds."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with contextlib.suppress(EOFError):
        while True:
            yield pipe.recv()
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            pipe.send(pages * resource.getpagesize() / (1 << 20))


def _write(pipe: Connection, data: Path, spans: int) -> None:
    bodies = [Body(number) for number in range(BODIES)]
    with closing(WalWriter(data, ORIGIN, fs=Unsynced())) as writer:
        for now_ns in _times(pipe):
            writer.append_segment([*_batches(bodies, spans, now_ns), (RecordType.COUNTERS, Counters(received=spans).to_bytes(), b"")])


def _batches(bodies: Sequence[Body], spans: int, now_ns: int) -> Iterator[tuple[RecordType, bytes, bytes]]:
    for number in range(spans // SPANS):
        content = bodies[number % BODIES].patched()
        digest = hashlib.sha256(content).hexdigest()[:32]
        header = BatchHeader(signal="traces", tenant=None, received_ns=now_ns + number, policy_hash="soak", records=SPANS, digest=digest)
        yield RecordType.BATCH, header.to_bytes(), content


def _seal(pipe: Connection, data: Path) -> None:
    gc.set_threshold(*COLLECTIONS)
    with closing(Catalog.open(data)) as catalog:
        sealing = Sealing(data=data, catalog=catalog, log=Ledger().writer(data, catalog, Unsynced()), fs=Unsynced())
        for now_ns in _times(pipe):
            seal_all(sealing, lambda now_ns=now_ns: now_ns)  # type: ignore[misc]  # of this round
            give_back()


def _compact(pipe: Connection, data: Path) -> None:
    pa.set_cpu_count(1)
    for now_ns in _times(pipe):
        compact(data, now_ns=now_ns, fs=Unsynced())
        give_back()


class Unsynced(Disk):
    """A disk that is not waited for."""

    def sync(self, _descriptor: int) -> None:
        """Do nothing."""

    def sync_directory(self, _path: Path) -> None:
        """Do nothing."""


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
