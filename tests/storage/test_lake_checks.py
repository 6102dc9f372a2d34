"""The checker checks: each broken invariant is seen, so that a test which ends with `check_lake` can fail."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.catalog import Catalog
from storage.catalog_tables import ENTRIES, FILES
from storage.compactor import compact
from storage.writer import publish_entry
from tests.failing_disk import SECOND_NS, entry_record, seal
from tests.lake_checks import check_lake, lake_problems
from tests.lake_rows import NOON_NS, tables


def change(data: Path, statement: sa.Executable) -> None:
    catalog = Catalog.open(data)
    with catalog._engine.begin() as connection:
        connection.execute(statement)
    catalog.close()


def first_file(data: Path) -> Path:
    return next(path for path in sorted((data / "data" / "spans").rglob("*.parquet")))


def flip(data: Path) -> None:
    path = first_file(data)
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)


def store_twice(data: Path) -> None:
    files = publish_entry(data, "n/collector", 0, tables(3), sealed_ns=NOON_NS)
    publish_entry(data, "n/other", 9, tables(3))
    catalog = Catalog.open(data)
    catalog.commit_entry(entry_record(9, 3, origin="n/other"), [], runs={}, trace_runs={})
    catalog.close()
    assert files


def reuse_rows(data: Path) -> None:
    """A second file with the rows of entry 0, known to the catalog."""
    (record,) = publish_entry(data, "n/again", 0, tables(3), sealed_ns=NOON_NS)
    values = {name: getattr(record, name) for name in record.__slots__} | {"origin": "n/collector"}
    change(data, sa.insert(FILES).values(values))


def leave_retired_in_place(data: Path) -> None:
    compact(data, now_ns=NOON_NS + 3700 * SECOND_NS)
    moved = next((data / "data" / ".retired" / "spans").rglob("*.parquet"))
    moved.replace(first_file(data).parent / moved.name)


def publish_into_staging(data: Path) -> None:
    staged = data / "data" / ".staging" / "sealed" / "spans" / "x.parquet"
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.write_bytes(b"")


BROKEN: list[tuple[str, Callable[[Path], object]]] = [
    ("not the bytes that were published", flip),
    ("not on the disk", lambda data: first_file(data).unlink()),
    ("in the lake, not in the catalog", lambda data: shutil.copy(first_file(data), first_file(data).with_name("copy.parquet"))),
    ("in the lake, not in the catalog", store_twice),
    ("in the lake, not in the catalog", leave_retired_in_place),
    ("not in .retired", leave_retired_in_place),
    ("stored 2 times", reuse_rows),
    ("footer does not count", lambda data: change(data, sa.update(FILES).values(rows=99))),
    ("times are not", lambda data: change(data, sa.update(FILES).values(min_ns=1))),
    ("entries are not", lambda data: change(data, sa.update(FILES).values(max_entry=99))),
    ("rows of another date", lambda data: change(data, sa.update(FILES).values(date="2020-01-01"))),
    ("rows of another origin", lambda data: change(data, sa.update(FILES).values(origin="n/x"))),
    ("5 rows stored", lambda data: change(data, sa.update(ENTRIES).values(stored=5, received=5))),
    ("rows resent", lambda data: change(data, sa.update(ENTRIES).values(descriptor='{"counters": {"resent": 1}}'))),
    ("received 9 is not", lambda data: change(data, sa.update(ENTRIES).values(received=9))),
    ("neither sealed nor waiting", lambda data: change(data, sa.delete(ENTRIES).where(ENTRIES.c.entry == 1))),
    ("it is not in the catalog", lambda data: change(data, sa.delete(ENTRIES).where(ENTRIES.c.entry == 2))),
    ("left in staging", publish_into_staging),
]


@pytest.mark.parametrize(("message", "harm"), BROKEN)
def test_a_broken_lake_is_seen(tmp_path: Path, message: str, harm: Callable[[Path], object]) -> None:
    """A whole lake passes; after one harm the checker names it."""
    for entry in range(3):
        seal(tmp_path, entry, at_ns=NOON_NS + entry * SECOND_NS)
    check_lake(tmp_path)
    harm(tmp_path)
    assert any(message in problem for problem in lake_problems(tmp_path)), lake_problems(tmp_path)
