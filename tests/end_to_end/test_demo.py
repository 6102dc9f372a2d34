"""The demo as its user runs it: everything starts, runs appear, alerts fire by their deadlines, nothing raw is anywhere, Ctrl-C stops it.

One test function a promise; all share one demo, because it is the most expensive thing that the tests start.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from typer.testing import CliRunner

from cli.demo.expectations import EXPECTATIONS
from cli.demo.leaks import CONTROL, LEAKS
from cli.main import application
from tests.leak_scan import scan

ROOT = Path(__file__).parents[2]
WARM_SECONDS = 20.0


def free_port() -> int:
    """Return a port that is free now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    """A running demo and the commands a person would use beside it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "demo.log"
        ports = {name: f"127.0.0.1:{free_port()}" for name in ("GRPC", "HTTP", "HEALTH", "DASHBOARD")}
        self.dashboard = ports["DASHBOARD"]
        self.health = ports["HEALTH"]
        environment = {**os.environ, **{f"AUDITLAKE_{name}_ENDPOINT": endpoint for name, endpoint in ports.items()}}
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "cli", "demo", "--data", str(self.data), "--seconds", "400"]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=environment)

    def command(self, *words: str, code: int | None = 0) -> Any:
        """Run a reading command, in this process: it is asked again and again; returns its JSON."""
        run = CliRunner().invoke(application(), [*words, "--data", str(self.data), "--format", "json"])
        if code is not None:
            assert run.exit_code == code, f"{run.stderr}{run.exception!r}{self.log.read_text()[-2000:]}"
        return json.loads(run.stdout) if run.exit_code == 0 else None

    def wait(self, what: str, read: Any, seconds: float) -> Any:
        """Poll until `read` returns something true; what takes long to ask is asked less often (see `tests.polling`)."""
        deadline = time.monotonic() + seconds
        while (asked := time.monotonic()) < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            if found := read():
                return found
            time.sleep(min(max(0.5, 4 * (time.monotonic() - asked)), 2.0))
        raise AssertionError(f"{what} not within {seconds} s\n{self.log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The one demo of these tests, stopped with Ctrl-C at the end."""
    running = Demo(tmp_path_factory.mktemp("demo"))
    yield running
    structlog.reset_defaults()  # commands configure logging for their process
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_runs_are_listed_within_twenty_seconds(demo: Demo) -> None:
    runs = demo.wait("a run", lambda: demo.command("runs", "--limit", "5", code=None), WARM_SECONDS + 10)
    assert {"run_id", "agent_name", "status", "cost_usd"} <= set(runs[0])


def test_a_run_is_explained(demo: Demo) -> None:
    def finished() -> Any:
        runs = demo.command("runs", "--agent", "support", "--status", "ok", "--limit", "1")
        return runs or None

    run = demo.wait("a finished run of the support agent", finished, 60)[0]
    whole = demo.command("run", run["run_id"])
    assert set(whole) >= {"run", "steps", "completeness", "integrity"}
    kinds = {step["kind"] for step in whole["steps"]}
    assert {"run", "model", "tool", "retrieval", "policy"} <= kinds
    assert whole["run"]["input_tokens"] > 0
    assert whole["run"]["cost_usd"] > 0


def test_the_pages_and_the_health_answer(demo: Demo) -> None:
    def page() -> bool:
        try:
            return httpx.get(f"http://{demo.dashboard}/", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    demo.wait("the dashboard", page, 60)
    health = httpx.get(f"http://{demo.health}/", timeout=5)
    assert health.status_code == httpx.codes.OK
    assert set(health.json()["components"]) == {"admission", "receiver", "wal", "sealer", "catalog", "redaction", "reload", "disk"}


def test_every_expected_alert_reaches_its_state_by_its_deadline(demo: Demo) -> None:
    """The table of docs/demo.md: agent → alert → state → by when."""
    missing = {(row.alert, row.known_by): row for row in EXPECTATIONS}
    last = max(row.within_seconds for row in EXPECTATIONS)

    def fired() -> bool:
        rows = demo.command("query", "SELECT alertname, labels, state, time FROM alert_log")
        for row in rows:
            for key in [key for key, expected in missing.items() if (row["alertname"], row["state"]) == (expected.alert, expected.state)]:
                if key[1] in json.dumps(row["labels"]):
                    seconds = time.monotonic() - demo.started
                    assert seconds <= missing[key].within_seconds, (key, seconds)
                    del missing[key]
        return not missing

    try:
        demo.wait("every alert", fired, last)
    except AssertionError as error:
        raise AssertionError(f"still missing: {sorted(missing)}") from error


def test_ctrl_c_stops_everything_within_its_time(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    code = demo.process.wait(45)
    assert code == 0, demo.log.read_text()[-3000:]


def test_no_planted_secret_is_anywhere_and_the_control_is_seen(demo: Demo) -> None:
    """Every column of every Parquet file (live and retired), WAL, SQLite, logs; the control value proves that the scan sees."""
    assert demo.process.poll() is not None
    found = scan(demo.data.parent, [*LEAKS, CONTROL])
    assert any(".parquet column" in place for place in found[CONTROL]), "the control value must be found"
    assert {needle: places[:3] for needle, places in found.items() if needle != CONTROL and places} == {}


def test_the_lake_is_whole_after_the_stop(demo: Demo) -> None:
    from tests.lake_checks import check_lake

    check_lake(demo.data, settled=False)  # a merge that starved on a busy machine was cut off, and is made again
