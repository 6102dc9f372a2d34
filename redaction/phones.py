"""Phone numbers of a few regions, and international ones of all.

Only stretches with seven digits or more in a phone's punctuation are given to phonenumbers, which is slow, and of those only what
its metadata allow: neighbouring groups of digits that together are a number of the region. A number with a country code counts when it
is possible, a formatted national one when it is valid or has North America's 3-3-4 shape; bare digits are more often an order or a
timestamp, and count only beside a context word.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import phonenumbers

from redaction.candidates import BARE_DIGITS, BARE_SCORE, COMPACT_DATE, PHONE_CANDIDATE, PHONE_WORDS, may_mean_phone
from redaction.context import context
from redaction.expressions import compiled

_CANDIDATE: Final = compiled(PHONE_CANDIDATE)
_NORTH_AMERICAN: Final = re.compile(r"(?<!\d)(?:\+?1[-. ]?)?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?!\d)")
_GROUP: Final = re.compile(r"\d+")
_ROW_BEFORE: Final = re.compile(r"[0-9] $")
_ROW_AFTER: Final = re.compile(r" [0-9]")
_PLAIN: Final = re.compile(r"\d+(?:[./]\d+)?")
_EXTENSION: Final = re.compile(r",?\s?(?:x|ext\.?|extension)\s?\d{1,6}(?!\w)", re.IGNORECASE)
_ID_BEFORE: Final = re.compile(r"\w-")
_ID_AFTER: Final = re.compile(r"-\w")
_NORTH_AMERICAN_CUTS: Final = (4, 7, 10)
"""Nobody writes 41555 50132: so many digits from its end a number may be cut."""
_MOST_DIGITS: Final = 17
_TRIES: Final = 32

Number = tuple[int, int, float]
"""Start, end and how sure it is."""


class Phones:
    """Finds numbers. With `threshold` above their score, bare digits without a context word are not looked at."""

    CONTEXT: Final = context(PHONE_WORDS)

    def __init__(self, regions: Sequence[str], *, threshold: float) -> None:
        self._bare_needs_context = threshold > BARE_SCORE
        self._shapes = tuple(_Shape(region) for region in regions)

    def find(self, text: str, key_words: Sequence[str]) -> Iterator[Number]:
        """Yield the numbers in `text`; those of bare digits with a score that only a context word raises."""
        bare_counts = not self._bare_needs_context or may_mean_phone(text, key_words)
        for candidate in _CANDIDATE.finditer(text):
            start, shape = candidate.span()[0], candidate.group()
            groups = [group.span() for group in _GROUP.finditer(shape)]
            if all(end - begin >= BARE_DIGITS for begin, end in groups) and shape[0] not in "+＋":
                if bare_counts:
                    yield from self._bare(text, [(start + begin, start + end) for begin, end in groups], key_words)
            elif shape[0] in "+＋" and (length := _international(shape, groups)):
                extension = _EXTENSION.match(text, start + length)
                yield start, extension.end() if extension else start + length, 0.6
            elif american := list(_NORTH_AMERICAN.finditer(shape)):
                for each in american:
                    begin, end = start + each.start(), start + each.end()
                    if not _is_in_a_row(text, begin, end) or self.CONTEXT.near(text, begin, key_words) is not None:
                        yield begin, end, 0.5
            elif fitting := [each for each in self._shapes if _plausible(each, shape, groups)]:
                for begin, end, score in _national(fitting, text, start, candidate.end()):
                    if any(begin <= start + first < end for first, _ in _no_part_of_a_number(shape, groups)):
                        continue
                    if not _is_plain_number(text, begin, end) or self.CONTEXT.near(text, begin, key_words) is not None:
                        yield begin, end, score

    def _bare(self, text: str, numbers: list[tuple[int, int]], key_words: Sequence[str]) -> Iterator[Number]:
        for begin, end in numbers:
            fitting = [each for each in self._shapes if each.fits(text[begin:end], ())]
            if not fitting:
                continue
            if not self._bare_needs_context or self.CONTEXT.near(text, begin, key_words) is not None:
                yield from ((first, last, BARE_SCORE) for first, last, _ in _national(fitting, text, begin, end))


def _plausible(region: "_Shape", shape: str, groups: Sequence[tuple[int, int]]) -> bool:
    """Whether neighbouring groups of digits together are a number of the region."""
    barriers = _no_part_of_a_number(shape, groups)
    for index in range(len(groups)):
        digits = ""
        ends: list[int] = []
        for position in range(index, len(groups)):
            begin, end = groups[position]
            if (begin, end) in barriers:
                break
            digits += shape[begin:end]
            if region.fits(digits, ends):
                return True
            ends.append(len(digits))
    return False


def _national(regions: Sequence["_Shape"], text: str, start: int, end: int) -> Iterator[Number]:
    offset = max(0, start - 1)  # the matcher looks at the character before
    window = text[offset : end + 16]  # and takes an extension after
    for each in regions:
        for match in phonenumbers.PhoneNumberMatcher(window, each.region, leniency=each.leniency, max_tries=_TRIES):
            if not _is_address(match.raw_string):
                first, last = offset + match.start, offset + match.end
                yield first, last, 0.4 if each.is_certain(text, first, last) else BARE_SCORE


def _is_plain_number(text: str, begin: int, end: int) -> bool:
    """Whether what looks like a national number is as well an order, a fraction, a pair of counts, or the decimals of a fraction."""
    digits = _PLAIN.fullmatch(text[begin:end].strip("[]()- "))
    return digits is not None or (text[begin - 1 : begin] == "." and text[begin - 2 : begin - 1].isdigit())


def _is_in_a_row(text: str, begin: int, end: int) -> bool:
    """Whether the groups of a number between spaces are some of a longer row of numbers."""
    return " " in text[begin:end] and (_ROW_BEFORE.search(text, max(0, begin - 2), begin) or _ROW_AFTER.match(text, end)) is not None


def _international(shape: str, groups: Sequence[tuple[int, int]]) -> int:
    """Return the length of the longest possible number that `shape` begins with, cut between groups of digits; 0 for none."""
    for _, end in reversed(groups):
        try:
            if phonenumbers.is_possible_number(phonenumbers.parse(shape[:end], None)):
                return end
        except phonenumbers.NumberParseException:
            continue
    return 0


def _no_part_of_a_number(shape: str, groups: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the groups that are dates without punctuation, and the decimals of fractions."""
    dates = {group for group in groups if COMPACT_DATE.fullmatch(shape, *group)}
    decimals = {
        after for before, after in pairwise(groups)
        if shape[before[1] : after[0]] == "." and before[1] - before[0] <= 2 and after[1] - after[0] >= 5
    }  # fmt: skip
    return dates | decimals


