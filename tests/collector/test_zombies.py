"""The first process of a container waits for what others left behind, and for nothing that somebody else waits for."""

import subprocess
import sys

import pytest

FIRST = """
import ctypes, multiprocessing, os, subprocess, sys, time
from collector import zombies

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans below us become our children, as those of a container become its first's
process = multiprocessing.get_context("fork").Process(target=os._exit, args=(7,))
process.start()
left = 'import subprocess, sys; print(subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.DEVNULL).pid)'
pid = int(subprocess.run([sys.executable, "-c", left], check=True, stdout=subprocess.PIPE).stdout)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
assert zombies._ended_children()
zombies.collect()
assert zombies._ended_children() == []
assert not os.path.exists(f"/proc/{pid}")
process.join()
print(process.exitcode)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process can adopt orphans on Linux alone")
def test_orphans_that_ended_are_forgotten_and_children_of_ours_keep_their_exit_code() -> None:
    found = subprocess.run([sys.executable, "-c", FIRST], check=False, capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr) == ("7\n", "")
