"""What is looked for, in a form that Hyperscan compiles quickly and does not lose: an expression becomes others that find no less; pure."""

import re
from typing import Final

_LETTERS: Final = re.compile(r"(?<!\\)\[[^\]\\]*\\w[^\]]*\](?=\{\d*,\d+\}(?!\+))")
_NO_SPACE: Final = re.compile(r"(?<!\\)\[\^\\s")
_TOKENS: Final = re.compile(r"\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|[()|]", re.DOTALL)


def quick(expression: str) -> str:
    """Return an expression that finds no less and compiles a hundred times faster: large sets of letters become any character.

    Not for expressions that look around: there, finding more would be finding less.
    """
    return _NO_SPACE.sub(r"[^ \\t\\n\\r", _LETTERS.sub("(?s:.)", expression))


def apart(expression: str) -> tuple[str, ...]:
    """Return expressions that together find what one finds that begins with alternatives: each alternative by itself.

    Vectorscan 5.4.12 loses matches of two letters beside longer alternatives (VectorCamp/vectorscan#358, mended in 5.4.13).
    """
    opening = next((each for each in ("(?i:", "(?:") if expression.startswith(each)), None)
    if opening is None:
        return (expression,)
    *bars, end = _bars_and_end(expression, len(opening))
    rest = expression[end + 1 :]
    if rest[:1] in set("?*+{"):
        return (expression,)
    starts = [len(opening), *(bar + 1 for bar in bars)]
    alternatives = (expression[start:stop] for start, stop in zip(starts, (*bars, end), strict=True))
    return tuple(f"{opening}{each}){rest}" for alternative in alternatives for each in apart(alternative))


def _bars_and_end(expression: str, start: int) -> list[int]:
    """Return where the alternatives of the group end that is open at `start`."""
    found, depth = [], 0
    for token in _TOKENS.finditer(expression, start):
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
        if depth < 0 or (depth == 0 and token.group() == "|"):
            found.append(token.start())
        if depth < 0:
            break
    return found
