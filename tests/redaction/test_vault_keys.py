"""The master key: where it may stand, how it may be written, and that no error shows it."""

import base64
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from redaction.errors import VaultError
from redaction.vault_keys import bound_fields, decrypted, derived, encrypted, master_key, new_master_key, parsed_key, write_master_key
from tests.redaction.vaults import MASTER, OTHER

ENV = "AUDITLAKE_VAULT_KEY"


@dataclass(frozen=True)
class Source:
    """What the configuration says."""

    master_key_env: str | None = ENV
    master_key_file: str | None = None


FORMS = {
    "hexadecimal": MASTER.hex(),
    "upper case": MASTER.hex().upper(),
    "base64": base64.b64encode(MASTER).decode(),
    "base64url": base64.urlsafe_b64encode(MASTER).decode(),
    "without padding": base64.urlsafe_b64encode(MASTER).decode().rstrip("="),
    "with a line end": base64.b64encode(MASTER).decode() + "\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_32_bytes_in_any_usual_form(form: str) -> None:
    assert master_key({ENV: FORMS[form]}, Source()) == MASTER


def test_a_key_that_was_made_is_one(tmp_path: Path) -> None:
    """Printed or written, each is another; the file is the owner's alone and never written over."""
    assert len({parsed_key(new_master_key(), "test") for _ in range(5)}) == 5
    path = tmp_path / "vault.key"
    made = new_master_key()
    write_master_key(path, made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert master_key({}, Source(master_key_file=str(path))) == parsed_key(made, "test")
    with pytest.raises(VaultError, match="the file exists"):
        write_master_key(path, new_master_key())
    with pytest.raises(VaultError, match="No such file"):
        write_master_key(tmp_path / "none" / "vault.key", made)
    assert path.read_text().strip() == made


WRONG = {
    "nothing": "",
    "too short": MASTER[:31].hex(),
    "too long": base64.b64encode(MASTER + b"x").decode(),
    "words": "correct horse battery staple",
    "not base64": "ä" * 44,
}


@pytest.mark.parametrize("form", WRONG)
def test_a_wrong_key_is_refused_and_not_shown(form: str) -> None:
    with pytest.raises(VaultError) as raised:
        master_key({ENV: WRONG[form]}, Source())
    assert raised.value.failure == "key"
    assert "auditlake vault key" in raised.value.hint
    assert not WRONG[form] or WRONG[form] not in str(raised.value)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    path.write_text(MASTER.hex())
    path.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        master_key({}, Source(master_key_file=str(path)))
    with pytest.raises(VaultError, match="No such file"):
        master_key({}, Source(master_key_file=str(tmp_path / "none")))


def test_two_keys_have_to_be_the_same(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    write_master_key(path, MASTER.hex())
    assert master_key({ENV: FORMS["base64"]}, Source(master_key_file=str(path))) == MASTER
    with pytest.raises(VaultError, match="different keys") as raised:
        master_key({ENV: OTHER.hex()}, Source(master_key_file=str(path)))
    assert OTHER.hex() not in str(raised.value)


def test_derivation_is_hkdf_sha_256() -> None:
    """The same with the standard library alone (RFC 5869), so that a vault can be opened without this software."""
    import hashlib
    import hmac

    salt = OTHER
    extracted = hmac.new(salt, MASTER, hashlib.sha256).digest()
    expected = hmac.new(extracted, b"auditlake vault v1 subject" + b"\x01", hashlib.sha256).digest()
    assert derived(MASTER, salt, "subject") == expected
    assert len({derived(MASTER, salt, "subject"), derived(MASTER, salt, "wrap"), derived(OTHER, salt, "subject")}) == 3


def test_encryption_is_aes_256_gcm_with_what_is_bound() -> None:
    nonce, ciphertext = encrypted(MASTER, b"text", b"bound")
    assert len(nonce) == 12
    assert AESGCM(MASTER).decrypt(nonce, ciphertext, b"bound") == b"text"
    assert decrypted(MASTER, nonce, ciphertext, b"other") is None
    assert decrypted(OTHER, nonce, ciphertext, b"bound") is None
    assert decrypted(MASTER, b"", ciphertext, b"bound") is None
    assert encrypted(MASTER, b"text", b"bound")[0] != nonce


def test_bound_fields_cannot_run_into_each_other() -> None:
    assert bound_fields("ab", "c") != bound_fields("a", "bc") != bound_fields("abc")
