"""kill -9, and a power loss, at every point from a request to the deletion of what was merged and forwarded.

Acknowledged rows are there once and reach the backend of an exporter; counters balance, too.
"""

import json
import re
import shutil
import signal
from pathlib import Path
from zlib import crc32

import pytest

from tests.faults.flow import SACRIFICED, Folder, check, die, prepare, record, restart, survived
from tests.faults.points import POINTS
from tests.faults.power import KEPT, lose_power
from tests.forkserver import exit_code

SENT_AGAIN = {"forward", "cursor"}
"""Stages between a backend's answer and the note of it: a kill there may have a request delivered twice."""
DOCS = Path(__file__).parents[2] / "docs" / "durability.md"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake as every flow finds it."""
    folder = Folder(tmp_path_factory.mktemp("prepared") / "flow")
    folder.path.mkdir()
    prepare(folder)
    return folder.path


@pytest.fixture(scope="module")
def recorded(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], int]:
    """How often a whole flow passes each point; it ends well."""
    folder = Folder(tmp_path_factory.mktemp("recorded") / "flow")
    shutil.copytree(prepared, folder.path)
    assert exit_code(record, str(folder.path)) == 0
    restart(folder)
    check(folder, delivered_once=True)
    return {(name, moment): times for name, moment, times in json.loads((folder.path / "points.json").read_text())}


def test_the_table_names_every_point_and_no_other(recorded):
    """A new call of the file system on this way needs its row, and with it its kill."""
    assert {name for name, _ in recorded} == {point.name for point in POINTS}
    missing = [(point.name, moment) for point in POINTS for moment in point.moments if (point.name, moment) not in recorded]
    assert missing == []


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.stage}: {point.name}")
def test_a_kill_loses_nothing_acknowledged_and_doubles_nothing(point, prepared, recorded, tmp_path):
    """The first time the process is there or a later one, as the name of the point has it; the restart's lake is whole."""
    for moment in point.moments:
        occurrence = 1 + crc32(f"{point.name} {moment}".encode()) % recorded[point.name, moment]
        folder = Folder(tmp_path / moment)
        shutil.copytree(prepared, folder.path)
        assert exit_code(die, str(folder.path), point.name, moment, occurrence) == -signal.SIGKILL
        assert folder.acknowledged - {SACRIFICED} <= survived(folder)
        restart(folder)
        check(folder, delivered_once=point.stage not in SENT_AGAIN)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.stage}: {point.name}")
def test_a_power_loss_loses_nothing_acknowledged_and_doubles_nothing(point, prepared, recorded, tmp_path):
    """Of what no sync made durable nothing is left, or all names, or some of them: by turns, from point to point."""
    kept, moment = KEPT[POINTS.index(point) % len(KEPT)], point.moments[-1]
    occurrence = 1 + crc32(f"{moment} {point.name}".encode()) % recorded[point.name, moment]
    folder = Folder(tmp_path / "flow")
    shutil.copytree(prepared, folder.path)
    assert exit_code(lose_power, str(folder.path), point.name, moment, occurrence, kept) == -signal.SIGKILL
    assert folder.acknowledged - {SACRIFICED} <= survived(folder)
    restart(folder)
    check(folder)


def test_the_documentation_names_every_point():
    """The table of docs/durability.md is this one: its stages and points, in their order."""
    rows = re.findall(r"^\| ([\w ]+) \| `([^`]+)` \|", DOCS.read_text(), re.MULTILINE)
    assert rows == [(point.stage, point.name) for point in POINTS]
