"""Temporary folders on a disk, for tests of durability: there a sync is one. Those of other tests may be in memory.

A folder of tests, or a file, has them with `tmp_path_factory = on_disk.tmp_path_factory`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tmp_path_factory(request: pytest.FixtureRequest) -> Iterator[pytest.TempPathFactory]:
    """What pytest's own is, below the system's folder of temporary files; what failed keeps its files."""
    folder = Path(tempfile.mkdtemp(prefix="auditlake-tests-"))
    yield pytest.TempPathFactory(folder, 1, "failed", request.config.trace.get("tmpdir"), _ispytest=True)
    if not request.session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)
