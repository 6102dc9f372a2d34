r"""What a text stands for besides what is written: `\u0040`, `%40`, `&#64;`, `\n` read, and invisible and fullwidth characters; pure."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

View = tuple[str, Sequence[int]]
"""What a text stands for, and where in the text each of its characters begins; the last position is where the final one ends."""

_HEX: Final = "[0-9A-Fa-f]"
_MORE: Final = f"(?:%[89ABab]{_HEX})"
_ESCAPE: Final = re.compile(
    r"\\+(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([nrtbf\"'/\\]))|%(?:25){0,3}([2-7][0-9A-Fa-f])"
    r"|&(?:#[xX]([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(amp|apos|colon|commat|gt|hyphen|lowbar|lt|nbsp|num|period|plus|quot|sol));"
    rf"|(%[CDcd]{_HEX}{_MORE}|%[Ee]{_HEX}{_MORE}{{2}}|%[Ff][0-7]{_MORE}{{3}})"
)
_QUOTED_PRINTABLE: Final = re.compile(_ESCAPE.pattern + r"|=(\r?\n)(?=\S)|=(3D)")
_GROUPS: Final = _ESCAPE.groups
_CONTROL: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_SIMPLE: Final = (*((f"\\{letter}", meaning) for letter, meaning in _CONTROL.items()), *((f"\\{sign}", sign) for sign in "\"'/"))
_UNUSUAL_ESCAPE: Final = re.compile(r"\\(?![nrtbf\"/])")
_OTHER_ESCAPE: Final = re.compile(r"\\[uUx]")
_ENTITIES: Final = {
    "amp": "&", "apos": "'", "colon": ":", "commat": "@", "gt": ">", "hyphen": "-", "lowbar": "_", "lt": "<", "nbsp": " ", "num": "#",
    "period": ".", "plus": "+", "quot": '"', "sol": "/",
}  # fmt: skip
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | {
    chr(code) for code in range(0xFE00, 0xFE10)
}
_OF_INTEREST: Final = re.compile(r"[A-Za-z0-9@._\-+/ ]")
"""What addresses and keys are made of; the commas and brackets of ideographic writing mean themselves."""
_HYPHENS: Final = frozenset("\u2010\u2011\u2012\u2212")
"""What programs that write texts make of hyphens between digits."""
_REMEMBERED: Final = 20_000
_LAST_CODE_POINT: Final = 0x10FFFF


def views(text: str) -> Iterator[View]:
    """Yield what `text` stands for when its escapes are read, and when it is written in plain characters; nothing when it is the same."""
    decoded = unescaped(text)
    if decoded is not None:
        yield decoded
    unescaped_text, positions = decoded if decoded is not None else (text, None)
    normalised = plain(unescaped_text)
    if normalised is not None:
        yield normalised if positions is None else (normalised[0], [positions[each] for each in normalised[1]])


def meanings(text: str) -> Iterator[str]:
    """Yield the texts of `views`, without where their characters stand: much quicker."""
    decoded = _decoded(text)
    if decoded != text:
        yield decoded
    normalised = decoded if decoded.isascii() else decoded.translate(_PLAIN)
    if normalised != decoded:
        yield normalised


def may_mean_more(text: str) -> bool:
    """Whether `views` could yield something; False is certain."""
    return not text.isascii() or _may_be_escaped(text)


def _may_be_escaped(text: str) -> bool:
    return "\\" in text or "%" in text or "&" in text or _is_quoted_printable(text)


def has_usual_escapes_only(text: str) -> bool:
    """Whether a text has escapes, each of them one that JSON reads as `meanings` does."""
    return "\\" in text and _UNUSUAL_ESCAPE.search(text) is None and not ("%" in text or "&" in text or _is_quoted_printable(text))


def _decoded(text: str) -> str:
    """Return `text` with its escapes read. Nearly always they are those of JSON, of which most need no expression."""
    if not _may_be_escaped(text):
        return text
    if "%" in text or "&" in text or "\\\\" in text or _is_quoted_printable(text) or _OTHER_ESCAPE.search(text) is not None:
        return (_QUOTED_PRINTABLE if _is_quoted_printable(text) else _ESCAPE).sub(_meaning, text)
    for escape, meaning in _SIMPLE:
        text = text.replace(escape, meaning)
    return text


def unescaped(text: str) -> View | None:
    r"""Return what `text` stands for when one level of `\u0040`, `\x40`, `\n`, `%40`, `&#64;` and the like is read.

    `%2540`, which is `%40` escaped again, is read to the end; so are, where there are both, the equals signs
    and soft line ends of quoted-printable (RFC 2045, 6.7).

    None when nothing is escaped.
    """
    if not _may_be_escaped(text):
        return None
    expression = _QUOTED_PRINTABLE if _is_quoted_printable(text) else _ESCAPE
    first = expression.search(text)
    if first is None:
        return None
    pieces: list[str] = []
    positions: list[int] = []
    last = 0
    for escape in expression.finditer(text, first.start()):
        meaning = _meaning(escape)
        pieces += (text[last : escape.start()], meaning)
        positions += range(last, escape.start())
        positions += [escape.start()] * len(meaning)
        last = escape.end()
    pieces.append(text[last:])
    positions += range(last, len(text) + 1)
    return "".join(pieces), positions


def _is_quoted_printable(text: str) -> bool:
    return "=3D" in text or "uoted-printable" in text


def _meaning(escape: "re.Match[str]") -> str:
    *hexadecimal, control, percent, entity_hexadecimal, decimal, entity, character = escape.groups()[:_GROUPS]
    if character:
        return bytes.fromhex(character.replace("%", "")).decode(errors="ignore") or character
    if escape.lastindex is not None and escape.lastindex > _GROUPS:
        return "=" if escape.group() == "=3D" else ""
    if control:
        return _CONTROL.get(control, control)
    if entity:
        return _ENTITIES[entity]
    code = next((int(each, 16) for each in (*hexadecimal, percent, entity_hexadecimal) if each), None)
    code = int(decimal) if code is None else code
    return chr(code) if code <= _LAST_CODE_POINT else escape.group()


def plain(text: str) -> View | None:
    """Return `text` without invisible characters, with ASCII for fullwidth letters, other scripts' digits and the like.

    Only what becomes one character of addresses and keys is replaced (NFKC). None when nothing is.
    """
    if text.isascii():
        return None
    if len(_PLAIN) > _REMEMBERED:
        _PLAIN.clear()
    normalised = text.translate(_PLAIN)
    if normalised == text:
        return None
    if len(normalised) == len(text):
        return normalised, range(len(text) + 1)
    positions = [index for index, char in enumerate(text) if _PLAIN[ord(char)] != ""]
    return normalised, [*positions, len(text)]


class _Plain(dict[int, int | str]):
    """What stands for a code point; worked out when it is met first."""

    def __missing__(self, code: int) -> int | str:
        meaning = self[code] = _plain_character(chr(code)) if code >= 0x80 else code
        return meaning


def _plain_character(char: str) -> int | str:
    category = unicodedata.category(char)
    if category == "Cf" or char in _INVISIBLE:
        return ""
    if char in _HYPHENS:
        return "-"
    if category == "Nd":
        return str(unicodedata.decimal(char))
    normalised = unicodedata.normalize("NFKC", char)
    return normalised if category != "No" and _OF_INTEREST.fullmatch(normalised) else ord(char)


_PLAIN: Final = _Plain()
