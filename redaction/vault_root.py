"""The vault's root key: random, stored under the master key, and what every subject's key is derived from.

Beside it, wrapped together with it, stands the key of names: what subjects and references are called. It stays when the root key is
replaced, so that references in records stay what they are.
"""

import hmac
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from redaction.errors import VaultError
from redaction.vault_keys import KEY_BYTES, bound_fields, decrypted, derived, encrypted
from redaction.vault_store import VaultStore
from redaction.vault_tables import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKey:
    """One root key, and the master key under which it is stored."""

    root_id: bytes
    key: bytes = field(repr=False)
    names_key: bytes = field(repr=False)
    master_key: bytes = field(repr=False)

    @classmethod
    def open(cls, store: VaultStore, master_key: bytes, *, time_ns: Callable[[], int] = time.time_ns) -> Self:
        """Return the root key of the file, made on first use; raises `VaultError` when `master_key` is not its master key."""
        with store.reading("open the vault") as connection:
            row = connection.execute(sa.select(ROOT)).mappings().one_or_none()
        if row is not None:
            return cls._unwrapped(row, master_key)
        with store.writing("make the vault's root key") as connection:
            row = connection.execute(sa.select(ROOT)).mappings().one_or_none()
            if row is not None:  # another process was first
                return cls._unwrapped(row, master_key)
            root = cls._new(master_key)
            connection.execute(insert(ROOT).values(id=1, erasures=0, wiped=0, **root._wrapped(time_ns())))
        return root

    def current(self, connection: sa.Connection) -> Self:
        """Return the root key that the file has now: another process may have replaced it. Raises `VaultError` when we cannot open it."""
        row = connection.execute(sa.select(ROOT)).mappings().one()
        return self if row["root_id"] == self.root_id else self._unwrapped(row, self.master_key)

    def replaced(self, connection: sa.Connection, master_key: bytes, *, fresh: bool, time_ns: int) -> Self:
        """Store this root key, or a `fresh` one, under another master key and return it; what was stored counts as an erasure."""
        fields = {"root_id": os.urandom(KEY_BYTES), "key": os.urandom(KEY_BYTES)} if fresh else {}
        root = replace(self, master_key=master_key, **fields)
        connection.execute(sa.update(ROOT).values(erasures=ROOT.c.erasures + 1, **root._wrapped(time_ns)))
        return root

    def subject_key(self, salt: object) -> bytes:
        """Return the key of the subject who has this salt; raises `VaultError` when it is none of ours."""
        if not isinstance(salt, bytes) or len(salt) != KEY_BYTES:  # SQLite holds any type in any column
            raise _altered()
        return derived(self.key, salt, "subject")

    @classmethod
    def _new(cls, master_key: bytes) -> Self:
        key, names_key = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
        return cls(root_id=os.urandom(KEY_BYTES), key=key, names_key=names_key, master_key=master_key)

    @classmethod
    def _unwrapped(cls, row: Mapping[Any, Any], master_key: bytes) -> Self:
        if not all(isinstance(row[name], bytes) for name in ("root_id", "key_check", "nonce", "wrapped")):
            raise _altered()
        root_id = row["root_id"]
        if not hmac.compare_digest(derived(master_key, root_id, "check"), row["key_check"]):
            hint = "the vault was made or rotated with another one: give that one; a running process needs a restart after a rotation"
            raise VaultError("open the vault with this master key", hint=hint, failure="wrong_key")
        keys = decrypted(derived(master_key, root_id, "wrap"), row["nonce"], row["wrapped"], bound_fields("root", root_id))
        if keys is None or len(keys) != 2 * KEY_BYTES:
            raise _altered()
        return cls(root_id=root_id, key=keys[:KEY_BYTES], names_key=keys[KEY_BYTES:], master_key=master_key)

    def _wrapped(self, time_ns: int) -> dict[str, Any]:
        """The columns that hold both keys under its master key."""
        wrapping = derived(self.master_key, self.root_id, "wrap")
        nonce, wrapped = encrypted(wrapping, self.key + self.names_key, bound_fields("root", self.root_id))
        check = derived(self.master_key, self.root_id, "check")
        return {"root_id": self.root_id, "key_check": check, "nonce": nonce, "wrapped": wrapped, "wrapped_ns": time_ns}


def _altered() -> VaultError:
    return VaultError("read the vault's keys", hint="the vault's file was altered: restore it from a backup", failure="tampered")
