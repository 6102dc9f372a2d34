"""Evidence is shown with a checkpoint of the log as it stands, whatever else lies beside it."""

from pathlib import Path

import pytest

from storage.ledger.attested import best
from storage.ledger.errors import NoteError
from storage.ledger.note import Checkpoint, SigningKey, signed
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog

WITNESS = SigningKey.from_seed("witness.example/w1", bytes(range(1, 33)))


def witnessed(log: WrittenLog, body: str, name: str = "00000000") -> None:
    folder = log.reader.folder / "witnessed"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(signed(body, [WITNESS.cosign(body, NOW_S)]), encoding="utf-8")


def test_the_checkpoint_that_a_witness_cosigned_is_shown_before_a_newer_one(tmp_path: Path) -> None:
    log = WrittenLog(tmp_path)
    log.grow(3)
    witnessed(log, log.head.body())
    log.grow(1)
    sizes = {size: found.checkpoint.size for size in (3, 4, 5) if (found := best(log.reader, size))}
    assert sizes == {3: 3, 4: 4}


@pytest.mark.parametrize("size", [3, 900])
def test_what_was_put_beside_the_log_keeps_nobody_from_evidence(tmp_path: Path, size: int) -> None:
    """Checkpoints that are not of this log, and what is none."""
    log = WrittenLog(tmp_path)
    log.grow(3)
    witnessed(log, Checkpoint(ORIGIN, size, bytes(32)).body())
    witnessed(log, "a note\n", name="11111111")
    (log.reader.folder / "witnessed" / "22222222").write_text("no note")
    found = best(log.reader, 2)
    assert found is not None
    assert found.checkpoint == log.head


def test_a_damaged_checkpoint_of_the_log_itself_is_told(tmp_path: Path) -> None:
    log = WrittenLog(tmp_path)
    log.grow(3)
    (log.reader.folder / "checkpoint").write_text("no note")
    with pytest.raises(NoteError):
        best(log.reader, 2)
