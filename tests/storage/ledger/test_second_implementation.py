"""Ours and the second implementation agree: on every row of sealed and compacted lakes, of which some was erased; and the second one,
which knows nothing of our code, refuses a lake that was changed."""

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.compactor import compact
from storage.durable import DISK
from storage.erasure import Hooks, Wanted, erase
from storage.ledger import row_form
from storage.ledger.canonical import type_names
from storage.ledger.leaves import LeafReader
from storage.ledger.log import Log
from storage.ledger.note import VerifierKey
from storage.ledger.proof import EntryProof
from storage.schema import TABLES
from storage.selection import Selector
from tests import second_form, second_ledger
from tests.collector.otlp_samples import complete_messages
from tests.sealed_lake import Request, seal
from tests.second_ledger import Refused
from tests.storage.ledger.parquet_rows import stored

ORIGIN = "node/collector"
CAPTURES = Path(__file__).parents[2] / "captures"
HOUR_NS = 3_600 * 1_000_000_000


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
    rows = ((table, row, kinds) for table in TABLES for row, kinds in stored(data, table))
    return second_ledger.check_lake(data / "ledger", verifier_keys(data), rows)


def test_it_proves_every_row_of_a_lake_fresh_and_compacted(sealed: Path, compacted: Path) -> None:
    rows = sum(1 for table in TABLES for _ in stored(sealed, table))
    assert rows > 100
    assert proven(sealed) == proven(compacted) == rows
    assert len(list(compacted.glob("data/*/date=*/*.parquet"))) < len(list(sealed.glob("data/*/date=*/*.parquet")))


def leaves(files: list[Path], table: str, *, query_rows: int) -> dict[tuple[int, int], bytes]:
    with LeafReader(threads=1, query_rows=query_rows) as reader:
        rows = [row for batch in reader.batches(files, table) for row in batch.to_pylist()]
    return {(row["entry"], row["entry_row"]): row["leaf"] for row in rows}


def test_forms_and_leaves_of_stored_rows_are_the_same_in_all_four(lake: Path) -> None:
    """DuckDB and Arrow's kernels over the Parquet files, our function of the standard library, and the second implementation."""
    for table, schema in TABLES.items():
        files = sorted((lake / "data" / table).glob("date=*/*.parquet"))
        if not files:
            continue
        by_query, by_kernels = (leaves(files, table, query_rows=rows) for rows in (0, 1_000_000))
        assert by_query == by_kernels
        types = type_names(schema)
        for row, kinds in stored(lake, table):
            assert row_form.form(row, types) == second_form.canonical(row, kinds)
            assert by_query.pop((row["entry"], row["entry_row"])) == second_form.row_leaf(row, kinds)
        assert not by_query


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


def test_what_was_erased_is_told_by_tombstones_and_everything_else_is_proven(lake: Path, tmp_path: Path) -> None:
    """Erased rows are gone, their leaves stand in for them; without the tombstones nothing of those entries would hold."""
    data = tmp_path / "lake"
    shutil.copytree(lake, data)
    wanted = Wanted(selector=Selector(where="tool_name IS NOT NULL"), subject="run", fingerprint="f", reason="r", by="b")
    erased = erase(data, wanted, now_ns=time.time_ns(), hooks=Hooks())
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    assert 0 < erased.rows < proven(lake)
    assert proven(data) == proven(lake) - erased.rows
    (stones,) = (data / "ledger" / ORIGIN / "tombstones").iterdir()
    stones.write_bytes(stones.read_bytes().replace(b'"row":', b'"row" :', 1))
    with pytest.raises(Refused, match="tombstones"):
        proven(data)


def test_rows_rewritten_in_another_order_are_the_same_rows(lake: Path, tmp_path: Path) -> None:
    data = tmp_path / "lake"
    shutil.copytree(lake, data)
    rewritten(lambda table: table.take(list(range(len(table) - 1, -1, -1))))(data)
    assert proven(data) == proven(lake)
