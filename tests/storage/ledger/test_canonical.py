"""The canonical form of rows: DuckDB's SQL, Arrow's kernels and the standard library say the same, and a form is of one row only."""

import hashlib
import random
import struct
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger.canonical import FormError, form, form_sql, leaf, leaf_sql, type_names
from storage.ledger.errors import LedgerError
from storage.ledger.kernels import salted_forms
from storage.ledger.row_form import own_salt
from storage.schema import TABLES
from tests.storage.ledger import adversarial_rows

EXAMPLE = {
    "salt": bytes(range(16)), "model": "gpt-5", "cost_usd": 0.1, "input_tokens": 12, "requires_approval": True,
    "start_time": 1_795_262_400_000_000, "attributes": [("b", "2"), ("a", None)],
    "events": [{"time_ns": -1, "name": "é", "attributes": [], "dropped_attributes_count": None}],
    "links": [], "status_message": None, "error_type": "",
}  # fmt: skip
EXAMPLE_FORM = (
    "attributes=m2;t1:bt1:2t1:an;cost_usd=d0.1;error_type=t0:events=l1;s4;i-1;t2:ém0;n;input_tokens=i12;links=l0;"
    "model=t5:gpt-5requires_approval=b1;start_time=u1795262400000000;"
)


SALT = bytes(16)


def salted(stored: pa.Table) -> pa.RecordBatch:
    column = pa.array([SALT] * stored.num_rows, pa.binary(16))
    numbers = pa.nulls(stored.num_rows, pa.int64())
    return stored.append_column("salt", column).append_column("entry_row", numbers).combine_chunks().to_batches()[0]


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def evaluated(connection: Any, expression: str, table: pa.Table) -> list[Any]:
    """The expression for each row, in order."""
    connection.register("given", table)
    return [value for (value,) in connection.sql(f"SELECT {expression} FROM given").fetchall()]


def test_the_form_of_the_example_in_the_documentation() -> None:
    types = type_names(TABLES["spans"])
    assert form(EXAMPLE, types).decode() == EXAMPLE_FORM
    assert leaf(EXAMPLE, types) == hashlib.sha256(b"\x00" + bytes(range(16)) + EXAMPLE_FORM.encode()).digest()


@pytest.mark.parametrize("table", TABLES)
def test_sql_and_python_agree_on_rows_of_every_type_null_and_extreme(table: str, connection: Any) -> None:
    rows = adversarial_rows.rows(table, 400)
    stored = adversarial_rows.arrow(table, rows)
    types = type_names(TABLES[table])
    forms = [form(row, types) for row in rows]
    assert [text.encode() for text in evaluated(connection, form_sql(stored.schema), stored)] == forms
    assert evaluated(connection, leaf_sql(stored.schema), stored) == [leaf(row, types) for row in rows]
    assert [form(row, types) for row in stored.to_pylist()] == forms  # as Arrow gives them back: times are datetimes
    assert {len(text) for text in forms} != {0}
    assert len(set(forms)) == len(rows)


@pytest.mark.parametrize("table", TABLES)
def test_kernels_and_python_agree_on_any_part_of_a_table(table: str) -> None:
    """Arrays may begin anywhere within their buffers, and lists end anywhere within their elements."""
    rows = adversarial_rows.rows(table, 120, seed=2)
    stored = adversarial_rows.arrow(table, rows).combine_chunks().to_batches()[0]
    types = type_names(TABLES[table])
    expected = [b"\x00" + own_salt(row) + form(row, types) for row in rows]
    for begun, count in ((0, 120), (13, 57), (119, 1), (60, 0), *((number, 1) for number in range(0, 120, 7))):
        assert salted_forms(stored.slice(begun, count)).to_pylist() == expected[begun : begun + count]


def test_kernels_take_columns_that_are_dictionaries() -> None:
    rows = adversarial_rows.rows("events", 50)
    stored = adversarial_rows.arrow("events", rows)
    texts = [pa.types.is_large_string(field.type) for field in stored.schema]
    columns = [column.dictionary_encode() if text else column for column, text in zip(stored.columns, texts, strict=True)]
    (encoded,) = pa.table(columns, names=stored.schema.names).combine_chunks().to_batches()
    assert type_names(encoded.schema) == type_names(stored.schema)
    assert salted_forms(encoded).to_pylist() == salted_forms(stored.combine_chunks().to_batches()[0]).to_pylist()


@pytest.mark.parametrize("table", TABLES)
def test_columns_that_are_known_to_be_null_or_filled_need_no_case_of_their_own(table: str, connection: Any) -> None:
    rows = adversarial_rows.rows(table, 50, seed=1)
    rng = random.Random(1)
    flat = [field for field in TABLES[table] if not pa.types.is_nested(field.type)]
    empty, filled = {field.name for field in flat[::3]} - {"salt"}, {field.name for field in flat[1::3]}
    rows = [
        row
        | dict.fromkeys(empty)
        | {field.name: adversarial_rows.value(field.type, rng, null=0) for field in flat[1::3] if row[field.name] is None}
        for row in rows
    ]
    stored = adversarial_rows.arrow(table, rows)
    shorter = form_sql(stored.schema, set(stored.schema.names) - empty, filled=filled)
    assert [text.encode() for text in evaluated(connection, shorter, stored)] == [form(row, type_names(TABLES[table])) for row in rows]


