"""Attacks on files and on the catalog, which nobody signs: rows hidden, files exchanged, bytes hidden, histories made up."""

import shutil
from collections.abc import Callable
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from storage.ledger.verdicts import Verdict
from tests.lake_builder import span
from tests.storage.ledger.tamper.attack import Attack
from tests.storage.ledger.tamper.tampered_lake import ORIGIN, Lake, flipped, sealed_ns

TOMORROW: Final = "2026-11-22"
_HIDDEN: Final = b"what nobody should see"


def _deleted(lake: Lake) -> None:
    lake.path(lake.file()).unlink()


def _deleted_from_catalog_too(lake: Lake) -> None:
    file = lake.file()
    lake.path(file).unlink()
    lake.sql("DELETE FROM files WHERE path = ?", file.path)


def _exchanged(lake: Lake) -> None:
    """Two files change places, and the catalog their digests."""
    one, two = lake.file("spans", 0), lake.file("spans", 2, date=TOMORROW)
    first, second = lake.path(one), lake.path(two)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    lake.believe(one)
    lake.believe(two)


def _other_table(lake: Lake) -> None:
    """A file of points in the place of one of spans."""
    file = lake.file("spans", 0)
    lake.path(file).write_bytes(lake.path(lake.file("metrics", 4)).read_bytes())
    lake.believe(file)


def _moved_partition(lake: Lake) -> None:
    """A file stands under another date, and the catalog says so."""
    file = lake.file("spans", 2, date=TOMORROW)
    path = file.path.replace(TOMORROW, "2026-11-25")
    (lake.data / path).parent.mkdir(parents=True)
    shutil.move(lake.path(file), lake.data / path)
    lake.sql("UPDATE files SET path = ?, date = '2026-11-25' WHERE path = ?", path, file.path)


def _moved_on_disk(lake: Lake) -> None:
    file = lake.file("spans", 2, date=TOMORROW)
    path = lake.data / file.path.replace(TOMORROW, "2026-11-25")
    path.parent.mkdir(parents=True)
    shutil.move(lake.path(file), path)


def _copied(lake: Lake) -> None:
    """The same file again, for whoever reads the folder."""
    path = lake.path(lake.file())
    shutil.copy(path, path.with_name("copy.parquet"))


def _listed_twice(lake: Lake) -> None:
    """The same file again, in the catalog as well: queries count its rows twice."""
    file = lake.file()
    copy = file.path.replace(".parquet", "-again.parquet")
    shutil.copy(lake.path(file), lake.data / copy)
    columns = "table_name, date, origin, level, rows, bytes, min_ns, max_ns, min_entry, max_entry, sha256, sealed_ns, retired_ns, damaged"
    lake.sql(f"INSERT INTO files (path, {columns}) SELECT ?, {columns} FROM files WHERE path = ?", copy, file.path)


def _forged_file(lake: Lake) -> None:
    """Rows of a segment that was never sealed."""
    lake.publish({"spans": [span("never happened")]}, 9)


def _forged_segment(lake: Lake) -> None:
    """Rows of a segment that was never sealed, and everything that the catalog can say of them."""
    (file,) = lake.publish({"spans": [span("never happened")]}, 6)
    names = (
        "path",
        "table_name",
        "date",
        "origin",
        "level",
        "rows",
        "bytes",
        "min_ns",
        "max_ns",
        "min_entry",
        "max_entry",
        "sha256",
        "sealed_ns",
    )
    lake.sql(f"INSERT INTO files ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", *(getattr(file, name) for name in names))
    _copy_entry(lake, 6)


def _copy_entry(lake: Lake, number: int) -> None:
    columns = (
        "first_received_ns, last_received_ns, received, stored, rejected, deduplicated, quarantined, withheld, own, bytes, policy_hash"
    )
    names = f"{columns}, descriptor"
    insert = f"INSERT INTO entries (origin, entry, sealed_ns, {names}) SELECT origin, ?, ?, {names} FROM entries WHERE entry = 0"
    lake.sql(insert, number, sealed_ns(number))


def _appended(lake: Lake) -> None:
    file = lake.file()
    with lake.path(file).open("ab") as stream:
        stream.write(_HIDDEN)
    lake.believe(file)


