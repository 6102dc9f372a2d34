"""A data directory with nothing but a catalog, as fixtures."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.catalog import Catalog


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where it is."""
    return tmp_path / "data"


@pytest.fixture
def catalog(data: Path) -> Iterator[Catalog]:
    """Its catalog, open."""
    data.mkdir()
    with closing(Catalog.open(data)) as opened:
        yield opened
