"""A load generator in a process of its own: agent spans over real OTLP, as an instrumented fleet sends them.

With a rate the loop is open: what is late was due all the same, so a request's latency counts from when it was due, and a server that
stalls cannot hide it. Without one it is closed: the next request leaves when the last was acknowledged. Request bodies are built once
and patched before every send (ids, times, and a text that nobody has seen before in one span of 16, or in every span), so that
generating costs little beside what is measured. Conversations repeat, as agents send the whole of them with every model call.
"""

import asyncio
import os
import struct
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

import httptools

from benchmarks.grpc_client import GrpcConnection
from collector.signals import LOGS, TRACES

Send = Callable[[bytes], Awaitable[bool]]
Connect = Callable[[], Awaitable[Send]]

SPANS = 512
BODIES = 24
FRESH_EVERY = 16
_FRESH = "qqqqqqqqqqqq"
_LETTERS = "abcdefghijklmnop"

QUESTIONS = (
    "Where is my order? It should have been delivered on Monday, and the tracking page still says that it is being prepared.",
    "The export to a spreadsheet stops after the first page. Can you check whether the report service is healthy today?",
    "Please summarise the incident of last night for the weekly review, with causes, impact and follow-up actions.",
    "Compare the three offers and tell me which one is the cheapest over two years when we need forty seats.",
)
_QUESTION_BYTES = sum(map(len, QUESTIONS)) // len(QUESTIONS) + 1

FINDINGS = ("Write to jane.{}@example.com.", "Call {} at 415-555-0132.", "{} paid with 4111 1111 1111 1111.", "{}: 536-22-8726 is the SSN.")
FINDING_EVERY = 20


@dataclass(slots=True)
class Load:
    """What is sent, and how: `rate` spans a second (0: as fast as acknowledgements come), `connections` requests under way.

    One span in `fresh_every` has a text that was never sent before; with `findings`, one in 20 holds personal data; `prompt_bytes` is the
    length of the text of each span. With `audit`, requests of one audit event each are sent instead. `target` is the URL that is posted
    to, or `host:port` for gRPC.
    """

    protocol: str
    target: str
    seconds: float
    rate: int
    connections: int
    fresh_every: int = FRESH_EVERY
    findings: bool = False
    spans: int = SPANS
    prompt_bytes: int = 0
    audit: bool = False
    headers: tuple[str, ...] = ()  # of HTTP requests, each "Name: value"


@dataclass(slots=True)
class Sent:
    """What came of it: `latencies` in seconds, of the requests that were acknowledged."""

    spans: int
    seconds: float
    latencies: list[float]
    failures: int
    cpu_seconds: float


