"""What a collector acknowledges is soon known outside of its host: copied, cosigned, and told apart by `auditlake verify`."""

import json
from pathlib import Path

import pytest

from storage.ledger.anchors import Anchor
from storage.ledger.cosigning import newest
from storage.ledger.keys import KeySource, create_seed, load_signer
from storage.ledger.log import Log
from storage.ledger.witness import Witness
from tests.collector.served import a_trace
from tests.collector.witness_served import served
from tests.collector_process import CollectorProcess
from tests.command_line import invoked
from tests.polling import wait_until

ORIGIN = "n1/collector"


def test_checkpoints_of_a_collector_leave_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the log is known beforehand, so that the witness is ready when the collector starts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    seed, elsewhere = tmp_path / "ledger.key", tmp_path / "elsewhere"
    create_seed(seed)
    key = load_signer(tmp_path, ORIGIN, KeySource(file=seed)).verifier
    witness = Witness(tmp_path / "witness", "example.com/w", {ORIGIN: [key]}, clock=lambda: 1_795_262_400)
    collector = CollectorProcess(tmp_path, redacted=False)
    with served(witness) as url:
        places = {
            "key_file": str(seed),
            "anchors": [{"path": str(elsewhere), "interval": "1s"}],
            "witnesses": [{"url": url, "key": str(witness.key), "interval": "1s"}],
        }
        text = collector.config.read_text()
        collector.config.write_text(text.replace("extensions:\n", f"extensions:\n  ledger: {json.dumps(places)}\n", 1))
        with collector:
            assert collector.post("traces", a_trace()).status_code == 200
            wait_until(lambda: newest(Log(collector.data, ORIGIN), witness.key) is not None and Anchor(str(elsewhere)).latest(ORIGIN))
            wait_until(lambda: collector.health().json()["components"]["anchors"]["state"] == "ok")
            assert collector.terminate() == 0
    witness.close()
    log = Log(collector.data, ORIGIN)
    cosigned = newest(log, witness.key)
    assert cosigned is not None
    assert cosigned.checkpoint.root == log.reader.root(cosigned.checkpoint.size)
    words = ("verify", "--data", str(collector.data), "--config", str(collector.config), "--format", "json")
    report = json.loads(invoked(tmp_path, *words).stdout)
    found = next(each for each in report["origins"] if each["origin"] == ORIGIN)
    assert found["anchored_size"] >= 1
    assert {"witness example.com/w", f"copy {elsewhere}"} <= set(found["anchored_by"])
