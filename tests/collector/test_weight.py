"""What a request takes in memory once it is parsed is reserved before that: many tiny messages take far more than their size."""

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from collector.admission import MemoryLimiter
from collector.errors import Overloaded, TooLarge
from collector.receivers import weight
from collector.receivers.encoding import Encoding
from collector.receivers.events import BodyEncoding, EventsEncoding
from collector.signals import TRACES
from tests.collector.served import CONFIG, PROTOBUF, Served

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.pb"))
MIB = 1 << 20
LIMITED = CONFIG.replace("redaction: {}", "redaction: {}\n  memory_limiter: {limit_mib: 48, spike_limit_mib: 0}").replace(
    "processors: [redaction]", "processors: [memory_limiter, redaction]"
)


def held(body: bytes, encoding: BodyEncoding = Encoding.PROTOBUF, limit_bytes: int | None = None) -> int:
    """What is reserved for a body when it is known."""

    async def main() -> int:
        with MemoryLimiter(limit_bytes).reserve() as reservation:
            await weight.reserve_parsed(reservation, encoding, body)
            return reservation.held_bytes

    return asyncio.run(main())


def field(tag: bytes, content: bytes) -> bytes:
    size, prefix = len(content), b""
    while size > 127:
        prefix, size = prefix + bytes([size & 127 | 128]), size >> 7
    return tag + prefix + bytes([size]) + content


def spans(content: bytes) -> bytes:
    return field(b"\x0a", field(b"\x12", content))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_what_frameworks_send_weighs_no_more_than_its_size(capture: Path) -> None:
    assert held(capture.read_bytes()) == 0, "which its receiver has reserved already"


@pytest.mark.parametrize(
    "tiny",
    [spans(b"\x12\x00" * 50_000), spans(field(b"\x12", b"\x4a\x00" * 50_000)), spans(b"\x12\x02\x30\x01" * 50_000), b"\x0a\x00" * 50_000],
    ids=["empty spans", "empty attributes", "spans of a number", "empty resources"],
)
def test_a_body_of_tiny_messages_weighs_what_they_take(tiny: bytes) -> None:
    assert held(tiny) > 35 * len(tiny)
    with pytest.raises(TooLarge, match="tiny messages"):
        held(tiny, limit_bytes=6 * MIB)


@pytest.mark.parametrize("encoding", [Encoding.JSON, EventsEncoding.JSON])
def test_a_body_of_tiny_objects_weighs_what_they_take(encoding: BodyEncoding) -> None:
    assert held(b"[" + b"{}," * 50_000, encoding) > 14_000_000
    assert held(b"[" + b'{ "a" : 1},' * 50_000, encoding) > 14_000_000


def test_braces_in_texts_are_no_objects() -> None:
    assert held(b'{"body": {"stringValue": "' + b"{{x}} " * 10_000 + b'"}}', Encoding.JSON) == 0


def test_numbers_and_zeros_are_no_messages() -> None:
    assert held(field(b"\x32", bytes(80_000))) == 0, "a histogram whose counts are packed"


def test_what_does_not_fit_now_is_to_be_sent_again() -> None:
    async def main() -> None:
        limiter = MemoryLimiter(24 * MIB)
        with limiter.reserve() as other, limiter.reserve() as reservation:
            other.grow_to(5 * MIB)
            await weight.reserve_parsed(reservation, Encoding.PROTOBUF, spans(b"\x12\x00" * 60_000))

    with pytest.raises(Overloaded):
        asyncio.run(main())


def test_a_body_that_nobody_has_memory_for_is_refused_without_a_limiter_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight, "MOST_BYTES", 10 * MIB)
    with pytest.raises(TooLarge, match="tiny messages"):
        held(spans(b"\x12\x00" * 100_000))


@pytest.fixture(scope="module")
def limited() -> Iterator[Served]:
    running = Served(LIMITED)
    yield running
    running.close()


def test_a_kilobyte_that_would_become_hundreds_of_megabytes_is_refused_over_http(limited: Served) -> None:
    bomb = gzip.compress(spans(b"\x12\x00" * (1 << 19))[: MIB - 8])
    assert len(bomb) < 4096
    assert limited.post("/v1/traces", bomb, {**PROTOBUF, "content-encoding": "gzip"}).status_code == 413


def test_a_kilobyte_that_would_become_hundreds_of_megabytes_is_refused_over_grpc(limited: Served) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        limited.call(TRACES, gzip.compress(spans(b"\x12\x00" * (1 << 19))[: MIB - 8]))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
