"""What budgets cost: run with `python -m benchmarks.budgets [--lake DIR] [--seconds S] [--json FILE]`.

Two questions. How long does an agent wait that asks before spending, also while the process computes? And how long does counting take: all
days once, the day on which something has changed, and when nothing has? The lake is only read; what is counted goes to a temporary folder.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import create_autospec

import pyarrow as pa

from alerts.budgets.answers import Answers
from alerts.budgets.model import Budget, Kind, Period, Scope, Unit, midnight
from alerts.budgets.spending import Accountant
from alerts.budgets.standing import Cell, Ledger
from alerts.budgets.store import BudgetStore
from alerts.scheduler import LAKE_MEMORY_MIB
from cli.budget_endpoint import budget_endpoint, user_names
from collector.config import parse
from storage.daily import day_marks
from storage.lake import Lake
from storage.spare_memory import leave_out_what_stays

USERS: Final = 10_000
TOKEN: Final = os.urandom(16).hex()
CLIENTS: Final = 4
_TODAY: Final = date(2026, 11, 20)
_NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONFIG: Final = """
receivers: {otlp: {protocols: {http: {auth: {authenticator: bearertokenauth}}}}}
processors: {redaction: {}}
exporters: {parquet: {path: unused}}
extensions: {bearertokenauth: {token: %s}, alerts: {}}
service: {extensions: [bearertokenauth, alerts], pipelines: {traces: {receivers: [otlp], processors: [redaction], exporters: [parquet]}}}
"""
CLIENT: Final = """
import http.client, json, sys, threading, time
port, token, seconds, clients = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
names = "agent:support?amount=0.1", "user:user-77?amount=1", "user:mad.hatter%40example.com", "tenant:acme"
paths = ["/v1/budgets/" + name for name in names]
waits = []
def ask(first):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    end, number = time.monotonic() + seconds, first
    while time.monotonic() < end:
        begun = time.perf_counter()
        connection.request("GET", paths[number % 4], headers={"authorization": "Bearer " + token})
        answer = connection.getresponse()
        answer.read()
        waits.append(time.perf_counter() - begun)
        assert answer.status == 200, answer.status
        number += 1
        time.sleep(0.008)
threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(sorted(waits)))
"""
"""Agents that ask about a hundred times a second each, over connections that they keep."""


def main() -> None:
    """Measure, print, and write JSON where it is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, help="a lake to count; it is only read")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    for part in ("asking", "counting"):
        found[part] = asking(given.seconds) if part == "asking" else counting(given.lake) if given.lake is not None else {}
        for what, value in found[part].items():
            print(f"{part:9} {what:70} {value:>12,.3f}", flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def asking(seconds: float) -> dict[str, float]:
    """Return how long answers take, in ms, of an idle process and of one that computes all the time."""
    ledger, budgets = _month()
    begun = time.process_time()
    ledger.replace(_TODAY, [_cell(f"user-{user}") for user in range(USERS)])
    known = Answers(budgets, ledger, as_of=_NOW)
    leave_out_what_stays()  # as the service does then
    found = {f"standings of {USERS} users after one of their days, s of processor time": time.process_time() - begun}
    with tempfile.TemporaryDirectory() as folder:
        config = parse(CONFIG % TOKEN, "benchmark", {})
        with budget_endpoint(config, "127.0.0.1:0", user_names(config, Path(folder)), lambda: known) as port:
            for name, beside in (
                ("idle", _nothing),
                ("while rules are evaluated", _evaluating),
                (f"while {USERS} users are counted", lambda: _counting(ledger, budgets)),
            ):
                spent = time.process_time()
                with beside():
                    waits = _asked(port, seconds)
                if beside is _nothing:
                    found["processor time a request, ms"] = 1000 * (time.process_time() - spent) / len(waits)
                found |= {f"p{share:g} ms, {name}": 1000 * waits[int(len(waits) * share / 100)] for share in (50, 99, 99.9)}
                found |= {f"max ms, {name}": 1000 * waits[-1], f"requests/s, {name}": len(waits) / seconds}
    return found


def counting(data: Path) -> dict[str, float]:
    """Return how long counting a lake takes, in seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(BudgetStore.open(Path(folder))) as store,
        Lake.open(data, memory_limit_mib=LAKE_MEMORY_MIB, threads=1) as lake,
    ):
        days = sorted(day_marks(lake.catalog, "0000-00-00"))
        last = date.fromisoformat(days[-1])
        as_of = midnight(last) + timedelta(hours=23)
        budgets = [_monthly(Scope(kind=Kind.AGENT, subject="*"), 100)]
        accountant = Accountant(lake, store)
        first, worked = _seconds(lambda: _whole(accountant, budgets, as_of))
        counted = store.marks()
        again, _ = _seconds(lambda: accountant.refresh(budgets, as_of=as_of))
        one, worked_on_one = _seconds(lambda: accountant._count(last, "changed"))
        exact = lake.sql("SELECT count(*) AS calls FROM model_calls WHERE counted").to_pylist()[0]["calls"]
        cells = [cell for cells in store.spending().values() for cell in cells]
    return {
        "days of the lake": len(days),
        "days counted (the month and eight weeks)": len(counted),
        "all of them once, s": first,
        "all of them once, s of processor time": worked,
        "when nothing has changed, s": again,
        "the last day again, s": one,
        "the last day again, s of processor time": worked_on_one,
        "calls counted": sum(cell.calls for cell in cells),
        "calls of the whole lake": exact,
        "largest RSS, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _whole(accountant: Accountant, budgets: list[Budget], as_of: datetime) -> None:
    while not accountant.refresh(budgets, as_of=as_of):
        continue


def _month() -> tuple[Ledger, list[Budget]]:
    """Ten thousand users who spent something on every day of a month, and their budgets."""
    ledger = Ledger()
    cells = [_cell(f"user-{user}") for user in range(USERS)]
    for number in range(1, _TODAY.day):
        ledger.replace(_TODAY.replace(day=number), cells)
    whose = [Scope(kind=Kind.USER, subject="*"), Scope(kind=Kind.AGENT, subject="support"), Scope(kind=Kind.TENANT, subject="acme")]
    return ledger, [_monthly(scope, 1e6) for scope in whose]


def _cell(user: str) -> Cell:
    return Cell(tenant="acme", agent="support", user=user, usd=0.01, tokens=100, calls=1, unpriced=0, unmetered=0)


def _monthly(scope: Scope, limit: float) -> Budget:
    return Budget(scope=scope, period=Period.MONTH, unit=Unit.USD, limit=limit)


def _asked(port: int, seconds: float) -> list[float]:
    words = [sys.executable, "-c", CLIENT, str(port), TOKEN, str(seconds), str(CLIENTS)]
    found: list[float] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return found


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _evaluating() -> AbstractContextManager[None]:
    """Hold the interpreter as what evaluates rules does: much short work in Python."""

    def work() -> None:
        Ledger().replace(date(2026, 11, 1), [_cell(f"user-{user}") for user in range(500)])

    return _beside(work)


@contextmanager
def _counting(ledger: Ledger, budgets: list[Budget]) -> Iterator[None]:
    """Count a day of every user again, from what DuckDB returned of it on, without a pause; the service takes one."""
    with tempfile.TemporaryDirectory() as folder, closing(BudgetStore.open(Path(folder))) as store:
        lake = create_autospec(Lake, instance=True)
        lake.sql.return_value = pa.Table.from_pylist([asdict(_cell(f"user-{user}")) for user in range(USERS)])
        accountant = Accountant(lake, store)
        accountant.ledger = ledger

        def work() -> None:
            accountant._count(_TODAY, "changed")
            Answers(budgets, ledger, as_of=_NOW)

        with _beside(work):
            yield


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    stop = threading.Event()

    def again() -> None:
        while not stop.is_set():
            work()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long it took, and how much of it this process had a processor."""
    begun, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - spent


if __name__ == "__main__":
    main()
