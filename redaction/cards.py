"""Payment card numbers: digits in a card's grouping, an issuer's prefix with a length of its cards, and the checksum; pure.

Upstream's pattern knows neither Mastercard's 2-series, nor 19 digits, nor separators beside space and hyphen, and takes the digits of
fractions, tables of four-digit numbers and times in microseconds for cards. Here a number stands by itself: between anything but
digits, never behind a decimal point, and not in the middle of a row of groups.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from redaction.context import column_words, context, words_before

_SEPARATORS: Final = " \u00a0\u2009\u202f\t\r\n\\-‐‑‒–—−._/"
_SCIENTIFIC: Final = r"\d\.\d{6,18}[eE]\+?1\d"
CARD_SHAPES: Final = (rf"[0-9](?:[{_SEPARATORS}]{{0,2}}[0-9]){{11}}", _SCIENTIFIC)
"""What every finding contains: twelve digits with at most two separators between neighbours, or a number with an exponent."""

CARD_WORDS: Final = (
    *("card", "cards", "cardnumber", "credit", "creditcard", "debit", "visa", "mastercard", "maestro", "amex", "discover", "diners"),
    *("jcb", "unionpay", "cc", "pan", "ccnum"),
)
_CONTEXT: Final = context(CARD_WORDS)
_OTHER_NUMBERS: Final = frozenset({
    "batch", "booking", "bookings", "confirmation", "ean", "gtin", "iccid", "imei", "invoice", "isbn", "lot", "order", "orders", "parcel",
    "po", "ref", "reference", "serial", "shipment", "sku", "ticket", "timestamp", "tracking", "transaction", "txn", "upc",
})  # fmt: skip
_WORDS_DIRECTLY_BEFORE: Final = 3
_LINKING: Final = frozenset({"is", "was", "no", "nr", "num", "number", "id", "ids", "code", "the", "a"})
_RUN: Final = re.compile(rf"(?<![0-9])[0-9](?:[{_SEPARATORS}]{{0,2}}[0-9]){{11,}}")
_EXPONENT: Final = re.compile(r"(?<![\w.])([0-9])\.([0-9]{6,18})[eE]\+?(1[0-9])(?![0-9])")
_GROUP: Final = re.compile(r"[0-9]+")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_UUID: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])")
_ID_CHARS: Final = 20
_AROUND_CHARS: Final = 2 * _ID_CHARS
_SHORTEST, _LONGEST, _USUAL = 12, 19, 16
_FIRST_GROUPS: Final = frozenset({4, 6, 8, 12})
_ROW_NEIGHBOURS: Final = 1
_E164_DIGITS: Final = 15

_ALWAYS: Final = frozenset(range(_SHORTEST, _LONGEST + 1))
_LONG: Final = frozenset(range(_USUAL, _LONGEST + 1))
_ISSUERS: Final[tuple[tuple[int, int, frozenset[int]], ...]] = (
    (6304, 6304, _ALWAYS), (6390, 6390, _ALWAYS), (6700, 6799, _ALWAYS), (5018, 5018, _ALWAYS), (5020, 5020, _ALWAYS),
    (5038, 5038, _ALWAYS), (5893, 5893, _ALWAYS),  # Maestro
    (1000, 1999, frozenset({15})),  # UATP
    (2200, 2204, _LONG),  # Mir
    (2221, 2720, frozenset({16})),  # Mastercard
    (3000, 3059, _LONG | {14}), (3095, 3095, _LONG | {14}), (3600, 3699, _LONG | {14}), (3800, 3999, _LONG | {14}),  # Diners Club
    (3400, 3499, frozenset({15})), (3700, 3799, frozenset({15})),  # American Express
    (3528, 3589, _LONG),  # JCB
    (4000, 4999, frozenset({13, 16, 19})),  # Visa
    (5000, 5899, frozenset({16})),  # Mastercard and national schemes
    (6000, 6999, _LONG),  # Discover, UnionPay, RuPay, InterPayment
    (8100, 8199, _LONG), (8200, 8299, frozenset({16})), (8600, 8600, frozenset({16})),  # UnionPay, RuPay, Uzcard
    (9792, 9792, frozenset({16})), (9860, 9860, frozenset({16})),  # Troy, Humo
)  # fmt: skip
"""First four digits, from and to, and how long such numbers are."""

_LONG_ISSUERS: Final = ("62", "81", "63", "67", "220", "50", "58")
"""Who really issues more than 16 digits; of the others' so many digits are an id as long as no word says card."""

Group = tuple[int, int]
Rows = dict[int, bool]
"""Of the groups of one run: whether they stand in a row of cards, as far as it was asked."""


