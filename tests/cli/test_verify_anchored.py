"""`auditlake verify` against what left the host: the owner of the key rewrites, cuts or rolls back his lake, and is caught."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.anchoring.board import Board
from collector.anchoring.process import publish_all
from collector.anchoring.targets import targets
from collector.config import DEFAULT, parse
from storage.ledger.keys import known_keys
from storage.ledger.note import VerifierKey
from storage.ledger.witness import Witness
from tests.collector.witness_served import served
from tests.command_line import invoked
from tests.sealed_flows import span, spans_request
from tests.sealed_lake import seal

ORIGIN = "node/collector"
SEGMENT = [spans_request(span("work", "a", 0, 1), scope="agent", resource={"service.name": "agent"})]


class Anchored:
    """A lake of two segments whose checkpoint is at a second location and with a witness."""

    def __init__(self, folder: Path, url: str, witness: Witness) -> None:
        self.folder = folder
        self.data = folder / "lake"
        places = {"anchors": [{"path": str(folder / "elsewhere")}], "witnesses": [{"url": url, "key": str(witness.key)}]}
        self.config = folder / "otel-config.yaml"
        self.config.write_text(DEFAULT.replace("extensions:\n", f"extensions:\n  ledger: {json.dumps(places)}\n", 1))
        seal(self.data, SEGMENT, SEGMENT)
        witness.use({ORIGIN: [VerifierKey.parse(text) for text in known_keys(self.data)]})

    def publish(self) -> None:
        ledger = parse(self.config.read_text(), "test", {}).ledger
        for target in targets(ledger, self.data):
            with closing(target):
                publish_all(self.data, target, Board(self.data), lambda _standing: None)

    def verify(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Verify as somebody who has never seen this lake before."""
        (self.folder / "state.json").unlink(missing_ok=True)
        where = ("--data", str(self.data), "--config", str(self.config), "--state", "state.json", "--format", "json")
        return invoked(self.folder, "verify", *where, *words)

    def report(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.verify(*words).stdout)
        return found


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Anchored]:
    witness = Witness(tmp_path / "witness", "example.com/w", {}, clock=lambda: 1_795_262_400)
    with served(witness) as url:
        yield Anchored(tmp_path, url, witness)
    witness.close()


def verdicts(report: dict[str, Any]) -> set[str]:
    return {finding["verdict"] for origin in report["origins"] for finding in origin["findings"]}


def test_what_left_the_host_is_anchored_and_what_came_later_is_not(lake: Anchored) -> None:
    lake.publish()
    assert lake.verify("--require-anchored").returncode == 0
    seal(lake.data, SEGMENT)
    report = lake.report()
    (origin,) = report["origins"]
    assert (report["ok"], origin["size"], origin["anchored_size"], origin["unanchored"]) == (True, 3, 2, 1)
    assert set(origin["anchored_by"]) == {f"copy {lake.folder / 'elsewhere'}", "witness example.com/w"}
    assert lake.verify().returncode == 0
    assert lake.verify("--require-anchored").returncode == 1


def test_a_lake_that_is_written_anew_under_the_same_key_contradicts_its_anchors(lake: Anchored) -> None:
    """Same origin, same key, same number of entries, other rows: inside it is without a flaw."""
    lake.publish()
    keys = lake.folder / "keys"
    shutil.copytree(lake.data / "keys", keys)
    shutil.rmtree(lake.data)
    shutil.copytree(keys, lake.data / "keys")
    seal(lake.data, SEGMENT, SEGMENT)
    result = lake.verify()
    assert result.returncode == 1
    assert "ALTERED" in verdicts(json.loads(result.stdout))
    assert lake.verify("--ask-witnesses").returncode == 1


def test_an_older_copy_of_everything_is_told_by_the_second_location(lake: Anchored) -> None:
    shutil.copytree(lake.data, lake.folder / "yesterday")
    seal(lake.data, SEGMENT)
    lake.publish()
    shutil.rmtree(lake.data)
    shutil.copytree(lake.folder / "yesterday", lake.data)
    result = lake.verify()
    assert result.returncode == 1
    assert "MISSING" in verdicts(json.loads(result.stdout))


def test_an_older_copy_of_everything_is_told_by_the_witness_when_it_is_asked(lake: Anchored) -> None:
    """Who owns the host owns the cosigned notes on it, and here the second location as well."""
    lake.publish()
    for name in ("lake", "elsewhere"):
        shutil.copytree(lake.folder / name, lake.folder / "yesterday" / name)
    seal(lake.data, SEGMENT)
    lake.publish()
    for name in ("lake", "elsewhere"):
        shutil.rmtree(lake.folder / name)
        shutil.copytree(lake.folder / "yesterday" / name, lake.folder / name)
    assert lake.verify("--require-anchored").returncode == 0, "nothing on this host tells it"
    result = lake.verify("--ask-witnesses")
    assert result.returncode == 1
    assert "MISSING" in verdicts(json.loads(result.stdout))


def test_a_place_that_cannot_be_read_anchors_nothing_and_is_named(lake: Anchored) -> None:
    lake.publish()
    note = next((lake.data / "ledger" / ORIGIN / "witnessed").iterdir())
    note.write_text(note.read_text().replace("\n2\n", "\n1\n"))
    shutil.rmtree(lake.folder / "elsewhere")
    (lake.folder / "elsewhere").write_text("not a folder")
    result = lake.verify("--require-anchored")
    assert result.returncode == 1
    assert json.loads(result.stdout)["origins"][0]["anchored_size"] == 0
    assert "example.com/w" in result.stdout + result.stderr


def test_of_many_copies_that_contradict_a_log_the_first_is_told(lake: Anchored) -> None:
    for _ in range(3):
        lake.publish()
        seal(lake.data, SEGMENT)
    keys = lake.folder / "keys"
    shutil.copytree(lake.data / "keys", keys)
    shutil.rmtree(lake.data)
    shutil.copytree(keys, lake.data / "keys")
    seal(lake.data, *[SEGMENT] * 5)
    details = [finding.get("detail", "") for finding in lake.report()["origins"][0]["findings"]]
    told = [detail for detail in details if "copy" in detail]
    assert told == [
        f"its first 2 entries are not those of copy {lake.folder / 'elsewhere'}: the log was rewritten (and 2 more of its checkpoints)"
    ]
