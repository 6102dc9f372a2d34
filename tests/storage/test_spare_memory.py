"""What is given back between two rounds of work."""

import gc
import subprocess
import sys
import weakref

import pytest

from storage.spare_memory import give_back

FREED = """
import resource
from pathlib import Path
from storage.spare_memory import give_back

def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)

before = resident_mib()
blocks = [bytes(2_000) for _ in range(50_000)]
last = blocks[-1]
del blocks
kept = resident_mib()
give_back()
print(kept - before, resident_mib() - before)
"""

LEFT_OUT = """
import gc
import duckdb
from storage import spare_memory

spare_memory.SLOW_SECONDS = -1.0
spare_memory.give_back()
print(gc.get_freeze_count() > 10_000)
"""

FROM_NOW_ON = """
import gc
import duckdb
from storage.spare_memory import leave_out_what_stays

leave_out_what_stays()
print(gc.get_freeze_count() > 10_000, len(gc.get_objects()) < 100)
"""


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_only_the_garbage_collector_finds_is_freed() -> None:
    gc.disable()
    try:
        found = weakref.ref(Cycle())
        assert found() is not None
        give_back()
        assert found() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc, and glibc alone can be told to trim")
def test_what_is_free_below_a_block_in_use_goes_back_to_the_system() -> None:
    """100 MB of small blocks, of which the last stays: the heap's end cannot move, and all the same they are gone."""
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    kept, after = map(float, done.stdout.split())
    assert kept > 90
    assert after < 30


def test_what_stays_is_left_out_of_later_collections_until_the_process_ends() -> None:
    """What duckdb holds is not told as leaked at the end."""
    done = subprocess.run([sys.executable, "-c", LEFT_OUT], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_process_that_answers_has_nothing_left_to_look_at() -> None:
    done = subprocess.run([sys.executable, "-c", FROM_NOW_ON], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True True\n", "")
