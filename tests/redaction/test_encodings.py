"""Base64 and hexadecimal of text is found and read, in all its writings; random bytes are not."""

import base64
import random
import re
import time
import uuid
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.encodings import SHAPES, stretches

SECRET = "user: jane.doe@example.com, password: hunter2, é and more of the same"
RNG = random.Random(5)


def _read(text: str) -> list[tuple[str, str, str]]:
    return [(text[each.start : each.end], each.text, each.encoding) for each in stretches(text)]


@pytest.mark.parametrize("cut", range(4))
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_read(encode: object, padded: bool, cut: int) -> None:
    """Standard and url-safe, with and without padding, of every length."""
    secret = SECRET[: len(SECRET) - cut] + "??>>~~"
    encoded = encode(secret.encode()).decode()  # type: ignore[operator]
    text = f'auth="{encoded if padded else encoded.rstrip("=")}" and more'
    assert _read(text) == [(encoded.rstrip("="), secret, "base64")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\n    ", "\\n"])
@pytest.mark.parametrize("columns", [40, 60, 64, 76])
def test_wrapped_base64_is_one_stretch(columns: int, line_end: str) -> None:
    """Lines of equal length, the last one shorter; what comes behind them is left."""
    encoded = base64.b64encode(SECRET.encode() * 4).decode().rstrip("=")
    wrapped = line_end.join(encoded[at : at + columns] for at in range(0, len(encoded), columns))
    assert _read(f"data:\n{wrapped}=\nNext paragraph") == [(wrapped, SECRET * 4, "base64")]


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_hexadecimal_is_read(case: object) -> None:
    """In both cases, with a prefix, also beside other digits."""
    encoded = case(SECRET.encode().hex())  # type: ignore[operator]
    assert _read(f"0x{encoded};") == [(encoded, SECRET, "hex")]


def test_a_stretch_inside_a_path_is_read() -> None:
    """Letters of a path are digits of base64, too: only what is text counts."""
    encoded = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")
    found = _read(f"/api/v1/items/{encoded}/edit")
    assert len(found) == 1
    assert SECRET[2:-2] in found[0][1]
    assert encoded[4:-4] in found[0][0]


def test_text_inside_of_binary_data_is_read() -> None:
    """A message in a binary frame."""
    encoded = base64.b64encode(b"\x00\x01\xff\x80" + SECRET.encode() + b"\x00\xff\x80\x01").decode()
    assert [meaning for _, meaning, _ in _read(encoded)] == [SECRET]


def test_two_stretches_of_one_text() -> None:
    """Each by itself."""
    first, second = (base64.b64encode(each).decode() for each in (b"jane@example.com 1", b"john@example.com 2"))
    assert [meaning for _, meaning, _ in _read(f"{first}, {second} {b'third text here'.hex()}")] == [
        "jane@example.com 1",
        "john@example.com 2",
        "third text here",
    ]


def test_ordinary_telemetry_has_no_stretches() -> None:
    """Digests, ids, pictures, code, prose and numbers: not even the shape, but for very few."""
    tokens = [RNG.randbytes(length).hex() for length in (8, 16, 20, 32, 64) for _ in range(400)]
    tokens += [str(uuid.UUID(int=RNG.getrandbits(128), version=4)) for _ in range(1000)]
    tokens += [base64.b64encode(RNG.randbytes(48)).decode() for _ in range(1000)]
    tokens += [str(RNG.randrange(10**18, 10**19)) for _ in range(500)] + [f"2026-01-01T00:00:00.{n:09d}Z" for n in range(500)]
    tokens += ["getUserAccountInformationByIdentifier", "SOME_CONSTANT_OF_THE_APPLICATION", "a-kebab-case-name-of-something"] * 100
    shaped = [token for token in tokens if any(re.search(shape, token) for shape in SHAPES)]
    assert len(shaped) <= len(tokens) * 0.005
    picture = base64.b64encode(zlib.compress(RNG.randbytes(30_000))).decode()
    assert all(len(each.text) < 24 for each in stretches(picture))


def test_reading_is_linear() -> None:
    """Whatever repeats."""
    begun = time.thread_time()
    for each in (
        "a" * 100_000,
        "YWFh" * 25_000,
        "41" * 50_000,
        "YWFhYWFhYWFhYWFh\n" * 6_000,
        "YWFhYWFhYWFhYWFh/" * 6_000,
        "YWFhYWFhYWFhYWFh_wAA" * 5_000,
    ):
        list(stretches(each))
    assert time.thread_time() - begun < 2


@given(
    text=st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=12, max_size=80), around=st.text(max_size=5)
)
def test_all_printable_text_is_read(text: str, around: str) -> None:
    """Twelve characters are enough."""
    for encoded in (base64.b64encode(text.encode()).decode(), text.encode().hex()):
        assert any(text == each.text for each in stretches(f"{around} {encoded} {around}"))


@given(text=st.text(st.sampled_from("YWFhQUJD=-_/+\n\\ng4142 "), max_size=120))
def test_positions_are_of_the_text(text: str) -> None:
    """In order, and never empty."""
    for each in stretches(text):
        assert 0 <= each.start < each.end <= len(text)
        assert len(each.text) >= 12
