"""Private keys: whole, cut off at either end, and spread over the items of a list; pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from redaction.expressions import compiled
from redaction.secrets.rule import SecretRule

PRIVATE_KEY: Final = "PRIVATE_KEY"

_FULL_LINE_CHARS: Final = 16
_FULL_LINE_BEHIND_SOMETHING_CHARS: Final = 40

_LINE_END: Final = r"(?:\r?\n|<br ?/?>)"
_BREAK: Final = rf"(?:[^\n\\<>A-Za-z0-9]{{0,8}}(?:{_LINE_END}|\\+[rn])){{1,3}}"
_BEFORE_LINE: Final = r"[^\n\\<]{0,48}"
"""Between the lines of a key that something was put before or behind: `> `, `12 | `, `2026-01-01 INFO `, `<br>`, `",` and `"`."""

_SPACE: Final = r"(?:\s|\\+[nrt])"
_HEADER: Final = r"(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\<]{1,100}+"
_SHORT_LINE: Final = r"(?:[A-Za-z0-9+/=]{12,}+|(?=[A-Za-z]*[0-9+/=])[A-Za-z0-9+/=]++)(?=[ \t]{0,4}(?:[\"'\\<,;]|\r?\n|\Z))"

_PEM: Final = (
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:"
    r"(?:(?!-----BEGIN)[\s\S]){0,20000}?-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    # cut off before its end: every line of base64 that follows, real or escaped line ends between them
    rf"|(?:{_SPACE}*+{_HEADER})*+(?:{_SPACE}*+[A-Za-z0-9+/=]{{16,}}+)*+"
    # the same with something before or behind its lines
    rf"(?:{_BREAK}(?:{_BEFORE_LINE}?(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/=]{{40,}}+|{_HEADER})|[^\n\\<A-Za-z0-9]{{0,48}}(?=\n)))*+"
    # the last line is short
    rf"(?:{_SPACE}++{_SHORT_LINE}|(?<=[A-Za-z0-9+/=]{{40}}){_BREAK}{_BEFORE_LINE}?(?<![A-Za-z0-9+/=]){_SHORT_LINE})?)"
)

RULES: Final = (
    SecretRule(name="PEM private key", entity=PRIVATE_KEY, shape="-----BEGIN ", expression=_PEM, score=0.96, long=True),
    SecretRule(
        name="PuTTY private key",
        entity=PRIVATE_KEY,
        shape="Private-Lines: [0-9]",
        expression=r"Private-Lines: [0-9]{1,4}"
        r"(?:(?:\s|\\+[nrt])++[A-Za-z0-9+/=]{4,}+(?![\w:\-]))++(?:(?:\s|\\+[nrt])++Private-(?:MAC|Hash): [0-9a-f]{16,}+)?",
        score=0.96,
        long=True,
    ),
    SecretRule(
        name="SSH2 private key",
        entity=PRIVATE_KEY,
        shape="---- BEGIN SSH2 ",
        expression=r"---- BEGIN SSH2 [A-Z ]{0,20}PRIVATE KEY ----"
        r"(?:(?!---- BEGIN)[\s\S]){0,20000}?(?:---- END SSH2 [A-Z ]{0,20}PRIVATE KEY ----|\Z)",
        score=0.96,
        long=True,
    ),
)

KEY_TAIL_SHAPE: Final = "PRIVATE KEY(?: BLOCK)?-----"
"""What every finding of `key_tails` contains."""

_KEY_BEGIN: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END: Final = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_LINE_BEFORE: Final = compiled(r"(?r)(?<![A-Za-z0-9+/=])(?P<line>[A-Za-z0-9+/=]++)\s++")
_LINE_BEFORE_SOMETHING: Final = compiled(
    rf"(?r)(?<![A-Za-z0-9+/=])(?P<line>[A-Za-z0-9+/=]++)(?:[^\n\\<>A-Za-z0-9]{{0,8}}(?:\\+[rn])?[^\n\\<>A-Za-z0-9]{{0,8}}{_LINE_END}){{1,2}}{_BEFORE_LINE}"
)
_KEY_LINE: Final = re.compile(r"\s*(?:(?![0-9a-f]+\s*\Z)[A-Za-z0-9+/=]{16,}|(?:Proc-Type|DEK-Info|Version|Comment): [^\n]*)?\s*")
_LAST_LINE: Final = re.compile(r"\s*[A-Za-z0-9+/=]{1,64}\s*")
_LINES_TO_END: Final = re.compile(r"[\sA-Za-z0-9+/=]*-----END ")


def key_tails(text: str, _key_words: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """Yield private keys whose beginning was cut off: lines of base64 before the mark of the end. Escaped line ends are read before."""
    for end in _KEY_END.finditer(text):
        start = _start_of_tail(text, end.start())
        begun = any(start - each.end() <= 8 for each in _KEY_BEGIN.finditer(text, max(0, start - 96), start))
        if end.start() - start >= _FULL_LINE_CHARS and not begun:
            yield start, end.end()


def _start_of_tail(text: str, end: int) -> int:
    """Return where the lines of base64 before `end` begin, bare or with something around them: full ones, only the last is short."""
    start, lines = end, 0
    while (line := _LINE_BEFORE.match(text, pos=0, endpos=start)) is not None and (not lines or len(line["line"]) >= _FULL_LINE_CHARS):
        start, lines = line.start(), lines + 1
    behind, lines = end, 0
    while (line := _LINE_BEFORE_SOMETHING.match(text, pos=0, endpos=behind)) is not None:
        if len(line["line"]) >= _FULL_LINE_BEHIND_SOMETHING_CHARS:
            start = min(start, line.start())
        elif lines:
            break
        behind, lines = line.start(), lines + 1
    return start


def spread_key_lines(texts: Sequence[str]) -> set[int]:
    """Return which of the texts, items of a list, are lines of a private key that begins or ends in another item."""
    lines: set[int] = set()
    inside = False
    for index, text in enumerate(texts):
        ends = _ends_key(text)
        is_line = ends or _is_line(texts, index)
        if inside and is_line:
            lines.add(index)
        if ends and not inside:
            lines |= _lines_before(texts, index)
        inside = (inside and is_line and not ends) or _begins_key(text)
    return lines


def _is_line(texts: Sequence[str], index: int) -> bool:
    """Whether an item is a line of a key: a full one, or the last, which may be short."""
    if _KEY_LINE.fullmatch(texts[index]):
        return True
    return index + 1 < len(texts) and _LAST_LINE.fullmatch(texts[index]) is not None and texts[index + 1].lstrip().startswith("-----END ")


def _begins_key(text: str) -> bool:
    begins = list(_KEY_BEGIN.finditer(text)) if "-----BEGIN " in text else []
    return bool(begins) and _KEY_END.search(text, begins[-1].end()) is None


def _ends_key(text: str) -> bool:
    """Whether nothing but lines of a key stands before the mark of its end: it began in another item."""
    return "-----END " in text and _LINES_TO_END.match(text) is not None and _KEY_END.search(text) is not None


def _lines_before(texts: Sequence[str], index: int) -> set[int]:
    lines = {index}
    for before in range(index - 1, -1, -1):
        if not _is_line(texts, before):
            break
        lines.add(before)
    return lines