def _is_address(shape: str) -> bool:
    """Whether it is rather an IPv4 address: four numbers up to 255 with dots between, without zeros before them."""
    parts = shape.split(".")
    return len(parts) == 4 and all(part.isdecimal() and part == str(int(part)) and int(part) < 256 for part in parts)


class _Shape:
    """How a number of a region is written and dialled there, from phonenumbers' metadata."""

    _KINDS: Final = (
        *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan", "voicemail"),
    )

    def __init__(self, region: str) -> None:
        self.region = region
        own = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        code = phonenumbers.country_code_for_region(region)
        sharing = [phonenumbers.PhoneMetadata.metadata_for_region(each, None) for each in phonenumbers.region_codes_for_country_code(code)]
        kinds = [getattr(metadata, kind) for metadata in sharing if metadata is not None for kind in self._KINDS]
        patterns = dict.fromkeys(kind.national_number_pattern for kind in kinds if kind is not None and kind.national_number_pattern)
        prefix = getattr(own, "national_prefix_for_parsing", None)
        self._american = code == 1
        self._trunk: str = getattr(own, "national_prefix", None) or ""
        self.leniency = phonenumbers.Leniency.VALID if self._trunk else phonenumbers.Leniency.STRICT_GROUPING
        self._cuts = _NORTH_AMERICAN_CUTS if code == 1 else ()
        rewritten = getattr(own, "national_prefix_transform_rule", None) is not None  # the digits are changed before they are compared
        self._pattern = None if rewritten or not patterns else re.compile(f"(?:{prefix or ''})?(?:{'|'.join(patterns)})")

    def is_certain(self, text: str, start: int, end: int) -> bool:
        """Whether a formatted number is one beyond doubt: outside of North America with its trunk prefix, and no part of an id."""
        if self._american:
            return True
        in_an_id = _ID_BEFORE.fullmatch(text[max(0, start - 2) : start]) or _ID_AFTER.fullmatch(text[end : end + 2])
        return text[start:end].lstrip("([（").startswith(self._trunk) and not in_an_id

    def fits(self, digits: str, ends: Sequence[int]) -> bool:
        """Whether `digits`, of which groups end at `ends`, may be a number of the region."""
        if not BARE_DIGITS <= len(digits) <= _MOST_DIGITS:
            return False
        if self._cuts and any(len(digits) - end not in self._cuts for end in ends):
            return False
        return self._pattern is None or self._pattern.fullmatch(digits) is not None
