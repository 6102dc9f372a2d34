"""Whom an erasure is about is in no alert and no message any more."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from alerts.errors import AlertsError
from alerts.forgetting import forget
from alerts.state import FILE_NAME, AlertStore
from tests.leak_scan import scan

NAME = "person-4711"


def insert(data: Path, key: str, body: str) -> None:
    """Put a message into the outbox."""
    with closing(sqlite3.connect(data / FILE_NAME)) as connection, connection:
        connection.execute(
            "INSERT INTO outbox (key, receiver, group_key, body, created_at, due_at) VALUES (?, 'log', 'g', ?, '2026', '2026')", (key, body)
        )


def test_messages_that_name_somebody_are_gone_without_a_trace(tmp_path: Path) -> None:
    """Others stay."""
    AlertStore.open(tmp_path).close()
    insert(tmp_path, "a", f'{{"labels": {{"user": "{NAME}"}}}}')
    insert(tmp_path, "b", '{"labels": {"user": "other"}}')
    assert forget(tmp_path, lambda text: NAME in text) == 1
    assert scan(tmp_path, [NAME]) == {NAME: []}
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("SELECT key FROM outbox").fetchall() == [("b",)]


def test_a_reader_that_holds_on_to_what_was_there_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order has to be given again, and then wipes what the first one deleted."""
    monkeypatch.setattr("alerts.forgetting.BUSY_SECONDS", 0.0)
    AlertStore.open(tmp_path).close()
    insert(tmp_path, "a", NAME)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM outbox").fetchall()
        with pytest.raises(AlertsError, match="give the order again"):
            forget(tmp_path, lambda text: NAME in text)
    assert forget(tmp_path, lambda text: NAME in text) == 0
    assert scan(tmp_path, [NAME]) == {NAME: []}


def test_a_lake_without_alerts_needs_nothing(tmp_path: Path) -> None:
    """No file is made."""
    assert forget(tmp_path, lambda _: True) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    """Nobody can tell what it holds."""
    (tmp_path / FILE_NAME).write_bytes(b"x" * 4096)
    with pytest.raises(AlertsError, match="move the file away"):
        forget(tmp_path, lambda _: True)