def find(text: str, key_words: Sequence[str], start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand in `text`, or in a part of it that cuts no number; `key_words` say what it is."""
    end = len(text) if end is None else end
    for run in _RUN.finditer(text, start, end):
        groups = [group.span() for group in _GROUP.finditer(text, *run.span())]
        rows: Rows = {}
        position = 0
        while position < len(groups):
            length = groups[position][1] - groups[position][0]
            counts: Sequence[int] = range(5, 0, -1) if length in _FIRST_GROUPS else (1,) if length > _SHORTEST else ()
            taken = next((count for count in counts if _is_card(text, groups, rows, position, count, key_words)), 0)
            if taken:
                yield groups[position][0], groups[position + taken - 1][1]
            position += taken or 1
    for number in _EXPONENT.finditer(text, start, end):
        first, fraction, exponent = number.groups()
        if len(fraction) <= int(exponent) and _is_issued(first + fraction.ljust(int(exponent), "0")):
            yield number.span()


def _is_card(text: str, groups: Sequence[Group], rows: Rows, first: int, count: int, key_words: Sequence[str]) -> bool:
    taken = groups[first : first + count]
    if len(taken) < count or not _SHORTEST <= sum(end - begin for begin, end in taken) <= _LONGEST:
        return False
    digits = "".join(text[begin:end] for begin, end in taken)
    if not _is_issued(digits):
        return False
    start, end = taken[0][0], taken[-1][1]
    if text[start - 1 : start] == "." and first and groups[first - 1][1] == start - 1 and (count == 1 or text[taken[0][1]] != "."):
        return False  # the decimals of a fraction
    is_phone = text[start - 1 : start] == "+" and len(digits) <= _E164_DIGITS
    if is_phone or _is_inside_an_id(text, start, end):
        return False
    if count == 1:
        glued = text[start - 1 : start].isalpha()
        usual = _SHORTEST < len(digits) <= _USUAL or (len(digits) > _USUAL and digits.startswith(_LONG_ISSUERS) and not glued)
        said = _CONTEXT.near(text, start, key_words) is not None
        return said or (usual and not _is_said_to_be_another(text, start, key_words))
    return _is_grouped(text, taken) and (
        _neighbours(text, groups, first, count) <= _ROW_NEIGHBOURS
        or _CONTEXT.near(text, start, key_words) is not None
        or _is_row_of_cards(text, groups, rows, first)
    )


def _is_said_to_be_another(text: str, start: int, key_words: Sequence[str]) -> bool:
    """Whether the column, the words directly before, or else the key say that the digits are an order, a parcel, a booking …"""
    column = column_words(text, start)
    if column:
        return not _OTHER_NUMBERS.isdisjoint(column)
    before = [word for word in words_before(text, start, _WORDS_DIRECTLY_BEFORE) if word not in _LINKING]
    return bool(before and before[-1] in _OTHER_NUMBERS) or (start <= 1 and not _OTHER_NUMBERS.isdisjoint(key_words))


def _is_issued(digits: str) -> bool:
    """Whether an issuer has numbers like this, and the checksum (ISO/IEC 7812-1) is right."""
    if len(digits) not in _lengths(digits[:4]):
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


@lru_cache(maxsize=10_000)
def _lengths(prefix: str) -> frozenset[int]:
    return frozenset().union(*(lengths for low, high, lengths in _ISSUERS if low <= int(prefix) <= high))


def _is_grouped(text: str, groups: Sequence[Group]) -> bool:
    """Whether one kind of separator stands between groups as they are on cards."""
    separators = {text[before[1] : after[0]] for before, after in pairwise(groups)}
    lengths = [end - begin for begin, end in groups]
    if separators <= {" ", "-", "\u00a0"}:
        return lengths[0] in _FIRST_GROUPS and (min(lengths) >= 3 or set(lengths[:-1]) == {4})
    return len(separators) == 1 and (
        lengths in ([4, 6, 5], [4, 6, 4]) or (len(lengths) >= 4 and set(lengths[:-1]) == {4} and lengths[-1] <= 4)
    )


def _neighbours(text: str, groups: Sequence[Group], first: int, count: int) -> int:
    """Return how many groups of four digits stand directly around, behind the same separator; no more than matter are counted."""
    separator = text[groups[first][1] : groups[first + 1][0]]
    number = 0
    for step, edge in ((-1, first), (1, first + count - 1)):
        index = edge + step
        while 0 <= index < len(groups):
            left, right = sorted((groups[index], groups[index - step]))
            if text[left[1] : right[0]] != separator or groups[index][1] - groups[index][0] != 4:
                break
            number += 1
            index += step
            if number > _ROW_NEIGHBOURS:
                return number
    return number


def _is_row_of_cards(text: str, groups: Sequence[Group], rows: Rows, first: int) -> bool:
    """Whether a row of groups of four is cards from its first to its last group."""
    if first in rows:
        return rows[first]
    separator = text[groups[first][1] : groups[first + 1][0]]
    begin, end = first, first + 1
    while begin and text[groups[begin - 1][1] : groups[begin][0]] == separator:
        begin -= 1
    while end < len(groups) and text[groups[end - 1][1] : groups[end][0]] == separator:
        end += 1
    digits = "".join(text[slice(*group)] for group in groups[begin:end])
    row = (
        {stop - start for start, stop in groups[begin:end]} == {4}
        and len(digits) % _USUAL == 0
        and all(_is_issued(digits[at : at + _USUAL]) for at in range(0, len(digits), _USUAL))
    )
    rows.update(dict.fromkeys(range(begin, end), row))
    return row


def _is_inside_an_id(text: str, start: int, end: int) -> bool:
    """Whether the digits are part of a long hexadecimal number or a UUID."""
    if text[start - 1 : start].isalpha() or text[end : end + 1].isalpha():
        for inside in (start, end - 1):
            left = inside
            while left > max(0, inside - _AROUND_CHARS) and text[left - 1] in "0123456789abcdefABCDEF":
                left -= 1
            token = _HEX.match(text, left, inside + _AROUND_CHARS)
            if token is not None and token.end() - token.start() >= _ID_CHARS and not token.group().isdigit():
                return True
    window = max(0, start - 36)
    return any(each.start() + window <= start and end <= each.end() + window for each in _UUID.finditer(text[window : end + 36]))
