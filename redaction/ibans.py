"""International bank account numbers: a country, its length, and the checksum (ISO 13616); pure.

Upstream checks the national format of each country as well, which real numbers outgrow, and knows a space and a hyphen only.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

IBAN_SHAPE: Final = r"[A-Z]{2}[0-9]{2}(?:[^0-9A-Za-z!-,:-@\[-`{-~/_]?[A-Z0-9]){11}"
"""What every finding contains, in ASCII and without look-arounds."""

_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18,
    "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23,
    "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28,
    "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_START: Final = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})[0-9]{2}(?=[ \-.\u00a0\u2009\u202f]?[A-Z0-9])")
_NEXT: Final = re.compile(r"[ \-.\u00a0\u2009\u202f]?([A-Z0-9])")
_LETTERS_AFTER: Final = re.compile(r"[A-Za-z0-9]")


def find(text: str, _key_words: Sequence[str] = (), start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield where account numbers stand that begin in this part of `text`; linear in the text."""
    for begin in _START.finditer(text, start, len(text) if end is None else end):
        length = _LENGTHS.get(begin.group(1))
        if length is None:
            continue
        compact, position = begin.group(), begin.end()
        while len(compact) < length and (following := _NEXT.match(text, position)) is not None:
            compact, position = compact + following.group(1), following.end()
        if len(compact) == length and not _LETTERS_AFTER.match(text, position) and _is_valid(compact):
            yield begin.start(), position


def _is_valid(compact: str) -> bool:
    """Whether the remainder of the rearranged number by 97 is one (ISO 7064)."""
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1
