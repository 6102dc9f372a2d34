"""Keys and values in text that is no JSON: `{'customer_name': 'Jane Doe'}`, `Customer(name='Jane')`, `ssn=078-05-1120`, `Address: …`.

What the policy says about a key holds there, too, as far as it can be told where the value ends: a quoted value, a whole bracket behind
a blocked key, one word behind `=`, the rest of a line behind a key that begins it. In prose a key proves less than in JSON, so a value
has to look like one of its kind. Every expression here is linear in the text.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from redaction import columns
from redaction.escapes import views
from redaction.findings import Finding
from redaction.keys import Handling, KeyClass
from redaction.people import TYPE_WORDS
from redaction.rules import BLOCK, Rules
from redaction.scan import moved
from redaction.secrets.values import bare_password, quoted_password, stands_for_a_secret
from redaction.sensitive_keys import Test

BRACKET_CHARS: Final = 65_536
"""A bracket is followed so far: one that is never closed must not swallow a whole log."""

NEAR_CHARS: Final = 200

SHORT_NUMBER_CHARS: Final = 4
"""Shorter numbers are states and counts: `'secret': 403`."""

NESTED: Final = 3
"""Values in values in values: `Message(content="call(name='Jane')")`."""

_STRING: Final = r"[bBfFrRuU]{0,2}(?:'(?P<single>(?:[^'\\\n]|\\.){0,2000}+)'?|\"(?P<double>(?:[^\"\\\n]|\\.){0,2000}+)\"?)"
_QUOTED: Final = re.compile(
    r"(?P<mark>[\"'])(?P<key>[^\W\d_][\w .\-]{0,60}+)(?P=mark)\s*+(?::|=>)\s*+"
    rf"(?:{_STRING}|(?P<open>[\[{{(])|(?P<number>-?\d[\d.]*+)(?!\w))"
)
_NAMED: Final = re.compile(
    rf"(?<![\w.\-\"'])(?P<key>[^\W\d_][\w.\-]{{0,60}}+)(?P<spaced>\s?):?=\s?(?:{_STRING}|(?P<bare>[^\s,;&()\[\]{{}}\"'<>=`|]{{1,500}}+)(?![(\[\"']))"
)
_KEY: Final = r"(?P<key>[^\W\d_][\w \-/']{0,38}?)"
_FOUND_IN: Final = r"(?:[^\s:]{1,120}:\d{1,6}:)?"  # what grep puts before a line
_LINE: Final = re.compile(
    rf"^{_FOUND_IN}[ \t]*+(?:[-*•|>+][ \t]*+)?\**+{_KEY}\**+[ \t]*+[:：]\**+[ \t]++(?P<line>[^\n]{{1,200}}?)[ \t|]*+$", re.MULTILINE
)
_SEGMENT: Final = re.compile(
    rf"(?:^{_FOUND_IN}|[;|])[ \t]*+{_KEY}[ \t]*+[:：][ \t]++(?P<line>[^\n;|]{{1,200}}?)[ \t]*+(?=[;|]|$)", re.MULTILINE
)
_ELEMENT: Final = re.compile(r"<(?P<key>[A-Za-z_][\w.:\-]{0,60})(?:\s[^<>]{0,200})?>\s*+(?P<line>[^<>]{1,300}?)\s*+</(?P=key)\s*>")
_NAME: Final = re.compile(r"[^\W\d_a-z][^\W\d_]+(?:[-'’][^\W\d_]+)*")
_MORE_NAMES: Final = re.compile(r"(?:[ ][^\W\d_a-z][\w.'’\-]*+(?![\w=])){1,4}")
_COLON: Final = re.compile(r":\**+[ \t]")
_QUOTED_KEY: Final = re.compile(r"[\"']\s*+:")
SHAPES_IN_JSON: Final = ("=", "</", "：", r"[^\"\s][ \t]*:\*{0,4}[ \t]", r"'\s*:", "%2[27]", "&(?:quot|apos|#3[49]);")
"""What JSON contains if `find` could find something in one of its strings: a colon behind anything but a quote, …"""

_ESCAPED: Final = re.compile(r"\\[\"'n]|%2[27]|&(?:quot|apos|#3[49]);")
_CODE: Final = re.compile(r"[A-Za-z]+(?:[_.][A-Za-z]+)+|[a-z]+[A-Z]\w*")
_NO_VALUE: Final = re.compile(r"[A-Za-z_][\w.]*|\d{1,4}")
_SPACE_OR_DIGIT: Final = re.compile(r"[\s\d]")
_SYNTAX: Final = re.compile(r"[={}\[\]\"<>`]")
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_JOINED: Final = re.compile(r"[a-z]+[A-Z]\w*|\w+[-_./:]\S*")
_PASSWORD: Final = re.compile(r"(?i)pass")
_DECLARATION: Final = re.compile(
    r"\{\s*+(?:[\"'](?:type|description|title|format|pattern|minLength|maxLength|nullable|deprecated|readOnly|writeOnly|optional|sensitive)[\"']"
    r"\s*+:\s*+(?:\"[^\"\n]*+\"|'[^'\n]*+'|[\w.]++|\[[^\[\]{}]{0,200}+\])\s*+,?+\s*+)++\}"
)
"""An object that says of which type a value has to be, and holds none."""
_DECLARED_CHARS: Final = 2_000
_CLOSE: Final = {"[": "]", "{": "}", "(": ")"}


def _may_be_plain(text: str) -> bool:
    if "=" in text or "</" in text or "：" in text:
        return True
    if ":" not in text:
        return False
    return _COLON.search(text) is not None or (("'" in text or '"' in text) and _QUOTED_KEY.search(text) is not None)


def _may_be_escaped(text: str) -> bool:
    return ("\\" in text or "%2" in text or "&" in text) and _ESCAPED.search(text) is not None


def may_find(text: str) -> bool:
    """Whether `find` could find something; False is certain."""
    return _may_be_plain(text) or columns.may_hold(text) or _may_be_escaped(text)


def find(text: str, rules: Rules) -> Iterator[Finding]:
    """Yield the values in `text` that the policy replaces because of their keys, also behind escaped quotes."""
    if _may_be_plain(text):
        yield from _find(text, rules)
    yield from columns.find(text, rules)
    if _may_be_escaped(text):
        for view, positions in views(text):
            for each in (*_find(view, rules), *columns.find(view, rules)):
                yield Finding(positions[each.start], positions[each.end], each.entity, each.score, each.rule)


def _find(text: str, rules: Rules, depth: int = 0) -> Iterator[Finding]:
    matches = list(_QUOTED.finditer(text))
    if "=" in text:
        matches = sorted((*matches, *_NAMED.finditer(text)), key=lambda match: match.start())
    starts = [match.start() for match in matches]
    covered = 0  # up to here the text is inside a bracket that goes as a whole
    for match in matches:
        if match.start() < covered:
            continue
        key_class = rules.keys.nested(match["key"])
        group = next((each for each in ("single", "double", "number", "bare") if match.groupdict().get(each) is not None), None)
        if key_class.handling is Handling.SCAN:
            if group in ("single", "double") and depth < NESTED and _may_be_plain(match[group]):
                yield from (moved(each, match.start(group)) for each in _find(match[group], rules, depth + 1))
        elif group is None:
            start = match.start("open")
            if key_class.handling is Handling.BLOCK and _DECLARATION.match(text, start, start + _DECLARED_CHARS) is None:
                covered = _closed(text, start)
                yield _finding(start, covered, key_class)
        elif _counts(match, group, key_class, rules, _beside(matches, starts, match.start())):
            yield _finding(match.start(group), _end(match, group, key_class), key_class)
    yield from _find_lines(text, rules)


def _find_lines(text: str, rules: Rules) -> Iterator[Finding]:
    """Yield the values behind keys that begin a line or a part of one, and those between tags."""
    colons = ":" in text or "：" in text
    for expression, may_match in ((_LINE, colons), (_SEGMENT, colons and (";" in text or "|" in text)), (_ELEMENT, "</" in text)):
        for match in expression.finditer(text) if may_match else ():
            key_class = rules.keys.nested(match["key"])
            if key_class.handling is Handling.SCAN:
                continue
            start, end = _unquoted(text, *match.span("line"))
            if start < end and _counts_in_line(text[start:end], match["key"], key_class, rules):
                yield _finding(start, end, key_class)


def _unquoted(text: str, start: int, end: int) -> tuple[int, int]:
    return (start + 1, end - 1) if end - start >= 2 and text[start] in "\"'" and text[end - 1] == text[start] else (start, end)


def _end(match: re.Match[str], group: str, key_class: KeyClass) -> int:
    """Return where a value ends: a name without quotes goes on while its words are capitalised."""
    more = _MORE_NAMES.match(match.string, match.end(group)) if group == "bare" and key_class.whole is not None else None
    return more.end() if more is not None and key_class.whole is not None and key_class.whole.entity == "PERSON" else match.end(group)


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
    if key_class.handling is Handling.BLOCK:
        return _is_secret(value, match, group)
    return rules.in_text(value, key_class, beside) and (key_class.whole is None or not _is_code(value, match["key"], key_class))


def _is_secret(value: str, match: re.Match[str], group: str) -> bool:
    """Whether the value of a blocked key is one: `password = get_password`, `password=password` and `SECRET_CHARS = 4` are code."""
    if group == "number":
        return len(value) >= SHORT_NUMBER_CHARS
    if group != "bare":
        return quoted_password(value)
    if value == match["key"] or stands_for_a_secret(value) or _DOTTED.fullmatch(value) is not None:
        return False
    return not match["spaced"] or _NO_VALUE.fullmatch(value) is None


def _is_code(value: str, key: str, key_class: KeyClass) -> bool:
    """Whether a value is written like a name of code, or is the key once more: `first_name=first_name`."""
    whole = key_class.whole
    if whole is None or whole.entity == "ADDRESS":
        return whole is not None and _SPACE_OR_DIGIT.search(value) is None
    return value == key or (whole.entity == "PERSON" and _CODE.fullmatch(value) is not None)


def _counts_in_line(value: str, key: str, key_class: KeyClass, rules: Rules) -> bool:
    if key_class.handling is Handling.BLOCK:
        if " " in value or value.lower() in TYPE_WORDS or stands_for_a_secret(value):
            return False
        return _PASSWORD.search(key) is not None or bare_password(value) or _JOINED.fullmatch(value) is None
    whole = key_class.whole
    if whole is None or _SYNTAX.search(value) is not None:
        return False
    if whole.entity == "PERSON":
        return rules.is_name(value) or (whole.test is not Test.PERSON and _NAME.fullmatch(value) is not None)
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
