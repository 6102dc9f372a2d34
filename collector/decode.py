"""Redacted OTLP messages → rows in exactly the columns of `storage.schema`, one table a signal.

A `Decoder` takes the batches of one segment, in order: building Arrow for each batch alone would cost more than all the rest when
agents send single events. Rows become Arrow every few thousand, so that memory holds few Python objects however large the segment is.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
from google.protobuf.message import DecodeError

from collector.decode_logs import LogRows
from collector.decode_metrics import MetricRows
from collector.decode_spans import SpanRows
from collector.groups import Groups
from collector.pricing import LISTED, Pricer
from collector.rows import Batch, RunIndex
from collector.signals import SIGNALS
from storage.ledger.salts import seeded
from storage.schema import SCHEMA_VERSION, TABLES
from storage.wal import BatchHeader

CHUNK_ROWS: Final = 8_192
TABLE_OF_SIGNAL: Final = {"traces": "spans", "logs": "events", "metrics": "metrics"}
Rows = SpanRows | LogRows | MetricRows
_PRICED: Final[Mapping[str, type[SpanRows | LogRows]]] = {"traces": SpanRows, "logs": LogRows}


class Undecodable(Exception):
    """A batch that is no OTLP message of its signal."""


class Decoder:
    """Decodes the batches of one segment, which becomes entry number `entry` of `origin`."""

    def __init__(self, origin: str, entry: int, prices: Pricer = LISTED) -> None:
        self.runs = RunIndex()
        self._prices = prices
        self._origin = origin
        self._entry = entry
        self._groups = Groups()
        self._rows: dict[str, Rows] = {}
        self._chunks: dict[str, list[pa.Table]] = {signal: [] for signal in TABLE_OF_SIGNAL}

    def add(self, header: BatchHeader, payload: bytes) -> int:
        """Decode one batch and return its number of rows. Raises `Undecodable`, and then nothing of it is kept.

        Any other exception is a defect of ours, after which the decoder must not be used any more.
        """
        signal = SIGNALS.get(header.signal)
        if signal is None:
            raise Undecodable("unknown signal")
        try:
            message = signal.request.FromString(payload)
        except DecodeError as error:
            raise Undecodable("not a protobuf message of its signal") from error
        rows = self._rows.get(header.signal)
        if rows is None:
            rows = self._rows[header.signal] = self._rows_of(header.signal)
        before = len(rows)
        batch = Batch(
            number=self._groups.batch(header),
            received_ns=header.received_ns,
            tenant=header.tenant,
            own=header.own,
            redactions=header.redactions,
        )
        rows.add_batch(message, batch)
        added = len(rows) - before
        if len(rows) >= CHUNK_ROWS:
            self._flush(header.signal)
        return added

    def tables(self, random: Callable[[int], bytes]) -> dict[str, pa.Table]:
        """Return all rows, numbered through: spans, then events, then metrics. `random` gives that many bytes, for salts."""
        for signal in list(self._rows):
            self._flush(signal)
        tables: dict[str, pa.Table] = {}
        first_row = 0
        for signal, name in TABLE_OF_SIGNAL.items():
            chunks = self._chunks[signal]
            if chunks:
                table = pa.concat_tables(chunks)
                tables[name] = seeded(name, self._numbered(name, table, first_row), random)
                first_row += table.num_rows
        return tables

    def _rows_of(self, signal: str) -> Rows:
        kind = _PRICED.get(signal)
        return MetricRows(self._groups, self.runs) if kind is None else kind(self._groups, self.runs, self._prices)

    def _flush(self, signal: str) -> None:
        """Turn the rows of a signal into Arrow."""
        rows = self._rows.pop(signal)
        if len(rows):
            schema = TABLES[TABLE_OF_SIGNAL[signal]]
            columns = rows.columns()
            present = [field for field in schema if field.name in columns]
            self._chunks[signal].append(pa.Table.from_arrays([columns[field.name] for field in present], schema=pa.schema(present)))

    def _numbered(self, name: str, table: pa.Table, first_row: int) -> pa.Table:
        rows = table.num_rows
        added: dict[str, Any] = {
            "origin": pa.repeat(pa.scalar(self._origin, pa.large_string()), rows),
            "entry": pa.repeat(pa.scalar(self._entry, pa.int64()), rows),
            "entry_row": pa.array(range(first_row, first_row + rows), pa.int64()),
            "salt": pa.nulls(rows, pa.large_binary()),
            "schema_version": pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int32()), rows),
            "resent": pa.repeat(pa.scalar(value=False), rows),  # collector.copies finds out
        }
        schema = TABLES[name]
        return pa.Table.from_arrays([added[field.name] if field.name in added else table[field.name] for field in schema], schema=schema)
