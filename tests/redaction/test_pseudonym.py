"""Pseudonyms are stable, keyed, and their key is private."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from redaction.errors import RedactionError
from redaction.pseudonym import load_or_create_key, pseudonym


def test_one_subject_has_one_pseudonym_per_key() -> None:
    """Case and surrounding space do not make another person; another key does."""
    assert pseudonym(b"a", "EMAIL_ADDRESS", "Jane@Example.com ") == pseudonym(b"a", "EMAIL_ADDRESS", "jane@example.com")
    assert pseudonym(b"a", "EMAIL_ADDRESS", "jane@example.com") != pseudonym(b"b", "EMAIL_ADDRESS", "jane@example.com")
    assert pseudonym(b"a", "EMAIL_ADDRESS", "joe@example.com") != pseudonym(b"a", "EMAIL_ADDRESS", "jane@example.com")


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    """0600, 32 random bytes, the same for every process of the lake."""
    path = tmp_path / "keys" / "pseudonym.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_or_create_key(path), range(16)))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_others_can_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    """One line with the remedy, and the file is left as it is."""
    path = tmp_path / "pseudonym.key"
    load_or_create_key(path)
    path.chmod(0o644)
    with pytest.raises(RedactionError, match="chmod 600"):
        load_or_create_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(RedactionError, match="damaged"):
        load_or_create_key(path)
