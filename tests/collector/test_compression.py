"""Compressed bodies: bounded after decompression, refused by name when they are broken, and inflated in steps."""

import asyncio
import gzip
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest

from collector.errors import Malformed, Overloaded, TooLarge, UnsupportedMedia
from collector.receivers.compression import Body


def read(encoding: str, *chunks: bytes, limit: int = 1000) -> bytes:
    body = Body(encoding, limit)
    for chunk in chunks:
        body.feed(chunk)
    return body.finish()


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("", b"hello"),
        ("identity", b"hello"),
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("GZIP", gzip.compress(b"hello", mtime=0)),
        ("gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", raw_deflate(b"hello")),
        ("zlib", zlib.compress(b"hello")),
        ("zstd", zstd(b"hello")),
        ("zstd", zstd(b"hel") + zstd(b"lo")),
    ],
)
def test_compressions_in_one_piece_and_byte_by_byte(encoding: str, sent: bytes) -> None:
    assert read(encoding, sent) == b"hello"
    assert read(encoding, *(bytes([byte]) for byte in sent)) == b"hello"


COMPRESSED = {
    "gzip": gzip.compress(b"hello", mtime=0),
    "deflate": zlib.compress(b"hello"),
    "zlib": zlib.compress(b"hello"),
    "zstd": zstd(b"hello"),
}


@pytest.mark.parametrize("encoding", COMPRESSED)
@pytest.mark.parametrize(
    ("problem", "broken"),
    [
        ("too early", lambda sent: sent[:-3]),
        ("garbage", lambda sent: sent + b"garbage"),
        ("", lambda _: b"hello there"),
        ("too early", lambda sent: sent[:1]),
        ("too early", lambda _: b""),
    ],
    ids=["truncated", "garbage behind", "not compressed", "one byte", "nothing"],
)
def test_broken_compression_is_refused_and_named(encoding: str, problem: str, broken: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Malformed, match=f"{encoding}.*{problem}|{problem}.*{encoding}"):
        read(encoding, broken(COMPRESSED[encoding]))


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd)])
def test_a_bomb_stops_at_the_limit(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(50 << 20))
    reserved: list[int] = []
    body = Body(encoding, 2 << 20, reserved.append)

    def inflate() -> None:
        body.feed(bomb)
        body.finish()

    with pytest.raises(TooLarge):
        inflate()
    assert body.size_bytes <= 3 << 20
    assert max(reserved) <= (2 << 20) + len(bomb)


def test_compressed_bytes_that_are_kept_count_too() -> None:
    body = Body("zstd", 1000)
    with pytest.raises(TooLarge):
        body.feed(bytes(1001))


def test_the_limit_is_inclusive() -> None:
    assert read("gzip", gzip.compress(bytes(1000)), limit=1000)
    with pytest.raises(TooLarge):
        read("", bytes(1001), limit=1000)


@pytest.mark.parametrize("encoding", ["br", "snappy", "gzip, gzip", "compress"])
def test_other_compressions_are_unsupported(encoding: str) -> None:
    with pytest.raises(UnsupportedMedia):
        Body(encoding, 10)


def test_what_the_configuration_does_not_name_is_unsupported() -> None:
    with pytest.raises(UnsupportedMedia, match="one of identity, gzip"):
        Body("zstd", 10, codings=("", "gzip"))
    with pytest.raises(UnsupportedMedia):
        Body("", 10, codings=("gzip",))


def test_a_body_that_is_refused_is_forgotten() -> None:
    """Its error is kept until it is answered, when nothing is reserved any more."""

    def no_room(size_bytes: int) -> None:
        if size_bytes > 4 << 20:
            raise Overloaded("full")

    for error, body in ((TooLarge, Body("gzip", 4 << 20)), (Overloaded, Body("gzip", 64 << 20, no_room))):
        with pytest.raises(error):
            body.feed(gzip.compress(bytes(8 << 20)))
        assert body._chunks == []


@pytest.mark.parametrize(
    ("encoding", "sent", "steps"),
    [
        ("gzip", gzip.compress(bytes(32 << 20)), 31),
        ("gzip", gzip.compress(b"") * 8000, 4),
        ("zstd", zstd(bytes(32 << 20)), 31),
    ],
    ids=["a gzip bomb", "members without content", "a zstd bomb"],
)
def test_other_requests_go_on_while_a_bomb_is_inflated(encoding: str, sent: bytes, steps: int) -> None:
    """What one kilobyte becomes takes a tenth of a second and more."""

    async def main() -> int:
        turns, done = 0, False

        async def other() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        going_on = asyncio.create_task(other())
        body = Body(encoding, 64 << 20)
        await body.take(sent)
        await body.whole()
        done = True
        await going_on
        return turns

    assert asyncio.run(main()) >= steps


def test_much_zstd_without_content_is_looked_at_beside_the_event_loop() -> None:
    async def main() -> bytes:
        body = Body("zstd", 1 << 20)
        await body.take(zstd(b"") * 10_000 + zstd(b"hello"))
        return await body.whole()

    assert asyncio.run(main()) == b"hello"
