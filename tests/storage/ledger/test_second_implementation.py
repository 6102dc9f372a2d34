"""Ours and the second implementation agree: on every row of sealed and compacted lakes, on rows that nobody sends, on the example of the
documentation; and the second one, which knows nothing of our code, refuses a lake that was changed."""

import base64
import json
import re
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.compactor import compact
from storage.durable import DISK
from storage.ledger import row_form
from storage.ledger.canonical import form_sql, type_names
from storage.ledger.leaves import file_leaves
from storage.ledger.log import Log
from storage.ledger.note import VerifierKey
from storage.ledger.proof import EntryProof
from storage.schema import TABLES
from tests import second_ledger
from tests.collector.otlp_samples import complete_messages
from tests.sealed_lake import Request, seal
from tests.second_ledger import Kind, Refused
from tests.storage.ledger import adversarial_rows

ORIGIN = "node/collector"
CAPTURES = Path(__file__).parents[2] / "captures"
PAGE = Path(__file__).parents[3] / "docs" / "ledger.md"
DOUBLE = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", bits.to_bytes(8, "little"))[0])
HOUR_NS = 3_600 * 1_000_000_000


def kind_of(arrow: pa.DataType) -> Kind:
    """What the second implementation has to know of a column, from the schema that the Parquet file itself carries."""
    if pa.types.is_map(arrow):
        return ("map", kind_of(arrow.key_type), kind_of(arrow.item_type))
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return ("list", kind_of(arrow.value_type))
    if pa.types.is_struct(arrow):
        return ("struct", tuple((field.name, kind_of(field.type)) for field in arrow))
    return "scalar"


def stored(data: Path, table: str) -> Iterator[tuple[dict[str, Any], dict[str, Kind]]]:
    """The rows of a table as any Parquet reader gives them."""
    for path in sorted((data / "data" / table).glob("date=*/*.parquet")):
        found = pq.read_table(path, partitioning=None)
        kinds = {field.name: kind_of(field.type) for field in found.schema}
        for row in found.to_pylist():
            yield row, kinds


def requests() -> list[list[Request]]:
    """Three segments: every field of every signal, and what real frameworks sent."""
    every = [(signal, message) for signal, _, message, _ in complete_messages()]
    sent = [(path.stem.rsplit("-", 1)[1], path.read_bytes()) for path in sorted(CAPTURES.glob("*.pb"))]
    return [every, sent[::2], sent[1::2]]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seal(tmp_path_factory.mktemp("sealed") / "lake", *requests())


@pytest.fixture(scope="module")
def compacted(sealed: Path) -> Path:
    """The same lake, its files merged twice: by the minute and by the hour."""
    data = sealed.with_name("compacted")
    shutil.copytree(sealed, data)
    for later_ns in (70_000_000_000, 2 * HOUR_NS):
        compact(data, now_ns=time.time_ns() + later_ns)
    return data


