"""Any OTLP server, measured by what it has persisted: how benchmarks/peers.md compares others with auditlake.

`python -m benchmarks.ingest --target URL --count-sql …` drives a server that runs already, once. `python -m benchmarks.peers --start …`
starts it in an empty folder for each round, and auditlake's collector likewise, in turn, under the same load. Rows are counted by a query
of the server's own storage, until the number stays the same or is what was acknowledged; a rate is rows over the time until then.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import shlex
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from benchmarks.load import Load, Sent, generate
from storage.lake import Lake
from tests.collector_process import CollectorProcess

READY_SECONDS: Final = 180.0
STILL_SECONDS: Final = 90.0
"""A server whose number of rows has not changed for this long has persisted what it will."""
Count = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    """One round: spans acknowledged, rows counted, and the seconds from the first request until the last row was there."""

    acknowledged: int
    rows: int
    seconds: float
    refused: int

    @property
    def rate(self) -> float:
        """Persisted rows a second."""
        return self.rows / self.seconds


def drive(load: Load, count: Count) -> Persisted:
    """Send `load` to a server that runs and count what it has persisted of it."""
    before = count()
    begun = time.monotonic()
    sent = _generated(load)
    rows, changed = -1, time.monotonic()
    while rows < sent.spans and time.monotonic() - changed < STILL_SECONDS:
        now = count() - before
        if now != rows:
            rows, changed = now, time.monotonic()
        time.sleep(0.05)
    return Persisted(acknowledged=sent.spans, rows=rows, seconds=changed - begun, refused=sent.failures)


def _generated(load: Load) -> Sent:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=generate, args=(load, theirs))
    process.start()
    theirs.close()
    sent: Sent = ours.recv()
    process.join()
    return sent


def counted_by(*, sql: str | None, command: str | None) -> Count:
    """Return how rows are counted: `sql` is an SQLAlchemy URL, a space and a query of one number; `command` prints one."""
    if sql is not None:
        url, _, query = sql.partition(" ")
        engine = create_engine(url)

        def by_sql() -> int:
            with contextlib.suppress(OperationalError), engine.connect() as connection:  # locked by its writer, or not made yet
                return int(connection.execute(text(query)).scalar_one())
            return 0

        return by_sql
    if command is None:
        raise SystemExit("--target needs --count-sql 'URL QUERY' or --count-cmd 'COMMAND' (benchmarks/peers.md)")
    return lambda: int(subprocess.run(shlex.split(command), check=True, capture_output=True, text=True).stdout.split()[-1])


@contextlib.contextmanager
def started(command: str, ready: str) -> Iterator[None]:
    """Run a server while the context lasts; it is ready when `ready` answers without a server's error."""
    if _answers(ready):
        raise SystemExit(f"another server answers already at {ready}: stop it first")
    with subprocess.Popen(shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not _answers(ready):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the server did not come up: {command}")
                time.sleep(0.2)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code < 500
    except httpx.HTTPError:
        return False


def of_peer(options: argparse.Namespace, folder: Path) -> Persisted:
    """One round of the other server, in an empty folder."""
    command, sql, count = (
        given and given.replace("{folder}", str(folder)) for given in (options.start, options.count_sql, options.count_cmd)
    )
    with started(command, options.ready):
        counting = counted_by(sql=sql, command=count)
        drive(load(options, options.target, seconds=0.1), counting)  # what a server does once, at its first request
        return drive(load(options, options.target, options.peer_seconds), counting)


def of_auditlake(options: argparse.Namespace, folder: Path) -> Persisted:
    """One round of our own collector: redaction and fdatasync on, rows counted in the sealed files by SQL."""
    with CollectorProcess(folder, node="bench", interval="1s") as collector:
        where = f"http://127.0.0.1:{collector.ports['http']}/v1/traces"

        def count() -> int:
            with Lake.open(collector.data) as lake:
                return int(lake.sql("SELECT count(*) FROM spans").column(0)[0].as_py())

        drive(load(options, where, seconds=0.1), count)
        return drive(load(options, where), count)


def told(result: Persisted) -> str:
    """Return a round in one line."""
    counts = f"{result.rows:>9,} rows of {result.acknowledged:,} acknowledged in {result.seconds:.1f} s"
    return f"{result.rate:>12,.1f} rows/s {counts}, {result.refused} requests refused"


def load(options: argparse.Namespace, where: str, seconds: float | None = None) -> Load:
    """The load of a round."""
    headers = tuple(options.header) if where == options.target else ()
    return Load("http", where, seconds or options.seconds, 0, 4, spans=options.request_spans, headers=headers)


def main() -> None:
    """Print each round and the medians; write the JSON when asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", required=True, help="the server's command; {folder} is an empty folder for its data")
    parser.add_argument("--ready", required=True, help="a URL that answers when it takes requests")
    parser.add_argument("--target", required=True, help="the URL that it takes spans at")
    parser.add_argument("--header", action="append", default=[], help="'Name: value' that the peer wants")
    parser.add_argument("--count-sql", help="'SQLALCHEMY_URL QUERY'; {folder} as above")
    parser.add_argument("--count-cmd", help="a command that prints the number of rows; {folder} as above")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round's load")
    parser.add_argument("--peer-seconds", type=float, help="the same for the peer, when it acknowledges long before it persists")
    parser.add_argument("--request-spans", type=int, default=512, help="spans of a request")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds: dict[str, list[Persisted]] = {"peer": [], "auditlake": []}
    for number in range(options.rounds):
        for name, one in (("peer", of_peer), ("auditlake", of_auditlake)):
            with tempfile.TemporaryDirectory() as folder:
                result = one(options, Path(folder))
            rounds[name].append(result)
            print(f"round {number + 1}  {name:<10}{told(result)}", flush=True)
    medians = {name: statistics.median(result.rate for result in results) for name, results in rounds.items()}
    theirs, ours = medians["peer"], medians["auditlake"]
    print(f"medians: peer {theirs:,.1f}, auditlake {ours:,.1f} rows/s: {ours / theirs:,.1f} ×" if theirs else "the peer persisted nothing")
    if options.json:
        written = {name: [[result.rate, result.rows, result.acknowledged] for result in results] for name, results in rounds.items()}
        options.json.write_text(json.dumps({"command": options.start, "medians": medians, "rounds": written}, indent=1) + "\n")


if __name__ == "__main__":
    main()
