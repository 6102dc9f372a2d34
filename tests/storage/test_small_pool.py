"""Processes that give back what Arrow frees, at once."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection

import pytest

from collector.children import Child
from storage.small_pool import OPTIONS, small_pool

FREED = """
import re
from pathlib import Path
import pyarrow as pa

def held_mib() -> float:
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

pa.repeat(1, 10)
before = held_mib()
numbers = pa.repeat(1, 12_500_000)
used = held_mib()
del numbers
print(used - before, held_mib() - before)
"""


def freed() -> tuple[float, float]:
    """What a process holds of 100 MB, in MiB, while Arrow uses them and when it has freed them."""
    used, kept = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True).stdout.split()
    return float(used), float(kept)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_what_arrow_frees_goes_back_to_the_system_at_once() -> None:
    used, kept = freed()
    assert used > 90
    assert kept > 90  # what happens otherwise
    with small_pool():
        used, kept = freed()
    assert used > 90
    assert kept < 10


def test_what_the_operator_set_stays_and_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIMALLOC_ALLOW_THP", raising=False)
    monkeypatch.setenv("MIMALLOC_PURGE_DELAY", "50")
    before = dict(os.environ)
    with small_pool():
        assert {name: os.environ[name] for name in OPTIONS} == {"MIMALLOC_PURGE_DELAY": "50", "MIMALLOC_ALLOW_THP": "0"}
    assert dict(os.environ) == before


def tell(pipe: Connection, _idle: bool, _stop: object, _wake: object) -> None:
    """The target of a child: sends what its pool reads."""
    pipe.send({name: os.environ.get(name) for name in OPTIONS})


def test_the_processes_behind_the_acknowledgement_are_such(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OPTIONS:
        monkeypatch.delenv(name, raising=False)
    ours, theirs = multiprocessing.Pipe()
    child = Child("sealer", tell, (theirs,))
    child.start()
    assert ours.poll(60)
    assert ours.recv() == OPTIONS
    asyncio.run(child.stop(60))
    assert not set(OPTIONS) & set(os.environ)
