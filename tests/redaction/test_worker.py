"""The scanner processes: whatever happens to them, a text is checked or withheld, and nothing is left behind."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
import structlog
from structlog.testing import LogCapture

from redaction.composition import Scan
from redaction.findings import Verdict
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor
from redaction.worker import ScannerPool
from tests.polling import wait_for_end
from tests.redaction.conftest import CACHE

KEY = b"k" * 32
ROOT = str(Path(__file__).resolve().parents[2])
Command = Callable[[str], Sequence[str]]

NOTHING = "return ()"
BY_NAME = """
if "raise" in text:
    raise ValueError("contains " + text)
if "burn" in text:
    while True:
        pass
if "regex" in text:
    re.fullmatch("(a+)+b", "a" * 40)
if "sleep" in text:
    time.sleep(600)
if "swallow" in text:
    while True:
        try:
            while True:
                pass
        except Exception:
            pass
if "die" in text:
    os.kill(os.getpid(), signal.SIGKILL)
if "print" in text:
    print("noise" * 1000, flush=True)
    print(text, file=sys.stderr, flush=True)
return (Finding(0, 1, "X", 1.0, "test"),) if text.startswith("x") else ()
"""


OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def _who_was_there() -> None:
    """Other tests of this process may have left servers of theirs running."""
    OTHERS.clear()
    OTHERS.update(child.pid for child in psutil.Process().children())


def children() -> list[psutil.Process]:
    """The processes that the test has started."""
    return [child for child in psutil.Process().children() if child.pid not in OTHERS]


def pool(command: Sequence[str], *, timeout_ms: int = 100, workers: int = 1) -> ScannerPool:
    """A pool whose processes run `command`."""
    config = RedactionConfig.model_validate({"presidio": {"timeout_ms": timeout_ms, "workers": workers}})
    return ScannerPool(config, command=command)


def scan(command: Sequence[str], texts: Sequence[str], **options: int) -> dict[str, Verdict]:
    """Scan texts in a pool of their own."""

    async def run() -> dict[str, Verdict]:
        scanners = pool(command, **options)
        try:
            verdicts = await scanners.scan([(text, ()) for text in texts])
            return {text: verdict for (text, _), verdict in verdicts.items()}
        finally:
            await scanners.close()

    return asyncio.run(run())


def test_a_failing_text_is_withheld_and_the_others_are_checked(scanner_command: Command) -> None:
    """A recognizer that raises, burns time (also in C, also behind `except Exception`), or takes the process with it."""
    reasons = {"raise": "error", "burn": "timeout", "regex": "timeout", "swallow": "timeout", "die": "worker"}

    async def run() -> dict[str, list[Verdict]]:
        scanners = pool(scanner_command(BY_NAME))
        answers = {}
        for name in reasons:
            texts = ("before", "x before", f"{name} canary", "after", "x after")
            answers[name] = list((await scanners.scan([(text, ()) for text in texts])).values())
        await scanners.close()
        return answers

    for name, (before, x_before, failed, after, x_after) in asyncio.run(run()).items():
        assert failed == reasons[name]
        assert before == after == (), name
        assert [verdict[0].entity for verdict in (x_before, x_after)] == ["X", "X"], name  # type: ignore[union-attr]


def test_a_process_that_hangs_without_using_time_is_killed(scanner_command: Command, logged: LogCapture) -> None:
    """The parent's SIGKILL is the backstop of the budget, and says so without the text."""
    verdicts = scan(scanner_command(BY_NAME), ["sleep canary", "after"], timeout_ms=10)
    assert verdicts == {"sleep canary": "timeout", "after": ()}
    assert [entry["event"] for entry in logged.entries] == ["the redaction scanner is started again"]
    assert "canary" not in str(logged.entries)


