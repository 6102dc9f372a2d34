"""Images, sounds, videos, documents and files → a `blob` or a `file` part, never with many bytes inside."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from storage.messages.form import Part, as_text, part, raised

DATA_CHARS: Final = 256
"""Longer content is not repeated: its size and digest stand for it."""

TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("image", "image_url", "input_image", "image-url", "image_file", "output_image"), "image"),
    **dict.fromkeys(("audio", "audio_url", "input_audio", "audio-url", "output_audio"), "audio"),
    **dict.fromkeys(("video", "video_url", "input_video", "video-url"), "video"),
    **dict.fromkeys(("document", "document-url", "document_url"), "document"),
    **dict.fromkeys(("file", "input_file", "file_url", "blob", "uri", "binary", "media", "file_data", "fileData", "inline_data"), ""),
    "inlineData": "",
}
"""The word by which a block says what it is → its modality, where the word tells."""

WRAPPERS: Final = (
    "image_url", "input_audio", "inline_data", "inlineData", "file_data", "fileData", "image_file", "image", "audio", "video", "document",
    "file", "source",
)  # fmt: skip
"""Keys under which blocks nest their fields, or their address or content itself."""

_MIME: Final = ("mime_type", "mimeType", "media_type", "mediaType")
_NAME: Final = ("filename", "file_name", "name", "title", "display_name", "displayName")
_ADDRESS: Final = ("uri", "url", "file_uri", "fileUri", "file_url", "image_url", "audio_url", "video_url")
_FILE_ID: Final = ("file_id", "fileId", "id")
_DATA: Final = ("data", "content", "bytes", "file_data", "base64", "image", "audio", "video", "document", "source")
_PLACEHOLDER: Final = re.compile(r"<[^<>]+>")
_BLOB: Final = re.compile(r"<BLOB:([^:<>]+):(\d+):[0-9a-f]{64}>")
_DATA_URI: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?[^,]{0,200},(.*)", re.DOTALL)
_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://")
_SPACE: Final = re.compile(r"\s+")


def parts_of(fields: Mapping[str, Any], word: str, contents: Callable[[Any], list[Part]]) -> list[Part]:
    """Return the parts of a media block; `contents` reads nested content (a document may be text or blocks)."""
    source = fields.get("source")
    if isinstance(source, dict) and str(source.get("type")) in {"text", "content"}:
        rest = {key: value for key, value in fields.items() if key != "source"}
        found = contents(source.get("data") or source.get("content"))
        return [{**found[0], "extra": {**found[0].get("extra", {}), **rest}}, *found[1:]] if found and rest else found
    wrapper = next((key for key in WRAPPERS if key in fields), "")
    left = _raised(fields)
    known = {
        "modality": _take(left, ("modality",)) or TYPES.get(word) or TYPES.get(wrapper) or None,
        "mime_type": _take(left, _MIME),
        "name": _take(left, _NAME),
    }
    address, data = _take(left, _ADDRESS), _take(left, _DATA)
    if address is not None and (_DATA_URI.match(address) or _BLOB.fullmatch(address)):
        address, data = None, address if data is None else data
    elif address is None and data is not None and len(data) < 2048 and _URL.match(data):
        address, data = data, None
    if data is None or address is not None:
        left |= {} if data is None else {"data": data}
        return [part("file", left, uri=address, id=_take(left, _FILE_ID), **_with_modality(known))]
    return [part("blob", left, **_content(data, _with_modality(known)))]


def _raised(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of nested objects beside those of the block."""
    left = dict(fields)
    for _ in range(3):
        for key in WRAPPERS:
            if isinstance(left.get(key), dict):
                left = raised(left, key)
                if str(left.get("type")) in {"base64", "url", "file"}:  # how a source has its content, which its fields tell, too
                    del left["type"]
    return left


def _take(fields: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if fields.get(key) not in (None, ""):
            return as_text(fields.pop(key))
    return None


def _with_modality(known: dict[str, Any]) -> dict[str, Any]:
    mime = known["mime_type"]
    if known["modality"] is None and mime is not None and "/" in mime:
        kind = mime.split("/", 1)[0]
        known["modality"] = kind if kind in {"image", "audio", "video", "text"} else "document"
    return known


def _content(data: str, known: dict[str, Any]) -> dict[str, Any]:
    """What is said of content: itself when it is short, else its size and digest; what redaction put there stays as it is."""
    uri = _DATA_URI.match(data)
    if uri is not None:
        known["mime_type"] = known["mime_type"] or uri[1]
        known, data = _with_modality(known), uri[2]
    if blob := _BLOB.fullmatch(data):
        kind = blob[1] if "/" in blob[1] else None
        return _with_modality(known | {"mime_type": known["mime_type"] or kind}) | {"size": int(blob[2]), "reference": data}
    if _PLACEHOLDER.fullmatch(data) and len(data) <= DATA_CHARS:
        return known | {"reference": data}
    raw = _decoded(data)
    if len(data) <= DATA_CHARS:
        return known | {"size": len(raw), "data": data}
    return known | {"size": len(raw), "reference": f"sha256:{hashlib.sha256(raw).hexdigest()}"}


def _decoded(data: str) -> bytes:
    """The bytes that a text stands for: base64 decoded, everything else as UTF-8."""
    digits = _SPACE.sub("", data).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return data.encode("utf-8", "replace")
