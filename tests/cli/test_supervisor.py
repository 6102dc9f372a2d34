"""The supervisor: restarts what dies, stops in reverse order, leaves nothing behind."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cli.commands.up import children
from cli.supervisor import BACKOFF_SECONDS, STABLE_SECONDS, Child, Supervisor
from cli.terminal import Terminal
from collector.config import DEFAULT, parse

PRINT_ORDER = """
import signal, sys, time
name, log = sys.argv[1:]
def stop(*_):
    open(log, "a").write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open(log + ".ready", "a").write(name + "\\n")
while True: time.sleep(0.05)
"""


def python(name: str, code: str, *arguments: str, **options: object) -> Child:
    """Return a child that runs Python code."""
    return Child(name=name, arguments=[sys.executable, "-c", code, *arguments], **options)  # type: ignore[arg-type]


def wait_for(condition: object, supervisor: Supervisor, seconds: float = 10) -> None:
    """Let the supervisor work until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        supervisor.watch(0.1)
    assert condition()  # type: ignore[operator]


def lines(path: Path) -> list[str]:
    """Return the lines written so far."""
    return path.read_text().splitlines() if path.exists() else []


def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = Supervisor(echo=True)
    for name in ("first", "second"):
        supervisor.start(python(name, PRINT_ORDER, name, str(log)))
    wait_for(lambda: len(lines(tmp_path / "log.ready")) == 2, supervisor)
    supervisor.stop()
    assert lines(log) == ["second", "first"]


def test_the_number_of_workers_goes_to_the_collector_alone() -> None:
    loaded = parse(DEFAULT, "test", {})

    def arguments(workers: int | None) -> list[str]:
        started = children(loaded, config=None, data=None, dashboard=True, environment={}, workers=workers)
        return [" ".join(child.arguments[3:]) for child in started]

    assert arguments(2) == ["collect --workers 2", "alerts run", "dashboard"]
    assert arguments(None) == ["collect", "alerts run", "dashboard"]


RELOADS = """
import signal, sys, time
log = sys.argv[1]
signal.signal(signal.SIGHUP, lambda *_: open(log, "a").write("reload\\n"))
open(log + ".ready", "a").write("x\\n")
while True: time.sleep(0.05)
"""


def test_a_reload_is_passed_on_to_the_children_that_can(tmp_path: Path) -> None:
    """SIGHUP would end the others."""
    log = tmp_path / "log"
    supervisor = Supervisor(echo=True)
    supervisor.start(python("reloads", RELOADS, str(log), reloads=True))
    supervisor.start(python("other", "import time; time.sleep(60)"))
    wait_for(lambda: lines(tmp_path / "log.ready"), supervisor)
    supervisor.request_reload()
    wait_for(lambda: lines(log) == ["reload"], supervisor)
    assert supervisor.is_alive("other")
    supervisor.stop()


