"""Stretches of a text that are base64 or hexadecimal of other text: what they mean has to be looked at, too; pure.

Printable ASCII is told from random bytes before anything is decoded: three characters of it make four of base64 of which three come from
half of the alphabet or less, and two digits of hexadecimal of which the first is 2 to 7. So `SHAPES`, which every encoded stretch has,
is met by one random text of 64 characters in a thousand, by ids and digests in ten thousand. Where it is met, the printable text around
it is decoded; a picture or compressed data is not.
"""

import base64
import binascii
import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import regex  # type: ignore[import-untyped]

BASE64: Final = "base64"
HEX: Final = "hex"

_GROUP: Final = r"(?:[I-Za-f][C-HS-Xi-nyz0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_\-])"
"""Three printable ASCII characters: bits 7, 15 and 23 are clear, and bits 5 or 6 of the first two are set."""

_PAIR: Final = "(?:[2-7][0-9A-Fa-f])"

SHAPES: Final = (_GROUP + "{4}", _PAIR + "{12}")
"""What every text with an encoded stretch contains: twelve characters of printable ASCII."""

_FEWEST: Final = 12
_BASE64_SHAPE: Final = re.compile(SHAPES[0])
_HEX_SHAPE: Final = re.compile(SHAPES[1])
_BASE64_RUN: Final = re.compile(r"[A-Za-z0-9+/_\-]{16,}+(?:(?:\r?\n[ \t]{0,16}+|(?:\\r)?\\n)[A-Za-z0-9+/_\-]++)*+={0,2}+")
_HEX_RUN: Final = re.compile(r"[0-9A-Fa-f]{24,}+(?:(?:\r?\n[ \t]{0,16}+|(?:\\r)?\\n)[0-9A-Fa-f]++)*+")
_LINE: Final = re.compile(r"(?:\\n|\n|^)[ \t]*([^\s\\=]+)")
_STANDARD: Final = str.maketrans("-_", "+/")
_TEXT: Final = (
    rb"(?:[\t\n\r\x20-\x7e]++|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})++"
)
"""UTF-8 without control characters (RFC 3629)."""
_TEXT_AFTER: Final = regex.compile(_TEXT)
_TEXT_BEFORE: Final = regex.compile(b"(?r)" + _TEXT)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The characters from `start` to `end` of a text are the encoding of `text`."""

    start: int
    end: int
    text: str
    encoding: str


@dataclass(frozen=True, slots=True)
class _Run:
    """The digits of a run without its line ends, and where in the text each line of them begins."""

    digits: str
    first: tuple[int, ...]  # of each line, in `digits`
    place: tuple[int, ...]  # of each line, in the text

    def position(self, index: int) -> int:
        """Return where the digit at `index` stands in the text."""
        line = bisect.bisect_right(self.first, index) - 1
        return self.place[line] + index - self.first[line]


def stretches(text: str) -> Iterator[Stretch]:
    """Yield the stretches of `text` whose decoding is text of at least twelve characters, with what they mean; linear in the text.

    Base64 may be standard or url-safe, padded or not, and like hexadecimal wrapped over lines of equal length.
    """
    if _BASE64_SHAPE.search(text) is not None:
        for run in _runs(_BASE64_RUN, text):
            yield from _decoded(run, _BASE64_SHAPE, BASE64, digits=4, data=3)
    if _HEX_SHAPE.search(text) is not None:
        for run in _runs(_HEX_RUN, text):
            yield from _decoded(run, _HEX_SHAPE, HEX, digits=2, data=1)


def _runs(expression: "re.Pattern[str]", text: str) -> Iterator[_Run]:
    for match in expression.finditer(text):
        lines = [(each.start(1), each[1]) for each in _LINE.finditer(match.group())]
        begun = 0
        for index, (_, line) in enumerate(lines):
            last = index + 1 == len(lines)
            if last or len(line) != len(lines[begun][1]) or len(lines[index + 1][1]) > len(line):
                yield _run(match.start(), lines[begun : index + 1])
                begun = index + 1


def _run(start: int, lines: Sequence[tuple[int, str]]) -> _Run:
    first, total = [], 0
    for _, line in lines:
        first.append(total)
        total += len(line)
    return _Run("".join(line for _, line in lines), tuple(first), tuple(start + place for place, _ in lines))


def _decoded(run: _Run, shape: "re.Pattern[str]", encoding: str, *, digits: int, data: int) -> Iterator[Stretch]:
    """Yield the text around every place of a run that has the shape; `digits` stand for `data` bytes."""
    meaning: dict[int, bytes] = {}
    position = 0
    while (match := shape.search(run.digits, position)) is not None:
        position = match.end()
        shift = match.start() % digits
        if shift not in meaning:
            meaning[shift] = _bytes(run.digits[shift:], encoding)
        decoded = meaning[shift]
        start, end = _text_around(decoded, (match.start() - shift) // digits * data)
        text = decoded[start:end].decode()
        first = shift + start // data * digits
        last = min(len(run.digits), shift + -(-end // data) * digits)
        position = max(position, last - last % digits + shift if last < len(run.digits) else last)
        if len(text) >= _FEWEST:
            yield Stretch(run.position(first), run.position(last - 1) + 1, text, encoding)


def _bytes(run: str, encoding: str) -> bytes:
    try:
        if encoding == HEX:
            return bytes.fromhex(run[: len(run) - len(run) % 2])
        usable = run[:-1] if len(run) % 4 == 1 else run
        return base64.b64decode(usable.translate(_STANDARD) + "=" * (-len(usable) % 4))
    except (binascii.Error, ValueError):
        return b""


def _text_around(data: bytes, inside: int) -> tuple[int, int]:
    """Return where the text around `inside` begins and ends."""
    before, after = _TEXT_BEFORE.match(data, pos=0, endpos=inside), _TEXT_AFTER.match(data, inside)
    return (before.start() if before else inside), (after.end() if after else inside)
