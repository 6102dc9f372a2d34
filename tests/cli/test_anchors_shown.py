"""`auditlake ledger status` and `auditlake doctor` say where checkpoints are known outside of this host."""

import json
from pathlib import Path

import pytest

from cli.ledger_checks import anchors
from collector.anchoring.board import Board, Standing
from tests.command_line import invoked
from tests.sealed_flows import span, spans_request
from tests.sealed_lake import seal

ORIGIN = "node/collector"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a lake whose log is known at one place, refused at another, and unknown at a third."""
    request = spans_request(span("work", "a", 0, 1), scope="agent", resource={"service.name": "agent"})
    board = Board(seal(tmp_path / "auditlake-data", [request]), clock=lambda: 1)
    board.published(Standing(kind="copy", target="s3://bucket/audit", origin=ORIGIN), digest="d", size=1)
    board.failed(Standing(kind="witness", target="example.com/w", origin=ORIGIN), trouble="another history", reason="forked", alarm=True)
    board.failed(Standing(kind="timestamp", target="tsa.example", origin=ORIGIN), trouble="no answer", reason="failed", alarm=False)
    return tmp_path


def test_status_says_how_much_is_known_elsewhere_and_what_is_wrong(folder: Path) -> None:
    told = invoked(folder, "ledger", "status", "--format", "json")
    assert [(row["origin"], row["entries"], row["anchored"]) for row in json.loads(told.stdout)] == [(ORIGIN, 1, 1)]
    assert told.stderr.splitlines() == [
        f"warning: witness example.com/w, {ORIGIN}: another history",
        f"warning: timestamp tsa.example, {ORIGIN}: no answer",
    ]


def test_doctor_fails_for_a_contradiction_and_warns_of_the_rest(folder: Path) -> None:
    found = {check.finding: (check.state, check.remedy) for check in anchors(folder / "auditlake-data")}
    assert found == {
        f"copy s3://bucket/audit, {ORIGIN}: 1 entries": ("ok", ""),
        f"witness example.com/w, {ORIGIN}: another history": ("failed", "it contradicts this log: run `auditlake verify`"),
        f"timestamp tsa.example, {ORIGIN}: no answer": ("warning", "docs/anchors.md says what each answer means"),
    }


def test_without_places_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(anchors(tmp_path)) == []
