"""The tables of `<data>/vault/vault.sqlite`. No column holds a text, a subject or a key as it is."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION: Final = 1
METADATA: Final = MetaData()

ROOT: Final = Table(
    "root",
    METADATA,
    Column("id", Integer, primary_key=True),  # one row: 1
    Column("root_id", LargeBinary, nullable=False),  # random; salt of what is derived from the master key
    Column("key_check", LargeBinary, nullable=False),  # derived from the master key: tells a wrong one
    Column("nonce", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),  # the root key under the master key
    Column("wrapped_ns", BigInteger, nullable=False),
    Column("erasures", BigInteger, nullable=False),  # grows whenever a key was deleted
    Column("wiped", BigInteger, nullable=False),  # up to which of them no trace is on the disk any more
)

SUBJECTS: Final = Table(
    "subjects",
    METADATA,
    Column("subject", Text, primary_key=True),  # keyed hash
    Column("salt", LargeBinary, nullable=False),  # 32 random bytes: without them nobody derives the subject's key
    sqlite_with_rowid=False,
)

SEALED: Final = Table(
    "sealed",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("sealed_ns", BigInteger, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Index("sealed_by_subject", "subject"),
    sqlite_with_rowid=False,
)

DESTROYED: Final = Table("destroyed", METADATA, Column("reference", Text, primary_key=True), sqlite_with_rowid=False)
"""References whose key is gone, in their own order, so that nothing tells which belonged together."""

TOMBSTONES: Final = Table(
    "tombstones",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("destroyed_ns", BigInteger, nullable=False),
    Column("destroyed_values", BigInteger, nullable=False),
    Column("destroyed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),  # as the policy cleaned it
)
