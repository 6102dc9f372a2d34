"""The vault keeps originals under a key of their subject; who lacks a key, or changes a byte, gets nothing."""

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.errors import RedactionError, VaultError
from redaction.vault import PLACEHOLDER, Sealed, Vault, placeholder
from redaction.vault_status import read_status
from tests.redaction.vaults import MAIL, MASTER, OTHER, PHONE, PSEUDONYM, contents, open_vault, seal


def failure(attempt: object, *arguments: object, **options: object) -> str:
    """The kind of error that a call ends in."""
    with pytest.raises(VaultError) as raised:
        attempt(*arguments, **options)  # type: ignore[operator]
    assert raised.value.hint
    return raised.value.failure


def test_what_was_sealed_is_revealed_also_later(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, now_ns=77)
    reference = seal(vault, "jane", MAIL)
    vault.close()
    revealed = open_vault(tmp_path).reveal(reference)
    assert (revealed.entity, revealed.text, revealed.sealed_ns) == ("EMAIL_ADDRESS", MAIL, 77)


def test_a_reference_is_the_same_for_the_same_value_of_a_subject(tmp_path: Path) -> None:
    """Also before it is sealed, and in another process."""
    vault = open_vault(tmp_path)
    first = vault.reference("jane", "EMAIL_ADDRESS", MAIL)
    assert first == vault.reference("Jane ", "EMAIL_ADDRESS", MAIL) == seal(vault, "jane", MAIL)
    assert first == open_vault(tmp_path).reference("jane", "EMAIL_ADDRESS", MAIL)
    others = {vault.reference("bob", "EMAIL_ADDRESS", MAIL), vault.reference("jane", "PERSON", MAIL), vault.reference("jane", "A", "B")}
    assert len({first, *others}) == 4
    match = PLACEHOLDER.fullmatch(placeholder("EMAIL_ADDRESS", first))
    assert match is not None
    assert match.groupdict() == {"entity": "EMAIL_ADDRESS", "reference": first}


def test_fields_of_a_reference_cannot_run_into_each_other(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    assert vault.reference("jane", "AB", "C") != vault.reference("jane", "A", "BC")


def test_references_of_another_lake_are_others(tmp_path: Path) -> None:
    vault, other = open_vault(tmp_path / "a"), open_vault(tmp_path / "b")
    assert vault.reference("jane", "EMAIL_ADDRESS", MAIL) != other.reference("jane", "EMAIL_ADDRESS", MAIL)


def test_sealing_again_changes_nothing(tmp_path: Path) -> None:
    """A batch that is tried again after a crash finds its values there; a reference twice in a batch is one value."""
    vault = open_vault(tmp_path, now_ns=1)
    reference = seal(vault, "jane", MAIL)
    value = Sealed(reference=reference, subject="jane", entity="EMAIL_ADDRESS", text=MAIL)
    later = open_vault(tmp_path, now_ns=2)
    later.seal([value, value])
    later.seal([])
    assert later.reveal(reference).sealed_ns == 1
    assert read_status(tmp_path / "vault").values == {"EMAIL_ADDRESS": 1}


def test_many_values_of_many_subjects(tmp_path: Path) -> None:
    """More than fit into one statement."""
    vault = open_vault(tmp_path)
    keys = [(f"subject {number % 700}", f"value {number}") for number in range(1500)]
    values = [Sealed(reference=vault.reference(who, "PERSON", text), subject=who, entity="PERSON", text=text) for who, text in keys]
    vault.seal(values)
    assert [vault.reveal(value.reference).text for value in values[::97]] == [value.text for value in values[::97]]
    status = read_status(tmp_path / "vault")
    assert (status.subjects, status.values) == (700, {"PERSON": 1500})


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_categories=())), subject=st.text(st.characters(exclude_categories=()), max_size=20))
def test_every_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str, subject: str) -> None:
    """Any Unicode, NUL and lone surrogates too."""
    vault = open_vault(tmp_path_factory.getbasetemp() / "texts")
    assert vault.reveal(seal(vault, subject, text)).text == text
    vault.close()


def test_a_wrong_master_key_is_noticed_when_the_vault_is_opened(tmp_path: Path) -> None:
    seal(open_vault(tmp_path), "jane", MAIL)
    assert failure(open_vault, tmp_path, OTHER) == "wrong_key"


def test_no_such_reference(tmp_path: Path) -> None:
    assert failure(open_vault(tmp_path).reveal, "0" * 24) == "unknown"


