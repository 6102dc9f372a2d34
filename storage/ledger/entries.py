"""The entries of a log: one canonical JSON document for each thing that happened in an origin. See docs/ledger.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from storage.layout import EntryRecord, FileRecord, LogRecord
from storage.ledger.errors import LedgerError

MAX_BYTES: Final = 65_535
"""An entry of an entry bundle is no longer (C2SP tlog-tiles)."""
NAMED_BYTES: Final = 20_000
"""The files of an entry are named when it takes no more: a segment of a hundred dates has them in the catalog alone."""
_FILE_BYTES: Final = len('{"path":"","sha256":""},')


def encode(origin: str, kind: str, content: Mapping[str, Any], *, entry: int | None = None) -> LogRecord:
    """Return a log entry: JSON with sorted keys and without white space. Raises `LedgerError` when it is longer than a bundle takes."""
    body = orjson.dumps({**content, "kind": kind}, option=orjson.OPT_SORT_KEYS)
    if len(body) > MAX_BYTES:
        raise LedgerError(
            "describe what happened in the log", origin, hint=f"{len(body)} bytes are more than {MAX_BYTES}: report this defect"
        )
    return LogRecord(origin=origin, kind=kind, entry=entry, body=body)


def segment(data: Path, entry: EntryRecord, files: Sequence[FileRecord]) -> LogRecord:
    """Return what the log says of a sealed segment: its rows as they stand in the files just published, its counters, its policy.

    Raises `LedgerError` when a file cannot be read.
    """
    names = list(dict.fromkeys(file.table_name for file in files))
    named = sum(len(file.path) + len(file.sha256) + _FILE_BYTES for file in files) <= NAMED_BYTES
    tables = {name: _table(data, name, [file for file in files if file.table_name == name], named=named) for name in names}
    counters = {
        name: getattr(entry, name)
        for name in ("received", "stored", "rejected", "deduplicated", "quarantined", "withheld", "own", "resent")
    }
    content = {
        "entry": entry.entry,
        "sealed_ns": entry.sealed_ns,
        "tables": tables,
        "counters": counters,
        "policy_hash": entry.policy_hash,
        "schema_version": entry.descriptor.get("schema_version"),
    }
    return encode(entry.origin, "segment", content, entry=entry.entry)


def _table(data: Path, name: str, files: Sequence[FileRecord], *, named: bool) -> dict[str, Any]:
    from storage.ledger.fingerprint import fingerprints
    from storage.ledger.leaves import file_leaves, table_root

    found = file_leaves([data / file.path for file in files], name, believed=True).sort_by("entry_row")
    listed = {"files": [{"path": file.path, "sha256": file.sha256} for file in files]} if named else {}
    return {
        "rows": sum(file.rows for file in files),
        "root": table_root(found).hex(),
        "fingerprints": fingerprints(found["leaf"].to_pylist()),
        "min_ns": min(file.min_ns for file in files),
        "max_ns": max(file.max_ns for file in files),
        **listed,
    }


def key_change(origin: str, *, old: str, new: str, lost: bool, at_ns: int) -> LogRecord:
    """Return what the log says of a rotation: the verifier keys that signed up to here, and from here on.

    Both sign the checkpoint of this entry, unless the old one is `lost`: then nothing proves that the new one is of the same operator.
    """
    return encode(origin, "key", {"at_ns": at_ns, "old": old, "new": new, "lost": lost})
