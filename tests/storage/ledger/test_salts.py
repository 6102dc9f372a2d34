"""Salts: which rows share a seed, and that a row which leaves the lake takes along nothing of others."""

from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.compactor import compact
from storage.erasure import Hooks, Wanted, erase
from storage.lake import Lake
from storage.ledger.evidence import Place, gather
from storage.ledger.salts import own_salts, seeded, with_own
from storage.selection import Selector
from storage.writer import publish_entry
from tests.collector.otlp_samples import NOW_NS, traces
from tests.lake_checks import check_lake
from tests.lake_rows import DAY_NS, NOON_NS, span_rows, table_of
from tests.people import ALICE, run
from tests.sealed_lake import RECEIVED_NS, seal

SEED = bytes(range(32))


def test_a_salt_is_derived_of_seed_and_number_as_documented() -> None:
    """The first 16 bytes of SHA-256(02 ‖ seed ‖ decimal number); a salt stays what it is, anything else is none."""
    salts = pa.array([SEED, SEED, bytes(16), bytes(17), None, SEED], pa.large_binary())
    found = own_salts(salts, pa.array([0, 1234, 2, 3, 4, None], pa.int64())).to_pylist()
    assert found == [*(sha256(b"\x02" + SEED + number).digest()[:16] for number in (b"0", b"1234")), bytes(16), None, None, None]


def test_rows_of_one_tenant_and_date_share_a_seed() -> None:
    """So that what is erased or expires with its tenant, or in another file, costs others nothing and stays with nobody."""
    rows = [{**row, "tenant": tenant, "start_ns": NOON_NS + day * DAY_NS} for row, (tenant, day) in zip(span_rows(6), PLACES, strict=True)]
    numbers = iter(range(256))

    def random(size: int) -> bytes:
        return bytes([next(numbers)]) * size

    found = seeded("spans", table_of("spans", rows), random)["salt"].to_pylist()
    assert [salt[0] for salt in found] == [0, 1, 0, 2, 3, 3]
    assert {len(salt) for salt in found} == {32}


PLACES = (("a", 0), ("b", 0), ("a", 0), ("a", 1), (None, 0), (None, 0))


def test_only_the_chosen_seeds_are_replaced() -> None:
    rows = table_of("spans", [row | {"salt": bytes([number % 2]) * 32} for number, row in enumerate(span_rows(4))])
    assert [len(salt) for salt in with_own(rows, {bytes(32)})["salt"].to_pylist()] == [16, 32, 16, 32]
    assert [len(salt) for salt in with_own(rows)["salt"].to_pylist()] == [16] * 4


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = seal(tmp_path_factory.mktemp("lake"), [("traces", traces({}, {}, {}))], [("traces", traces({}, {}))])
    compact(data, now_ns=RECEIVED_NS + 2 * DAY_NS)
    return data


def test_what_leaves_the_lake_has_its_own_salt_and_no_seed(lake: Path) -> None:
    """Views, proofs and bundles; so the leaf hashes of their neighbours, which go with them, tell nothing."""
    (path,) = (lake / "data" / "spans").rglob("*.parquet")
    stored = pq.read_table(path, partitioning=None)
    assert {len(salt) for salt in stored["salt"].to_pylist()} == {32}
    own = with_own(stored).select(["entry", "entry_row", "salt"]).to_pylist()
    expected = {(row["entry"], row["entry_row"]): row["salt"] for row in own}
    assert len(set(expected.values())) == 5
    with Lake.open(lake, clock=lambda: RECEIVED_NS) as reader:
        seen = reader.sql("SELECT entry, entry_row, salt FROM spans").to_pylist()
        (evidence,) = gather(lake, reader.catalog, [Place("spans", "node/collector", 0, 1)])
    assert {(row["entry"], row["entry_row"]): row["salt"] for row in seen} == expected
    assert evidence.tables["spans"].rows["salt"].to_pylist() == [expected[0, 1]]


def test_shared_seeds_cost_next_to_nothing(tmp_path: Path) -> None:
    rows = seeded("spans", table_of("spans", span_rows(2_000)), lambda size: bytes(range(size)))
    (file,) = publish_entry(tmp_path, "n/collector", 0, {"spans": rows})
    group = pq.read_metadata(tmp_path / file.path).row_group(0)
    chunks = {group.column(number).path_in_schema: group.column(number).total_compressed_size for number in range(group.num_columns)}
    assert chunks["salt"] < 2_000


def test_seeds_of_erased_rows_are_in_no_file(tmp_path: Path) -> None:
    """What a seed was shared with keeps its own salts; what shared none with the person keeps its seed."""
    seal(tmp_path, [*run("alice-1", ALICE), *run("bob-1", "bob")], run("bob-2", "bob"))
    compact(tmp_path, now_ns=NOW_NS + 10**18)
    before = salts_by_run(tmp_path)
    hers = set().union(*(found for name, found in before.items() if b"alice".hex() in name))
    assert {len(salt) for salt in hers} == {32}
    wanted = Wanted(selector=Selector(actors=(ALICE,)), subject="actor", fingerprint="f", reason="r", by="root", identity_keys=("user.id",))
    erase(tmp_path, wanted, now_ns=NOW_NS, hooks=Hooks())
    after = salts_by_run(tmp_path)
    assert not hers & set().union(*after.values())
    assert {len(salt) for found in after.values() for salt in found} == {16, 32}
    with closing(Catalog.open(tmp_path)) as catalog:
        seal_pending(tmp_path, catalog)
    check_lake(tmp_path)


def salts_by_run(data: Path) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for path in (data / "data").rglob("*.parquet"):
        for row in pq.read_table(path, columns=["run_id", "salt"], partitioning=None).to_pylist():
            found.setdefault(row["run_id"] or "", set()).add(row["salt"])
    return found
