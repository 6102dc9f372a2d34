"""The processes behind the acknowledgement: they run when nobody else wants the processor, and again and again with longer pauses."""

import asyncio
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from collector import supervised
from collector.supervised import Supervised
from tests.collector_main import PROMPT
from tests.collector_process import CollectorProcess
from tests.polling import wait_until


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has SCHED_IDLE")
def test_sealer_and_compactor_are_processes_of_their_own_at_idle_priority_and_the_collector_is_not(tmp_path: Path) -> None:
    """So that an acknowledgement never waits for them."""
    collector = CollectorProcess(tmp_path, redacted=False)
    collector.environ.pop(PROMPT, None)  # as users run it
    with collector:
        main = psutil.Process(collector.process.pid)

        def idle() -> set[str]:
            return {child.name() for child in main.children() if os.sched_getscheduler(child.pid) == os.SCHED_IDLE}

        wait_until(lambda: idle() == {"sealer", "compactor"}, seconds=90)
        assert os.sched_getscheduler(main.pid) == os.SCHED_OTHER


class Ends(Supervised):
    """A process that ends as soon as it has begun."""

    def _launch(self) -> tuple[Any, Connection]:
        process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,), daemon=True)
        process.start()
        return process, multiprocessing.Pipe()[0]

    def _ask_to_stop(self) -> None:
        """It ends anyway."""


def pauses(starts: int) -> list[float]:
    """How long a child that ends at once was waited for before each start."""

    async def main() -> None:
        child = Ends("child")
        child.start()
        supervision = asyncio.create_task(child.supervise())
        while len(logged) < starts:
            assert not supervision.done()
            await asyncio.sleep(0.01)
        supervision.cancel()

    with capture_logs() as logged:
        asyncio.run(main())
    assert {line["exit_code"] for line in logged} == {0}
    return [line["seconds"] for line in logged[:starts]]


def test_a_child_that_ends_again_and_again_is_started_after_longer_and_longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the longest; one that ran for a minute begins with the shortest again."""
    assert list(supervised.BACKOFF_SECONDS) == sorted(supervised.BACKOFF_SECONDS)
    assert (supervised.BACKOFF_SECONDS[0], supervised.BACKOFF_SECONDS[-1]) == (0.5, 30.0), "as the documentation says"
    monkeypatch.setattr(supervised, "BACKOFF_SECONDS", (0.01, 0.02, 0.05))
    assert pauses(5) == [0.01, 0.02, 0.05, 0.05, 0.05]
    monkeypatch.setattr(supervised, "STABLE_SECONDS", 0.0)
    assert pauses(3) == [0.01, 0.01, 0.01]
