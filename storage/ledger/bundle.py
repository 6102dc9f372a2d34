"""An evidence bundle: one run in a zip that an outsider verifies with Python alone, and reads with whatever reads JSON or Parquet.

docs/bundle.md describes every file. What is written is verified, by the `verify.py` in it, before it gets its name.
"""

import hashlib
import io
import zipfile
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa

from storage.catalog import Catalog
from storage.excerpt import excerpt
from storage.export import parquet_bytes, write_export
from storage.ledger import verify_bundle
from storage.ledger.bundle_readme import readme
from storage.ledger.canonical import type_names
from storage.ledger.errors import LedgerError
from storage.ledger.evidence import EntryEvidence, Place, gather
from storage.ledger.keys import Keys, known_keys
from storage.ledger.merkle import Range, root
from storage.ledger.note import encode_base64, signed
from storage.ledger.row_json import rows_jsonl
from storage.schema import TABLES
from storage.views import query_sql

if TYPE_CHECKING:
    from storage.lake import Lake
    from storage.ledger.note import SigningKey

_COMMENT: Final = b"sha256:" + 64 * b"0"
_MARGIN_NS: Final = 3600 * 1_000_000_000
_FACTS: Final = {"policy_hashes": "policy_hash", "price_versions": "price_version", "schema_versions": "schema_version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Who takes a run out, and what goes with it."""

    run_id: str
    by: str
    reason: str
    at_ns: int
    software: str  # name and version of what wrote it
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # more of them, by name: policy, prices, the run as it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What was written."""

    path: Path
    rows: int
    entries: int
    bytes: int
    is_signed: bool
    said: tuple[str, ...]  # by its verify.py


def write_bundle(data: Path, catalog: Catalog, places: Sequence[Place], target: Path, export: Export, keys: Keys) -> Bundle:
    """Write the evidence of rows to `target`, whole or not at all; at least one.

    It is signed with the key of the first log where that can be read. Raises `LedgerError` when the ledger does not cover a row or
    contradicts it, `StorageError` when something cannot be read or written.
    """
    entries = gather(data, catalog, places)
    signer = _signer(entries[0].origin, keys)
    files = _files(entries, export, known_keys(data), is_signed=signer is not None)
    files["SHA256SUMS"] = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()
    if signer is not None:
        body = f"{verify_bundle.BUNDLE}\n{hashlib.sha256(files['SHA256SUMS']).hexdigest()}\n"
        files[verify_bundle.SIGNATURE_FILE] = signed(body, [signer.sign(body)]).encode()
    archive = _archive(target.stem, files, export.at_ns)
    said = _published(target, archive)
    rows = sum(part.rows.num_rows for entry in entries for part in entry.tables.values())
    return Bundle(path=target, rows=rows, entries=len(entries), bytes=len(archive), is_signed=signer is not None, said=tuple(said))


def places_of_run(lake: "Lake", run_id: str) -> list[Place]:
    """Return where everything of a run is stored: its spans, events, data points, and what was derived from them since.

    `run_id` may also be a trace of the run. Records that were sent again are there once. Raises `StorageError`.
    """
    with excerpt(lake, run_id) as found:
        final = found.run_id
        places = [Place(row["of_table"], row["origin"], row["entry"], row["entry_row"]) for row in found.named("bundle_records")]
    span = lake.catalog.run_span(final)
    first_ns, last_ns = (None, None) if span is None else (span[0] - _MARGIN_NS, span[1] + _MARGIN_NS)
    points = lake.sql(query_sql("bundle_metrics"), {"run_id": final}, from_ns=first_ns, to_ns=last_ns).to_pylist()
    places += [Place("metrics", row["origin"], row["entry"], row["entry_row"]) for row in points]
    return [*places, *_derivations(lake, places)]


def _derivations(lake: "Lake", places: Sequence[Place]) -> list[Place]:
    if not places or not lake.catalog.live_files("derivations"):
        return []
    known = {(place.origin, place.entry, place.row) for place in places}
    params = {"origins": sorted({place.origin for place in places}), "entries": sorted({place.entry for place in places})}
    rows = lake.sql(query_sql("bundle_derivations"), params).to_pylist()
    of_run = [row for row in rows if (row["of_origin"], row["of_entry"], row["of_row"]) in known]
    return [Place("derivations", row["origin"], row["entry"], row["entry_row"]) for row in of_run]


def _signer(origin: str, keys: Keys) -> "SigningKey | None":
    """The key to sign with; None where whoever exports cannot read it."""
    try:
        return keys.signer(origin)
    except LedgerError:
        return None


def _files(entries: Sequence[EntryEvidence], export: Export, known: Sequence[str], *, is_signed: bool) -> dict[str, bytes]:
    """Everything in the bundle but its sums."""
    tables = {name: _rows(entries, name) for name in TABLES if any(name in entry.tables for entry in entries)}
    origins = sorted({entry.origin for entry in entries})
    files = {**export.files, "verify.py": Path(verify_bundle.__file__).read_bytes()}
    for name, rows in tables.items():
        files[f"rows/{name}.jsonl"] = rows_jsonl(rows)
        files[f"rows/{name}.parquet"] = parquet_bytes(rows)
    for entry in entries:
        folder = verify_bundle.folder_of(entry.origin)
        files[f"{folder}checkpoint"] = entry.proof.checkpoint.encode()
        files[f"{folder}{entry.index}.json"] = entry.body
        files[f"{folder}{entry.index}.tlog-proof"] = entry.proof.text().encode()
        files |= {f"{folder}timestamps/{name}": content for name, content in entry.timestamps.items()}
    files["ledger/proofs.json"] = _json([_proof(entry) for entry in entries])
    files["schema.json"] = _json({name: type_names(rows.schema) for name, rows in tables.items()})
    files["keys.txt"] = "".join(f"{text}\n" for text in known if text.partition("+")[0] in origins).encode()
    manifest = {
        "format": verify_bundle.BUNDLE,
        "run_id": export.run_id,
        "exported": {"at": _time(export.at_ns), "by": export.by, "reason": export.reason, "software": export.software},
        "signed": is_signed,
        "origins": origins,
        "rows": {name: rows.num_rows for name, rows in tables.items()},
        **{fact: _values(tables.values(), column) for fact, column in _FACTS.items()},
    }
    files["manifest.json"] = _json(manifest)
    files["README.md"] = readme(manifest, list(files), hashlib.sha256(files["verify.py"]).hexdigest()).encode()
    return files


def _rows(entries: Sequence[EntryEvidence], table: str) -> pa.Table:
    """All rows of a table, by origin, entry and number."""
    return pa.concat_tables([TABLES[table].empty_table(), *(entry.tables[table].rows for entry in entries if table in entry.tables)])


def _proof(entry: EntryEvidence) -> dict[str, Any]:
    tables = {
        name: {"positions": part.positions, "hashes": [encode_base64(each) for each in other_hashes(part.leaves, part.positions)]}
        for name, part in entry.tables.items()
    }
    return {"origin": entry.origin, "index": entry.index, "tables": tables}


def other_hashes(leaves: Sequence[bytes], positions: Sequence[int]) -> list[bytes]:
    """Return the roots of the largest subtrees without any of these leaves, from left to right: with the leaves, they make the root."""
    found: list[bytes] = []

    def descend(part: Range, known: Sequence[int]) -> None:
        first, end = part
        if not known:
            found.append(root(leaves[first:end]))
        elif end - first > 1:
            middle = first + verify_bundle.split_of(end - first)
            cut = bisect_left(known, middle)
            descend((first, middle), known[:cut])
            descend((middle, end), known[cut:])

    descend((0, len(leaves)), positions)
    return found


def _values(tables: Iterable[pa.Table], column: str) -> list[Any]:
    """What the rows have in a column."""
    found = {value for rows in tables if column in rows.column_names for value in rows[column].unique().to_pylist()}
    return sorted(found - {None})


def _archive(folder: str, files: Mapping[str, bytes], at_ns: int) -> bytes:
    """One folder as a zip whose comment is the digest of everything before it."""
    buffer, moment = io.BytesIO(), datetime.fromtimestamp(at_ns / 1e9, UTC)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = _COMMENT
        for name in sorted(files):
            member = zipfile.ZipInfo(f"{folder}/{name}", (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
            member.external_attr = (0o755 if name == "verify.py" else 0o644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, files[name])
    content = buffer.getvalue()[: -len(_COMMENT)]
    return content + b"sha256:" + hashlib.sha256(content).hexdigest().encode()


def _published(target: Path, archive: bytes) -> list[str]:
    """Write the archive, verify it as an auditor does, and only then give it its name; returns what its `verify.py` says."""
    said: list[str] = []
    try:
        write_export(target, archive, lambda written: said.extend(verify_bundle.verify(written)))
    except verify_bundle.Refused as problem:
        raise LedgerError("write the bundle", target, hint=f"it does not verify ({problem}): run `auditlake verify`") from None
    return said


def _time(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
