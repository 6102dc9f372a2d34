"""The vault's SQLite file: who may read it, its transactions, and how what was deleted leaves the disk.

The file is 0600 in a folder of 0700; WAL mode, `synchronous=FULL`: what was committed survives a crash. Deleting is not enough for a
key: `secure_delete` zeroes freed cells, but copies of a row can stand in pages that were split, and in SQLite's write-ahead log. So an
erasure is committed together with a counter, then the file is rewritten (VACUUM), the log copied back and cut to nothing, and only
then the counter says that it is done. After a crash in between, whoever opens the vault next finishes it.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.pool import QueuePool

from redaction.errors import VaultError
from redaction.vault_tables import METADATA, ROOT, SCHEMA_VERSION, SUBJECTS

FILE_NAME: Final = "vault.sqlite"
BUSY_SECONDS: Final = 30.0
_ERASURES: Final = str(sa.select(ROOT.c.erasures).compile(dialect=dialect()))
_SALT: Final = str(sa.select(SUBJECTS.c.salt).where(SUBJECTS.c.subject == sa.bindparam("subject")).compile(dialect=dialect()))


class VaultStore:
    """One process's access to the vault's file; may be used from several threads. Every method raises `VaultError`."""

    def __init__(self, folder: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = folder / FILE_NAME
        self._busy_seconds = busy_seconds
        self._engine = _engine(self.path, busy_seconds)
        self._writing = threading.Lock()

    @classmethod
    def open(cls, folder: Path, *, create: bool, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Open the file and finish an interrupted erasure; without `create` it must be there already."""
        path = folder / FILE_NAME
        try:
            if create:
                _make(path)
            _check_modes(path)
        except FileNotFoundError:
            hint = "nothing was sealed here yet: set vault.enabled, or pass the right --data directory"
            raise VaultError("open the vault", path, hint=hint, failure="unavailable") from None
        except OSError as error:
            raise VaultError("open the vault", path, hint=f"{error.strerror}: check its owner and mount", failure="unavailable") from None
        store = cls(folder, busy_seconds=busy_seconds)
        try:
            store._prepare()
            store._finish()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextmanager
    def reading(self, attempted: str) -> Iterator[sa.Connection]:
        """One consistent view of the file."""
        with self._reporting(attempted), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, attempted: str) -> Iterator[sa.Connection]:
        """One transaction, the only writing one of all processes; durable when the block was left without an error."""
        with self._writing, self._reporting(attempted), self._engine.connect() as plain:
            connection = plain.execution_options(auditlake_immediate=True)
            with connection.begin():
                yield connection

    def salt(self, subject: str) -> bytes | None:
        """Return a subject's salt."""
        salt = self._value(_SALT, subject)
        if not isinstance(salt, bytes | None):
            raise VaultError("read the vault", self.path, hint="it was altered: restore it from a backup", failure="tampered")
        return salt

    def erasures(self) -> int:
        """Return how many erasures there were, of whatever kind."""
        return int(self._value(_ERASURES) or 0)

    def _value(self, statement: str, *parameters: str) -> Any:
        """Return one value: an indexed read, without what a transaction of several costs."""
        with self._reporting("read the vault"):
            connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(statement, parameters)
                row = cursor.fetchone()
                cursor.close()
            finally:
                connection.close()
        return None if row is None else row[0]

    def wipe(self) -> None:
        """Take what was deleted off the disk, when an erasure was committed and this not yet done.

        Raises `VaultError` with `failure` unfinished when that has to wait; whoever opens the vault next tries again.
        """
        with self.reading("look for erasures") as connection:
            row = connection.execute(sa.select(ROOT.c.erasures, ROOT.c.wiped)).one_or_none()
        if row is None or row.erasures == row.wiped:
            return
        try:
            with self._writing, self._reporting("wipe the disk"):
                self._rewrite()
            with self.writing("note that the disk is wiped") as connection:
                connection.execute(sa.update(ROOT).where(ROOT.c.wiped < row.erasures).values(wiped=row.erasures))
        except VaultError as error:
            hint = f"the key is deleted, but copies of it can still stand there; {error.hint}; then: auditlake vault status"
            raise VaultError("wipe deleted keys from the disk", self.path, hint=hint, failure="unfinished") from None

    def _finish(self) -> None:
        """Wipe what an interrupted erasure left; while that has to wait, the vault can be used."""
        try:
            self.wipe()
        except VaultError as error:
            if error.failure != "unfinished":
                raise

    def _rewrite(self) -> None:
        """Write the file anew from what is in use, and cut the log behind it to nothing."""
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("VACUUM")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.close()
        finally:
            connection.close()
        if busy:
            raise sqlite3.OperationalError("database is busy")

    def _prepare(self) -> None:
        """Make the tables, or check that they are ours."""
        with self.reading("open the vault") as connection:
            version = int(connection.execute(sa.text("PRAGMA user_version")).scalar_one())
        if version > SCHEMA_VERSION:
            raise VaultError("open the vault", self.path, hint="a newer auditlake wrote it: install that version", failure="unavailable")
        if version < SCHEMA_VERSION:
            with self.writing("make the vault's tables") as connection:
                METADATA.create_all(connection)
                connection.execute(sa.text(f"PRAGMA user_version = {SCHEMA_VERSION:d}"))

    @contextmanager
    def _reporting(self, attempted: str) -> Iterator[None]:
        try:
            yield
        except (sa.exc.OperationalError, sqlite3.OperationalError) as error:
            hint = _hint(str(getattr(error, "orig", error)), self._busy_seconds)
            raise VaultError(attempted, self.path, hint=hint, failure="unavailable") from None
        except (sa.exc.SQLAlchemyError, sqlite3.Error):
            hint = "the file is damaged: restore it from a backup, then destroy again what was destroyed since"
            raise VaultError(attempted, self.path, hint=hint, failure="tampered") from None


def _make(path: Path) -> None:
    """Create the folder (0700) and the empty file (0600) durably, unless they are there."""
    with suppress(FileExistsError):
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700)
        _sync_folder(path.parent.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_modes(path: Path) -> None:
    """Refuse a vault that others can read; SQLite gives the files beside it the mode of the first."""
    for place, mode in ((path.parent, "700"), (path, "600")):
        if place.stat().st_mode & 0o077:
            raise VaultError("use the vault", place, hint=f"others can read it: chmod {mode} {place}", failure="unavailable")


def _engine(path: Path, busy_seconds: float) -> sa.Engine:
    def connect() -> sqlite3.Connection:
        location = f"file:{quote(str(path.absolute()))}?mode=rw"
        connection = sqlite3.connect(location, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        # temp_store: VACUUM's copy of the salts stays in memory, never in a temporary folder
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        immediate = connection.get_execution_options().get("auditlake_immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _hint(message: str, busy_seconds: float) -> str:
    if "locked" in message or "busy" in message:
        return f"another process kept it locked for {busy_seconds:.0f} s: look for a stuck auditlake process"
    if "full" in message:
        return "the disk is full: free space"
    if "readonly" in message or "unable to open" in message:
        return "it cannot be opened: check the folder's owner and mount"
    return "check the disk, or restore the file from a backup"
