"""Quarantined bytes go whole when they may hold what was erased."""

from pathlib import Path

from storage.leftovers import quarantined, remove_quarantined

TRACE = "0af7" * 8


def put(data: Path, entry: int, offset: int, content: bytes) -> Path:
    """Quarantine bytes of an entry."""
    path = data / "quarantine" / f"node~collector-{entry:012d}-{offset}.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.with_suffix(".json").write_text("{}")
    return path


def test_bytes_of_an_entry_with_erased_rows_and_bytes_that_name_somebody_go(tmp_path: Path) -> None:
    """A name in any case and spelling, the digits of a pseudonym, an id as OTLP has it; others stay, with what says why they are there."""
    of_entry = put(tmp_path, 3, 0, b"\x00")
    named = [
        put(tmp_path, 4, 1, b"..Alice.."),
        put(tmp_path, 4, 2, b"<PERSON:00aa11bb22cc33dd>"),
        put(tmp_path, 4, 3, bytes.fromhex(TRACE)),
        put(tmp_path, 4, 5, b"\xff\xc3" + "ägidius öz".encode()),
        put(tmp_path, 4, 6, b"a" + "ÄGIDIUS ÖZ".encode()),
        put(tmp_path, 4, 7, rb'{"user": "\u00c4gidius \u00d6z"}'),
    ]
    other = put(tmp_path, 5, 4, b"bob")
    found = quarantined(tmp_path, {("node/collector", 3)}, ["alice", "<EMAIL_ADDRESS:00aa11bb22cc33dd>", TRACE, "bo", "Ägidius Öz"])
    assert sorted(found) == sorted([of_entry, *named])
    remove_quarantined(found)
    assert sorted(path.name for path in (tmp_path / "quarantine").iterdir()) == sorted([other.name, other.with_suffix(".json").name])


def test_without_quarantine_there_is_nothing_to_do(tmp_path: Path) -> None:
    """Most lakes have none."""
    assert quarantined(tmp_path, set(), ["alice"]) == []
    remove_quarantined([])
