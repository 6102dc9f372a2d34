"""The connection to the catalog: SQLite in WAL mode, SQLAlchemy Core. What the catalog holds is `storage.catalog`.

Every change is one `BEGIN IMMEDIATE` transaction with `synchronous=FULL`, so a commit that returned survives a power loss.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CreateIndex, CreateTable

from storage import deliveries
from storage.catalog_tables import CATALOG_SCHEMA_VERSION, META, METADATA
from storage.durable import hint_for, make_directory
from storage.errors import DamagedFile, StorageError

BUSY_SECONDS: Final = 30.0


class CatalogConnection:
    """One process's connection to `<data>/catalog.sqlite`; may be used from several threads. Every method raises `StorageError`."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self.path = path
        self._engine = engine

    @classmethod
    def open(cls, data: Path, *, read_only: bool = False) -> Self:
        """Open the catalog of `data`, creating it unless `read_only`. A catalog of a newer version is refused, not guessed at."""
        path = data / "catalog.sqlite"
        if read_only and not path.exists():
            raise StorageError(
                "open the catalog", path, hint="there is no lake here: start the collector or pass the right --data directory"
            )
        catalog = cls(path, _engine(path, read_only=read_only))
        try:
            with catalog._reporting("open the catalog"):
                if not read_only:
                    make_directory(data)
                    catalog._create()
                catalog._check_schema()
        except BaseException:
            catalog.close()
            raise
        return catalog

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @property
    def version(self) -> int:
        """Grows with every commit of any process: equal versions mean equal answers."""
        return int(self._scalar(sa.select(META.c.value).where(META.c.key == "version")) or 0)

    def _create(self) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")  # a transaction of its own: the mode cannot change inside one that writes
            connection.commit()
        with self._begin_immediate() as connection:
            there = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
            for statement in (each for table, made in _definitions().items() if table not in there for each in made):
                connection.exec_driver_sql(statement)
            deliveries.take_over(connection)
            rows = [{"key": "schema_version", "value": CATALOG_SCHEMA_VERSION}, {"key": "version", "value": 0}]
            connection.execute(insert(META).on_conflict_do_nothing(), rows)

    def _check_schema(self) -> None:
        found = int(self._scalar(sa.select(META.c.value).where(META.c.key == "schema_version")) or 0)
        if found > CATALOG_SCHEMA_VERSION:
            hint = f"its schema is version {found}, this software knows {CATALOG_SCHEMA_VERSION}: upgrade auditlake"
            raise StorageError("open the catalog", self.path, hint=hint)

    def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _scalar(self, query: sa.Select[Any]) -> Any:
        with self._reading() as connection:
            return connection.execute(query).scalar()

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._reporting("read the catalog"), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self, attempted: str) -> Iterator[sa.Connection]:
        with self._reporting(attempted), self._begin_immediate() as connection:
            yield connection
            if connection.in_transaction():
                connection.execute(sa.update(META).where(META.c.key == "version").values(value=META.c.value + 1))

    @contextmanager
    def _begin_immediate(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            connection.execution_options(auditlake_immediate=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _reporting(self, attempted: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(attempted, self.path, hint=hint_for(error)) from error
        except sa.exc.OperationalError as error:
            raise StorageError(attempted, self.path, hint=_hint(str(error.orig))) from error
        except sa.exc.IntegrityError as error:
            hint = "it contradicts what the catalog holds; nothing was changed: please report this defect"
            raise StorageError(attempted, self.path, hint=hint) from error
        except sa.exc.DatabaseError as error:
            raise DamagedFile(attempted, self.path, hint=f"{error.orig}: restore the catalog from a backup") from error


@cache
def _definitions() -> Mapping[str, Sequence[str]]:
    """Return table → the statements that make it and its indexes: to compile them takes longer than all else that opening does."""
    made: dict[str, list[Any]] = {table.name: [CreateTable(table), *map(CreateIndex, table.indexes)] for table in METADATA.sorted_tables}
    return {name: [str(each.compile(dialect=sqlite.dialect())) for each in statements] for name, statements in made.items()}


def _engine(path: Path, *, read_only: bool) -> sa.Engine:
    mode = "ro" if read_only else "rwc"
    sidecar = path.with_name(path.name + "-wal")

    def connect() -> sqlite3.Connection:
        location = f"file:{quote(str(path.absolute()))}?mode={mode}"
        if read_only and not sidecar.exists() and not os.access(path.parent, os.W_OK):
            location += "&immutable=1"  # on read-only media SQLite cannot make the files that it shares with writers
        connection = sqlite3.connect(location, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        immediate = connection.get_execution_options().get("auditlake_immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _hint(message: str) -> str:
    if "locked" in message or "busy" in message:
        return f"another process kept it locked for {BUSY_SECONDS:.0f} s: look for a stuck auditlake process"
    if "full" in message:
        return "the disk is full: free space or lower retention"
    if "readonly" in message or "unable to open" in message:
        return "it cannot be opened: check the data directory's owner and mount"
    return message
