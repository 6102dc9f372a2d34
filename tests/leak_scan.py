"""Looks for texts in everything below a directory, *decoded*: Parquet by column, SQLite by row, WAL and every other file as bytes.

Texts are also looked for in the forms in which they could hide: JSON-escaped, percent-encoded, base64, reversed case of hex, UTF-16, gzip.
"""

import base64
import gzip
import json
import sqlite3
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq


def scan(directory: Path, needles: Iterable[str]) -> dict[str, list[str]]:
    """Return for each needle the places (file, and column or table) that hold it, in any of its forms."""
    variants_of = {needle: forms(needle) for needle in needles}
    found: dict[str, list[str]] = {needle: [] for needle in variants_of}
    for path in sorted(directory.rglob("*")):
        if not path.is_file():
            continue
        for place, content in _contents(path):
            for needle, variants in variants_of.items():
                if any(variant in content for variant in variants):
                    found[needle].append(f"{path.relative_to(directory)}{place}")
    return found


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every readable content of a file: always its bytes, and what a decoder makes of them."""
    raw = path.read_bytes()
    yield "", raw
    if raw[:4] == b"PAR1":
        table = pq.read_table(path, partitioning=None)
        for name in table.column_names:
            text = json.dumps(table.column(name).to_pylist(), default=_readable, ensure_ascii=False)
            yield f" column {name}", text.encode()
        metadata = pq.read_schema(path).metadata or {}
        yield " metadata", b"\n".join(key + b"=" + value for key, value in metadata.items())
    elif raw[:16] == b"SQLite format 3\x00":
        yield from _sqlite(path)
    elif raw[:2] == b"\x1f\x8b":
        try:
            yield " gunzipped", gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            return


def _sqlite(path: Path) -> Iterator[tuple[str, bytes]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            yield f" table {table}", json.dumps(rows, default=_readable, ensure_ascii=False).encode()
    connection.close()


def _readable(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def forms(needle: str) -> set[bytes]:
    """Return a text in the forms in which it could hide."""
    plain = needle.encode()
    return {
        plain,
        plain.upper(),
        plain.lower(),
        json.dumps(needle)[1:-1].encode(),
        json.dumps(json.dumps(needle)[1:-1])[1:-1].encode(),
        urllib.parse.quote(needle).encode(),
        *_base64_forms(plain),
        plain.hex().encode(),
        plain.hex().upper().encode(),
        needle.encode("utf-16-le"),
        needle.encode("utf-16-be"),
    }


def _base64_forms(plain: bytes) -> set[bytes]:
    """Return what a text looks like inside of base64, at each of the three places where it can begin."""
    found = set()
    for shift in range(3):
        usable = len(plain) - (len(plain) + shift) % 3
        encoded = base64.b64encode(b"\0" * shift + plain[:usable])[-(-shift * 8 // 6) if shift else 0 :]
        found |= {encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))}
    return found
