"""What the recognizers of ours look for, as plain data and quick checks: shared by the finders and by the gate before them; pure.

The collector's own process asks these without loading Presidio or phonenumbers, so nothing heavy may be imported here.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from redaction import cards, ibans
from redaction.context import context
from redaction.expressions import compiled

PHONE_CANDIDATE: Final = (
    r"(?<![\w.@])[+＋]?[(\[（]?(?!(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d))\d"
    r"(?:(?:[-().\[\]/‐-―−ー－／\u200b\u2060（）～~]|[^\S\n\r\t]){0,3}\d){6,17}(?!(?![xX]\d)[\w@])"
)
"""Seven digits or more in the punctuation of phone numbers, on one line and in one cell, and no date."""

PHONE_SHAPE: Final = r"\d(?:[^0-9A-Za-z!\"#$%&'*+,:;<=>?@\\^_`{|}\n\r\t]{0,3}\d){6}"
EMAIL_SHAPE: Final = r"@\w[\w\-]*[^\w\s]\w"
CARD_SHAPES: Final = (r"[0-9](?:[^0-9A-Za-z!\"#$%&'()*+,:;<=>?@\[\\\]^`{|}~]{0,2}[0-9]){11}", r"[0-9]\.[0-9]{6,18}[eE]\+?1[0-9]")
CRYPTO_SHAPES: Final = (r"[13][1-9A-HJ-NP-Za-km-z]{25}", "(?i)bc1[a-z0-9]{25}")
"""What every match of these contains, in ASCII and without look-arounds."""

BARE_SCORE: Final = 0.2
"""Of bare digits that may be a phone number: a context word must raise it."""

PHONE_WORDS: Final = (
    *("phone", "phones", "telephone", "tel", "cell", "cellphone", "mobile", "dial", "fax", "sms", "whatsapp", "hotline", "caller"),
    "callee",
    *(f"{verb} {whom}" for verb in ("call", "text", "ring", "reach", "contact") for whom in ("me", "us", "him", "her", "them", "back")),
    *(f"{whose} number" for whose in ("my", "your", "his", "her", "our", "their", "contact")),
)
"""Every agent makes calls, writes texts and has numbers: only the phrases that mean a person's phone are context."""

ACCOUNT_WORDS: Final = ("account", "accountnumber", "accountno", "acct", "bank", "debit", "checking", "savings")
LICENSE_WORDS: Final = (
    *("driver license", "drivers license", "driver s license", "driving license", "driving licence", "driver licence", "dl"),
    *(
        "drivers licence",
        "driver s licence",
        "license number driver",
        "licence number driver",
        "driver lic",
        "dln",
        "dlnumber",
        "dlno",
        "driverlicense",
    ),
)
MEDICAL_WORDS: Final = ("medical", "medicallicense", "deanumber", "certificate", "dea", "prescriber", "license")
NHS_WORDS: Final = ("nhs", "nhsnumber", "nhsno", "national health service", "health services authority", "health authority")
PASSPORT_WORDS: Final = ("passport", "passports", "passportnumber", "passportno")

BARE_DIGITS: Final = 7
COMPACT_DATE: Final = compiled(r"(?<!\d)(?:19|20)\d\d[01]\d[0-3]\d(?!\d)")
"""No part of a phone number."""

_PHONE: Final = compiled(PHONE_CANDIDATE)
_DIGIT: Final = compiled(r"\d")
_SHORT_GROUP: Final = compiled(r"(?<!\d)\d{1,6}(?!\d)")
_ADDRESS: Final = compiled(r"(?i)(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25,59}")
_LONG_RUN_CHARS: Final = 4096
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_NOT_BASE58: Final = re.compile(f"[^{_BASE58}]")

Span = tuple[int, int]
Check = Callable[[str, Sequence[str], Sequence[Span]], bool]
"""Whether a recognizer may find something in a text under a key with these words; False is certain.

What has the recognizer's shape stands in these spans, each with as much around it as the recognizer looks at.
"""


def searched(words: Iterable[str]) -> Callable[[str, Sequence[str]], bool]:
    """Return whether a text or the words of its key hold the beginning of one of these phrases: False is certain."""
    beginnings = tuple(dict.fromkeys(word.split(" ")[0] for word in words))

    def found(text: str, key_words: Sequence[str]) -> bool:
        lowered = text.lower()
        return any(word in lowered for word in beginnings) or any(word in key_words for word in beginnings)

    return found


may_mean_phone: Final = searched(PHONE_WORDS)
_PHONE_CONTEXT: Final = context(PHONE_WORDS)


def _may_hold_card(text: str, key_words: Sequence[str], spans: Sequence[Span]) -> bool:
    return any(True for span in spans for _ in cards.find(text, key_words, *span))


def _may_hold_iban(text: str, key_words: Sequence[str], spans: Sequence[Span]) -> bool:
    return any(True for span in spans for _ in ibans.find(text, key_words, *span))


def _may_hold_phone(text: str, key_words: Sequence[str], spans: Sequence[Span]) -> bool:
    """Bare digits need a context word before them; what is formatted like a phone number, or international, is looked at."""
    worded: bool | None = None
    for candidate in (each for span in spans for each in _PHONE.finditer(text, *span)):
        shape = candidate.group()
        if shape[0] in "+＋":
            return True
        bare = shape.isdecimal()
        if not bare and _SHORT_GROUP.search(shape) is not None:
            if _has_digits_enough(shape):
                return True
            continue
        worded = may_mean_phone(text, key_words) if worded is None else worded
        if not worded or not _has_digits_enough(shape):
            continue
        starts = [0] if bare else [match.start() for match in re.finditer(r"\d+", shape)]
        if any(_PHONE_CONTEXT.near(text, candidate.start() + start, key_words) is not None for start in starts):
            return True
    return False


def _has_digits_enough(shape: str) -> bool:
    """Whether a phone number's digits are left without dates that are written without punctuation."""
    if shape.isdecimal():
        return COMPACT_DATE.fullmatch(shape) is None
    return len(_DIGIT.findall(COMPACT_DATE.sub("", shape))) >= BARE_DIGITS


def _may_hold_address(text: str, _key_words: Sequence[str], spans: Sequence[Span]) -> bool:
    """Whether the recognizer of Bitcoin addresses would match: hexadecimal ids have its shape, but not the checksum."""
    for start, end in spans:
        begin = start
        while begin and text[begin - 1].isalnum():  # where in a long run a match begins depends on all of the run
            begin -= 1
            if start - begin > _LONG_RUN_CHARS:
                return True
        for match in _ADDRESS.finditer(text, begin, end):
            address = match.group()
            if address[:3].lower() == "bc1":
                return True
            if not _NOT_BASE58.search(address) and _is_base58check(address):
                return True
    return False


def _is_base58check(address: str) -> bool:
    number = 0
    for char in address:
        number = number * 58 + _BASE58.index(char)
    zeros = len(address) - len(address.lstrip(_BASE58[0]))
    decoded = number.to_bytes(zeros + (number.bit_length() + 7) // 8, "big")
    return hashlib.sha256(hashlib.sha256(decoded[:-4]).digest()).digest()[:4] == decoded[-4:]


CHECKS: Final[Mapping[str, Check]] = MappingProxyType({
    "cards": _may_hold_card,
    "crypto": _may_hold_address,
    "ibans": _may_hold_iban,
    "phones": _may_hold_phone,
})  # fmt: skip
"""Closer looks at short texts that have a recognizer's shape: ids and times are full of digits."""
