"""`auditlake bundle`, `prove` and `export --ocsf`: what they leave where, how they exit, and that they stand in the access log."""

import json
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from collector.config import DEFAULT
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.lake import Lake
from storage.ledger import verify_bundle
from storage.ledger.keys import Keys, known_keys
from storage.ledger.ocsf import fingerprint
from storage.ledger.receipt import issue
from tests.command_line import invoked
from tests.lake_builder import span, write_lake
from tests.sealed_flows import logs_request, record
from tests.sealed_lake import RECEIVED_NS, seal
from tests.storage.ledger import evidence_files
from tests.storage.ledger.evidence_files import FROM, RUN


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evidence_files.sealed(tmp_path_factory.mktemp("evidence") / "data")


def accesses(data: Path, action: str) -> list[dict[str, object]]:
    """What the access log says of a command, once it is sealed."""
    sealed_now(data)
    columns = "resource, outcome, reason, statement"
    with Lake.open(data) as lake:
        return list(lake.sql(f"SELECT {columns} FROM access_log WHERE action = $action ORDER BY time", {"action": action}).to_pylist())


def sealed_now(data: Path) -> None:
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)


def test_a_bundle_is_written_verified_and_recorded(data: Path, tmp_path: Path) -> None:
    """Who and why stand in it as in the access log: redacted."""
    rules = "secrets: {enabled: false}\n    blocked_values: [ada@example]"
    config = DEFAULT.replace("entities: default", "entities: []").replace("secrets: {enabled: true}", rules)
    (tmp_path / "otel-config.yaml").write_text(config)
    done = invoked(tmp_path, "bundle", RUN[:-4], "--data", str(data), "-o", "b.zip", "--reason", "inquiry 7 of ada@example")
    assert done.returncode == 0, done.stderr
    assert "VALID: every row is as it was committed" in done.stdout
    assert "auditlake ledger key" in done.stderr
    keys = [verify_bundle.Key(text) for text in known_keys(data)]
    assert verify_bundle.verify(tmp_path / "b.zip", keys)[-1] == "VALID: every row is as it was committed, by your keys"
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    told = orjson.loads(files["manifest.json"])["exported"]["reason"]
    assert told.startswith("inquiry 7 of ")
    assert b"ada@example" not in done.stdout.encode()
    assert not any(b"ada@example" in content for name, content in files.items() if name != "policy.json")
    assert [step["name"] for step in orjson.loads(files["run.json"])["steps"]][:2] == ["root", "look up"]
    assert len(orjson.loads(files["policy.json"])["policy_hash"]) == 16
    assert orjson.loads(files["prices.json"])["price_versions"] == {}
    assert b"master_key" not in files["policy.json"]
    written = f"--output '{tmp_path / 'b.zip'}'"
    assert accesses(data, "bundle")[-1] == {"resource": RUN, "outcome": "success", "reason": told, "statement": written}


def test_the_verifier_can_be_had_without_a_bundle(tmp_path: Path) -> None:
    printed = invoked(tmp_path, "bundle", "--verifier").stdout
    assert printed.encode() == Path(verify_bundle.__file__).read_bytes()


def test_an_unknown_run_and_no_run_at_all_are_said(data: Path, tmp_path: Path) -> None:
    unknown = invoked(tmp_path, "bundle", "nothing", "--data", str(data))
    assert (unknown.returncode, "there is no run nothing" in unknown.stderr) == (1, True)
    assert invoked(tmp_path, "bundle", "--data", str(data)).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_lake_without_a_ledger_has_nothing_to_prove(tmp_path: Path) -> None:
    write_lake(tmp_path / "old", spans=[span("a")])
    for words in (("bundle", "run-1"), ("prove", "node/collector/1/0")):
        refused = invoked(tmp_path, *words, "--data", str(tmp_path / "old"))
        assert refused.returncode == 2
        assert "before the ledger" in refused.stderr


