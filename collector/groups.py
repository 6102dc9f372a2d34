"""Resources, scopes and batches of a segment: decoded once, stored once, and referred to by number from every row.

Agents send the same resource with every request. It is recognised by its bytes, so that a batch of a single event does not pay for it.
"""

from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from google.protobuf.json_format import MessageToDict

from collector.anyvalue import Values, as_texts, read_attributes
from collector.columns import MapColumn
from collector.dialects.names import read_resource
from collector.dialects.record import Fields
from collector.signals import Message
from storage.schema import ORIGIN_OF_RECORD
from storage.wal import BatchHeader

_TYPES = dict(ORIGIN_OF_RECORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource and what it gives to every record below it."""

    number: int
    attributes: Values
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """An instrumentation scope."""

    number: int
    name: str
    attributes: Values


class Groups:
    """The distinct resources, scopes and batches of a segment."""

    def __init__(self) -> None:
        self._resources: dict[tuple[bytes, str], Resource] = {}
        self._resource_rows: list[tuple[Any, ...]] = []
        self._resource_attributes = MapColumn()
        self._scopes: dict[tuple[bytes, str], Scope] = {}
        self._scope_rows: list[tuple[Any, ...]] = []
        self._scope_attributes = MapColumn()
        self._batches: list[tuple[int, str]] = []

    def resource(self, message: Message, schema_url: str) -> Resource:
        """Return the resource of a message."""
        key = (message.SerializeToString(deterministic=True), schema_url)
        known = self._resources.get(key)
        if known is None:
            attributes = as_texts(read_attributes(message.attributes))
            refs = orjson.dumps([MessageToDict(ref) for ref in message.entity_refs]).decode() if message.entity_refs else None
            self._resource_attributes.add(attributes)
            self._resource_rows.append((message.dropped_attributes_count, schema_url or None, refs))
            known = Resource(number=len(self._resources), attributes=attributes, fields=read_resource(attributes))
            self._resources[key] = known
        return known

    def scope(self, message: Message, schema_url: str) -> Scope:
        """Return the scope of a message."""
        key = (message.SerializeToString(deterministic=True), schema_url)
        known = self._scopes.get(key)
        if known is None:
            attributes = read_attributes(message.attributes)
            self._scope_attributes.add(attributes)
            self._scope_rows.append((message.name or None, message.version or None, message.dropped_attributes_count, schema_url or None))
            known = Scope(number=len(self._scopes), name=message.name, attributes=attributes)
            self._scopes[key] = known
        return known

    def batch(self, header: BatchHeader) -> int:
        """Return the number of a new batch."""
        self._batches.append((header.received_ns, header.policy_hash))
        return len(self._batches) - 1

    def columns(self, resources: list[int], scopes: list[int], batches: list[int]) -> dict[str, pa.Array]:
        """Return the columns of `ORIGIN_OF_RECORD`, `received_ns` and `policy_hash` for rows that refer to these numbers."""
        columns: dict[str, pa.Array] = {"resource_attributes": self._resource_attributes.to_arrow()}
        names = ("resource_dropped_attributes_count", "resource_schema_url", "resource_entity_refs")
        columns |= _arrays(names, self._resource_rows)
        taken = _take(columns, resources)
        columns = {"scope_attributes": self._scope_attributes.to_arrow()}
        columns |= _arrays(("scope_name", "scope_version", "scope_dropped_attributes_count", "schema_url"), self._scope_rows)
        taken |= _take(columns, scopes)
        received, policies = zip(*self._batches, strict=True)
        columns = {"received_ns": pa.array(received, pa.int64()), "policy_hash": pa.array(policies, pa.large_string())}
        return taken | _take(columns, batches)


def _arrays(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> dict[str, pa.Array]:
    return {name: pa.array(values, _TYPES[name]) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def _take(columns: dict[str, pa.Array], numbers: list[int]) -> dict[str, pa.Array]:
    indices = pa.array(numbers, pa.int32())
    return {name: column.take(indices) for name, column in columns.items()}
