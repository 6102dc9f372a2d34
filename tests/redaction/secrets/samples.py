"""Examples as data: a text whose secret stands between « and », with places for random characters, `‹w20›`."""

import random
import re
import string
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

SETS = {
    "w": string.ascii_letters + string.digits,
    "h": "0123456789abcdef",
    "d": string.digits,
    "l": string.ascii_lowercase + string.digits,
    "u": string.ascii_uppercase + "234567",
    "b": string.ascii_letters + string.digits + "+/",
    "s": string.ascii_letters + string.digits + "_-",
}
PLACE = re.compile(r"‹([whdlubsU])(\d+)›")
ENDS_WITH_BOTH_CASES = "aB3"


@dataclass(frozen=True)
class Examples:
    """What a rule finds, and what it leaves."""

    found: Sequence[str]
    left: Sequence[str]
    key: tuple[str, ...] = ()  # words of the attribute's key


def filled(pattern: str, rng: random.Random) -> str:
    """Return the pattern with random characters in its places; mixed sets always have both cases and a digit, and end in a letter."""

    def characters(place: re.Match[str]) -> str:
        kind, count = place[1], int(place[2])
        if kind == "U":
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        text = "".join(rng.choice(SETS[kind]) for _ in range(count))
        if kind in "wbs" and count >= 8:
            text = "".join(rng.choice(SETS["w"]) for _ in range(2)) + text[2:-3] + ENDS_WITH_BOTH_CASES
        if kind in "hl" and count >= 8:
            text = text[:-2] + "a7"
        return text

    return PLACE.sub(characters, pattern)


def marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the text without its marks, and where they stood."""
    spans: list[tuple[int, int]] = []
    pieces = re.split("[«»]", text)
    position = 0
    for index, piece in enumerate(pieces):
        if index % 2:
            spans.append((position, position + len(piece)))
        position += len(piece)
    return "".join(pieces), spans
