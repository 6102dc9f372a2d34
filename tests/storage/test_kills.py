"""`kill -9` of the compactor process at any moment: the next one continues, and no row is lost or doubled."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from storage.compactor import compact
from storage.wal import RecordType, WalWriter
from tests import on_disk
from tests.failing_disk import SECOND_NS, seal
from tests.lake_checks import check_lake
from tests.lake_rows import DAY_NS, NOON_NS

tmp_path_factory = on_disk.tmp_path_factory
PROGRAM = (
    "import sys, threading\nfrom pathlib import Path\nfrom storage.compactor import compact\n"
    "print('ready', flush=True)\n"
    "while True:\n"
    f"    compact(Path(sys.argv[1]), now_ns={NOON_NS + 2 * DAY_NS}, grace_seconds=0)\n"
)


def test_the_lake_survives_kill_9_of_the_compactor(tmp_path: Path) -> None:
    """Killed six times while it merges, sealing beside it; afterwards the lake is whole."""
    rng = random.Random(7)
    entry = 0
    for _ in range(6):
        for _ in range(8):
            seal(tmp_path, entry, at_ns=NOON_NS + entry * SECOND_NS)
            entry += 1
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.2))  # not a wait for anything: the moment of death
        process.send_signal(signal.SIGKILL)
        process.communicate()
    compact(tmp_path, now_ns=NOON_NS + 3 * DAY_NS)
    check_lake(tmp_path)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    """The lock of a killed writer needs no cleaning up, whatever its file says."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom storage.wal import WalWriter\n"
        "writer = WalWriter(Path(sys.argv[1]), 'n/collector')\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    writer = WalWriter(tmp_path, "n/collector")
    writer.append([(RecordType.BATCH, b"{}", b"")])
    writer.close()