def test_a_null_in_a_column_that_was_called_filled_is_the_form_of_no_row(connection: Any) -> None:
    """So that statistics that lie change the hash instead of hiding a change."""
    schema = pa.schema(
        [(f"c{number}", kind) for number, kind in enumerate((pa.large_string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us")))]
    )
    nothing = pa.Table.from_pylist([{}], schema=schema)
    assert evaluated(connection, form_sql(schema, filled=schema.names), nothing) == ["c0=t:c1=i;c2=d;c3=c4=u;"]


def test_doubles_are_written_alike_bit_by_bit(connection: Any) -> None:
    rng = random.Random(0)
    tens = [sign * 10.0**power for power in range(-30, 31) for sign in (1, -1)]
    powers = [*tens, *(2.0**power for power in range(-1074, 1024))]
    near = [
        struct.unpack("<d", struct.pack("<q", struct.unpack("<q", struct.pack("<d", each))[0] + step))[0]
        for each in powers
        for step in (-1, 1)
    ]
    values = [
        *struct.unpack("<60000d", rng.randbytes(480_000)),
        *adversarial_rows.DOUBLES,
        *powers,
        *near,
        *(rng.random() for _ in range(20_000)),
    ]
    column = pa.table({"x": pa.array(values, pa.float64())})
    forms = [f"x=d{each!r};" for each in values]
    assert evaluated(connection, form_sql(column.schema), column) == forms
    assert [text[17:].decode() for text in salted_forms(salted(column)).to_pylist()] == forms


def test_nan_is_one_value_whatever_its_sign_and_payload(connection: Any) -> None:
    nans = [
        struct.unpack("<d", struct.pack("<Q", bits))[0]
        for bits in (0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF)
    ]
    column = pa.table({"x": pa.array(nans, pa.float64())})
    assert {text[17:] for text in salted_forms(salted(column)).to_pylist()} == {b"x=dnan;"}
    assert (
        evaluated(connection, form_sql(column.schema), column)
        == ["x=dnan;"] * len(nans)
        == [form({"x": nan}, {"x": "double"}).decode() for nan in nans]
    )


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MAPS = st.none() | st.dictionaries(ANY_TEXT, st.none() | ANY_TEXT, max_size=3).map(lambda pairs: list(pairs.items()))
RECEIPTS = st.tuples(*[st.none() | ANY_TEXT] * 3, st.none() | st.integers(-5, 5)).map(
    lambda parts: dict(zip(("entity", "rule", "key", "count"), parts, strict=True))
)
ROWS = st.fixed_dictionaries({
    "status_message": st.none() | ANY_TEXT,
    "flags": st.none() | st.integers(-(2**63), 2**63 - 1),
    "cost_usd": st.none() | st.floats(allow_nan=False),
    "eval_passed": st.none() | st.booleans(),
    "end_time": st.none() | st.integers(-(2**55), 2**57),
    "attributes": MAPS,
    "redaction_receipts": st.none() | st.lists(st.none() | RECEIPTS, max_size=2),
})  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=20))
def test_whatever_the_values_sql_kernels_and_python_agree(connection: Any, rows: list[dict[str, Any]]) -> None:
    kinds = pa.schema([TABLES["spans"].field(name) for name in rows[0]])
    stored = pa.Table.from_pylist(rows, schema=kinds)
    forms = [form(row, type_names(kinds)) for row in rows]
    assert [text.encode() for text in evaluated(connection, form_sql(kinds), stored)] == forms
    assert salted_forms(salted(stored)).to_pylist() == [b"\x00" + SALT + text for text in forms]


@settings(max_examples=60, deadline=None)
@given(row=ROWS)
def test_a_form_can_be_read_back_as_one_row_only(row: dict[str, Any]) -> None:
    """So no two rows share a form: it says where each value ends."""
    data, found = form(row, type_names(TABLES["spans"])), {}
    while data:
        name, _, data = data.partition(b"=")
        found[name.decode()], data = read_back(data, TABLES["spans"].field(name.decode()).type)
    assert list(found) == sorted(found)
    assert repr(found) == repr({name: row[name] for name in found})
    assert all(row[name] is None for name in row.keys() - found.keys())


def read_back(data: bytes, kind: pa.DataType) -> tuple[Any, bytes]:
    """The value at the beginning of a form, and what follows it."""
    mark, data = data[:1], data[1:]
    if mark == b"t":
        length, _, data = data.partition(b":")
        return data[: int(length)].decode(), data[int(length) :]
    digits, _, data = data.partition(b";")
    if mark in b"nbdiu":
        return {b"n": lambda _: None, b"b": lambda text: text == b"1", b"d": float}.get(mark, int)(digits), data
    inner = [kind.key_type, kind.item_type] if mark == b"m" else [kind.value_type] if mark == b"l" else [field.type for field in kind]
    parts = []
    for number in range(int(digits) * (2 if mark == b"m" else 1)):
        part, data = read_back(data, inner[number % len(inner)])
        parts.append(part)
    if mark == b"s":
        return {field.name: part for field, part in zip(kind, parts, strict=True)}, data
    return list(zip(parts[::2], parts[1::2], strict=True)) if mark == b"m" else parts, data


def test_a_column_that_is_null_changes_no_leaf_so_new_columns_change_no_earlier_one() -> None:
    types = type_names(TABLES["spans"])
    assert leaf(EXAMPLE | {"resent": None, "stop_reason": None}, types) == leaf(EXAMPLE, types)
    assert leaf(dict(reversed(EXAMPLE.items())), types) == leaf(EXAMPLE, types)


@pytest.mark.parametrize(
    "change",
    [{"model": "gpt-4"}, {"model": None}, {"model": ""}, {"error_type": None}, {"links": None}, {"cost_usd": 0.10000000000000002},
     {"cost_usd": 0.0}, {"attributes": [("a", None), ("b", "2")]}, {"attributes": [("b", "2")]}, {"attributes": [("b", "2"), ("a", "")]},
     {"requires_approval": False}, {"start_time": 1_795_262_400_000_001}, {"input_tokens": -12}, {"salt": bytes(16)}],
)  # fmt: skip
def test_each_change_of_a_value_changes_the_leaf(change: dict[str, Any]) -> None:
    types = type_names(TABLES["spans"])
    assert leaf(EXAMPLE | change, types) != leaf(EXAMPLE, types)


def test_zero_and_minus_zero_are_two_values() -> None:
    assert form({"x": 0.0}, {"x": "double"}) != form({"x": -0.0}, {"x": "double"})


def test_times_are_microseconds_or_datetimes() -> None:
    before_1970 = datetime(1969, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - stored times are naive UTC
    assert form({"t": before_1970}, {"t": "time"}) == form({"t": -1}, {"t": "time"}) == b"t=u-1;"


@pytest.mark.parametrize("salt", [None, b"", bytes(15), bytes(17), bytes(31), bytes(33)])
def test_a_row_with_neither_salt_nor_seed_has_no_leaf(salt: bytes | None, connection: Any) -> None:
    """A salt of another length would move bytes between salt and form, so that two rows share a leaf."""
    row = {"salt": salt, "model": "m", "entry_row": 0}
    stored = pa.Table.from_pylist([row], schema=pa.schema([("salt", pa.binary()), ("model", pa.string()), ("entry_row", pa.int64())]))
    assert evaluated(connection, leaf_sql(stored.schema), stored) == [None]
    with pytest.raises(FormError, match="16 bytes"):
        leaf(row, {"model": "text", "entry_row": "int"})


def test_names_of_types_do_not_depend_on_widths_and_encodings() -> None:
    wide = pa.schema([("a", pa.large_string()), ("b", pa.int64()), ("c", pa.binary(16)), ("d", pa.large_list(pa.large_string()))])
    narrow = pa.schema([("a", pa.string()), ("b", pa.uint8()), ("c", pa.large_binary()), ("d", pa.list_(pa.string()))])
    assert type_names(wide) == type_names(narrow) == {"a": "text", "b": "int", "c": "binary", "d": "list<text>"}


@pytest.mark.parametrize(
    "kind", [pa.float32(), pa.timestamp("ns"), pa.timestamp("us", "UTC"), pa.decimal128(10, 2), pa.date32(), pa.list_(pa.float32())]
)
def test_a_type_that_the_form_does_not_know_is_refused(kind: pa.DataType) -> None:
    """Its values would be rounded on their way into the form."""
    with pytest.raises(LedgerError, match="column when"):
        type_names(pa.schema([("when", kind)]))


@pytest.mark.parametrize("names", [["a=i1;b"], ['a"b'], ["é"], ["a", "A"], ["a", "a"], [""]])
def test_a_name_that_the_form_cannot_carry_is_refused(names: list[str]) -> None:
    with pytest.raises(LedgerError, match="no such name"):
        form_sql(pa.schema([(name, pa.int64()) for name in names]))


@pytest.mark.parametrize(
    ("row", "types"),
    [
        ({"a": 1}, {}), ({"a=": 1}, {"a=": "int"}), ({"a": "1"}, {"a": "int"}), ({"a": True}, {"a": "int"}), ({"a": 1}, {"a": "bool"}),
        ({"a": 1}, {"a": "text"}), ({"a": 1.0}, {"a": "time"}), ({"a": "x"}, {"a": "double"}), ({"a": [1]}, {"a": "list<text>"}),
        ({"a": {"x": 1}}, {"a": "struct<y:int>"}), ({"a": 1}, {"a": "list<int"}), ({"a": 1}, {"a": "int>"}), ({"a": 1}, {"a": ""}),
    ],
)  # fmt: skip
def test_a_value_that_is_not_of_its_type_is_refused(row: dict[str, Any], types: dict[str, str]) -> None:
    with pytest.raises(FormError):
        form(row, types)
