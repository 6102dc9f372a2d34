"""Which files of the lake are not what was written: looked for when a query fails, and by `auditlake doctor`."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from storage.layout import FileRecord, locate

_CLASSES: Final = (
    duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException,
    duckdb.OutOfRangeException,
)  # fmt: skip

REMEDY: Final = "restore it from a backup, or move it out of the lake; its rows are missing from every answer until then"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One file that is left out, and why."""

    path: str  # relative to the data directory
    reason: str
    rows: int


def can_mean_damage(error: Exception | None) -> bool:
    """True for what DuckDB raises on a file that is missing, cut or scrambled; queries raise some of it for reasons of their own."""
    return isinstance(error, _CLASSES) or type(error) is duckdb.Error  # a scrambled page header has no class of its own


def damage_in(data: Path, files: Iterable[FileRecord], *, thorough: bool) -> list[Damage]:
    """Return the files that are missing, not as long as what was written or without a readable footer.

    With `thorough` also those whose SHA-256 differs: that reads every byte.
    """
    return [
        Damage(path=file.path, reason=reason, rows=file.rows)
        for file in files
        if (reason := _fault(locate(data, file.path), file, thorough=thorough)) is not None
    ]


def _fault(path: Path, file: FileRecord, *, thorough: bool) -> str | None:
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"it has {size} bytes, {file.bytes} were written"
        pq.read_metadata(path)
        if thorough and _sha256(path) != file.sha256:
            return "its contents changed: the SHA-256 is not the one that was written"
    except FileNotFoundError:
        return "it is missing"
    except (OSError, pa.ArrowException) as error:
        return f"it cannot be read ({type(error).__name__})"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
