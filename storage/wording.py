"""How mistakes in files that people write are said: where, and what was most likely meant; pure."""

import difflib
from collections.abc import Iterable

KeyPath = tuple[str | int, ...]
"""Keys and indices from the root of a document to a value."""


def dotted(path: KeyPath) -> str:
    """Return a key path as people write it: `evals[0].min_score`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def unknown(what: str, word: str, valid: Iterable[str]) -> str:
    """Return the sentence that names an unknown word and the valid one that was most likely meant."""
    names = sorted(valid)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.55)
    return f"unknown {what} {word!r}: " + (f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}")