@pytest.fixture(scope="module")
def another_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The key of another lake."""
    return verifier_keys(seal(tmp_path_factory.mktemp("other") / "lake", requests()[1][:1]))[0]


@pytest.fixture(params=["sealed", "compacted"])
def lake(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def verifier_keys(data: Path) -> list[str]:
    return (data / "ledger" / "keys.txt").read_text(encoding="utf-8").split()


def proven(data: Path) -> int:
    """Check everything with the second implementation alone; returns how many rows it proved."""
    origin, entries = second_ledger.check_log(data / "ledger" / ORIGIN, verifier_keys(data))
    return second_ledger.check_rows(origin, entries, lambda table: stored(data, table))


def test_it_proves_every_row_of_a_lake_fresh_and_compacted(sealed: Path, compacted: Path) -> None:
    rows = sum(1 for table in TABLES for _ in stored(sealed, table))
    assert rows > 100
    assert proven(sealed) == proven(compacted) == rows
    assert len(list(compacted.glob("data/*/date=*/*.parquet"))) < len(list(sealed.glob("data/*/date=*/*.parquet")))


def test_forms_and_leaves_of_stored_rows_are_the_same_in_all_three(lake: Path) -> None:
    """SQL over the Parquet files, our function of the standard library, and the second implementation."""
    for table, schema in TABLES.items():
        files = sorted((lake / "data" / table).glob("date=*/*.parquet"))
        if not files:
            continue
        by_sql = {(row["entry"], row["entry_row"]): row["leaf"] for row in file_leaves(files, table).to_pylist()}
        types = type_names(schema)
        for row, kinds in stored(lake, table):
            assert row_form.form(row, types) == second_ledger.canonical(row, kinds)
            assert by_sql.pop((row["entry"], row["entry_row"])) == second_ledger.row_leaf(row, kinds)
        assert not by_sql


@pytest.mark.parametrize("table", TABLES)
def test_forms_of_rows_of_every_column_type_null_and_extreme_are_the_same(table: str) -> None:
    schema, types = TABLES[table], type_names(TABLES[table])
    kinds = {field.name: kind_of(field.type) for field in schema}
    for row in adversarial_rows.arrow(table, adversarial_rows.rows(table, 100, seed=1)).to_pylist():
        assert row_form.form(row, types) == second_ledger.canonical(row, kinds)
        assert row_form.leaf(row, types) == second_ledger.row_leaf(row, kinds)


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
    assert row_form.form(row, types) == second_ledger.canonical(row, kinds)
    assert row_form.leaf(row, types) == second_ledger.row_leaf(row, kinds)


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
        assert second_ledger.shortest(value) == repr(value)
        assert value != value or second_ledger.shortest(-value) == repr(-value)


def test_duckdb_writes_every_power_of_two_and_ties_as_the_form_says() -> None:
    """DuckDB itself writes three powers of two as other numbers: a verifier that used SQL alone would take 2^81 for 2^82."""
    values = [sign * 2.0**exponent for exponent in range(-1074, 1024) for sign in (1, -1)]
    values += [number + part for number in range(2**51 - 500, 2**51) for part in (0.25, 0.75)]
    schema = pa.schema([("value", pa.float64()), ("values", pa.list_(pa.float64()))])
    table = pa.table({"value": values, "values": [[value] for value in values]}, schema)
    forms = duckdb.from_arrow(table).project(form_sql(schema)).fetchall()
    assert forms == [(f"value=d{value!r};values=l1;d{value!r};",) for value in values]


@given(DOUBLE)
def test_doubles_of_any_bits_are_written_alike(value: float) -> None:
    assert second_ledger.shortest(value) == repr(value)


def test_our_proofs_of_entries_convince_the_second_implementation(sealed: Path) -> None:
    log = Log(sealed, ORIGIN)
    note = log.checkpoint()
    assert note is not None
    text, _ = second_ledger.open_note(note.encode(), verifier_keys(sealed))
    _, size, root = second_ledger.checkpoint(text)
    assert size == 3
    for index, entry in enumerate(log.reader.entries(0, size)):
        leaf = second_ledger.sha256(b"\x00", entry)
        proof = EntryProof(index=index, hashes=tuple(log.reader.inclusion_proof(index, size)), checkpoint=note)
        assert second_ledger.included(leaf, index, size, proof.hashes, root)
        assert EntryProof.parse(proof.text()).verified(leaf, [VerifierKey.parse(verifier_keys(sealed)[0])]).root == root
    earlier = [second_ledger.sha256(b"\x00", entry) for entry in log.reader.entries(0, 2)]
    assert second_ledger.consistent(2, size, second_ledger.mth(earlier), root, log.reader.consistency_proof(2, size))


def rewritten(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    """A change of the file with the most spans."""

    def apply(data: Path) -> None:
        path = max((data / "data" / "spans").glob("date=*/*.parquet"), key=lambda path: pq.read_metadata(path).num_rows)
        pq.write_table(change(pq.read_table(path, partitioning=None)), path)

    return apply


def with_value(table: pa.Table, column: str, change: Callable[[list[Any]], list[Any]]) -> pa.Table:
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), pa.array(change(table[column].to_pylist()), table.schema.field(at).type))


def in_file(pattern: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(data: Path) -> None:
        (path,) = (data / "ledger" / ORIGIN).glob(pattern)
        path.write_bytes(change(path.read_bytes()))

    return apply


CHANGES = {
    "a value": rewritten(lambda table: with_value(table, "name", lambda values: ["other", *values[1:]])),
    "a NULL": rewritten(lambda table: with_value(table, "tenant", lambda values: ["", *values[1:]])),
    "a salt": rewritten(lambda table: with_value(table, "salt", lambda values: [bytes(16), *values[1:]])),
    "the order": rewritten(lambda table: with_value(table, "entry_row", lambda values: values[::-1])),
    "a dropped row": rewritten(lambda table: table.slice(1)),
    "a row twice": rewritten(lambda table: pa.concat_tables([table, table.slice(0, 1)])),
    "another entry": rewritten(lambda table: with_value(table, "entry", lambda values: [99, *values[1:]])),
    "a log entry": in_file("tile/entries/000.p/3", lambda data: data.replace(b'"stored":', b'"stored" ', 1)),
    "a tile": in_file("tile/0/000.p/3", lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:]),
    "the size": in_file("checkpoint", lambda data: data.replace(b"\n3\n", b"\n2\n")),
    "the key": lambda data: DISK.replace(data / "other", data / "ledger" / "keys.txt"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_refuses_a_lake_in_which_something_was_changed(lake: Path, another_key: str, tmp_path: Path, change: str) -> None:
    data = tmp_path / "lake"
    shutil.copytree(lake, data)
    (data / "other").write_text(another_key, encoding="utf-8")
    CHANGES[change](data)
    with pytest.raises(Refused):
        proven(data)


def test_rows_rewritten_in_another_order_are_the_same_rows(lake: Path, tmp_path: Path) -> None:
    data = tmp_path / "lake"
    shutil.copytree(lake, data)
    rewritten(lambda table: table.take(list(range(len(table) - 1, -1, -1))))(data)
    assert proven(data) == proven(lake)


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
    assert second_ledger.canonical(as_parquet, kinds) == form
    assert second_ledger.row_leaf(as_parquet, kinds).hex() == example("leaf")


def test_the_example_key_of_the_documentation_is_that_of_its_seed() -> None:
    from storage.ledger.note import SigningKey

    name, seed = ORIGIN, bytes(range(32))
    key = SigningKey.from_seed(name, seed).verifier
    assert example("key").split("\n") == [str(key), str(key.cosigner)]
    assert base64.b64decode(str(key).split("+", 2)[2])[1:] == key.public
