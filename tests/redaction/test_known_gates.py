"""A short-lived process finds the prefilter of its policy without Presidio, and never one of another policy or another code."""

import os
import sys
from pathlib import Path

import pytest

from cli.configuration import cache_folder
from redaction import known_gates
from redaction.conditions import Condition, identity, open_gate
from redaction.findings import UNSCANNED, withheld
from redaction.known_gates import recalled, remember
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor

PLAIN = RedactionConfig()
OTHER = RedactionConfig.model_validate({"blocked_values": ["[0-9]{4}-secret"]})
CONDITIONS = (Condition(expressions=(("a[0-9]b", 0),)),)
MAIL = "bob@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache folder with the prefilter of a policy."""
    open_gate(CONDITIONS, tmp_path)
    remember(PLAIN, tmp_path, identity(CONDITIONS))
    return tmp_path


def test_the_prefilter_of_a_policy_is_found_again(folder: Path) -> None:
    assert recalled(PLAIN, folder) == open_gate(CONDITIONS, folder).blob


def test_another_policy_has_none(folder: Path) -> None:
    assert recalled(OTHER, folder) is None


def test_other_code_has_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recognizer that was changed may find more than the old prefilter knows."""
    code = known_gates.installation()
    assert "presidio/detectors.py" in code
    monkeypatch.setattr(known_gates, "installation", lambda: code.replace("presidio/detectors.py ", "presidio/detectors.py 1"))
    assert recalled(PLAIN, folder) is None


@pytest.mark.parametrize("content", ["../../etc/passwd", "", "0" * 24, "é" * 24])
def test_a_note_that_names_no_prefilter_is_none(folder: Path, content: str) -> None:
    (note,) = folder.glob("policy-*")
    note.write_text(content, encoding="utf-8")
    assert recalled(PLAIN, folder) is None


def test_a_prefilter_with_a_wrong_bit_is_made_anew_and_not_believed(folder: Path) -> None:
    (gate,) = folder.glob("prefilter-*")
    blob = bytearray(gate.read_bytes())
    blob[-1] ^= 1
    gate.write_bytes(blob)
    redactor = Redactor(PLAIN, pseudonym_key=b"k" * 32, cache_folder=folder)
    assert not redactor._recall()


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    remember(PLAIN, tmp_path / "file" / "below", "0" * 24)
    assert recalled(PLAIN, tmp_path / "file" / "below") is None


def test_without_a_scanner_texts_are_cleared_by_the_prefilter_or_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """And Presidio is not loaded, neither for the one nor for the other."""
    Redactor(PLAIN, pseudonym_key=b"k" * 32, cache_folder=cache_folder()).clean_unscanned([("leaves the prefilter", None)])
    monkeypatch.setitem(sys.modules, "redaction.presidio.analyzer", None)
    redactor = Redactor(PLAIN, pseudonym_key=b"k" * 32, cache_folder=cache_folder())
    texts = ["SELECT * FROM runs", f"about {MAIL}", "password='hunter2-long'"]
    cleaned = [each.text for each in redactor.clean_unscanned([(text, None) for text in texts])]
    assert cleaned[:2] == ["SELECT * FROM runs", withheld(UNSCANNED).text]
    assert "hunter2" not in cleaned[2]
    assert [each.text for each in redactor.clean_now([("SELECT * FROM runs", None)])] == ["SELECT * FROM runs"]


def test_without_a_prefilter_and_a_place_for_one_everything_is_withheld() -> None:
    redactor = Redactor(PLAIN, pseudonym_key=os.urandom(32))
    assert [each.text for each in redactor.clean_unscanned([("SELECT 1", None)])] == [withheld(UNSCANNED).text]
