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
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from benchmarks.load import SPANS, Load, Sent, generate
from storage.lake import Lake
from tests.collector_process import CollectorProcess

READY_SECONDS: Final = 180.0
STILL_SECONDS: Final = 90.0
"""A server whose number of rows has not changed for this long has persisted what it will."""
Count = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    """One round: what was sent, rows counted, and the seconds from the first request until the last row was there."""

    sent: Sent
    rows: int
    seconds: float

    @property
    def acknowledged(self) -> int:
        """Spans acknowledged."""
        return self.sent.spans

    @property
    def rate(self) -> float:
        """Persisted rows a second."""
        return self.rows / self.seconds


class Destination(NamedTuple):
    """Where spans go, as `Load` takes it: over "http" to a URL, over "grpc" to `host:port`."""

    protocol: str
    address: str


def destination(target: str) -> Destination:
    """Read a `--target`. Raises `argparse.ArgumentTypeError`, also for TLS, which the generator does not speak."""
    parts = urlsplit(target if "://" in target else f"grpc://{target}")
    with contextlib.suppress(ValueError):  # of a port that is no number
        if parts.hostname and parts.port and not parts.query:
            if parts.scheme == "http" and parts.path.strip("/"):
                return Destination("http", target)
            if parts.scheme == "grpc" and not parts.path.strip("/"):
                return Destination("grpc", parts.netloc)
    raise argparse.ArgumentTypeError(f"{target!r} is neither http://HOST:PORT/v1/traces nor grpc://HOST:PORT nor HOST:PORT (without TLS)")


def drive(load: Load, count: Count) -> Persisted:
    """Send `load` to a server that runs and count what it has persisted of it."""
    before = count()
    sent = _generated(load)
    begun = time.monotonic() - sent.seconds
    rows, changed = count() - before, time.monotonic()
    while rows < sent.spans and time.monotonic() - changed < STILL_SECONDS:
        time.sleep(0.05)
        if (now := count() - before) != rows:
            rows, changed = now, time.monotonic()
    return Persisted(sent=sent, rows=rows, seconds=changed - begun)


def _generated(load: Load) -> Sent:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=generate, args=(load, theirs))
    process.start()
    theirs.close()
    try:
        sent: Sent = ours.recv()
    except EOFError:
        raise SystemExit(f"the load generator ended, as it says above: does a server take spans at {load.target}?") from None
    process.join()
    return sent


def counted_by(*, sql: str | None, command: str | None) -> Count:
    """Return how rows are counted, by one of both: `sql` is an SQLAlchemy URL, a space and a query of one number; `command` prints one."""
    if sql is not None:
        url, _, query = sql.partition(" ")
        engine = create_engine(url, poolclass=NullPool)  # a server may close what stands idle, and nothing is left open

        def by_sql() -> int:
            with contextlib.suppress(OperationalError), engine.connect() as connection:  # locked by its writer, or not made yet
                return int(connection.execute(text(query)).scalar_one())
            return 0

        return by_sql
    arguments = shlex.split(command or "")
    return lambda: int(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])


def add_target(parser: argparse.ArgumentParser, what: str, *, required: bool) -> None:
    """Add the options that say where spans go and how they are counted there."""
    parser.add_argument("--target", type=destination, required=required, help=what)
    parser.add_argument("--header", action="append", default=[], help="'Name: value' that it wants in HTTP requests; may be repeated")
    parser.add_argument("--request-spans", type=int, help=f"spans of a request to it; {SPANS} by default")
    counting = parser.add_mutually_exclusive_group(required=required)
    counting.add_argument("--count-sql", help="how its persisted spans are counted: 'SQLALCHEMY_URL QUERY'")
    counting.add_argument("--count-cmd", help="the same: a command that prints the number")


def refuse_headers_of_grpc(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a message when there are headers and nothing to put them into."""
    if options.header and options.target.protocol == "grpc":
        parser.error("--header belongs to a --target over HTTP: the generator's gRPC sends no metadata")


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
        where = Destination("http", f"http://127.0.0.1:{collector.ports['http']}/v1/traces")

        def count() -> int:
            with Lake.open(collector.data) as lake:
                return int(lake.sql("SELECT count(*) FROM spans").column(0)[0].as_py())

        drive(load(options, where, seconds=0.1), count)
        return drive(load(options, where), count)


def told(result: Persisted) -> str:
    """Return a round in one line."""
    counts = f"{result.rows:>9,} rows of {result.acknowledged:,} acknowledged in {result.seconds:.1f} s"
    return f"{result.rate:>12,.1f} rows/s {counts}, {result.sent.failures} requests refused"


def load(options: argparse.Namespace, where: Destination, seconds: float | None = None) -> Load:
    """The load of a round."""
    headers = tuple(options.header) if where == options.target else ()
    return Load(*where, seconds or options.seconds, 0, 4, spans=options.request_spans or SPANS, headers=headers)


def main() -> None:
    """Print each round and the medians; write the JSON when asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--start", required=True, help="the server's command; {folder} is an empty folder for its data, here and in --count-…"
    )
    parser.add_argument("--ready", required=True, help="a URL that answers when it takes requests")
    add_target(parser, "where it takes spans: a URL, or HOST:PORT over gRPC", required=True)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round's load")
    parser.add_argument("--peer-seconds", type=float, help="the same for the peer, when it acknowledges long before it persists")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    refuse_headers_of_grpc(parser, options)
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