def test_a_proof_goes_to_standard_output_and_verifies_with_python_alone(data: Path, tmp_path: Path) -> None:
    done = invoked(tmp_path, "prove", "node/collector/1/2", "--data", str(data))
    assert (done.returncode, done.stderr) == (0, "row 0 of events in log entry 1 of node/collector\n")
    (tmp_path / "r.tlog-proof").write_text(done.stdout, newline="")
    (tmp_path / "key").write_text("\n".join(known_keys(data)))
    words = [sys.executable, "-I", "-S", verify_bundle.__file__, "r.tlog-proof", "--key", "key"]
    verified = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout.splitlines()[0]) == (0, "node/collector/1/2: a row of events")
    taken_apart = json.loads(invoked(tmp_path, "prove", "node/collector/1/2", "--data", str(data), "--format", "json").stdout)
    assert taken_apart["records"][0]["row"]["attributes"] == {"x": "\x01\n|"}
    assert taken_apart["entry"]["kind"] == "segment"
    assert accesses(data, "prove")[-1]["resource"] == "node/collector/1/2"


def test_a_record_that_is_not_there_exits_with_1(data: Path, tmp_path: Path) -> None:
    for record_id in ("node/collector/9/0", "node/collector/0/9", "x"):
        done = invoked(tmp_path, "prove", record_id, "--data", str(data))
        assert (done.returncode, done.stdout) == (1, "")
        assert "cannot be proven" in done.stderr
    assert invoked(tmp_path, "prove", "node/collector/0/0", "--data", str(data), "--format", "csv").returncode == 2
    refused = invoked(tmp_path, "prove", "node/collector/0/0", "--data", str(data), "-o", str(tmp_path / "no" / "x"))
    assert (refused.returncode, "give a file that can be written" in refused.stderr) == (2, True)


def test_a_receipt_is_turned_into_a_proof(data: Path, tmp_path: Path) -> None:
    def receipt(**changes: int) -> str:
        stated = {"entry": 1, "received_ns": RECEIVED_NS, "records": 4} | changes
        return issue(Keys(data).signer("node/collector"), digest="0" * 64, **stated)

    done = invoked(tmp_path, "prove", "--receipt", receipt(), "--data", str(data), "-o", "r.tlog-proof")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "row 0 of spans, row 1 of spans, row 0 of events, row 1 of events in log entry 1 of node/collector\n"
    said = verify_bundle.verify(tmp_path / "r.tlog-proof", [verify_bundle.Key(text) for text in known_keys(data)])
    assert said[4].startswith("receipt for 4 records")
    lacking = invoked(tmp_path, "prove", "--receipt", receipt(records=6), "--data", str(data))
    assert (lacking.returncode, lacking.stdout[:22]) == (1, "c2sp.org/tlog-proof@v1")
    assert "2 of the records that the receipt is for are not stored" in lacking.stderr
    unsealed = invoked(tmp_path, "prove", "--receipt", receipt(entry=5), "--data", str(data))
    assert (unsealed.returncode, "not sealed yet" in unsealed.stderr) == (1, True)
    assert invoked(tmp_path, "prove", "--receipt", "x", "--data", str(data)).returncode == 1
    assert invoked(tmp_path, "prove", "--data", str(data)).returncode == 2


def test_audit_events_go_out_as_ocsf_bound_to_each_other(tmp_path: Path) -> None:
    said = {"auditlake.action": "refund.create", "auditlake.resource": "order-1", "auditlake.outcome": "success", "user.id": "user-7"}
    events = [logs_request(*(record(said, at, event_name="agent_action") for at in (1, 2)), record({}, 3, event_name="heartbeat"), **FROM)]
    data = seal(tmp_path / "data", events)
    done = invoked(tmp_path, "export", "--ocsf", "--data", str(data), "--until", "2026-11-21T13:00:00Z")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["metadata"]["event_code"] for line in lines] == ["agent_action", "agent_action"]
    assert [line["attestation_list"][0]["fingerprint"] for line in lines] == [fingerprint(line) for line in lines]
    assert lines[1]["attestation_list"][0]["prev_event"]["uid"] == lines[0]["metadata"]["uid"]
    sealed_now(data)
    again = invoked(tmp_path, "export", "--ocsf", "--data", str(data), "-o", "events.jsonl")
    exported = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert again.stderr == f"{len(exported)} events in events.jsonl\n"
    assert exported[-1]["metadata"]["event_code"] == "lake.export"  # the export before
    assert exported[-1]["actor"]["user"]
    assert invoked(tmp_path, "export", "--data", str(data)).returncode == 2
    assert invoked(tmp_path, "export", "--fixture", "x", "--ocsf", "--data", str(data)).returncode == 2
    with closing(Catalog.open(data, read_only=True)) as catalog:  # the reads are in the ledger too
        assert any(origin.endswith("/access") for origin in catalog.log_sizes())