def _inserted_bytes(lake: Lake) -> None:
    """Bytes between the rows and the footer: every reader reads the same rows as before."""
    file = lake.file()
    path = lake.path(file)
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:footer] + _HIDDEN + content[footer:])
    assert pq.read_table(path, partitioning=None).num_rows == file.rows
    lake.believe(file)


def _flipped(lake: Lake) -> None:
    """One bit in a page."""
    file = lake.file()
    with pq.ParquetFile(lake.path(file)) as parquet:
        column = parquet.metadata.row_group(0).column(parquet.schema_arrow.names.index("trace_id"))
    at = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset) + column.total_compressed_size // 2
    flipped(lake.path(file), at)
    lake.believe(file)


def _bounds(lake: Lake) -> None:
    """The footer says that another trace is all there is: whoever looks for this one does not find it."""
    file = lake.file()
    path = lake.path(file)
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    assert b"trace-1" in content[footer:]
    path.write_bytes(content[:footer] + content[footer:].replace(b"trace-1", b"trace-0"))
    with duckdb.connect() as connection:
        query = f"SELECT count(*) FROM read_parquet('{path}') WHERE trace_id = 'trace-1'"
        assert connection.execute(query).fetchall() == [(0,)]
    lake.believe(file)


def _filter(lake: Lake) -> None:
    """The Bloom filter says that no trace is there: whoever looks for one does not find it."""
    file = lake.file()
    path = lake.path(file)
    with pq.ParquetFile(path) as parquet:
        column = parquet.metadata.row_group(0).column(parquet.schema_arrow.names.index("trace_id"))
    content = bytearray(path.read_bytes())
    begun, size = column.bloom_filter_offset, column.bloom_filter_length
    header = begun + bytes(content[begun : begun + size]).index(b"\x1c\x1c\x00\x00\x00") + 5
    content[header : begun + size] = bytes(begun + size - header)
    path.write_bytes(content)
    lake.believe(file)


def _beside_indexes(lake: Lake) -> None:
    """Bytes before the footer of a file that also has page indexes there."""
    file = lake.file()
    path = lake.path(file)
    with pq.ParquetFile(path) as parquet:
        rows = parquet.read()
    pq.write_table(rows, path, write_page_index=True)
    _inserted_bytes(lake)


def _emptied(lake: Lake) -> None:
    file = lake.file()
    lake.path(file).write_bytes(b"")
    lake.believe(file)


def _column_added(lake: Lake) -> None:
    """A column that no schema has, to be read by whoever looks for it."""
    file = lake.file()
    path = lake.path(file)
    with pq.ParquetFile(path) as parquet:
        table = parquet.read()
    pq.write_table(table.append_column("remark", pa.array(["forged"] * table.num_rows)), path)
    lake.believe(file)


def _column_removed(lake: Lake) -> None:
    file = lake.file()
    path = lake.path(file)
    with pq.ParquetFile(path) as parquet:
        table = parquet.read()
    pq.write_table(table.drop_columns(["run_id"]), path)
    lake.believe(file)


def _said(column: str, value: object) -> Callable[[Lake], None]:
    return lambda lake: lake.believe(lake.file(), **{column: value})


def _set_aside(lake: Lake) -> None:
    lake.believe(lake.file(), damaged="a lie")


def _retired(lake: Lake) -> None:
    """The catalog calls a file replaced: queries leave it out, and the next compaction deletes it."""
    lake.believe(lake.file(), retired_ns=1)


def _entries(statement: str) -> Callable[[Lake], object]:
    return lambda lake: lake.sql(f"UPDATE entries SET {statement} WHERE origin = ? AND entry = 1", ORIGIN)


def _of_origin(lake: Lake) -> None:
    """Rows become those of another origin."""
    file = lake.file()
    lake.rewrite(file, lambda rows: [row.update(origin="node/other") for row in rows])


