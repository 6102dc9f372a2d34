"""What auditlake says about itself: alert transitions, reads, verdicts, configuration changes, as OTLP log records in the lake.

Such events take the way of everyone's: redacted, into a WAL under an origin of their own (`<node>/alerts`, `<node>/access`), sealed like
any other segment. They never count as received, and never in users' SLOs. Several short-lived processes may share an origin: each
write takes the origin's lock, appends a segment and gives the lock back.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from storage.catalog import Catalog
from storage.durable import DISK, FileSystem
from storage.errors import LakeLocked
from storage.wal import BatchHeader, RecordType, Segment, WalWriter

LOCK_WAIT_SECONDS: Final = 5.0
SEVERITY_TEXT: Final[Mapping[int, str]] = {5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}

Scalar = str | bool | int | float
AttributeValue = Scalar | Sequence[Scalar]
Clean = Callable[[Sequence[tuple[str, str | None]]], list[str]]
"""Texts with their attribute key (None for a name) → what may be stored, in the same order; never raises, withholds on failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEvent:
    """One event about ourselves. `severity` is OTLP's number: 9 info, 13 warning, 17 error."""

    name: str
    time_ns: int
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    severity: int = 9


class Journal:
    """Appends events to the WAL of one origin, redacted and durable."""

    def __init__(self, data: Path, origin: str, clean: Clean, policy_hash: str, clock: Callable[[], int], *, fs: FileSystem = DISK) -> None:
        """`origin` is `<node>/alerts` or `<node>/access`; `clock` gives unix ns, the receive time of the events."""
        self._data = data
        self._origin = origin
        self._clean = clean
        self._policy_hash = policy_hash
        self._clock = clock
        self._fs = fs

    def write(self, events: Sequence[JournalEvent]) -> Segment | None:
        """Make `events` durable and leave them in a closed segment for the sealer; returns it.

        Raises `LakeLocked` when another process writes this origin for longer than `LOCK_WAIT_SECONDS`, `StorageError` when the disk
        refuses.
        """
        if not events:
            return None
        body, withheld = self._message(events)
        header = BatchHeader(
            signal="logs",
            tenant=None,
            received_ns=self._clock(),
            policy_hash=self._policy_hash,
            records=len(events),
            withheld=withheld,
            digest=hashlib.sha256(body).hexdigest(),
            own=True,
        )
        attempts = Retrying(
            retry=retry_if_exception_type(LakeLocked), wait=wait_fixed(0.02), stop=stop_after_delay(LOCK_WAIT_SECONDS), reraise=True
        )
        writer = attempts(WalWriter, self._data, self._origin, first_entry=self._first_entry(), fs=self._fs)
        try:
            return writer.append_segment([(RecordType.BATCH, header.to_bytes(), body)])
        finally:
            writer.close()

    def _first_entry(self) -> int:
        """Where numbers go on when the origin has no WAL folder (yet, or any more): behind what the catalog has of it."""
        if (self._data / "wal" / self._origin).exists() or not (self._data / "catalog.sqlite").exists():
            return 0
        with closing(Catalog.open(self._data, read_only=True)) as catalog:
            last = catalog.last_entry(self._origin)
        return 0 if last is None else last + 1

    def _message(self, events: Sequence[JournalEvent]) -> tuple[bytes, int]:
        """The events as an OTLP message of cleaned texts, and how many texts were withheld."""
        texts = list(dict.fromkeys(text for event in events for text in _texts(event)))
        cleaned = dict(zip(texts, self._clean(texts), strict=True))
        message = ExportLogsServiceRequest()
        resource_logs = message.resource_logs.add()
        resource_logs.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="auditlake")))
        scope_logs = resource_logs.scope_logs.add()
        scope_logs.scope.name = f"auditlake.{self._origin.rsplit('/', 1)[-1]}"
        scope_logs.log_records.extend(_record(event, cleaned) for event in events)
        return message.SerializeToString(), sum(text.startswith("<WITHHELD:") for text in cleaned.values())


def _texts(event: JournalEvent) -> list[tuple[str, str | None]]:
    """Every text of an event, with the key it stands under."""
    texts: list[tuple[str, str | None]] = [(event.name, None)]
    for key, value in event.attributes.items():
        texts.append((key, None))
        values = [value] if isinstance(value, Scalar) else value
        texts.extend((item, key) for item in values if isinstance(item, str))
    return texts


def _record(event: JournalEvent, cleaned: Mapping[tuple[str, str | None], str]) -> LogRecord:
    attributes = [KeyValue(key=cleaned[key, None], value=_value(value, key, cleaned)) for key, value in event.attributes.items()]
    return LogRecord(
        time_unix_nano=event.time_ns,
        observed_time_unix_nano=event.time_ns,
        severity_number=cast("Any", event.severity),  # the generated type is a closed enum, the wire's is open
        severity_text=SEVERITY_TEXT.get(event.severity, ""),
        event_name=cleaned[event.name, None],
        attributes=attributes,
    )


def _value(value: AttributeValue, key: str, cleaned: Mapping[tuple[str, str | None], str]) -> AnyValue:
    match value:
        case str():
            return AnyValue(string_value=cleaned[value, key])
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[_value(item, key, cleaned) for item in value]))
