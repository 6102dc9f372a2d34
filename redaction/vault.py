"""The vault: originals encrypted under a key of their data subject, so that destroying the key is erasing them.

A record keeps `<ENTITY:v1:reference>`; the original stands in `<data>/vault/vault.sqlite`, encrypted (`redaction.vault_keys` says how).
A subject's key needs the master key *and* the subject's random salt, which is nowhere but in that file. References are keyed with the
salt as well: once it is gone, nobody can try out which text a reference stood for.
"""

import hashlib
import hmac
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from redaction.errors import VaultError
from redaction.vault_keys import bound_fields, decrypted, derived, encrypted
from redaction.vault_root import RootKey
from redaction.vault_store import VaultStore
from redaction.vault_tables import DESTROYED, ROOT, SEALED, SUBJECTS, TOMBSTONES

FORMAT: Final = "v1"
PLACEHOLDER: Final = re.compile(r"<(?P<entity>[A-Z][A-Z0-9_]*):v1:(?P<reference>[0-9a-f]{24})>")
SALT_BYTES: Final = 32
REFERENCE_DIGITS: Final = 24
PENDING_SUBJECTS: Final = 65_536
_CHUNK: Final = 500  # values in one IN (…)

__all__ = ["PLACEHOLDER", "Revealed", "Sealed", "Vault", "placeholder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An original to keep: `reference` is what `Vault.reference` gave for the other three."""

    reference: str
    subject: str = field(repr=False)
    entity: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """An original, and when it was sealed (unix ns)."""

    entity: str
    text: str = field(repr=False)
    sealed_ns: int


def placeholder(entity: str, reference: str) -> str:
    """Return what stands in the record."""
    return f"<{entity}:{FORMAT}:{reference}>"


class Vault:
    """Seals, reveals and destroys; one instance may be used by several threads, one file by several processes.

    Every method raises `VaultError`, whose message holds no text, no subject and no key.
    """

    def __init__(self, store: VaultStore, root: RootKey, *, pseudonym_key: bytes, time_ns: Callable[[], int]) -> None:
        self._store = store
        self._root = root
        self._subject_key = derived(root.names_key, pseudonym_key, "subject name")
        self._reference_key = derived(root.names_key, pseudonym_key, "reference")
        self._time_ns = time_ns
        self._pending: OrderedDict[str, bytes] = OrderedDict()  # salts of subjects that were never committed anywhere
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        folder: Path,
        master_key: bytes,
        *,
        pseudonym_key: bytes,
        time_ns: Callable[[], int] = time.time_ns,
        create: bool = True,
    ) -> Self:
        """Open the vault in `folder` (`<data>/vault`), made on first use unless `create` is False.

        An erasure that a crash interrupted is finished first. Raises `VaultError` for a wrong master key, a file that others can read, a
        file of a newer version, and when there is none.
        """
        store = VaultStore.open(folder, create=create)
        try:
            root = RootKey.open(store, master_key, time_ns=time_ns)
        except BaseException:
            store.close()
            raise
        return cls(store, root, pseudonym_key=pseudonym_key, time_ns=time_ns)

    def close(self) -> None:
        """Give the file back."""
        self._store.close()

    def reference(self, subject: str, entity: str, text: str) -> str:
        """Return the reference of a text, 24 hexadecimal digits: the same for the same three, until the subject is destroyed.

        Reads the file; writes nothing. Two processes that meet a new subject in the same instant may name its first value differently;
        both names reveal it.
        """
        who = self._subject_id(subject)
        salt = self._store.salt(who) or self._pending_salt(who)
        key = hmac.new(self._reference_key, salt, hashlib.sha256).digest()
        return hmac.new(key, bound_fields(entity, text), hashlib.sha256).hexdigest()[:REFERENCE_DIGITS]

    def generation(self) -> int:
        """Return a number that grows with every erasure: whoever remembers references asks again when it changed. Costs one read."""
        return self._store.erasures()

    def seal(self, values: Sequence[Sealed]) -> None:
        """Keep originals; durable when it returns. What is kept already stays as it is, and a destroyed reference stays destroyed."""
        distinct = {value.reference: value for value in values}
        if not distinct:
            return
        who = {reference: self._subject_id(value.subject) for reference, value in distinct.items()}
        with self._store.writing("seal values") as connection:
            root = self._current(connection)
            for table in (SEALED, DESTROYED):
                for known in _chunked(connection, sa.select(table.c.reference), table.c.reference, list(distinct)):
                    distinct.pop(known.reference, None)
            salts = self._salts(connection, sorted({who[reference] for reference in distinct}))
            keys = {subject: root.subject_key(salt) for subject, salt in salts.items()}
            now = self._time_ns()
            rows = [_sealed_row(keys[who[value.reference]], who[value.reference], value, now) for value in distinct.values()]
            if rows:
                connection.execute(insert(SEALED), rows)
        with self._lock:
            for subject in salts:
                self._pending.pop(subject, None)

    def reveal(self, reference: str) -> Revealed:
        """Return the original; raises `VaultError` with `failure` unknown, destroyed, wrong_key or tampered."""
        with self._store.reading("read the vault") as connection:
            row = connection.execute(sa.select(SEALED).where(SEALED.c.reference == reference)).mappings().one_or_none()
            if row is None:
                raise self._missing(connection, reference)
            salt = connection.execute(sa.select(SUBJECTS.c.salt).where(SUBJECTS.c.subject == row["subject"])).scalar()
            root = self._current(connection)
        content = None
        if _well_formed(row) and salt is not None:
            content = decrypted(root.subject_key(salt), row["nonce"], row["ciphertext"], _bound(row))
        if content is None:
            hint = "the vault's file was altered: restore it from a backup"
            raise VaultError("reveal the value", reference, hint=hint, failure="tampered")
        return Revealed(entity=row["entity"], text=content.decode("utf-8", "surrogatepass"), sealed_ns=row["sealed_ns"])

    def destroy(self, subject: str, *, by: str = "", reason: str = "") -> int:
        """Delete a subject's key for good and return how many values became irrecoverable, 0 when there are none.

        Durable, and no trace of the key is left in the vault's folder when it returns. `by` and `reason` stay in the tombstone as they
        are given: clean them before. Raises `VaultError` with `failure` unfinished when the traces have to wait for another process.
        """
        return self._destroy(self._subject_id(subject), by, reason)

    def destroy_reference(self, reference: str, *, by: str = "", reason: str = "") -> int:
        """Like `destroy`, of the subject to whom the value of a reference belongs."""
        with self._store.reading("read the vault") as connection:
            subject = connection.execute(sa.select(SEALED.c.subject).where(SEALED.c.reference == reference)).scalar()
            if subject is None:
                raise self._missing(connection, reference)
        return self._destroy(subject, by, reason)

    def destroy_values(self, references: Sequence[str], *, by: str = "", reason: str = "") -> int:
        """Like `destroy`, of these values alone: a subject's key goes with its last one, until then they may come again as they were."""
        with self._store.writing("destroy values") as connection:
            whose = {row.reference: row.subject for row in _chunked(connection, sa.select(SEALED), SEALED.c.reference, references)}
            for reference in whose:
                connection.execute(sa.delete(SEALED).where(SEALED.c.reference == reference))
            left = {row.subject for row in _chunked(connection, sa.select(SEALED.c.subject), SEALED.c.subject, sorted({*whose.values()}))}
            for subject in {*whose.values()} - left:
                connection.execute(sa.delete(SUBJECTS).where(SUBJECTS.c.subject == subject))
            for reference in sorted(reference for reference, subject in whose.items() if subject not in left):
                connection.execute(insert(DESTROYED).values(reference=reference).on_conflict_do_nothing())
            if whose:
                self._note_destroyed(connection, len(whose), by, reason)
        self._store.wipe()
        return len(whose)

    def rotate(self, new_master_key: bytes, *, reencrypt: bool = False) -> int:
        """Put the vault under another master key and return how many values were encrypted anew (0 without `reencrypt`).

        Without `reencrypt` only the root key is wrapped anew, and running processes go on. With it there is a new root key, all in one
        transaction: a copy of the old file together with the old master key opens nothing that is sealed later.
        """
        with self._store.writing("rotate the master key") as connection:
            before = self._current(connection)
            after = before.replaced(connection, new_master_key, fresh=reencrypt, time_ns=self._time_ns())
            count = _reencrypt(connection, before, after) if reencrypt else 0
        self._root = after
        self._store.wipe()
        return count

    def _current(self, connection: sa.Connection) -> RootKey:
        self._root = self._root.current(connection)
        return self._root

    def _subject_id(self, subject: str) -> str:
        text = subject.strip().casefold().encode("utf-8", "surrogatepass")
        return hmac.new(self._subject_key, text, hashlib.sha256).hexdigest()[:32]

    def _pending_salt(self, subject: str) -> bytes:
        with self._lock:
            salt = self._pending.setdefault(subject, os.urandom(SALT_BYTES))
            while len(self._pending) > PENDING_SUBJECTS:
                self._pending.popitem(last=False)
        return salt

    def _salts(self, connection: sa.Connection, subjects: Sequence[str]) -> dict[str, bytes]:
        """Return the salt of each subject, made for those that have none."""
        found = {row.subject: row.salt for row in _chunked(connection, sa.select(SUBJECTS), SUBJECTS.c.subject, subjects)}
        new = {subject: self._pending_salt(subject) for subject in subjects if subject not in found}
        if new:
            connection.execute(insert(SUBJECTS), [{"subject": subject, "salt": salt} for subject, salt in new.items()])
        return found | new

    def _destroy(self, subject: str, by: str, reason: str) -> int:
        with self._store.writing("destroy a subject") as connection:
            known = connection.execute(sa.delete(SUBJECTS).where(SUBJECTS.c.subject == subject)).rowcount
            theirs = sa.select(SEALED.c.reference).where(SEALED.c.subject == subject)
            connection.execute(insert(DESTROYED).from_select(["reference"], theirs).on_conflict_do_nothing())
            count = connection.execute(sa.delete(SEALED).where(SEALED.c.subject == subject)).rowcount
            if known or count:
                self._note_destroyed(connection, count, by, reason)
        self._store.wipe()
        return count

    def _note_destroyed(self, connection: sa.Connection, count: int, by: str, reason: str) -> None:
        tombstone = {"destroyed_ns": self._time_ns(), "destroyed_values": count, "destroyed_by": by, "reason": reason}
        connection.execute(insert(TOMBSTONES), tombstone)
        connection.execute(sa.update(ROOT).values(erasures=ROOT.c.erasures + 1))

    def _missing(self, connection: sa.Connection, reference: str) -> VaultError:
        gone = connection.execute(sa.select(DESTROYED.c.reference).where(DESTROYED.c.reference == reference)).scalar()
        if gone is not None:
            return VaultError(
                "reveal the value", reference, hint="its subject was destroyed: nobody can read it again", failure="destroyed"
            )
        hint = "no such reference: is it whole, and is this the lake that the record came from?"
        return VaultError("find the value", reference, hint=hint, failure="unknown")


