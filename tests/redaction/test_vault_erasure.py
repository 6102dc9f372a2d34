"""Destroying a subject's key makes its values irrecoverable, for whoever holds the master key and the disk."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from cli.configuration import cache_folder
from redaction.errors import VaultError
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor
from redaction.vault import PLACEHOLDER, Sealed, _bound
from redaction.vault_keys import decrypted, derived
from redaction.vault_status import read_status
from redaction.vault_store import VaultStore
from redaction.vault_tables import SCHEMA_VERSION
from tests.redaction.vaults import MAIL, MASTER, OTHER, PHONE, PSEUDONYM, contents, open_vault, row_of, seal, stored_secrets, subject_of


def test_a_destroyed_subject_is_irrecoverable_with_the_master_key_and_the_whole_disk(tmp_path: Path) -> None:
    """Not one byte string that its decryption needs is in any file any more; another subject's still opens."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    vault = open_vault(data)
    fillers = [seal(vault, f"subject {number}", "x" * (number * 37 % 900), "PERSON") for number in range(300)]
    mine = [seal(vault, "jane", MAIL), seal(vault, "jane", PHONE, "PHONE_NUMBER")]
    kept = seal(vault, "bob", "bob@example.com")
    fillers += [seal(vault, f"later {number}", "y" * (number * 53 % 900), "PERSON") for number in range(300)]
    jane, bob = subject_of(data, mine[0]), subject_of(data, kept)
    secrets = stored_secrets(data)
    root = vault._root.key
    jane_key = derived(root, secrets[jane][0], "subject")
    row = row_of(data, mine[0])
    assert decrypted(jane_key, row["nonce"], row["ciphertext"], _bound(row)) == MAIL.encode(), "this key opened it"

    assert vault.destroy("jane", by="operator", reason="order 81") == 2

    on_disk = contents(data)
    assert [len(secret) for secret in [*secrets[jane], jane_key, MAIL.encode(), jane.encode()] if secret in on_disk] == []
    assert all(secret in on_disk for secret in secrets[bob]), "the search finds what is there"
    shutil.copytree(data, copy)  # all that an attacker can have: the folder, the master key, and the root key it opens
    stolen = open_vault(copy, MASTER)
    assert stolen._root.key == root
    for reference in mine:
        with pytest.raises(VaultError) as raised:
            stolen.reveal(reference)
        assert raised.value.failure == "destroyed"
    assert stolen.reveal(kept).text == "bob@example.com"
    assert len({stolen.reveal(reference).text for reference in fillers}) > 100
    remaining = [each for values in stored_secrets(copy).values() for each in values]
    candidates = [root, MASTER, *(derived(root, each, "subject") for each in remaining)]
    opened = {decrypted(key, row["nonce"], row["ciphertext"], _bound(row)) for key in candidates}
    assert opened == {None}, "even a ciphertext that was kept aside has no key any more"


def test_values_are_destroyed_one_by_one_and_the_key_with_the_last(tmp_path: Path) -> None:
    """Others of the subject stay, and one that comes again is kept under the name that it had, until the key is gone."""
    vault = open_vault(tmp_path)
    mail, phone = seal(vault, "jane", MAIL), seal(vault, "jane", PHONE, "PHONE_NUMBER")
    bob, before = seal(vault, "bob", MAIL), vault.generation()
    assert vault.destroy_values([mail, "0" * 24], by="operator", reason="order 82") == 1
    assert (vault.reveal(phone).text, vault.reveal(bob).text, vault.generation()) == (PHONE, MAIL, before + 1)
    with pytest.raises(VaultError, match="no such reference"):
        vault.reveal(mail)
    assert seal(vault, "jane", MAIL) == mail
    secrets = stored_secrets(tmp_path)[subject_of(tmp_path, mail)]
    assert vault.destroy_values([mail, phone]) == 2
    assert [len(secret) for secret in secrets if secret in contents(tmp_path)] == []
    with pytest.raises(VaultError, match="was destroyed"):
        vault.reveal(mail)
    assert seal(vault, "jane", MAIL) != mail
    assert (vault.destroy_values([mail]), vault.reveal(bob).text) == (0, MAIL)


def test_what_stays_tells_that_it_happened_and_not_to_whom(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, now_ns=5)
    reference = seal(vault, "jane", MAIL)
    subject = subject_of(tmp_path, reference)
    vault.destroy("jane", by="operator", reason="order 81")
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        assert connection.execute("SELECT * FROM tombstones").fetchall() == [(1, 5, 1, "operator", "order 81")]
        assert connection.execute("SELECT * FROM destroyed").fetchall() == [(reference,)]
    connection.close()
    assert subject.encode() not in contents(tmp_path)
    status = read_status(tmp_path / "vault")
    assert status.as_row() == {
        "values": 0,
        "entities": {},
        "subjects": 0,
        "destroyed_subjects": 1,
        "destroyed_values": 1,
        "last_destroyed_ns": 5,
        "unfinished": False,
    }


def test_later_values_of_a_destroyed_subject_begin_anew(tmp_path: Path) -> None:
    """A new salt: the same value has another reference, and the old one stays dead."""
    vault = open_vault(tmp_path)
    before = seal(vault, "jane", MAIL)
    vault.destroy("jane")
    after = seal(vault, "jane", MAIL)
    assert after != before
    assert vault.reveal(after).text == MAIL
    with pytest.raises(VaultError, match="destroyed"):
        vault.reveal(before)


