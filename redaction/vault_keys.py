"""The vault's keys: how the master key is given, what is derived from it, and AES-256-GCM with what it binds.

    master key ──HKDF──► wrapping key ──AES-256-GCM──► root key (random, stored wrapped)
    root key + the subject's random salt ──HKDF──► the subject's key ──AES-256-GCM──► its values

HKDF-SHA-256 (RFC 5869) and AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces come from the package `cryptography`, which is
imported where it is used: who vaults nothing never loads it.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from redaction.errors import VaultError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
ENV_NAME: Final = "AUDITLAKE_VAULT_KEY"
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_MAKE_ONE: Final = "make one with: auditlake vault key"


class KeySource(Protocol):
    """What the configuration says about the master key: section `processors.redaction.vault`."""

    @property
    def master_key_env(self) -> str | None:
        """Name of the environment variable that holds the key."""

    @property
    def master_key_file(self) -> Path | str | None:
        """File that holds the key."""


def master_key(environ: Mapping[str, str], config: KeySource) -> bytes:
    """Return the master key, 32 bytes, from the file or the environment variable that `config` names.

    Both may be given when they hold the same key. Raises `VaultError` when there is none, when it is not 32 bytes in base64, base64url
    or hexadecimal, and when others can read the file. The message never holds the key.
    """
    found = []
    name = config.master_key_env
    if name and environ.get(name, "").strip():
        found.append(parsed_key(environ[name], f"environment variable {name}"))
    if config.master_key_file is not None:
        found.append(_file_key(Path(config.master_key_file)))
    if not found:
        places = f"set the environment variable {name or ENV_NAME} or vault.master_key_file"
        raise VaultError("find the vault's master key", hint=f"{places}; {_MAKE_ONE}", failure="key")
    if len(set(found)) > 1:
        hint = f"{name} and vault.master_key_file hold different keys: keep one of them"
        raise VaultError("tell the vault's master key", hint=hint, failure="key")
    return found[0]


def parsed_key(text: str, where: str) -> bytes:
    """Return the 32 bytes that `text` stands for; `where` says in errors where it came from."""
    text = text.strip()
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    try:
        standard = text.replace("-", "+").replace("_", "/").rstrip("=")
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        hint = f"it must be 32 bytes as base64, base64url or 64 hexadecimal digits; {_MAKE_ONE}"
        raise VaultError("read the vault's master key", where, hint=hint, failure="key")
    return key


def new_master_key() -> str:
    """Return a new random master key as base64url, 44 characters."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def write_master_key(path: Path, text: str) -> None:
    """Write a key into a new file that only its owner can read (0600), durably; an existing file is never touched."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, f"{text}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except FileExistsError:
        raise VaultError("write the master key", path, hint="the file exists: choose another name", failure="key") from None
    except OSError as error:
        raise VaultError("write the master key", path, hint=f"{error.strerror}: choose another place", failure="key") from None


def derived(key: bytes, salt: bytes, purpose: str) -> bytes:
    """Return HKDF-SHA-256 of `key` and `salt` for one purpose, 32 bytes."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=f"auditlake vault v1 {purpose}".encode()).derive(key)


def encrypted(key: bytes, content: bytes, bound: bytes) -> tuple[bytes, bytes]:
    """Return a random nonce and the AES-256-GCM ciphertext with its tag; `bound` is authenticated, not stored."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return nonce, AESGCM(key).encrypt(nonce, content, bound)


def decrypted(key: bytes, nonce: bytes, ciphertext: bytes, bound: bytes) -> bytes | None:
    """Return what was encrypted, or None when key, nonce, ciphertext or `bound` are not those of then."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, ciphertext, bound)
    except (InvalidTag, ValueError):  # ValueError: a nonce of a forbidden length
        return None


def bound_fields(*fields: str | bytes | int) -> bytes:
    """Return fields as one byte string from which each can be told: lengths go before contents."""
    parts = [field if isinstance(field, bytes) else str(field).encode("utf-8", "surrogatepass") for field in fields]
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def _file_key(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_bytes()[:4096].decode("ascii", "replace")
    except OSError as error:
        hint = f"{error.strerror}: correct vault.master_key_file, or make the file with: auditlake vault key --file {path}"
        raise VaultError("read the vault's master key", path, hint=hint, failure="key") from None
    if mode & 0o077:
        raise VaultError("use the vault's master key", path, hint=f"others can read the file: chmod 600 {path}", failure="key")
    return parsed_key(text, str(path))