def _sealed_row(key: bytes, subject: str, value: Sealed, sealed_ns: int) -> dict[str, Any]:
    row: dict[str, Any] = {"reference": value.reference, "subject": subject, "entity": value.entity, "sealed_ns": sealed_ns}
    nonce, ciphertext = encrypted(key, value.text.encode("utf-8", "surrogatepass"), _bound(row))
    return {**row, "nonce": nonce, "ciphertext": ciphertext}


def _bound(row: Mapping[Any, Any]) -> bytes:
    """What a ciphertext is good for: it opens in no other row, under no other entity, time or subject."""
    return bound_fields(FORMAT, row["reference"], row["entity"], row["subject"], row["sealed_ns"])


def _well_formed(row: Mapping[Any, Any]) -> bool:
    """SQLite holds any type in any column: only ours get as far as the cipher."""
    texts = all(isinstance(row[name], str) for name in ("reference", "subject", "entity"))
    return texts and isinstance(row["sealed_ns"], int) and isinstance(row["nonce"], bytes) and isinstance(row["ciphertext"], bytes)


def _reencrypt(connection: sa.Connection, before: RootKey, after: RootKey) -> int:
    """Encrypt every value under the new root key; its reference, subject and time stay."""
    count, last = 0, ""
    query = sa.select(SEALED, SUBJECTS.c.salt).join(SUBJECTS, SUBJECTS.c.subject == SEALED.c.subject).order_by(SEALED.c.reference)
    update = (
        sa.update(SEALED)
        .where(SEALED.c.reference == sa.bindparam("row"))
        .values(nonce=sa.bindparam("new_nonce"), ciphertext=sa.bindparam("new_ciphertext"))
    )
    keys = lru_cache(4096)(lambda salt: (before.subject_key(salt), after.subject_key(salt)))
    while rows := connection.execute(query.where(SEALED.c.reference > last).limit(_CHUNK)).mappings().all():
        connection.execute(update, [_renewed(row, *keys(row["salt"])) for row in rows])
        count += len(rows)
        last = rows[-1]["reference"]
    return count


def _renewed(row: Mapping[Any, Any], old_key: bytes, new_key: bytes) -> dict[str, Any]:
    content = decrypted(old_key, row["nonce"], row["ciphertext"], _bound(row)) if _well_formed(row) else None
    if content is None:
        hint = "it was altered; nothing was changed: destroy it, or restore the vault from a backup"
        raise VaultError("encrypt a value anew", row["reference"], hint=hint, failure="tampered")
    nonce, ciphertext = encrypted(new_key, content, _bound(row))
    return {"row": row["reference"], "new_nonce": nonce, "new_ciphertext": ciphertext}


def _chunked(connection: sa.Connection, query: sa.Select[Any], column: sa.Column[Any], values: Sequence[str]) -> Iterator[sa.Row[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield from connection.execute(query.where(column.in_(values[start : start + _CHUNK])))
