"""Keys and values in text that is no JSON: `{'customer_name': 'Jane Doe'}`, `Customer(name='Jane')`, `ssn=078-05-1120`, `Address: …`.

What the policy says about a key holds there, too, as far as it can be told where the value ends: a quoted value, a whole bracket behind
a blocked key, one word behind `=`, the rest of a line behind a key that begins it. In prose a key proves less than in JSON, so a value
has to look like one of its kind. Every expression here is linear in the text.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from redaction.escapes import views
from redaction.findings import Finding
from redaction.keys import Handling, KeyClass
from redaction.people import TYPE_WORDS
from redaction.rules import BLOCK, Rules

BRACKET_CHARS: Final = 65_536
"""A bracket is followed so far: one that is never closed must not swallow a whole log."""

NEAR_CHARS: Final = 200

_STRING: Final = r"[bBfFrRuU]{0,2}(?:'(?P<single>(?:[^'\\\n]|\\.){0,2000}+)'?|\"(?P<double>(?:[^\"\\\n]|\\.){0,2000}+)\"?)"
_QUOTED: Final = re.compile(
    r"(?P<mark>[\"'])(?P<key>[^\W\d_][\w .\-]{0,60}+)(?P=mark)\s*+(?::|=>)\s*+"
    rf"(?:{_STRING}|(?P<open>[\[{{(])|(?P<number>-?\d[\d.]*+)(?!\w))"
)
_NAMED: Final = re.compile(
    rf"(?<![\w.\-\"'])(?P<key>[^\W\d_][\w.\-]{{0,60}}+)(?P<spaced>\s?):?=\s?(?:{_STRING}|(?P<bare>[^\s,;&()\[\]{{}}\"'<>=`|]{{1,500}}+)(?![(\[\"']))"
)
_LINE: Final = re.compile(
    r"^[ \t]*+(?:[-*•|>][ \t]*+)?\**+(?P<key>[^\W\d_][\w \-/']{0,38}?)\**+[ \t]*+[:：]\**+[ \t]++(?P<line>[^\n]{1,200}?)[ \t|]*+$",
    re.MULTILINE,
)
_COLON: Final = re.compile(r":\**+[ \t]|[\"']\s*+:|：")
_ESCAPED_QUOTE: Final = re.compile(r"\\[\"']|%2[27]|&(?:quot|apos|#3[49]);")
_CODE: Final = re.compile(r"[A-Za-z]+(?:[_.][A-Za-z]+)+|[a-z]+[A-Z]\w*")
_NO_VALUE: Final = re.compile(r"[A-Za-z_][\w.]*|\d{1,4}")
_SPACE_OR_DIGIT: Final = re.compile(r"[\s\d]")
_SYNTAX: Final = re.compile(r"[={}\[\]\"<>`]")
_CLOSE: Final = {"[": "]", "{": "}", "(": ")"}


def _may_be_plain(text: str) -> bool:
    return "=" in text or ((":" in text or "：" in text) and _COLON.search(text) is not None)


def _may_be_escaped(text: str) -> bool:
    return ("\\" in text or "%2" in text or "&" in text) and _ESCAPED_QUOTE.search(text) is not None


def find(text: str, rules: Rules) -> Iterator[Finding]:
    """Yield the values in `text` that the policy replaces because of their keys, also behind escaped quotes."""
    if _may_be_plain(text):
        yield from _find(text, rules)
    if _may_be_escaped(text):
        for view, positions in views(text):
            for each in _find(view, rules):
                yield Finding(positions[each.start], positions[each.end], each.entity, each.score, each.rule)


def _find(text: str, rules: Rules) -> Iterator[Finding]:
    matches = list(_QUOTED.finditer(text))
    if "=" in text:
        matches = sorted((*matches, *_NAMED.finditer(text)), key=lambda match: match.start())
    starts = [match.start() for match in matches]
    covered = 0  # up to here the text is inside a bracket that goes as a whole
    for match in matches:
        if match.start() < covered:
            continue
        key_class = rules.keys.nested(match["key"])
        if key_class.handling is Handling.SCAN:
            continue
        group = next((each for each in ("single", "double", "number", "bare") if match.groupdict().get(each) is not None), None)
        if group is None:
            if key_class.handling is Handling.BLOCK:
                covered = _closed(text, match.start("open"))
                yield _finding(match.start("open"), covered, key_class)
        elif _counts(match, group, key_class, rules, _beside(matches, starts, match.start())):
            yield _finding(*match.span(group), key_class)
    for match in _LINE.finditer(text) if ":" in text or "：" in text else ():
        key_class = rules.keys.nested(match["key"])
        if key_class.handling is not Handling.SCAN and _counts_in_line(match["line"], key_class, rules):
            yield _finding(*match.span("line"), key_class)


def _beside(matches: Sequence[re.Match[str]], starts: Sequence[int], start: int) -> Iterator[str]:
    """Yield the keys near a place: those of the same object, most likely."""
    for match in matches[bisect_left(starts, start - NEAR_CHARS) : bisect_left(starts, start + NEAR_CHARS)]:
        yield match["key"]


def _finding(start: int, end: int, key_class: KeyClass) -> Finding:
    whole = key_class.whole or BLOCK
    return Finding(start, end, whole.entity, 1.0, whole.rule)


def _counts(match: re.Match[str], group: str, key_class: KeyClass, rules: Rules, beside: Iterable[str]) -> bool:
    value = match[group]
    if not value or value.lower() in TYPE_WORDS:
        return False
    if key_class.handling is Handling.BLOCK:  # `password = get_password`, `password=password` and `SECRET_CHARS = 4` are code
        return group != "bare" or (value != match["key"] and (not match["spaced"] or _NO_VALUE.fullmatch(value) is None))
    return rules.in_text(value, key_class, beside) and (key_class.whole is None or not _is_code(value, match["key"], key_class))


def _is_code(value: str, key: str, key_class: KeyClass) -> bool:
    """Whether a value is written like a name of code, or is the key once more: `first_name=first_name`."""
    whole = key_class.whole
    if whole is None or whole.entity == "ADDRESS":
        return whole is not None and _SPACE_OR_DIGIT.search(value) is None
    return value == key or (whole.entity == "PERSON" and _CODE.fullmatch(value) is not None)


def _counts_in_line(value: str, key_class: KeyClass, rules: Rules) -> bool:
    if key_class.handling is Handling.BLOCK:
        return " " not in value and value.lower() not in TYPE_WORDS
    whole = key_class.whole
    if whole is None or _SYNTAX.search(value) is not None:
        return False
    if whole.entity == "PERSON":
        return rules.is_name(value)
    if whole.entity == "ADDRESS":
        return any(char.isdigit() for char in value) and rules.in_text(value, key_class, ())
    return len(value) <= 60 and rules.in_text(value, key_class, ())


def _closed(text: str, start: int) -> int:
    """Return where the bracket at `start` ends, or where it is no longer followed."""
    stack: list[str] = []
    end = min(len(text), start + BRACKET_CHARS)
    position = start
    while position < end:
        char = text[position]
        if char in _CLOSE:
            stack.append(_CLOSE[char])
        elif stack and char == stack[-1]:
            stack.pop()
            if not stack:
                return position + 1
        elif char in "\"'":
            closing = text.find(char, position + 1, end)
            position = closing if closing > 0 else position
        position += 1
    return end
