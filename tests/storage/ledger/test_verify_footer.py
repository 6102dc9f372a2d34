"""What a footer says of rows that it hides: bounds, NULLs and Bloom filters, held against the rows themselves."""

import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.ledger.verdicts import Verdict
from storage.ledger.verify_bloom import xxh64
from storage.ledger.verify_files import opened
from storage.ledger.verify_footer import group_problems, hidden_bytes

NOON = datetime.datetime(2026, 11, 21, 12)  # noqa: DTZ001 - stored times are naive UTC
VALUES: dict[str, tuple[pa.DataType, Any, Any, Any]] = {
    "text": (pa.large_string(), "b", "c", "d"),
    "long": (pa.large_string(), "b" * 100, "c" * 33, "d" * 32),
    "count": (pa.int32(), -2, 0, 7),
    "ns": (pa.int64(), -(2**62), 5, 2**62),
    "total": (pa.uint64(), 5, 6, 2**64 - 1),
    "cost": (pa.float64(), -0.5, 0.25, 1e300),
    "passed": (pa.bool_(), False, False, True),
    "at": (pa.timestamp("us"), NOON, NOON, NOON + datetime.timedelta(microseconds=1)),
    "salt": (pa.large_binary(), b"\x80", b"\x90", b"\xff"),
}
"""By name a type, and three values of it: the least, one between, the greatest."""


def column(name: str, *values: Any) -> pa.Table:
    return pa.table({name: pa.array(values, VALUES[name][0])})


def written(path: Path, rows: pa.Table, **options: Any) -> tuple[Any, pq.FileMetaData]:
    pq.write_table(rows, path, **options)
    return opened(path)[0], pq.read_metadata(path)


@pytest.mark.parametrize("name", VALUES)
def test_rows_outside_of_the_bounds_of_any_flat_column_are_hidden(tmp_path: Path, name: str) -> None:
    _, low, between, high = VALUES[name]
    source, metadata = written(tmp_path / "f", column(name, low, between))
    group = metadata.row_group(0)
    assert [*group_problems(source, group, column(name, between, low))] == []
    for rows in (column(name, low, high), column(name, high).set_column(0, name, pa.chunked_array([pa.array([high], VALUES[name][0])]))):
        (problem,) = group_problems(source, group, rows)
        assert problem == (Verdict.ALTERED, f"its footer bounds {name} more narrowly than its rows do: queries skip some of them")


def test_values_of_a_dictionary_that_no_row_has_hide_nothing(tmp_path: Path) -> None:
    source, metadata = written(tmp_path / "f", column("text", "b", "c"), bloom_filter_options={"text": {"ndv": 10, "fpp": 0.0001}})
    used = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["b", "c", "zzz"], pa.large_string()))
    assert [*group_problems(source, metadata.row_group(0), pa.table({"text": used}))] == []
    hidden = pa.DictionaryArray.from_arrays(pa.array([0, 2]), pa.array(["b", "c", "zzz"], pa.large_string()))
    assert len([*group_problems(source, metadata.row_group(0), pa.table({"text": hidden}))]) == 2


def test_what_is_null_is_said_to_be_and_nothing_else(tmp_path: Path) -> None:
    source, metadata = written(tmp_path / "f", column("text", "b", "b"))
    (problem,) = group_problems(source, metadata.row_group(0), column("text", "b", None))
    assert "never NULL" in problem[1]
    kind = pa.map_(pa.large_string(), pa.large_string())
    empty, full = (pa.table({"attributes": pa.array([pairs], kind)}) for pairs in ([("k", None)], [("k", "v")]))
    source, metadata = written(tmp_path / "g", empty)
    assert [*group_problems(source, metadata.row_group(0), empty)] == []
    (problem,) = group_problems(source, metadata.row_group(0), full)
    assert "attributes.key_value.value is NULL where it has a value" in problem[1]


@pytest.mark.parametrize("length", [1, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 100])
def test_a_filter_that_lacks_a_text_of_any_length_hides_it(tmp_path: Path, length: int) -> None:
    """Arrow's writer hashes as the specification says."""
    texts = ["x" * length, "y" * length]
    rows = column("text", *texts)
    source, metadata = written(tmp_path / "f", rows, bloom_filter_options={"text": {"ndv": 100, "fpp": 0.0001}})
    assert [*group_problems(source, metadata.row_group(0), rows)] == []
    (problem,) = group_problems(source, metadata.row_group(0), column("text", texts[0], "x" * length + "ab"))
    assert problem == (Verdict.ALTERED, "its Bloom filter of text lacks values of its rows: queries skip some of them")


def test_hashes_are_those_of_the_specification() -> None:
    known = {b"": 0xEF46DB3751D8E999, b"a": 0xD24EC4F1A98C6E5B, b"abc": 0x44BC2CF5AD770999}
    for text, expected in known.items():
        assert xxh64(np.frombuffer(text, np.uint8).reshape(1, -1)).tolist() == [expected]


def test_nothing_is_wrong_with_files_of_another_engine(tmp_path: Path) -> None:
    """DuckDB writes filters of every column that repeats, numbers too; parquet-rs and Arrow can write page indexes."""
    path = tmp_path / "f"
    with duckdb.connect() as connection:
        select = "range % 50 AS i, (range % 50)::BIGINT * -7 AS n, 'text' || range % 40 AS t, (range % 9)::DOUBLE AS d, range % 5 AS big"
        connection.execute(f"COPY (SELECT {select} FROM range(3000)) TO '{path}' (FORMAT parquet)")
    source, metadata = opened(path)[0], pq.read_metadata(path)
    assert any(metadata.row_group(0).column(number).bloom_filter_offset for number in range(5))
    assert [*hidden_bytes(source, metadata), *group_problems(source, metadata.row_group(0), pq.read_table(path).combine_chunks())] == []
    source, metadata = written(path, column("text", "b", "c"), write_page_index=True)
    assert [*hidden_bytes(source, metadata)] == []