def test_what_a_scanner_prints_is_not_an_answer(scanner_command: Command, capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output and error of the process go nowhere: exceptions of recognizers hold text."""
    assert scan(scanner_command(BY_NAME), ["print canary", "after"]) == {"print canary": (), "after": ()}
    assert capfd.readouterr() == ("", "")


def test_killing_the_process_in_the_middle_lets_nothing_pass(scanner_command: Command) -> None:
    """Every text of every call is checked by the next process, or withheld."""
    command = scanner_command('time.sleep(0.002)\nreturn (Finding(0, len(text), "X", 1.0, "test"),)')

    async def run() -> list[Verdict]:
        scanners = pool(command)
        answers: list[Verdict] = []
        for attempt in range(3):
            await scanners.scan([(f"ready {attempt}", ())])
            calls = [
                asyncio.create_task(scanners.scan([(f"text {attempt} {call} {number}", ()) for number in range(20)])) for call in range(5)
            ]
            await asyncio.sleep(0.05)
            for child in children():
                child.kill()
            answers += [verdict for answer in await asyncio.gather(*calls) for verdict in answer.values()]
        await scanners.close()
        return answers

    verdicts = asyncio.run(run())
    assert len(verdicts) == 300
    assert all(verdict == "worker" or verdict[0].entity == "X" for verdict in verdicts)  # type: ignore[union-attr]
    assert sum(verdict == "worker" for verdict in verdicts) <= 3


def test_a_process_that_does_not_start_withholds_everything_and_says_why(logged: LogCapture) -> None:
    """At once, without trying for every text; the health check shows it."""
    broken = f"import sys; sys.path.insert(0, {ROOT!r}); from redaction import scanner; scanner.build = None; scanner.main()"
    command = (sys.executable, "-c", broken)

    async def run() -> tuple[Sequence[Verdict], str]:
        scanners = pool(command)
        verdicts = await scanners.scan([(f"text {number}", ()) for number in range(100)])
        state = scanners.state()
        await scanners.close()
        return list(verdicts.values()), state

    begun = time.monotonic()
    verdicts, state = asyncio.run(run())
    assert set(verdicts) == {"worker"}
    assert state == "down: the scanner does not start (TypeError)"
    assert time.monotonic() - begun < 10
    assert len(logged.entries) == 1


def test_calls_that_come_together_are_answered_together(scanner_command: Command) -> None:
    """Equal texts of many calls are scanned once."""
    command = scanner_command('open(text.split()[0], "a").write("|")\ntime.sleep(0.001)\nreturn ()')

    async def run(path: str) -> None:
        scanners = pool(command, workers=2)
        await asyncio.gather(*(scanners.scan([(f"{path} same", ()), (f"{path} {call}", ())]) for call in range(50)))
        await scanners.close()

    with tempfile.NamedTemporaryFile("r") as file:
        asyncio.run(run(file.name))
        assert len(file.read()) == 51


def test_a_log_that_cannot_be_written_keeps_nobody_waiting(scanner_command: Command) -> None:
    """A closed log stream is no reason to hang, and none to let a text through."""
    before = structlog.get_config()
    stream = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    stream.close()
    try:
        assert scan(scanner_command(BY_NAME), ["die canary", "after"]) == {"die canary": "worker", "after": ()}
    finally:
        structlog.configure(**before)


def test_closing_withholds_what_waits_and_ends_the_processes(scanner_command: Command) -> None:
    """Nobody waits for ever, and later calls are withheld at once."""

    async def run() -> tuple[list[Verdict], list[Verdict]]:
        scanners = pool(scanner_command("time.sleep(30)"), timeout_ms=60_000)
        scans: list[Scan] = [(f"text {number}", ()) for number in range(10)]
        waiting = asyncio.create_task(scanners.scan(scans))
        await asyncio.sleep(0.5)
        await scanners.close()
        return list((await waiting).values()), list((await scanners.scan(scans)).values())

    waited, later = asyncio.run(run())
    assert set(waited) == set(later) == {"worker"}
    assert children() == []


def test_a_small_call_does_not_wait_behind_a_large_one(scanner_command: Command) -> None:
    """One audit event is checked while a bulk request of many texts still is."""

    async def run() -> tuple[float, float]:
        scanners = pool(scanner_command("time.sleep(0.002)\nreturn ()"))
        await scanners.scan([("start", ())])
        begun = time.monotonic()
        bulk = asyncio.create_task(scanners.scan([(f"bulk {number}", ()) for number in range(1000)]))
        await asyncio.sleep(0.05)
        await scanners.scan([("audit", ())])
        small_seconds = time.monotonic() - begun
        await bulk
        await scanners.close()
        return small_seconds, time.monotonic() - begun

    small_seconds, bulk_seconds = asyncio.run(run())
    assert small_seconds < bulk_seconds / 3


def test_a_small_call_does_not_wait_behind_a_long_text(scanner_command: Command) -> None:
    """A long text goes through by parts; one whose parts together take too long is withheld, and what is left of it not looked at."""

    async def run() -> tuple[list[float], Verdict, float]:
        scanners = pool(
            scanner_command("end = time.process_time() + 0.02\nwhile time.process_time() < end: pass\nreturn ()"), timeout_ms=100
        )
        await scanners.scan([("start", ())])
        text = " ".join(f"{number:07}" for number in range(125_000))
        begun = time.monotonic()
        long = asyncio.create_task(scanners.scan([(text, ())]))
        waits = []
        for number in range(10):
            await asyncio.sleep(0.01)
            asked = time.monotonic()
            assert await scanners.scan([(f"audit {number}", ())]) == {(f"audit {number}", ()): ()}
            waits.append(time.monotonic() - asked)
            assert not long.done()
        verdict = (await long)[text, ()]
        seconds = time.monotonic() - begun
        await scanners.close()
        return waits, verdict, seconds

    waits, verdict, seconds = asyncio.run(run())
    assert sorted(waits)[5] < 0.5
    assert verdict == "timeout"
    assert seconds < 15


def test_a_long_text_is_put_together_from_its_parts(scanner_command: Command) -> None:
    """Findings stand where they stand in the text; two calls for one text share the work; a failing part withholds the whole."""
    find = 'if "raise" in text: raise ValueError\nreturn tuple(Finding(m.start(), m.end(), "X", 1.0, "t") for m in re.finditer("x+", text))'

    async def run() -> list[Verdict]:
        scanners = pool(scanner_command(find))
        text = "word " * 3_000 + "xxx" + " word" * 3_000
        answers = await asyncio.gather(*(scanners.scan([(each, ())]) for each in (text, text, text + " raise")))
        await scanners.close()
        return [verdict for answer in answers for verdict in answer.values()]

    first, second, failed = asyncio.run(run())
    assert [(each.start, each.end) for each in first] == [(15_000, 15_003)]  # type: ignore[union-attr]
    assert first == second
    assert failed == "error"


def test_a_cancelled_call_leaves_the_others_alone(scanner_command: Command) -> None:
    """A client that goes away takes nothing with it."""

    async def run() -> Verdict:
        scanners = pool(scanner_command("time.sleep(0.05)\nreturn ()"))
        gone = asyncio.create_task(scanners.scan([("a", ())]))
        stays = asyncio.create_task(scanners.scan([("a", ()), ("b", ())]))
        await asyncio.sleep(0)
        gone.cancel()
        verdicts = await stays
        await scanners.close()
        return verdicts["b", ()]

    assert asyncio.run(run()) == ()


@pytest.mark.parametrize(
    "then", ["await asyncio.sleep(60)", "await pool.scan([('b', ())])", "os.fork() or time.sleep(60)\n    await asyncio.sleep(60)"]
)
def test_the_process_ends_when_its_parent_is_killed(scanner_command: Command, then: str) -> None:
    """kill -9 of the collector leaves no orphan with texts in its memory: idle, at work, or with its pipe held open by a fork."""
    command = scanner_command('time.sleep(0.5 if text == "b" else 0)\nreturn ()')
    program = f"""
import asyncio, os, sys, time
sys.path.insert(0, {ROOT!r})
from redaction.policy import RedactionConfig
from redaction.worker import ScannerPool
from tests.redaction.conftest import CACHE
async def main():
    pool = ScannerPool(RedactionConfig(), command={command!r})
    await pool.scan([("a", ())])
    print("ready", flush=True)
    {then}
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        time.sleep(0.2)
        child, *forked = sorted(psutil.Process(parent.pid).children(), key=lambda each: each.create_time())
        os.kill(parent.pid, signal.SIGKILL)
    wait_for_end([child])
    for each in forked:
        each.kill()


def test_signals_for_the_group_do_not_end_the_process(scanner_command: Command) -> None:
    """On Ctrl-C and SIGTERM the parent drains, and needs its scanner for that."""

    async def run() -> Verdict:
        scanners = pool(scanner_command(NOTHING))
        await scanners.scan([("a", ())])
        (child,) = children()
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGTERM)
        verdicts = await scanners.scan([("b", ())])
        assert [each.pid for each in children()] == [child.pid]
        await scanners.close()
        return verdicts["b", ()]

    assert asyncio.run(run()) == ()


