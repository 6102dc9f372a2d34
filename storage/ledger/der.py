"""As much of DER (ITU-T X.690) as time-stamps need: definite lengths, tags of one byte, nothing that is lenient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
MOST_OID_BYTES: Final = 64


class DerError(ValueError):
    """The bytes are not the DER that was expected; the message names no byte of them."""


@dataclass(frozen=True, slots=True)
class Element:
    """One value: its tag, its content, and the whole encoding."""

    tag: int
    content: bytes
    whole: bytes

    def expect(self, tag: int) -> "Element":
        """Return itself. Raises `DerError` when the tag is another."""
        if self.tag != tag:
            raise DerError(f"tag {self.tag:#04x} stands where {tag:#04x} must stand")
        return self

    def children(self) -> list["Element"]:
        """Return the values that a constructed one is made of."""
        if not self.tag & 0x20:
            raise DerError(f"tag {self.tag:#04x} is not constructed")
        found, at = [], 0
        while at < len(self.content):
            found.append(_element(self.content, at))
            at += len(found[-1].whole)
        return found

    def integer(self) -> int:
        """Return the value of an INTEGER."""
        return int.from_bytes(self.expect(INTEGER).content, "big", signed=True)

    def oid(self) -> str:
        """Return an OBJECT IDENTIFIER in its dotted form."""
        numbers, value = [], 0
        content = self.expect(OBJECT_IDENTIFIER).content
        if len(content) > MOST_OID_BYTES:
            raise DerError("an object identifier is too long")
        for byte in content:
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(value)
                value = 0
        if not content or content[-1] & 0x80:
            raise DerError("an object identifier is cut off")
        first = min(numbers[0] // 40, 2)
        return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))


def parse(data: bytes) -> Element:
    """Return the one value that `data` is. Raises `DerError` when it is cut off or something follows it."""
    element = _element(data, 0)
    if len(element.whole) != len(data):
        raise DerError("something follows the value")
    return element


def _element(data: bytes, at: int) -> Element:
    """Return the value that begins at an offset."""
    if len(data) < at + 2 or data[at] & 0x1F == 0x1F:
        raise DerError("a tag is cut off or of several bytes")
    length, start = data[at + 1], at + 2
    if length >= 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start : start + count], "big")
        if not 1 <= count <= 4 or len(data) < start + count or length < 0x80 or data[start] == 0:
            raise DerError("a length is not in its shortest definite form")
        start += count
    if len(data) < start + length:
        raise DerError("a value is cut off")
    return Element(data[at], data[start : start + length], data[at : start + length])


def encode(tag: int, *content: bytes) -> bytes:
    """Return one value with this content."""
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def encode_integer(value: int) -> bytes:
    """Return a non-negative INTEGER."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encode_oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *rest = (int(number) for number in dotted.split("."))
    return encode(OBJECT_IDENTIFIER, *(_base128(number) for number in (40 * first + second, *rest)))


def _base128(number: int) -> bytes:
    digits: Sequence[int] = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([digit | 0x80 for digit in digits[:0:-1]] + [digits[0]])