class Body:
    """One patchable request."""

    def __init__(
        self, number: int, *, fresh_every: int = FRESH_EVERY, findings: bool = False, spans: int = SPANS, prompt_bytes: int = 0
    ) -> None:
        self._fresh_every = fresh_every
        self._findings = findings
        self._prompt_bytes = prompt_bytes
        message = TRACES.request()
        resource = message.resource_spans.add()
        for key, value in {
            "service.name": "support-agent",
            "service.version": "1.4.2",
            "deployment.environment.name": "production",
        }.items():
            resource.resource.attributes.add(key=key).value.string_value = value
        scope = resource.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.openai_v2"
        markers = [os.urandom(16) for _ in range(-(-spans // 8))]
        ids = [os.urandom(8) for _ in range(spans)]
        for index in range(spans):
            self._add_span(scope.spans, index, number, markers[index // 8], ids)
        self._content = bytearray(message.SerializeToString())
        self._traces = [self._positions(marker) for marker in markers]
        self._spans = [self._positions(marker) for marker in ids]
        self._times = self._positions(struct.pack("<Q", 1 << 60))
        self._fresh = self._positions(_FRESH.encode())
        self._counter = 0

    @property
    def size_bytes(self) -> int:
        return len(self._content)

    def _add_span(self, spans: object, index: int, number: int, trace_id: bytes, ids: list[bytes]) -> None:
        parent = b"" if index % 8 == 0 else ids[index - index % 8]
        span = spans.add(trace_id=trace_id, span_id=ids[index], parent_span_id=parent, name="chat gpt-4o-mini", kind=3)  # type: ignore[attr-defined]
        span.start_time_unix_nano = span.end_time_unix_nano = 1 << 60
        question = QUESTIONS[(number + index) % len(QUESTIONS)]
        fresh = index % self._fresh_every == 0
        said = f"{question} {_FRESH}" if fresh else f"{question} Conversation {number}, turn {index % 40}."
        said += "".join(f" {QUESTIONS[turn % len(QUESTIONS)]}" for turn in range(max(0, self._prompt_bytes - len(said)) // _QUESTION_BYTES))
        if self._findings and index % FINDING_EVERY == 0:
            said += " " + FINDINGS[index // FINDING_EVERY % len(FINDINGS)].format(_FRESH if fresh else f"number{number}")
        texts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.conversation.id": f"conversation-{number}-{index // 8}",
            "gen_ai.agent.name": "support",
            "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"type":"text","content":"{said}"}}]}}]',
            "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"I am looking into it."}]}]',
        }
        for key, value in texts.items():
            span.attributes.add(key=key).value.string_value = value
        for key, count in {
            "gen_ai.usage.input_tokens": 1200 + index,
            "gen_ai.usage.output_tokens": 90,
            "auditlake.seq": index % 8 + 1,
        }.items():
            span.attributes.add(key=key).value.int_value = count

    def _positions(self, marker: bytes) -> list[int]:
        found, position = [], self._content.find(marker)
        while position >= 0:
            found.append(position)
            position = self._content.find(marker, position + 1)
        return found

    def patched(self) -> bytes:
        """Return the request with new ids, the time now, and texts that were never sent before."""
        content = self._content
        for size, groups in ((16, self._traces), (8, self._spans)):
            fresh = os.urandom(size * len(groups))
            for index, positions in enumerate(groups):
                value = fresh[index * size : index * size + size]
                for position in positions:
                    content[position : position + size] = value
        now = struct.pack("<Q", time.time_ns())
        for position in self._times:
            content[position : position + 8] = now
        for position in self._fresh:
            content[position : position + 12] = "".join(_LETTERS[byte & 15] for byte in os.urandom(12)).encode()
        return bytes(content)


class AuditEvent:
    """One patchable request with a single audit event."""

    def __init__(self) -> None:
        message = LOGS.request()
        group = message.resource_logs.add()
        group.resource.attributes.add(key="service.name").value.string_value = "support-agent"
        record = group.scope_logs.add().log_records.add(event_name="agent_action", time_unix_nano=1 << 60)
        for key, value in {"gen_ai.agent.name": "support", "action": "refund", "resource": "order", "outcome": "ok"}.items():
            record.attributes.add(key=key).value.string_value = value
        self._content = message.SerializeToString()
        self._time = self._content.index(struct.pack("<Q", 1 << 60))

    def patched(self) -> bytes:
        """Return the request with the time now, which makes it another one."""
        return self._content[: self._time] + struct.pack("<Q", time.time_ns()) + self._content[self._time + 8 :]


def generate(load: Load, results: Connection) -> None:
    """Send until the time is over; the main function of the generator process."""
    results.send(asyncio.run(_run(load)))


async def _run(load: Load) -> Sent:
    bodies: list[AuditEvent] | list[Body] = (
        [AuditEvent()]
        if load.audit
        else [
            Body(number, fresh_every=load.fresh_every, findings=load.findings, spans=load.spans, prompt_bytes=load.prompt_bytes)
            for number in range(BODIES)
        ]
    )
    method = f"/{(LOGS if load.audit else TRACES).grpc_service}/Export"
    connect = http_sender(load.target, load.headers) if load.protocol == "http" else grpc_sender(load.target, method)
    sent = Sent(spans=0, seconds=0.0, latencies=[], failures=0, cpu_seconds=0.0)
    clients = [await connect() for _ in range(load.connections)]
    begun, cpu = time.monotonic(), time.process_time()
    turn = 0

    async def sender(send: Send) -> None:
        nonlocal turn
        while time.monotonic() < begun + load.seconds:
            number, turn = turn, turn + 1
            due = begun + number * load.spans / load.rate if load.rate else 0.0
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            body = bodies[number % len(bodies)].patched()
            started = due or time.monotonic()
            if await send(body):
                sent.spans += load.spans
                sent.latencies.append(time.monotonic() - started)
            else:
                sent.failures += 1
                await asyncio.sleep(0.2)

    await asyncio.gather(*[sender(client) for client in clients])
    sent.seconds, sent.cpu_seconds = time.monotonic() - begun, time.process_time() - cpu
    return sent


def http_sender(url: str, headers: Iterable[str] = ()) -> Connect:
    """Return a factory of senders over one connection each: a minimal client, since the generator shares the machine."""
    parts = urlsplit(url)
    fields = "".join(f"{header}\r\n" for header in (f"Host: {parts.netloc}", "Content-Type: application/x-protobuf", *headers))
    head = f"POST {parts.path} HTTP/1.1\r\n{fields}Content-Length: ".encode()

    async def connect() -> Send:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)

        async def post(body: bytes) -> bool:
            writer.write(head + b"%d\r\n\r\n" % len(body) + body)
            await writer.drain()
            done = asyncio.Event()
            parser = httptools.HttpResponseParser(_Until(done))
            while not done.is_set():
                parser.feed_data(await reader.read(65536) or _closed())
            return bool(parser.get_status_code() == 200)

        return post

    return connect


def _closed() -> bytes:
    raise ConnectionError("the server closed the connection before it answered")


class _Until:
    def __init__(self, done: asyncio.Event) -> None:
        self._done = done

    def on_message_complete(self) -> None:
        self._done.set()


def grpc_sender(target: str, method: str) -> Connect:
    """Return a factory of senders over one connection each: a minimal client, as for HTTP."""

    host, port = target.rsplit(":", 1)

    async def connect() -> Send:
        _, connection = await asyncio.get_running_loop().create_connection(lambda: GrpcConnection(target, method), host, int(port))
        return connection.call

    return connect