def test_the_real_scanner_gives_the_same_results_as_this_process() -> None:
    """One behaviour, two places; many calls at once. The scanner has no spaCy (a third of its memory), of which it would use nothing."""
    texts = [f"number {number} wrote {'a@example.com' if number % 3 else '4111 1111 1111 1111'} {'.' * number}" for number in range(120)]
    items = [(text, "k") for text in texts] + [('{"a": ["jane@example.com"]}', None), ("x" * 9000 + " a@example.com", None)]

    async def run() -> tuple[list[str], str]:
        redactor = Redactor(RedactionConfig(), pseudonym_key=KEY, cache_folder=CACHE)
        redactor.start()
        assert redactor.lookup(items[0][0], "k") is None
        results = await asyncio.gather(*(redactor.clean([item]) for item in items))
        state = redactor.state()
        loaded.update(Path(mapping.path).parent.name for scanner in children() for mapping in scanner.memory_maps())
        await redactor.close()
        return [result.text for (result,) in results], state

    loaded: set[str] = set()
    results, state = asyncio.run(run())
    assert results == [each.text for each in Redactor(RedactionConfig(), pseudonym_key=KEY, cache_folder=CACHE).clean_now(items)]
    assert state == "ok"
    assert "pydantic_core" in loaded
    assert not any(name.startswith(("spacy", "thinc")) for name in loaded)


def test_the_collector_process_does_not_load_presidio() -> None:
    """A hundred megabytes belong into the scanner's process alone."""
    program = f"""
import sys
import tempfile
sys.path.insert(0, {ROOT!r})
import redaction.redactor
print([name for name in ("presidio_analyzer", "spacy") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"
