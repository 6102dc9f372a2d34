"""Images, sounds and documents inside texts: data URIs and long runs of base64 become `<BLOB:type:bytes:sha256>`.

Nobody can look for personal data in them, and they are large. Base64 that stands for text is left alone: it is decoded and scanned like
any other text.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Final

from redaction.structure import Kind, Leaf

BLOB: Final = "BLOB"
RULE: Final = "structure/blob"
RUN_CHARS: Final = 1024
"""Shorter runs are ids, keys and digests."""

_BLOB: Final = re.compile(
    r"data:(?P<type>[a-z]{1,20})?(?:/[\w.+\-]{1,80})?(?:;[\w.+\-]{1,40}=[\w.+\-]{1,80}){0,4};base64,(?P<data>[A-Za-z0-9+/_\-%]*+={0,2})"
    rf"|(?P<run>(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{{{RUN_CHARS},}}+={{0,2}}|(?<![A-Za-z0-9_\-])[A-Za-z0-9_\-]{{{RUN_CHARS},}}+={{0,2}})"
    r"|(?P<lines>(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{60,80}\r?\n){13,}+[A-Za-z0-9+/]*+={0,2})"
)
"""A data URI, one run of base64 (both alphabets), or base64 in lines; linear in the text."""
_TYPES: Final = frozenset({"application", "audio", "font", "image", "model", "video"})
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")
_LOOKED_AT_CHARS: Final = 4096
_PRINTABLE: Final = re.compile(r"[^\x00-\x08\x0e-\x1f\x7f\ufffd]*+\ufffd?")
_MAGIC: Final = (
    (b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"%PDF-", "pdf"), (b"PK\x03\x04", "zip"), (b"\x1f\x8b", "gzip"),
    (b"OggS", "ogg"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"\xff\xf3", "mp3"), (b"fLaC", "flac"), (b"BM", "bmp"), (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"), (b"\x1aE\xdf\xa3", "webm"), (b"SQLite format 3", "sqlite"), (b"PAR1", "parquet"), (b"wOF", "woff"),
)  # fmt: skip


def may_hold(text: str) -> bool:
    """Whether `split` could find a blob; False is certain."""
    return (";base64," in text or _may_hold_run(text)) and _BLOB.search(text) is not None


def _may_hold_run(text: str) -> bool:
    """Whether half a run's length somewhere has no space in it: a whole run would cover one of these parts."""
    half = RUN_CHARS // 2
    return len(text) >= RUN_CHARS and any(" " not in text[start : start + half] for start in range(0, len(text) - half + 1, half))


def split(text: str) -> tuple[Leaf, ...] | None:
    """Return the blobs in `text` and what stands between them, or None when there is none."""
    if not may_hold(text):
        return None
    leaves: list[Leaf] = []
    position = 0
    for start, end, digest in _blobs(text):
        if start > position:
            leaves.append(Leaf(position, start, Kind.RAW, text[position:start], None))
        leaves.append(Leaf(start, end, Kind.BLOB, digest, None))
        position = end
    if not leaves:
        return None
    if position < len(text):
        leaves.append(Leaf(position, len(text), Kind.RAW, text[position:], None))
    return tuple(leaves)


def _blobs(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _BLOB.finditer(text):
        encoded = match.group(match.lastgroup or 0)
        data = _decoded(encoded)
        kind = None if data is None else _kind(data, encoded, group=match.lastgroup, named=match["type"])
        if data is not None and kind is not None:
            yield match.start(), match.end(), f"<{BLOB}:{kind}:{len(data)}:{hashlib.sha256(data).hexdigest()}>"


def _decoded(encoded: str) -> bytes | None:
    digits = re.sub(r"\s|%0[AaDd]", "", encoded).replace("%2B", "+").replace("%2F", "/").rstrip("=").replace("-", "+").replace("_", "/")
    if _NOT_BASE64.search(digits):
        return None
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4))
    except binascii.Error:
        return None


def _kind(data: bytes, encoded: str, *, group: str | None, named: str | None) -> str | None:
    """Return the type of a blob; None for text, and for what is no base64 but a long word."""
    if data[:4] == b"RIFF":
        return {b"WAVE": "wav", b"WEBP": "webp", b"AVI ": "avi"}.get(data[8:12], "riff")
    if data[4:8] == b"ftyp":
        return "mp4"
    kind = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if kind is not None:
        return kind
    if _PRINTABLE.fullmatch(data[:_LOOKED_AT_CHARS].decode("utf-8", "replace")):
        return None
    if group == "data":
        return named if named in _TYPES else "bytes"
    head = encoded[:RUN_CHARS]
    mixed = any(char.isdigit() for char in head) and any(char.islower() for char in head) and any(char.isupper() for char in head)
    return "bytes" if mixed and group == "run" else None