FILE_ATTACKS: Final = (
    Attack("a file deleted", _deleted, Verdict.MISSING, entry=0, path="data/spans/", says="gone"),
    Attack("a file deleted, also from the catalog", _deleted_from_catalog_too, Verdict.MISSING, entry=0, record_id=f"{ORIGIN}/0/0"),
    Attack("two files exchanged", _exchanged, Verdict.ALTERED, entry=0, path="data/spans/"),
    Attack("a file of another table", _other_table, Verdict.ALTERED, entry=0, path="data/spans/"),
    Attack("a file moved to another partition", _moved_partition, Verdict.ALTERED, entry=2, path="date=2026-11-25", says="folder"),
    Attack("a file moved behind the catalog's back", _moved_on_disk, Verdict.MISSING, entry=2, path=f"date={TOMORROW}"),
    Attack("a file moved behind the catalog's back, found where it is", _moved_on_disk, Verdict.EXTRA, path="date=2026-11-25"),
    Attack("a file copied within the folder", _copied, Verdict.EXTRA, path="copy.parquet"),
    Attack("a file listed twice", _listed_twice, Verdict.EXTRA, entry=0, record_id=f"{ORIGIN}/0/0", says="twice"),
    Attack("a file of a segment that never was", _forged_file, Verdict.EXTRA, path="000000000009.parquet"),
    Attack("a segment that never was, in the catalog too", _forged_segment, Verdict.EXTRA, entry=6, says="not in the log"),
    Attack("bytes appended to a file", _appended, Verdict.ALTERED, entry=0, path="data/spans/", says="cannot be read"),
    Attack("bytes inserted into a file", _inserted_bytes, Verdict.EXTRA, entry=0, path="data/spans/", says="22 bytes"),
    Attack("a bit of a page flipped", _flipped, Verdict.ALTERED, entry=0, path="data/spans/"),
    Attack("a footer that hides rows from queries", _bounds, Verdict.ALTERED, entry=0, path="data/spans/", says="bounds trace_id"),
    Attack("a Bloom filter that hides rows from queries", _filter, Verdict.ALTERED, entry=0, path="data/spans/", says="filter of trace_id"),
    Attack("bytes inserted beside page indexes", _beside_indexes, Verdict.EXTRA, entry=0, path="data/spans/", says="22 bytes"),
    Attack("a file emptied", _emptied, Verdict.ALTERED, entry=0, path="data/spans/"),
    Attack("a column added", _column_added, Verdict.ALTERED, entry=0, record_id=f"{ORIGIN}/0/0"),
    Attack("a column removed", _column_removed, Verdict.ALTERED, entry=0, path="data/spans/"),
    Attack("rows of another origin", _of_origin, Verdict.ALTERED, entry=0, says="another origin"),
    Attack("the catalog shifts the first time of a file", _said("min_ns", 2**62), Verdict.ALTERED, entry=0, says="first time"),
    Attack("the catalog shifts the last time of a file", _said("max_ns", 0), Verdict.ALTERED, entry=0, says="last time"),
    Attack("the catalog miscounts the rows of a file", _said("rows", 2), Verdict.ALTERED, entry=0, says="rows 2"),
    Attack("the catalog shifts the first entry of a file", _said("min_entry", -1), Verdict.ALTERED, entry=0, says="first entry"),
    Attack("the catalog shifts the last entry of a file", _said("max_entry", 99), Verdict.ALTERED, entry=0, says="last entry"),
    Attack("the catalog sets a file aside", _set_aside, Verdict.MISSING, entry=0, path="data/spans/", says="sets this file aside"),
    Attack("the catalog retires a file", _retired, Verdict.MISSING, entry=0, record_id=f"{ORIGIN}/0/0"),
    Attack("the catalog miscounts what was received", _entries("received = received - 1"), Verdict.ALTERED, entry=1, says="received"),
    Attack("the catalog miscounts what was rejected", _entries("rejected = 1"), Verdict.ALTERED, entry=1, says="rejected"),
    Attack("the catalog names another policy", _entries("policy_hash = 'strict'"), Verdict.ALTERED, entry=1, says="policy_hash"),
    Attack("the catalog shifts when a segment was sealed", _entries("sealed_ns = 1"), Verdict.ALTERED, entry=1, says="sealed_ns"),
    Attack(
        "the catalog forgets a segment", lambda lake: lake.sql("DELETE FROM entries WHERE entry = 1"), Verdict.MISSING, entry=1,
        path="catalog.sqlite",
    ),
    Attack("the catalog knows a segment more", lambda lake: _copy_entry(lake, 6), Verdict.EXTRA, entry=6, path="catalog.sqlite"),
)  # fmt: skip
