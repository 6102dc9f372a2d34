"""What leaves the lake as a file for other tools."""

import errno
import io
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.durable import DISK, write_all
from storage.errors import StorageError


def parquet_bytes(table: pa.Table) -> bytes:
    """Return `table` as one zstd-compressed Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def write_export(target: Path, content: bytes, check: Callable[[Path], object] | None = None) -> None:
    """Write a file whole or not at all, durably, for its owner alone to read; it gets its name once `check` has read it.

    Raises `StorageError`, and whatever `check` does; nothing is left behind then.
    """
    temporary = target.with_name(f".auditlake-{secrets.token_hex(8)}.tmp")
    try:
        if target.exists() and not target.is_file():  # a folder, or a device whose name a file would take
            raise FileExistsError(errno.EEXIST, "it is no file")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            write_all(DISK, descriptor, content)
            DISK.sync(descriptor)
        finally:
            os.close(descriptor)
        if check is not None:
            check(temporary)
        temporary.replace(target)
        DISK.sync_directory(target.parent)
    except OSError as error:
        raise StorageError("write an export", target, hint=f"{error.strerror}: give a file that can be written with -o") from error
    finally:
        temporary.unlink(missing_ok=True)