def test_a_terminal_that_was_closed_is_no_wish_to_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hang-up arrives as SIGHUP, too."""
    ours, theirs = os.openpty()
    monkeypatch.setattr("sys.stdin", os.fdopen(theirs))
    terminal = Terminal()
    assert not terminal.gone
    os.close(ours)
    assert terminal.gone
    sys.stdin.close()
    monkeypatch.setattr("sys.stdin", None)
    assert not Terminal().gone


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    supervisor = Supervisor(echo=True)
    supervisor.start(python("dies", f"open({str(log)!r}, 'a').write('x\\n')"))
    wait_for(lambda: len(lines(log)) >= 2, supervisor)
    supervisor.stop()
    assert not supervisor.is_alive("dies")


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def die(name: str, supervisor: Supervisor) -> int:
    """Kill the child, have the supervisor notice, and return the process id it had."""
    pid = supervisor.pid(name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while supervisor.is_alive(name) and time.monotonic() < deadline:
        time.sleep(0.01)
    supervisor.watch(0)
    return pid


def pause_of(name: str, supervisor: Supervisor, clock: Clock) -> float:
    """How long after its death the child is started again, by the clock."""
    dead, died = die(name, supervisor), clock.now
    for pause in sorted({*BACKOFF_SECONDS, 60.0}):
        clock.now = died + pause - 0.001
        supervisor.watch(0)
        assert supervisor.pid(name) == dead, f"started again before {pause} s"
        clock.now = died + pause
        supervisor.watch(0)
        if supervisor.pid(name) != dead:
            return pause
    raise AssertionError("not started again")


def test_the_pause_before_a_restart_grows_to_its_bound() -> None:
    """A child that dies at every start does not keep a processor busy."""
    clock = Clock()
    supervisor = Supervisor(echo=True, monotonic=clock)
    supervisor.start(python("dies", "import time; time.sleep(60)"))
    assert [pause_of("dies", supervisor, clock) for _ in range(8)] == [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0]
    supervisor.stop()


@pytest.mark.parametrize(("ran_seconds", "pause"), [(STABLE_SECONDS - 1, 5.0), (STABLE_SECONDS + 1, 0.5)], ids=["not long enough", "well"])
def test_a_child_that_ran_well_is_started_again_soon(ran_seconds: float, pause: float) -> None:
    """What once died three times in a row and then worked for a minute pays for it no more; one that worked for less does."""
    clock = Clock()
    supervisor = Supervisor(echo=True, monotonic=clock)
    supervisor.start(python("dies", "import time; time.sleep(60)"))
    assert [pause_of("dies", supervisor, clock) for _ in range(3)] == [0.5, 1.0, 2.0]
    clock.now += ran_seconds
    supervisor.watch(0)
    assert pause_of("dies", supervisor, clock) == pause
    supervisor.stop()


def test_a_child_does_not_pay_for_the_deaths_of_another() -> None:
    clock = Clock()
    supervisor = Supervisor(echo=True, monotonic=clock)
    for name in ("dies", "other"):
        supervisor.start(python(name, "import time; time.sleep(60)"))
    assert [pause_of("dies", supervisor, clock) for _ in range(3)] == [0.5, 1.0, 2.0]
    assert pause_of("other", supervisor, clock) == 0.5
    supervisor.stop()


def test_an_essential_child_that_refuses_its_configuration_ends_everything() -> None:
    supervisor = Supervisor(echo=True)
    supervisor.start(python("collector", "raise SystemExit(2)", essential=True))
    wait_for(lambda: supervisor.failure == "collector", supervisor)
    supervisor.stop()


def test_an_essential_child_that_once_ran_is_started_until_it_can(tmp_path: Path) -> None:
    """A disk that is full for a while, or a port that is not given back yet, ends nothing for good."""
    log = tmp_path / "starts"
    supervisor = Supervisor(echo=True)
    code = f"open({str(log)!r}, 'a').write('x\\n'); raise SystemExit(min(len(open({str(log)!r}).read()) // 2, 2))"
    supervisor.start(python("collector", code, essential=True))
    wait_for(lambda: len(lines(log)) >= 3, supervisor)
    assert supervisor.failure is None
    supervisor.stop()


def test_a_child_that_ignores_the_stop_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(ready)!r}, 'w').close(); time.sleep(60)"
    supervisor = Supervisor(echo=True)
    supervisor.start(python("stubborn", code, stop_seconds=0.3))
    wait_for(ready.exists, supervisor)
    supervisor.stop()
    assert not supervisor.is_alive("stubborn")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends children of a killed parent")
def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = f"import os, time; f = open({str(pid_file)!r}, 'w'); f.write(str(os.getpid())); f.close(); time.sleep(60)"
    parent = (
        "import sys; from cli.supervisor import *; s = Supervisor(echo=True); "
        f"s.start(Child(name='c', arguments=[sys.executable, '-c', {child!r}])); s.watch(60)"
    )
    supervisor = Supervisor(echo=True)
    supervisor.start(Child(name="parent", arguments=[sys.executable, "-c", parent], environment={"PYTHONPATH": str(Path.cwd())}))
    wait_for(lambda: pid_file.exists() and pid_file.read_text(), supervisor)
    pid = int(pid_file.read_text())
    supervisor._running["parent"].process.kill()
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    supervisor.stop()
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
