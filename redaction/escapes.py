r"""What an escaped text stands for, one level: `\u0040`, `\n`, `%40`; pure."""

import re
from typing import Final

_ESCAPE: Final = re.compile(r"\\+u([0-9A-Fa-f]{4})|\\+([nrtbf\"'/\\])|%([2-7][0-9A-Fa-f])")
_CONTROL: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def unescaped(text: str) -> tuple[str, list[int]] | None:
    r"""Return what `text` stands for when `\u0040`, `\n`, `%40` and the like are read, and where each of its characters begins.

    The list has one more element, the length of `text`. None when nothing is escaped.
    """
    if "\\" not in text and "%" not in text:
        return None
    first = _ESCAPE.search(text)
    if first is None:
        return None
    pieces: list[str] = []
    positions: list[int] = []
    last = 0
    for escape in _ESCAPE.finditer(text, first.start()):
        pieces += (text[last : escape.start()], _meaning(escape))
        positions += range(last, escape.start() + 1)
        last = escape.end()
    pieces.append(text[last:])
    positions += range(last, len(text) + 1)
    return "".join(pieces), positions


def _meaning(escape: "re.Match[str]") -> str:
    code_point, control, percent = escape.groups()
    return _CONTROL.get(control, control) if control else chr(int(code_point or percent, 16))
