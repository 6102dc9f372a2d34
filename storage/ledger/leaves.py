"""The leaf hashes of stored rows, computed from the Parquet files themselves: what is hashed is what a reader gets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from storage.errors import StorageError
from storage.ledger.canonical import leaf_sql
from storage.ledger.merkle import root

LEAVES: Final = pa.schema([("origin", pa.string()), ("entry", pa.int64()), ("entry_row", pa.int64()), ("leaf", pa.binary(32))])


def file_leaves(paths: Sequence[Path], table: str) -> pa.Table:
    """Return place and leaf hash of every row of these files of one table, in no order: the columns of `LEAVES`.

    A leaf is NULL where the row has no proper salt. Raises `StorageError` when a file cannot be read or is not of the table.
    """
    import duckdb
    import pyarrow.parquet as pq

    parts = [LEAVES.empty_table()]
    with duckdb.connect() as connection:
        for path in paths:
            try:
                leaf = leaf_sql(pq.read_schema(path))
                sql = f"SELECT origin, entry, entry_row, {leaf} AS leaf FROM read_parquet($path, hive_partitioning = false)"  # noqa: S608  # nosec B608 - names of columns
                parts.append(connection.sql(sql, params={"path": str(path)}).to_arrow_table().cast(LEAVES))
            except (OSError, pa.ArrowException, duckdb.Error) as error:
                raise StorageError(
                    f"hash rows of {table}", path, hint="it cannot be read: `auditlake doctor` names damaged files"
                ) from error
    return pa.concat_tables(parts)


def table_root(leaves: pa.Table) -> bytes:
    """Return the RFC 6962 root over the leaf hashes of one entry and table, in the order of `entry_row`.

    Raises `StorageError` when a row has no leaf: its salt is not 16 bytes.
    """
    ordered = leaves.sort_by("entry_row")["leaf"]
    if ordered.null_count:
        raise StorageError("hash rows", "an entry", hint="rows without a salt of 16 bytes cannot be committed to")
    return root(ordered.to_pylist())
