"""Names of people that the words around them give away: salutations, introductions, titles, sign-offs, labels; English, no model.

A pattern proposes a stretch of capitalised words; it is a name when none of them is a word for a thing, a machine or a group, so that
`Dear Customer`, `Hi Team` and `Hello World` are left alone. What only a reader of the language recognises stays unfound: that takes a
model (`presidio.nlp_engine`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from redaction.given_names import GIVEN_NAMES
from redaction.people import is_common_word, is_name

Name = tuple[int, int, float]
"""Start, end and how sure it is."""

_UPPER: Final = r"[A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠȘŢŤȚŪŮŰŲŹŻŽ]"
_WORD: Final = rf"(?:{_UPPER}[^\W\d_]*(?:['’\-‐]{_UPPER}?[^\W\d_]{{2,}})*|{_UPPER}\.)"
_LAST: Final = rf"(?:(?:van|von|de|der|den|del|della|di|da|dos|du|la|le|bin|al|el|ter|ten)[ ]){{0,2}}{_WORD}"
_FULL: Final = rf"{_WORD}(?:[ ]{_LAST}){{1,3}}"
_SOME: Final = rf"{_WORD}(?:[ ]{_LAST}){{0,3}}"
_END: Final = r"(?![\w@])"
_TITLE: Final = r"(?:Dr|Mr|Mrs|Ms|Mx|Prof|Sir|Dame|Rev|Herr|Frau|Mme)\.?|Miss|Doctor|Professor|Madam"

TITLED: Final = re.compile(rf"\b(?:{_TITLE})[ ](?P<name>{_LAST}(?:[ ]{_LAST}){{0,3}}){_END}")
SALUTATION: Final = re.compile(
    r"(?:^|(?<=[.!?:\n\"'>*] )|(?<=[\n\"'>*]))[ \t]*"
    r"(?i:dear|hi|hello|hey|greetings|good (?:morning|afternoon|evening)|hi there|welcome(?: back)?)"
    rf",?[ ](?:(?:{_TITLE})[ ])?(?P<name>{_SOME})(?=[ ]?[,.!:;\n)—–\-\"']|\s*$)",
    re.MULTILINE,
)
INTRODUCTION: Final = re.compile(
    r"\b(?:(?i:my|his|her|their|the (?:customer|patient|client|user|caller|applicant|guest)['’]s) (?i:full |first |last |legal )?(?i:name)"
    r"(?i: is|['’]s|:)|(?i:(?:i am|i['’]m|we are) called|call me|known as))"
    rf"[ ](?:(?:{_TITLE})[ ])?(?P<name>{_SOME}){_END}"
)
IN_LOWER_CASE: Final = re.compile(r"\b(?i:my name is|my name['’]s|call me)[ ](?P<name>[^\W\d_A-Z]{2,20}(?:[ ][^\W\d_A-Z]{2,20})?)(?![\w@])")
SELF: Final = re.compile(rf"\b(?:I am|I['’]m|[Tt]his is|[Ii]t['’]s)[ ](?:(?:{_TITLE})[ ])?(?P<name>{_FULL}){_END}")
SIGN_OFF: Final = re.compile(
    r"(?:^|\n)[ \t]*(?i:(?:best|kind|warm|warmest|many)?[ ]?(?:regards|wishes|thanks)|best|cheers|sincerely"
    r"|yours (?:sincerely|truly|faithfully)|thank you|respectfully|cordially|all the best|take care|love),?[ \t]*\n\s*"
    rf"(?:[-–—~]+[ ]?)?(?P<name>{_SOME})(?=[ \t]*(?:,|\n|$|\|))"
)
LABEL: Final = re.compile(
    r"\b(?i:customer|client|patient|caller|applicant|claimant|passenger|guest|employee|beneficiary|recipient|tenant|cardholder|card ?holder"
    r"|account ?holder|policy ?holder|contact(?: person)?|signed(?: by)?|attn|attention|insured|borrower|student|buyer|customer name)"
    rf"(?: (?i:name))?[ ]?(?:[:：=]|(?i:is|named|called))[ ]*(?:(?:{_TITLE})[ ])?(?P<name>{_FULL}){_END}"
)
ROLE: Final = re.compile(
    r"\b(?:(?i:on behalf of|behalf of|in the name of|c/o|care of|spoke (?:with|to)|speaking with|met with|married to|spouse of)"
    r"|(?:[Pp]atient|[Cc]ustomer|[Cc]lient|[Cc]aller|[Aa]pplicant|[Cc]laimant|[Pp]assenger|[Gg]uest|[Ee]mployee|[Bb]eneficiary|[Cc]ardholder"
    rf"|[Aa]ccount holder|[Ss]tudent|[Rr]esident))[ ](?:(?:{_TITLE})[ ])?(?P<name>{_FULL}){_END}"
)

_ONE_WORD: Final = re.compile(
    rf"{_UPPER}[^\W\d_A-Z]+(?:['’\-‐]{_UPPER}?[^\W\d_A-Z]+)*|(?:Mc|Mac|O['’]|D['’]|De|Van|Von){_UPPER}[^\W\d_A-Z]+"
)
SURE: Final = 0.85
LIKELY: Final = 0.6


@dataclass(frozen=True, slots=True)
class NamePattern:
    """One sign of a name."""

    name: str
    expression: re.Pattern[str]
    needs: tuple[str, ...]  # one of these stands in the lower-case text before the expression can match
    score: float
    any_word: bool = False  # one unknown word is a name there


PATTERNS: Final = (
    NamePattern(
        "title", TITLED,
        ("dr", "mr", "ms ", "ms.", "mx", "prof", "sir ", "dame ", "rev", "herr", "frau", "mme", "miss", "doctor", "madam"), SURE,
        any_word=True,
    ),
    NamePattern("salutation", SALUTATION, ("dear", "hi ", "hi,", "hello", "hey", "greetings", "good ", "welcome"), LIKELY),
    NamePattern("introduction", INTRODUCTION, ("name", "called", "call me", "known as"), SURE, any_word=True),
    NamePattern("introduction in lower case", IN_LOWER_CASE, ("my name", "call me"), LIKELY),
    NamePattern("self", SELF, ("i am ", "i'm ", "i’m ", "this is ", "it's ", "it’s "), LIKELY),
    NamePattern(
        "sign-off", SIGN_OFF,
        ("regards", "wishes", "thank", "best", "cheers", "sincerely", "yours ", "respectfully", "cordially", "take care", "love"), LIKELY,
    ),
    NamePattern(
        "label", LABEL,
        ("custom", "client", "patient", "caller", "applica", "claimant", "passenger", "guest", "employee", "benefici", "recipient",
         "tenant", "holder", "contact", "signed", "att", "insured", "borrower", "student", "buyer"), SURE,
    ),
    NamePattern(
        "role", ROLE,
        ("behalf of", "name of", "c/o", "care of", "spoke ", "speaking with", "met with", "married to", "spouse of", "patient", "custom",
         "client", "caller", "applica", "claimant", "passenger", "guest", "employee", "benefici", "holder", "student", "resident"), LIKELY,
    ),
)  # fmt: skip

_LABELS: Final = (
    r"(?i:customer|client|patient|caller|applicant|claimant|passenger|guest|employee|beneficiary|recipient|tenant|holder|contact|person"
    r"|signed|by|attn|attention|insured|borrower|student|buyer|name) ?(?:[:：=]|(?i:is|named|called)) *[^\W\d_a-z]"
)
_ROLES: Final = (
    r"(?i:behalf of|name of|c/o|care of|spoke with|spoke to|speaking with|met with|married to|spouse of|patient|customer|client|caller"
    r"|applicant|claimant|passenger|guest|employee|beneficiary|cardholder|account holder|student|resident) [^\W\d_a-z]"
)
SHAPES: Final[tuple[str, ...]] = (
    r"\b(?:Dr|Mr|Mrs|Ms|Mx|Prof|Sir|Dame|Rev|Herr|Frau|Mme|Miss|Doctor|Professor|Madam)\.? [^\W\d_]",
    r"(?i:dear|hi|hello|hey|greetings|morning|afternoon|evening|there|welcome|back),? [^\W\d_a-z]",
    r"(?i:name(?: is|['’]s|:)|called|call me|known as) [^\W\d_]",
    r"(?:I am|I['’]m|[Tt]his is|[Ii]t['’]s) [^\W\d_a-z]",
    r"(?i:regards|wishes|thanks|best|cheers|sincerely|truly|faithfully|you|respectfully|cordially|care|love),?[ \t]*\n\s*[^\s\d]",
    _LABELS,
    _ROLES,
)
"""What every match contains: no look-arounds, quick to search."""


def find(text: str, key_words: Sequence[str]) -> Iterator[Name]:  # noqa: ARG001 - finders are alike
    """Yield the names in `text`; those that two patterns see come twice."""
    lowered = text.lower()
    for pattern in PATTERNS:
        if not any(word in lowered for word in pattern.needs):
            continue
        for match in pattern.expression.finditer(text):
            found = _name(match["name"], any_word=pattern.any_word)
            if found is not None:
                start, end = found
                yield match.start("name") + start, match.start("name") + end, pattern.score


def _name(words: str, *, any_word: bool) -> tuple[int, int] | None:
    """Return which part of some words is a name: without the words of a sentence that follow it, as in `Jane Doe Your order`."""
    parts = words.split(" ")
    for count in range(len(parts), 0, -1):
        name = " ".join(parts[:count])
        if _is_name(name if name[0].isupper() else name.title(), any_word=any_word):
            return 0, len(name)
    return None


def _is_name(name: str, *, any_word: bool) -> bool:
    if " " in name:
        return is_name(name)
    if name.lower() in GIVEN_NAMES:
        return True
    return any_word and len(name) > 2 and _ONE_WORD.fullmatch(name) is not None and not is_common_word(name)
