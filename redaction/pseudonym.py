"""Keyed pseudonyms: one subject can be followed through the records without being known."""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Final

from redaction.errors import RedactionError

KEY_BYTES: Final = 32


def pseudonym(key: bytes, entity: str, text: str) -> str:
    """Return `<ENTITY:…>` with 64 bits of HMAC-SHA-256 over the entity and the case-folded text, without surrounding white space."""
    message = f"{entity}\0{text.strip().casefold()}".encode("utf-8", "surrogatepass")
    return f"<{entity}:{hmac.new(key, message, hashlib.sha256).hexdigest()[:16]}>"


def derived_key(key: bytes, purpose: str) -> bytes:
    """Return 32 bytes for another purpose than pseudonyms: knowing what one is used for tells nothing about the other."""
    return hmac.new(key, f"auditlake {purpose}".encode(), hashlib.sha256).digest()


def load_or_create_key(path: Path) -> bytes:
    """Return the lake's pseudonym key, made on first use: 32 random bytes, readable by the owner alone (0600).

    Two processes that start at once end with the same key; after a crash there is a whole key or none. Losing the file changes every
    later pseudonym; whoever holds it can test guesses against pseudonyms. Raises `RedactionError` when the file cannot be made, is
    damaged or others can read it.
    """
    try:
        if not path.exists():
            _create(path)
        key = path.read_bytes()
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise RedactionError("load the pseudonym key", path, hint=f"{error.strerror}: make the directory writable") from None
    if len(key) != KEY_BYTES:
        raise RedactionError("load the pseudonym key", path, hint="the file is damaged: restore it, or delete it to begin new pseudonyms")
    if mode & 0o077:
        raise RedactionError("load the pseudonym key", path, hint=f"others can read it: chmod 600 {path}")
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, os.urandom(KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, path)  # fails when another process was first: its key stands
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
