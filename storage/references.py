"""References to values that are kept outside of the lake, encrypted: `<ENTITY:v1:24 hexadecimal digits>` stands for one in a record.

Once rows are erased, a value to which no record refers any more is nobody's: whoever keeps it is told to destroy it.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from storage.catalog import Catalog
from storage.layout import FileRecord
from storage.person import all_texts
from storage.rows import Rows
from storage.scanning import Scanner

_REFERENCE: Final = r"\bv1:([0-9a-f]{24})\b"


def stated(data: Path, catalog: Catalog, files: Sequence[FileRecord], rows: Rows) -> set[str]:
    """Return the references that stand in those rows of files that are in a set."""
    found: set[str] = set()
    for file, answer in Scanner(data, catalog).rows(_sql, {"pattern": _REFERENCE}, files=files):
        marks = rows.mask(file.table_name, file.origin, answer["entry"].to_pylist(), answer["entry_row"].to_pylist())
        found.update(*answer.filter(pa.array(marks, pa.bool_()))["found"].to_pylist())
    return found


def standing(data: Path, catalog: Catalog, references: Collection[str]) -> set[str]:
    """Return those of some references that stand in a record of the lake, or in one that is still to be sealed."""
    if not references:
        return set()
    found: set[str] = set()
    received = re.compile(_REFERENCE.encode())
    for path in sorted((data / "wal").rglob("*")):  # first: what is sealed meanwhile is in the lake then
        found.update(digits.decode() for digits in received.findall(_content(path)))
    for _, answer in Scanner(data, catalog).rows(_sql, {"pattern": _REFERENCE}):
        found.update(*answer["found"].to_pylist())
    return found & set(references)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return b""


def _sql(schema: pa.Schema) -> str:
    texts = f"SELECT entry, entry_row, {all_texts(schema)} AS texts FROM {{files}}"  # noqa: S608  # nosec B608 - names of columns
    return f"SELECT entry, entry_row, regexp_extract_all(texts, $pattern, 1) AS found FROM ({texts}) WHERE regexp_matches(texts, $pattern)"  # noqa: S608  # nosec B608