def test_nothing_is_made_where_nothing_was_sealed(tmp_path: Path) -> None:
    """Reading commands do not leave an empty vault behind."""
    assert failure(Vault.open, tmp_path / "vault", MASTER, pseudonym_key=PSEUDONYM, create=False) == "unavailable"
    assert failure(read_status, tmp_path / "vault") == "unavailable"
    assert list(tmp_path.iterdir()) == []


COLUMNS = {
    "sealed": ("reference", "subject", "entity", "sealed_ns", "nonce", "ciphertext"),
    "subjects": ("subject", "salt"),
    "root": ("root_id", "key_check", "nonce", "wrapped"),
}


OWN = {("sealed", name) for name in ("subject", "entity", "nonce", "ciphertext")} | {("subjects", "salt")}
"""Columns in which two rows differ, and that are no row's name."""
CHANGES = [
    (table, column, change)
    for table, columns in COLUMNS.items()
    for column in columns
    for change in ("altered", "type", "empty", *(["another's"] if (table, column) in OWN else []))
]


@pytest.mark.parametrize(("table", "column", "change"), CHANGES)
def test_a_changed_column_reveals_nothing(tmp_path: Path, table: str, column: str, change: str) -> None:
    """An altered value, that of another row, one of another type, none: an error, never another text."""
    vault = open_vault(tmp_path)
    mine, other = seal(vault, "jane", MAIL), seal(vault, "bob", PHONE, "PHONE_NUMBER")
    vault.close()
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        key = {"sealed": "reference", "subjects": "subject", "root": "id"}[table]
        rows = dict(connection.execute(f"SELECT {key}, {column} FROM {table}").fetchall())
        theirs = connection.execute("SELECT subject FROM sealed WHERE reference = ?", (mine,)).fetchone()[0]
        row = {"sealed": mine, "subjects": theirs, "root": 1}[table]
        another = next((rows[name] for name in rows if name != row), None)
        values = {"altered": _altered(rows[row]), "another's": another, "type": 1.5, "empty": type(rows[row])()}
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (values[change], row))
    connection.close()
    with pytest.raises(VaultError) as raised:
        open_vault(tmp_path).reveal(mine)
    assert raised.value.failure in {"tampered", "wrong_key"} if column != "reference" else raised.value.failure == "unknown"
    assert MAIL not in str(raised.value)
    if table == "sealed":
        assert open_vault(tmp_path).reveal(other).text == PHONE


@pytest.mark.parametrize("value", ["1.5", "''", "zeroblob(0)", "zeroblob(31)"])
def test_a_salt_that_is_none_of_ours_is_an_error_everywhere(tmp_path: Path, value: str) -> None:
    """Also where a value is named, sealed, or encrypted anew: never a crash that shows it."""
    vault = open_vault(tmp_path)
    reference = seal(vault, "jane", MAIL)
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        connection.execute(f"UPDATE subjects SET salt = {value}")
    connection.close()
    for attempt in (lambda: seal(vault, "jane", PHONE), lambda: vault.reveal(reference), lambda: vault.rotate(OTHER, reencrypt=True)):
        assert failure(attempt) == "tampered"
    assert vault.destroy("jane") == 1


def _altered(value: object) -> object:
    match value:
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case str():
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case int():
            return value + 1
    raise TypeError


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    open_vault(tmp_path).close()
    (tmp_path / "vault" / "vault.sqlite").write_bytes(b"x" * 8192)
    assert failure(open_vault, tmp_path) == "tampered"


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_vault(tmp_path).close()
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert failure(open_vault, tmp_path) == "unavailable"


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    """Whatever the umask, and also the files that SQLite puts beside the first."""
    before = os.umask(0)
    try:
        vault = open_vault(tmp_path)
        seal(vault, "jane", MAIL)
    finally:
        os.umask(before)
    folder = tmp_path / "vault"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"vault.sqlite": 0o600, "vault.sqlite-wal": 0o600, "vault.sqlite-shm": 0o600}


@pytest.mark.parametrize("name", ["", "vault.sqlite"])
def test_a_vault_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    open_vault(tmp_path).close()
    (tmp_path / "vault" / name).chmod(0o750)
    with pytest.raises(VaultError, match="chmod"):
        open_vault(tmp_path)


