"""One request as it was sent: parsed, identified, and what of it is admitted; nothing of it is redacted yet."""

import asyncio
from dataclasses import replace
from typing import Final, NamedTuple

from collector.admission import Admitted, admit, is_audit
from collector.receivers.encoding import Encoding, decode_request
from collector.receivers.events import REJECTED, BodyEncoding, EventsEncoding, read_events
from collector.resends import Resends
from collector.reserved import disown
from collector.sender import Sender
from collector.signals import LOGS, Message, Signal

IN_LOOP_BYTES: Final = 1 << 18
"""A body larger than this is parsed beside the event loop, so that other requests go on: it may hold a hundred thousand tiny messages."""
IN_LOOP_JSON_BYTES: Final = 1 << 16
"""The same for JSON, which takes four times as long."""
IN_LOOP_EVENTS_BYTES: Final = 1 << 14
"""The same for plain events, which take three milliseconds for that."""


class Request(NamedTuple):
    """What the pipeline stores. `identity` is that of a resend, None when every such request is to be stored."""

    signal: Signal
    sender: Sender
    message: Message
    identity: bytes | None
    admitted: Admitted
    audit: bool
    received_ns: int


async def read_request(signal: Signal, encoding: BodyEncoding, body: bytes, sender: Sender, received_ns: int, resends: Resends) -> Request:
    """Return the request in `body`, without what is not admitted; raises Malformed."""

    def read() -> Request:
        if isinstance(encoding, EventsEncoding):
            return _read_events(encoding, body, sender, received_ns, resends)
        message = decode_request(signal, encoding, body)
        identity = resends.identity(signal, message, sender.tenant)  # of all that was sent: redaction makes different requests equal
        disown(signal, message)
        return Request(signal, sender, message, identity, admit(signal, message), is_audit(signal, message), received_ns)

    return read() if len(body) <= _in_loop_bytes(encoding) else await asyncio.to_thread(read)


def _in_loop_bytes(encoding: BodyEncoding) -> int:
    if isinstance(encoding, EventsEncoding):
        return IN_LOOP_EVENTS_BYTES
    return IN_LOOP_BYTES if encoding is Encoding.PROTOBUF else IN_LOOP_JSON_BYTES


def _read_events(encoding: EventsEncoding, body: bytes, sender: Sender, received_ns: int, resends: Resends) -> Request:
    """Return the request that plain events make. Who sends them has no clock that says when they were observed: we do."""
    events = read_events(body, encoding)
    identity = resends.identity(LOGS, events.message, sender.tenant)
    for group in events.message.resource_logs:
        for scope in group.scope_logs:
            for record in scope.log_records:
                record.observed_time_unix_nano = received_ns
    admitted = admit(LOGS, events.message)
    if events.rejected:
        admitted = replace(admitted, rejected={**admitted.rejected, REJECTED: events.rejected}, details=events.problems)
    return Request(LOGS, sender, events.message, identity, admitted, is_audit(LOGS, events.message), received_ns)
