"""What a run says of its records' integrity is what the last verification said of their entries: no more, and never a lie."""

from pathlib import Path
from typing import Any

import pytest

from storage.ledger.verify_state import Spoken, State, self_check_path
from storage.runs.integrity import integrity

STEPS = [{"origin": "node/collector", "entry": number} for number in (3, 4, 4)]
VERIFIED_NS = 1_795_262_400 * 1_000_000_000  # 2026-11-21T12:00:00Z


def said(data: Path, spoken: dict[str, Spoken], *, at_ns: int = VERIFIED_NS, path: Path | None = None) -> dict[str, Any]:
    """The integrity of the steps, after a verification that said this."""
    data.mkdir(exist_ok=True)
    State(path=path or self_check_path(data), spoken=spoken, verified_ns=at_ns, mode="deep", ok=True).save()
    return integrity(STEPS, data, () if path is None else (path,))


def test_without_a_verification_nothing_is_claimed(tmp_path: Path) -> None:
    found = integrity(STEPS, tmp_path)
    assert (found["verified"], found["state"]) == (None, "unverified")
    assert found["origins"] == [{"origin": "node/collector", "entries": [3, 4]}]


def test_entries_that_were_valid_are_said_to_have_been(tmp_path: Path) -> None:
    found = said(tmp_path, {"node/collector": Spoken(first=0, last=9)})
    assert (found["verified"], found["state"], found["anchored"]) == (True, "verified", False)
    assert "VALID when the ledger was verified at 2026-11-21 12:00 UTC" in found["statement"]
    assert "UNANCHORED" in found["statement"]


def test_anchored_entries_are_said_to_be(tmp_path: Path) -> None:
    found = said(tmp_path, {"node/collector": Spoken(first=0, last=9, anchored=4)})
    assert found["anchored"] is True
    assert "a checkpoint outside of this host covers them" in found["statement"]


@pytest.mark.parametrize("verdict", ["ALTERED", "MISSING", "EXTRA"])
def test_a_finding_about_an_entry_is_told(tmp_path: Path, verdict: str) -> None:
    found = said(tmp_path, {"node/collector": Spoken(first=0, last=9, bad=((4, 6, verdict, "rows"),))})
    assert (found["verified"], found["state"]) == (False, "failed")
    assert f"found {verdict}: rows" in found["statement"]


@pytest.mark.parametrize(
    "spoken",
    [
        Spoken(first=0, last=3),
        Spoken(first=4, last=9),
        Spoken(first=0, last=9, bad=((4, 4, "UNLEDGERED", "before"),)),
    ],
    ids=["sealed since", "left out", "without a ledger"],
)
def test_entries_that_nobody_spoke_of_are_not_vouched_for(tmp_path: Path, spoken: Spoken) -> None:
    found = said(tmp_path, {"node/collector": spoken})
    assert (found["verified"], found["state"]) == (None, "partly")
    assert found["statement"].startswith("1 of 2 entries")


def test_findings_elsewhere_and_removals_by_order_do_not_touch_a_run(tmp_path: Path) -> None:
    bad = ((0, 2, "ALTERED", "rows"), (4, 4, "ERASED", "by order"))
    assert said(tmp_path, {"node/collector": Spoken(first=0, last=9, bad=bad)})["verified"] is True


def test_the_newest_verification_counts(tmp_path: Path) -> None:
    said(tmp_path, {"node/collector": Spoken(first=0, last=9)})
    later = {"node/collector": Spoken(first=0, last=9, bad=((3, 3, "MISSING", "a file"),))}
    assert said(tmp_path, later, at_ns=VERIFIED_NS + 1, path=tmp_path / "mine.json")["verified"] is False


def test_a_state_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    self_check_path(tmp_path).write_text("{")
    assert integrity(STEPS, tmp_path)["state"] == "unverified"
