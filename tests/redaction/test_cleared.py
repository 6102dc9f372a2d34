"""What was cleared once is not asked again: for the same policy, code and lake, and by whoever holds the lake's key."""

from pathlib import Path

import pytest

from redaction import cleared
from redaction.cleared import MOST, Cleared

KEY = b"k" * 32


def remembering(folder: Path, *texts: str, policy: str = "p", key: bytes = KEY) -> Cleared:
    known = Cleared(folder, policy, key)
    for text in texts:
        known.add(text, "user.id")
    known.keep()
    return Cleared(folder, policy, key)


def test_a_text_is_known_under_the_key_that_it_was_cleared_under(tmp_path: Path) -> None:
    known = remembering(tmp_path, "root")
    assert known.knows("root", "user.id")
    assert not known.knows("root", "other")
    assert not known.knows("root", None)
    assert not known.knows("roo", "user.id")


def test_a_missing_key_is_no_key_of_no_name(tmp_path: Path) -> None:
    known = Cleared(tmp_path, "p", KEY)
    known.add("x", None)
    assert known.knows("x", None)
    assert not known.knows("x", "")


def test_another_policy_another_lake_and_other_code_know_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembering(tmp_path, "root")
    assert not Cleared(tmp_path, "q", KEY).knows("root", "user.id")
    assert not Cleared(tmp_path, "p", b"l" * 32).knows("root", "user.id")
    monkeypatch.setattr(cleared, "installation", lambda: "another")
    assert not Cleared(tmp_path, "p", KEY).knows("root", "user.id")


def test_no_text_is_in_the_file(tmp_path: Path) -> None:
    remembering(tmp_path, "bob@example.com")
    (file,) = tmp_path.iterdir()
    assert b"bob" not in file.read_bytes()


def test_the_file_stays_small_and_the_newest_texts_stay(tmp_path: Path) -> None:
    known = remembering(tmp_path, *(str(number) for number in range(MOST + 1)))
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size == MOST // 2 * 16
    assert known.knows(str(MOST), "user.id")
    assert not known.knows("0", "user.id")


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert not remembering(tmp_path / "file", "root").knows("root", "user.id")
