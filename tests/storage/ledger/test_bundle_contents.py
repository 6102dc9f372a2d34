"""What goes into an evidence bundle: rows wherever compaction, derivation and erasure put them, and nothing that does not verify."""

import time
from contextlib import closing
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.compactor import compact
from storage.derivations import Publisher
from storage.erasure import Hooks, Wanted, erase
from storage.errors import StorageError
from storage.ledger import verify_bundle
from storage.ledger.bundle import Export, places_of_run, write_bundle
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys, KeySource
from storage.ledger.log import log_folder
from storage.ledger.prove import NotProven, prove
from storage.schema import CANONICAL, DERIVATION
from storage.selection import Selector
from tests.sealed_lake import RECEIVED_NS, open_lake, seal
from tests.storage.ledger import evidence_files
from tests.storage.ledger.evidence_files import RUN, Made

EXPORT = Export(run_id=RUN, by="ada", reason="", at_ns=RECEIVED_NS, software="auditlake 1")
LOG = "ledger/node~collector/"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return evidence_files.made(tmp_path_factory.mktemp("evidence"))


def test_a_bundle_without_the_key_says_that_the_exporter_did_not_sign(made: Made, tmp_path: Path) -> None:
    unreadable = Keys(made.data, KeySource(file=tmp_path / "none.key"))
    with open_lake(made.data) as lake:
        bundle = write_bundle(made.data, lake.catalog, places_of_run(lake, RUN), tmp_path / "b.zip", EXPORT, unreadable)
    assert not bundle.is_signed
    assert "NOT SIGNED by the exporter" in bundle.said[2]
    assert not (tmp_path / "none.key").exists()


def test_rows_have_the_same_proof_after_a_compaction(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    compact(data, now_ns=time.time_ns() + 10**15)  # long after it was sealed
    with open_lake(data) as lake:
        assert len(lake.catalog.live_files("spans")) == 1
        bundle = write_bundle(data, lake.catalog, places_of_run(lake, RUN), tmp_path / "b.zip", EXPORT, Keys(data))
    assert bundle.said[-1].startswith("VALID")


def test_what_is_left_of_an_entry_after_an_erasure_is_proven_with_the_tombstones_of_the_rest(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    other = b"other".rjust(16, b".").hex()
    wanted = Wanted(selector=Selector(run=other), subject="run", fingerprint="f", reason="", by="root")
    assert erase(data, wanted, now_ns=RECEIVED_NS, hooks=Hooks()).rows == 4
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    with open_lake(data) as lake:
        bundle = write_bundle(data, lake.catalog, places_of_run(lake, RUN), tmp_path / "b.zip", EXPORT, Keys(data))
        with pytest.raises(NotProven, match="erased or expired"):
            prove(data, lake.catalog, "node/collector/0/2")
    assert (bundle.rows, bundle.said[-1][:6]) == (4, "VALID:")


def test_what_was_derived_from_a_record_since_is_beside_it(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    said = {"of_table": "spans", "of_origin": "node/collector", "of_entry": 0, "of_row": 1, "trace_id": RUN, "derivation": "test"}
    times = {"time_ns": RECEIVED_NS, "derived_ns": RECEIVED_NS}
    rows = [said | times | {"run_id": RUN, "agent_name": name} for name in ("support", "elsewhere")]
    rows[1] |= {"of_row": 2, "run_id": "other"}
    with closing(Publisher(data, "node")) as publisher:
        publisher.publish(pa.Table.from_pylist(rows, schema=pa.schema([*DERIVATION, *CANONICAL])), now_ns=RECEIVED_NS, runs={})
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    with open_lake(data) as lake:
        bundle = write_bundle(data, lake.catalog, places_of_run(lake, RUN), tmp_path / "b.zip", EXPORT, Keys(data))
    files = verify_bundle.files_of(tmp_path / "b.zip")
    assert [orjson.loads(line)["of_row"] for line in files["rows/derivations.jsonl"].splitlines()] == [1]
    assert orjson.loads(files["manifest.json"])["origins"] == ["node/collector", "node/rederive"]
    assert bundle.said[1].startswith("node/collector: ")
    assert bundle.said[2].startswith("node/rederive: ")


def test_data_points_that_name_a_run_go_with_it(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    request = ExportMetricsServiceRequest()
    for number, run in enumerate((RUN, "other")):
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="waited")
        point = metric.gauge.data_points.add(time_unix_nano=RECEIVED_NS, as_double=number + 0.5)
        point.attributes.add(key="auditlake.run.id").value.string_value = run
    seal(data, [("metrics", request)])
    with open_lake(data) as lake:
        write_bundle(data, lake.catalog, places_of_run(lake, RUN), tmp_path / "b.zip", EXPORT, Keys(data))
    files = verify_bundle.files_of(tmp_path / "b.zip")
    assert [orjson.loads(line)["value"] for line in files["rows/metrics.jsonl"].splitlines()] == [0.5]


def test_a_timestamp_of_the_checkpoint_goes_with_it(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    log = log_folder(data, "node/collector")
    (log / "timestamps").mkdir()
    (log / "timestamps" / "2-1.checkpoint").write_bytes((log / "checkpoint").read_bytes())
    (log / "timestamps" / "2-1.tsr").write_bytes(b"answer")
    with open_lake(data) as lake:
        write_bundle(data, lake.catalog, places_of_run(lake, RUN), tmp_path / "b.zip", EXPORT, Keys(data))
    files = verify_bundle.files_of(tmp_path / "b.zip")
    assert files[LOG + "timestamps/2-1.tsr"] == b"answer"
    assert files[LOG + "timestamps/2-1.checkpoint"] == files[LOG + "checkpoint"]


def test_rows_that_were_altered_are_not_exported(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    path = next((data / "data" / "spans").rglob("*0000.parquet"))
    rows = pq.read_table(path, partitioning=None)
    at = rows.schema.get_field_index("name")
    altered = rows.set_column(
        at, rows.schema.field(at), pa.array(["x" * len(name) for name in rows["name"].to_pylist()], pa.large_string())
    )
    pq.write_table(altered, path)
    with open_lake(data) as lake, pytest.raises(LedgerError, match="rows of spans are not those that the log committed to"):
        write_bundle(data, lake.catalog, places_of_run(lake, RUN), tmp_path / "b.zip", EXPORT, Keys(data))
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_takes_no_file_is_said(made: Made, tmp_path: Path) -> None:
    with open_lake(made.data) as lake, pytest.raises(StorageError, match="write an export"):
        write_bundle(made.data, lake.catalog, places_of_run(lake, RUN), tmp_path / "none" / "b.zip", EXPORT, Keys(made.data))
