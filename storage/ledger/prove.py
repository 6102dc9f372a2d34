"""One record's proof: a file of c2sp.org/tlog-proof@v1 whose extra data is the record and its path to the log entry.

Any tool that knows the specification checks that the log has the entry; `verify.py` of a bundle checks the record too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.layout import locate
from storage.ledger.canonical import type_names
from storage.ledger.errors import LedgerError
from storage.ledger.evidence import CheckedLog, EntryEvidence, Place, Removed, gather
from storage.ledger.merkle import inclusion_proof
from storage.ledger.note import VerifierKey, encode_base64
from storage.ledger.receipt import Receipt
from storage.ledger.row_json import rows_json
from storage.schema import TABLES

_PROVE: Final = "prove the record"


class NotProven(LedgerError):
    """There is no such record to prove, or none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProof:
    """The proof of records of one log entry."""

    text: str  # the `.tlog-proof` file
    origin: str
    index: int  # of the entry in the log
    checkpoint: str
    entry: dict[str, Any]  # what the log entry says
    records: list[dict[str, Any]]  # table, position in its tree, path to its root (base64, from the leaf's sibling upward), row

    def to_json(self) -> dict[str, Any]:
        """Return it for people and programs; `proof` is the file."""
        said = {"origin": self.origin, "index": self.index, "entry": self.entry, "records": self.records}
        return {**said, "checkpoint": self.checkpoint, "proof": self.text}


def prove(data: Path, catalog: Catalog, record_id: str) -> RecordProof:
    """Return the proof of the record `origin/entry/row`.

    Raises `NotProven` when it is not stored, or was erased or expired; `LedgerError` when the ledger does not cover it or contradicts it.
    """
    place = _found(data, catalog, *parse_record_id(record_id))
    try:
        return prove_places(data, catalog, [place])
    except LedgerError:
        if _is_gone(data, catalog, place):
            raise NotProven(_PROVE, record_id, hint="it was erased or expired: at most its leaf hash is left") from None
        raise


def prove_places(data: Path, catalog: Catalog, places: Iterable[Place], more: Mapping[str, Any] | None = None) -> RecordProof:
    """Return one proof of several records of one entry; `more` stands beside them in the extra data. Raises `LedgerError`."""
    found = gather(data, catalog, places)
    if len(found) != 1:
        raise LedgerError(_PROVE, f"records of {len(found)} entries", hint="one proof is of one entry: `auditlake bundle` takes any number")
    evidence = found[0]
    records = list(_records(evidence))
    types = {name: _types(name, [record["row"] for record in records if record["table"] == name]) for name in evidence.tables}
    extra = {"entry": evidence.body.decode(), "records": records, "types": types, **(more or {})}
    text = replace(evidence.proof, extra=orjson.dumps(extra)).text()  # maps keep their order: it is part of the canonical form
    return RecordProof(
        text=text,
        origin=evidence.origin,
        index=evidence.index,
        checkpoint=evidence.proof.checkpoint,
        entry=orjson.loads(evidence.body),
        records=records,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptProof:
    """What became of a request that was acknowledged."""

    receipt: Receipt
    proof: RecordProof  # of the records that are stored


def prove_receipt(data: Path, catalog: Catalog, text: str, keys: Sequence[VerifierKey]) -> ReceiptProof:
    """Return the proof of the records that a receipt of this lake is for; the receipt stands in its extra data.

    Raises `NoteError` when the text is no receipt, or none of `keys` signed it; `NotProven` while the records are not sealed, and when none
    is stored any more; `LedgerError` when the ledger does not cover them or contradicts them.
    """
    receipt = Receipt.parse(text)
    receipt.signed_by(keys)
    if not catalog.has_entry(receipt.origin, receipt.entry):
        last = catalog.last_entry(receipt.origin)
        hint = "its records are durable, and not sealed yet: try again in a second"
        if last is not None and last >= receipt.entry:
            hint = "its records were acknowledged, and the entry that must hold them is missing: run `auditlake verify`"
        raise NotProven(_PROVE, f"the receipt for entry {receipt.entry} of {receipt.origin}", hint=hint)
    places = list(_received(data, catalog, receipt))
    if not places:
        hint = "none of its records is stored: they were erased, expired or are missing; `auditlake verify` says which"
        raise NotProven(_PROVE, f"the receipt for entry {receipt.entry} of {receipt.origin}", hint=hint)
    return ReceiptProof(receipt=receipt, proof=prove_places(data, catalog, places, {"receipt": receipt.text()}))


def _received(data: Path, catalog: Catalog, receipt: Receipt) -> Iterable[Place]:
    """The rows of an entry with the receive time of a request."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    asked = [("entry", "=", receipt.entry), ("received_ns", "=", receipt.received_ns)]
    for file in catalog.live_files():
        if file.origin == receipt.origin and file.min_entry <= receipt.entry <= file.max_entry:
            path = locate(data, file.path)
            try:
                rows = pq.read_table(path, columns=["entry_row"], filters=asked, partitioning=None)
            except (OSError, pa.ArrowException) as error:
                raise StorageError(_PROVE, path, hint="it cannot be read: `auditlake doctor` names damaged files") from error
            yield from (Place(file.table_name, receipt.origin, receipt.entry, row) for row in rows["entry_row"].to_pylist())


def parse_record_id(text: str) -> tuple[str, int, int]:
    """Split `origin/entry/row`. Raises `NotProven` for anything else."""
    parts = re.fullmatch(r"(.+)/([0-9]{1,18})/([0-9]{1,18})", text)
    if parts is None:
        raise NotProven(_PROVE, text[:200], hint="a record id is origin/entry/row, as in the column record_id of the views")
    return parts[1], int(parts[2]), int(parts[3])


def _found(data: Path, catalog: Catalog, origin: str, entry: int, row: int) -> Place:
    """Find the table of a record: rows are numbered through all tables of an entry."""
    if not catalog.has_entry(origin, entry):
        raise NotProven(_PROVE, f"{origin}/{entry}/{row}", hint="no such entry is sealed: is --data the right lake?")
    log = CheckedLog(data, catalog, origin)
    (index,) = log.indexes([entry]).values()
    log.shown_with([index])
    tables = orjson.loads(log.bodies([index])[index])["tables"]
    first = 0
    for table in (name for name in TABLES if name in tables):
        if first <= row < first + tables[table]["rows"]:
            return Place(table, origin, entry, row)
        first += tables[table]["rows"]
    raise NotProven(_PROVE, f"{origin}/{entry}/{row}", hint=f"the entry has {first} rows")


def _is_gone(data: Path, catalog: Catalog, place: Place) -> bool:
    """Whether an order removed the record: it has a tombstone, or nothing is left of its table in the entry."""
    from storage.catalog_removals import removals  # with all that orders need: only who asks for what is gone pays for it

    gone = (each for each in removals(catalog) if each.whole and (each.table, each.origin) == (place.table, place.origin))
    stones = Removed(data, place.origin, {place.entry}).rows(place.table, place.entry)
    return place.row in stones or any(each.first <= place.entry <= each.last for each in gone)


def _records(evidence: EntryEvidence) -> Iterable[dict[str, Any]]:
    for table, part in evidence.tables.items():
        for position, row in zip(part.positions, rows_json(part.rows), strict=True):
            path = [encode_base64(each) for each in inclusion_proof(part.leaves, position)]
            yield {"table": table, "position": position, "path": path, "row": row}


def _types(table: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The types of the columns that are there."""
    there = {column for row in rows for column in row}
    return {column: kind for column, kind in type_names(TABLES[table]).items() if column in there}
