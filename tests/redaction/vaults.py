"""Vaults for tests: keys from a seeded generator, values in one line, and every byte of a folder."""

import random
import sqlite3
from itertools import chain
from pathlib import Path
from typing import Any

from redaction.vault import Sealed, Vault

_BYTES = random.Random(81)
MASTER = _BYTES.randbytes(32)
OTHER = _BYTES.randbytes(32)
PSEUDONYM = _BYTES.randbytes(32)
MAIL = "jane.doe@example.com"
PHONE = "+1 415 555 0132"


def open_vault(folder: Path, master: bytes = MASTER, *, now_ns: int = 1_700_000_000_000_000_000) -> Vault:
    """The vault of a data directory, at a fixed time."""
    return Vault.open(folder / "vault", master, pseudonym_key=PSEUDONYM, time_ns=lambda: now_ns)


def seal(vault: Vault, subject: str, text: str, entity: str = "EMAIL_ADDRESS") -> str:
    """Seal one value and return its reference."""
    reference = vault.reference(subject, entity, text)
    vault.seal([Sealed(reference=reference, subject=subject, entity=entity, text=text)])
    return reference


def contents(folder: Path) -> bytes:
    """Every byte of every file below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def stored_secrets(folder: Path) -> dict[str, list[bytes]]:
    """What the file holds of each subject: its salt, and nonce and ciphertext of its values."""
    with sqlite3.connect(folder / "vault" / "vault.sqlite") as connection:
        salts = dict(connection.execute("SELECT subject, salt FROM subjects").fetchall())
        rows = connection.execute("SELECT subject, nonce, ciphertext FROM sealed").fetchall()
    connection.close()
    return {subject: [salt, *chain.from_iterable(row[1:] for row in rows if row[0] == subject)] for subject, salt in salts.items()}


def row_of(folder: Path, reference: str) -> dict[str, Any]:
    """The row of one value."""
    with sqlite3.connect(folder / "vault" / "vault.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT * FROM sealed WHERE reference = ?", (reference,)).fetchone()
    connection.close()
    return dict(row)


def subject_of(folder: Path, reference: str) -> str:
    """The keyed hash of its subject."""
    return str(row_of(folder, reference)["subject"])
