"""What runbooks tell on-call to ask can be asked: every query in them runs."""

import re
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.lake import Lake

RUNBOOKS = sorted((Path(__file__).parents[2] / "docs/runbooks").glob("*.md"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory):
    data = tmp_path_factory.mktemp("lake")
    Catalog.open(data).close()
    with Lake.open(data, threads=1) as opened:
        yield opened


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_query_of_a_runbook_runs(lake: Lake, page: Path) -> None:
    for query in re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL):
        assert lake.query(query).num_rows >= 0, query