def test_a_reference_that_was_on_its_way_stays_destroyed(tmp_path: Path) -> None:
    """A process named a value, the subject was destroyed, then the process seals: the old salt does not come back."""
    vault, other = open_vault(tmp_path), open_vault(tmp_path)
    known = seal(vault, "jane", MAIL)
    salt = stored_secrets(tmp_path)[subject_of(tmp_path, known)][0]
    on_its_way = vault.reference("jane", "PHONE_NUMBER", PHONE)
    other.destroy("jane")
    vault.seal(
        [
            Sealed(reference=known, subject="jane", entity="EMAIL_ADDRESS", text=MAIL),
            Sealed(reference=on_its_way, subject="jane", entity="PHONE_NUMBER", text=PHONE),
        ]
    )
    with pytest.raises(VaultError, match="destroyed"):
        vault.reveal(known)
    assert vault.reveal(on_its_way).text == PHONE
    assert salt not in contents(tmp_path)


def test_another_process_can_tell_that_something_was_destroyed(tmp_path: Path) -> None:
    """So that nobody goes on using references that are dead."""
    vault, other = open_vault(tmp_path), open_vault(tmp_path)
    seal(vault, "jane", MAIL)
    before = other.generation()
    seal(vault, "bob", MAIL)
    assert other.generation() == before
    vault.destroy("jane")
    assert other.generation() > before


def test_destroying_by_one_reference_takes_all_of_its_subject(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    references = [seal(vault, "jane", MAIL), seal(vault, "jane", PHONE, "PHONE_NUMBER")]
    kept = seal(vault, "bob", MAIL)
    assert vault.destroy_reference(references[0]) == 2
    for reference, failure in ((references[1], "destroyed"), ("0" * 24, "unknown")):
        with pytest.raises(VaultError) as raised:
            vault.destroy_reference(reference)
        assert raised.value.failure == failure
    assert vault.reveal(kept).text == MAIL


def test_destroying_nobody_leaves_no_tombstone(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    assert vault.destroy("nobody") == 0
    assert read_status(tmp_path / "vault").destroyed_subjects == 0


def test_traces_that_have_to_wait_are_told_and_wiped_at_the_next_chance(tmp_path: Path) -> None:
    """While another process reads an old state, the log cannot be cut: the error says so, and opening the vault later finishes it."""
    vault = open_vault(tmp_path)
    vault._store.close()
    vault._store = VaultStore.open(tmp_path / "vault", create=False, busy_seconds=0.2)
    reference = seal(vault, "jane", MAIL)
    salt = stored_secrets(tmp_path)[subject_of(tmp_path, reference)][0]
    reader = sqlite3.connect(tmp_path / "vault" / "vault.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM sealed").fetchall()
    with pytest.raises(VaultError) as raised:
        vault.destroy("jane")
    assert raised.value.failure == "unfinished"
    with pytest.raises(VaultError, match="destroyed"):
        vault.reveal(reference)
    assert salt in contents(tmp_path)
    reader.close()
    assert not read_status(tmp_path / "vault").unfinished
    assert salt not in contents(tmp_path)


def test_the_schema_is_what_its_version_says(tmp_path: Path) -> None:
    open_vault(tmp_path).close()
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite") as connection:
        pragmas = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "journal_mode")]
    connection.close()
    assert pragmas == [SCHEMA_VERSION, "wal"]


def test_earlier_copies_die_with_the_old_master_key(tmp_path: Path) -> None:
    """A backup from before opens with the master key of its time alone: not with the new one, nor with what the new vault holds."""
    data, backup = tmp_path / "data", tmp_path / "backup"
    vault = open_vault(data)
    reference = seal(vault, "jane", MAIL)
    vault.close()
    shutil.copytree(data, backup)
    vault = open_vault(data)
    vault.destroy("jane")
    vault.rotate(OTHER, reencrypt=True)
    with pytest.raises(VaultError) as raised:
        open_vault(backup, OTHER)
    assert raised.value.failure == "wrong_key"
    row = row_of(backup, reference)
    (salt, *_) = stored_secrets(backup)[row["subject"]]
    assert decrypted(vault._root.subject_key(salt), row["nonce"], row["ciphertext"], _bound(row)) is None
    assert open_vault(backup, MASTER).reveal(reference).text == MAIL, "so every copy of the old key has to be destroyed, too"


def test_a_running_redactor_names_values_anew_after_their_subject_was_destroyed(tmp_path: Path) -> None:
    """What it remembers of before is not used any more, though another process destroyed the subject."""
    vault, command = open_vault(tmp_path), open_vault(tmp_path)
    policy = RedactionConfig.model_validate({"vault": {"enabled": True}, "actions": {"entities": {"EMAIL_ADDRESS": "vault"}}})
    redactor = Redactor(policy, pseudonym_key=PSEUDONYM, vault=vault, cache_folder=cache_folder()).for_subject("jane")
    before = redactor.clean_now([(MAIL, None)])[0].text
    assert redactor.lookup(MAIL, None) == redactor.clean_now([(MAIL, None)])[0], "it is remembered"
    command.destroy("jane")
    assert redactor.lookup(MAIL, None) is None
    after = redactor.clean_now([(MAIL, None)])[0].text
    assert after != before
    references = [match["reference"] for text in (before, after) if (match := PLACEHOLDER.fullmatch(text))]
    assert command.reveal(references[1]).text == MAIL
    with pytest.raises(VaultError, match="destroyed"):
        command.reveal(references[0])
