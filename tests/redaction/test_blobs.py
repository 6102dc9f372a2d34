"""Images, sounds and documents in texts become a digest; what only looks like one is scanned."""

import base64
import hashlib
import json
import random
import time

import pytest

from redaction import blobs
from redaction.redactor import Redactor

_BYTES = random.Random(7)
PNG = b"\x89PNG\r\n\x1a\n" + _BYTES.randbytes(60)
PDF = b"%PDF-1.7\n" + _BYTES.randbytes(2_000)
NOISE = _BYTES.randbytes(3_000)


def encoded(data: bytes) -> str:
    """Base64 in one run."""
    return base64.b64encode(data).decode()


def digest(kind: str, data: bytes) -> str:
    """What stands for it."""
    return f"<BLOB:{kind}:{len(data)}:{hashlib.sha256(data).hexdigest()}>"


def test_a_data_uri_is_a_blob_at_any_length(redactor: Redactor) -> None:
    """The text around it is scanned."""
    text = f"see ![x](data:image/png;base64,{encoded(PNG)}) from jane@example.com"
    (result,) = redactor.clean_now([(text, None)])
    assert result.text == f"see ![x]({digest('png', PNG)}) from <EMAIL_ADDRESS>"
    assert result.receipts == {("BLOB", "structure/blob", ""): 1, ("EMAIL_ADDRESS", "EmailRecognizer", ""): 1}
    found = {each.entity: text[each.start : each.end] for each in result.findings}
    assert found == {"BLOB": f"data:image/png;base64,{encoded(PNG)}", "EMAIL_ADDRESS": "jane@example.com"}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, "pdf"),
        (b"\xff\xd8\xff\xe0" + NOISE, "jpeg"),
        (b"RIFF" + b"\0\1\2\3" + b"WAVE" + NOISE, "wav"),
        (b"ID3" + NOISE, "mp3"),
        (b"\0\0\0\x20ftypisom" + NOISE, "mp4"),
        (NOISE, "bytes"),
    ],
)
def test_long_runs_tell_their_type(redactor: Redactor, data: bytes, kind: str) -> None:
    """By the magic bytes; in texts, in JSON at its path, in both alphabets and in lines."""
    run = encoded(data)
    assert redactor.clean_now([(f"file: {run}.", None)])[0].text == f"file: {digest(kind, data)}."
    (result,) = redactor.clean_now([(json.dumps({"image": {"data": run}, "n": 1}), None)])
    assert json.loads(result.text) == {"image": {"data": digest(kind, data)}, "n": 1}
    assert dict(result.receipts) == {("BLOB", "structure/blob", ".image.data"): 1}
    urlsafe = base64.urlsafe_b64encode(data).decode()
    assert redactor.clean_now([(urlsafe, "k")])[0].text == digest(kind, data)
    if kind != "bytes":
        lines = base64.encodebytes(data).decode()
        assert redactor.clean_now([(lines, None)])[0].text.startswith(digest(kind, data))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5_000,
        "0123456789abcdef" * 200,
        "word " * 1_000,
        encoded(b"this is text, and text is scanned like any other. " * 40),
        encoded(NOISE)[:900],
        "a/b/c/d/" * 300,
        "data:text/plain,hello",
        "see data:image/png;base64, and more",
    ],
)
def test_no_blobs(text: str) -> None:
    """Words, hexadecimal, short runs, paths, and base64 of text."""
    assert blobs.split(text) is None


def test_a_name_of_a_type_comes_from_a_list() -> None:
    """A data URI says what it likes; what is stored is one of a few words."""
    (leaf,) = blobs.split(f"data:video/x-jane;base64,{encoded(NOISE)}") or ()
    assert leaf.text.startswith("<BLOB:video:3000:")
    (leaf,) = blobs.split(f"data:jane/doe;base64,{encoded(NOISE)}") or ()
    assert leaf.text.startswith("<BLOB:bytes:3000:")


@pytest.mark.parametrize(
    "text",
    [
        ("A1b" * 333 + " ") * 1_000, "data:" * 100_000, ";base64," * 60_000, ("Ab1/" * 18 + "\n") * 5_000, "A1b=" * 100_000,
        ("data:image/png;base64," + "A1b2" * 5) * 5_000, "Aa1" * 400_000,
    ],
)  # fmt: skip
def test_linear_time(text: str) -> None:
    """Texts come from outside."""
    begun = time.process_time()
    blobs.split(text)
    assert time.process_time() - begun < 2
