"""docs/schema.md and docs/dialects.md say what there is."""

import re
from pathlib import Path

import pytest

from collector import pricing
from collector.dialects import DIALECTS
from collector.joins import MAX_TRACES
from storage.schema import TABLES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_described(table):
    section = re.split(r"^## ", (DOCS / "schema.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    (own,) = [part for part in section if part.startswith(f"{table}\n")]
    assert re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", own, flags=re.MULTILINE) == TABLES[table].names


def test_every_dialect_and_cost_source_is_described():
    page = (DOCS / "dialects.md").read_text(encoding="utf-8")
    named = {dialect.name for dialect in DIALECTS}
    sources = {
        pricing.SOURCE,
        pricing.USER,
        pricing.FROM_CACHE,
        pricing.SENT,
        pricing.NO_MODEL,
        pricing.NO_TOKENS,
        pricing.NO_PRICE,
        pricing.BAD_TOKENS,
    }
    assert {name for name in named | sources if f"| `{name}` |" not in page} == set()
    assert f"{MAX_TRACES:,} traces" in page
