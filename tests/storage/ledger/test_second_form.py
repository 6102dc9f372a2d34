"""The canonical form by our SQL, our Python and the second implementation: on rows that nobody sends, doubles of any bits, the example
of the documentation."""

import json
import re
import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import row_form
from storage.ledger.canonical import form_sql, type_names
from storage.ledger.note import SigningKey
from storage.schema import TABLES
from tests import second_form
from tests.second_form import Kind
from tests.storage.ledger import adversarial_rows
from tests.storage.ledger.parquet_rows import kind_of

PAGE = Path(__file__).parents[3] / "docs" / "ledger.md"
DOUBLE = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", bits.to_bytes(8, "little"))[0])


@pytest.mark.parametrize("table", TABLES)
def test_forms_of_rows_of_every_column_type_null_and_extreme_are_the_same(table: str) -> None:
    schema, types = TABLES[table], type_names(TABLES[table])
    kinds = {field.name: kind_of(field.type) for field in schema}
    for row in adversarial_rows.arrow(table, adversarial_rows.rows(table, 100, seed=1)).to_pylist():
        assert row_form.form(row, types) == second_form.canonical(row, kinds)
        assert row_form.leaf(row, types) == second_form.row_leaf(row, kinds)


VALUES: dict[str, tuple[str, Kind, st.SearchStrategy[Any]]] = {
    "text": ("text", "scalar", st.text()),
    "int": ("int", "scalar", st.integers(-(2**63), 2**64 - 1)),
    "double": ("double", "scalar", DOUBLE),
    "bool": ("bool", "scalar", st.booleans()),
    "time": ("time", "scalar", st.datetimes()),
    "binary": ("binary", "scalar", st.binary()),
}


@st.composite
def nested(draw: st.DrawFn, depth: int = 2) -> tuple[str, Kind, st.SearchStrategy[Any]]:
    """A type by our name, by the kind of the second implementation, and its values."""
    shape = draw(st.sampled_from(["scalar", "map", "list", "struct"] if depth else ["scalar"]))
    if shape == "scalar":
        return VALUES[draw(st.sampled_from(sorted(VALUES)))]
    name, kind, values = draw(nested(depth - 1))
    maybe = st.none() | values
    if shape == "list":
        return f"list<{name}>", ("list", kind), st.lists(maybe, max_size=3)
    if shape == "map":
        return f"map<text,{name}>", ("map", "scalar", kind), st.lists(st.tuples(st.text(max_size=3), maybe), max_size=3)
    other, other_kind, other_values = draw(nested(depth - 1))
    fields = st.fixed_dictionaries({"b": maybe, "a": st.none() | other_values})
    return f"struct<b:{name},a:{other}>", ("struct", (("b", kind), ("a", other_kind))), fields


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_forms_of_rows_that_nobody_sends_are_the_same(data: st.DataObject) -> None:
    columns = data.draw(
        st.dictionaries(st.from_regex(r"\A[a-z_][a-z0-9_]{0,5}\Z").filter(lambda name: name != "salt"), nested(), max_size=4)
    )
    row = {name: data.draw(st.none() | values) for name, (_, _, values) in columns.items()} | {
        "salt": data.draw(st.binary(min_size=16, max_size=16))
    }
    types = {name: kind for name, (kind, _, _) in columns.items()}
    kinds = {name: kind for name, (_, kind, _) in columns.items()}
    assert row_form.form(row, types) == second_form.canonical(row, kinds)
    assert row_form.leaf(row, types) == second_form.row_leaf(row, kinds)


def test_doubles_are_written_alike_by_rational_arithmetic_and_by_python() -> None:
    """Powers of two, where the shortest decimal is not always the rounded one, with their neighbours; the ends of each layout; a tie."""
    powers = [2.0**exponent for exponent in range(-1074, 1024)]
    bits = [struct.unpack("<q", struct.pack("<d", value))[0] for value in powers]
    near = [struct.unpack("<d", struct.pack("<q", number + step))[0] for number in bits[1::7] for step in (-1, 1)]
    ends = [
        1e15,
        1e16,
        9999999999999998.0,
        1e-4,
        1e-5,
        0.00012,
        123456.789,
        5e-324,
        1.7976931348623157e308,
        0.1 + 0.2,
        100.0,
        2251799813685247.75,
    ]
    for value in [*powers, *near, *ends, 0.0, float("inf"), float("nan")]:
        assert second_form.shortest(value) == repr(value)
        assert value != value or second_form.shortest(-value) == repr(-value)


def test_duckdb_writes_every_power_of_two_and_ties_as_the_form_says() -> None:
    """DuckDB itself writes three powers of two as other numbers: a verifier that used SQL alone would take 2^81 for 2^82."""
    values = [sign * 2.0**exponent for exponent in range(-1074, 1024) for sign in (1, -1)]
    values += [number + part for number in range(2**51 - 500, 2**51) for part in (0.25, 0.75)]
    schema = pa.schema([("value", pa.float64()), ("values", pa.list_(pa.float64()))])
    table = pa.table({"value": values, "values": [[value] for value in values]}, schema)
    forms = duckdb.from_arrow(table).project(form_sql(schema)).fetchall()
    assert forms == [(f"value=d{value!r};values=l1;d{value!r};",) for value in values]


@settings(deadline=None)
@given(DOUBLE)
def test_doubles_of_any_bits_are_written_alike(value: float) -> None:
    assert second_form.shortest(value) == repr(value)


def example(name: str) -> Any:
    found = re.search(rf"<!-- example: {name} -->\n\n```\w*\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, name
    return found[1]


def test_the_example_row_of_the_documentation_has_the_form_and_the_leaf_that_it_says() -> None:
    row = json.loads(example("row"))
    row["salt"] = bytes.fromhex(row["salt"])
    form = example("form").encode()
    assert row_form.form(row, type_names(TABLES["spans"])) == form
    assert row_form.leaf(row, type_names(TABLES["spans"])).hex() == example("leaf")
    as_parquet = row | {"start_time": datetime(1970, 1, 1) + timedelta(microseconds=row["start_time"])}  # noqa: DTZ001
    kinds = {field.name: kind_of(field.type) for field in TABLES["spans"]}
    assert second_form.canonical(as_parquet, kinds) == form
    assert second_form.row_leaf(as_parquet, kinds).hex() == example("leaf")


def test_the_example_key_of_the_documentation_is_that_of_its_seed() -> None:
    name, seed = "node/collector", bytes(range(32))
    key = SigningKey.from_seed(name, seed).verifier
    assert example("key").split("\n") == [str(key), str(key.cosigner)]