def test_no_text_subject_or_key_is_on_the_disk_or_in_a_repr(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    reference = seal(vault, "jane-the-subject", MAIL)
    stored = contents(tmp_path)
    for secret in (MAIL.encode(), b"jane-the-subject", MASTER, PSEUDONYM, vault._root.key):
        assert secret not in stored
    value = Sealed(reference=reference, subject="jane-the-subject", entity="EMAIL_ADDRESS", text=MAIL)
    shown = f"{value!r} {vault.reveal(reference)!r} {vault!r} {vault._root!r}"
    assert MAIL not in shown
    assert "jane-the-subject" not in shown
    assert repr(vault._root.key) not in shown
    assert repr(MASTER) not in shown


def test_an_error_of_the_database_shows_no_parameter(tmp_path: Path) -> None:
    """SQLite's own messages come without what was to be written."""
    vault = open_vault(tmp_path)
    value = Sealed(reference=vault.reference("jane", "EMAIL_ADDRESS", MAIL), subject="jane", entity="EMAIL_ADDRESS", text=MAIL)
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        connection.execute("DROP TABLE sealed")
    connection.close()
    with pytest.raises(VaultError) as raised:
        vault.seal([value])
    assert isinstance(raised.value, RedactionError)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert MAIL not in str(raised.value)


def test_threads_seal_at_the_same_time(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    found: dict[int, list[str]] = {}

    def work(number: int) -> None:
        found[number] = [seal(vault, f"subject {each}", f"value {each}", "PERSON") for each in range(20)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(vault.reveal(reference).text == f"value {each}" for names in found.values() for each, reference in enumerate(names))


def test_a_subject_that_two_processes_meet_at_once_can_be_revealed_by_both_names(tmp_path: Path) -> None:
    """Both named a value before either sealed it: one salt wins, both references open, and later names agree."""
    one, two = open_vault(tmp_path), open_vault(tmp_path)
    first = one.reference("jane", "EMAIL_ADDRESS", MAIL)
    second = two.reference("jane", "EMAIL_ADDRESS", MAIL)
    one.seal([Sealed(reference=first, subject="jane", entity="EMAIL_ADDRESS", text=MAIL)])
    two.seal([Sealed(reference=second, subject="jane", entity="EMAIL_ADDRESS", text=MAIL)])
    assert one.reveal(first).text == one.reveal(second).text == MAIL
    assert one.reference("jane", "PERSON", "Jane") == two.reference("jane", "PERSON", "Jane")
    assert one.destroy("jane") == 2


def test_rotation_keeps_every_value_under_the_new_key_alone(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    reference, running = seal(vault, "jane", MAIL), open_vault(tmp_path)
    wrapped = vault._root._wrapped(0)["key_check"]
    assert vault.rotate(OTHER) == 0
    assert vault.reveal(reference).text == MAIL
    assert running.reveal(seal(running, "bob", PHONE)).text == PHONE, "processes that run go on"
    assert failure(open_vault, tmp_path) == "wrong_key"
    assert open_vault(tmp_path, OTHER).reveal(reference).text == MAIL
    assert wrapped not in contents(tmp_path), "what was wrapped under the old key left the disk"


def test_rotation_can_encrypt_anew(tmp_path: Path) -> None:
    """After that, what is read from the old file with the old key opens nothing of the new one; references stay."""
    vault = open_vault(tmp_path)
    references = [seal(vault, f"subject {number}", f"value {number}", "PERSON") for number in range(4)]
    running, old_root = open_vault(tmp_path), vault._root
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        before = connection.execute("SELECT ciphertext FROM sealed").fetchall()
    connection.close()
    assert vault.rotate(OTHER, reencrypt=True) == 4
    renewed = open_vault(tmp_path, OTHER)
    assert [renewed.reveal(reference).text for reference in references] == [f"value {number}" for number in range(4)]
    assert seal(renewed, "subject 1", "value 1", "PERSON") == references[1]
    assert old_root.key != renewed._root.key
    assert failure(running.reveal, references[0]) == "wrong_key"
    assert failure(seal, running, "bob", PHONE) == "wrong_key"
    stored = contents(tmp_path)
    assert [row for row in before if row[0] in stored] == []


def test_a_damaged_value_stops_a_rotation_before_it_changed_anything(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    reference, damaged = seal(vault, "jane", MAIL), seal(vault, "bob", PHONE)
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        connection.execute("UPDATE sealed SET ciphertext = zeroblob(40) WHERE reference = ?", (damaged,))
    connection.close()
    assert failure(vault.rotate, OTHER, reencrypt=True) == "tampered"
    assert open_vault(tmp_path).reveal(reference).text == MAIL
