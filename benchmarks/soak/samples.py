"""Texts that a regular expression matches: for every rule some of what it looks for, so that none stays untested.

Expressions are parsed by the standard library and walked at random. Look-behinds that want something are written out before, negative
ones are ignored, so a few samples match nothing; that is a test, too.
"""

import re
import string
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

_MOST: Final = 40
"""Unbounded repetitions are this much longer than they must be, at most."""
_PRINTABLE: Final = string.ascii_letters + string.digits + "-_./+=: "
_CATEGORIES: Final = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_NOT_DIGIT": string.ascii_letters + "-_",
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    "CATEGORY_NOT_WORD": " -.:=",
    "CATEGORY_SPACE": " \t\n",
    "CATEGORY_NOT_SPACE": string.ascii_letters + string.digits + "-_.",
}


def samples(expression: str, chance: Random, count: int) -> list[str]:
    """Return texts that most probably match; none when the expression is more than the standard library can read."""
    try:
        tree = re._parser.parse(expression)  # type: ignore[attr-defined]
    except (re.error, OverflowError):
        return []
    found = (_sequence(tree, chance) for _ in range(count))
    return [chance.choice((each, each.swapcase())) if "(?i" in expression else each for each in found]


def _sequence(tree: Sequence[tuple[Any, Any]], chance: Random) -> str:
    return "".join(_NODES[str(operator)](argument, chance) for operator, argument in tree)


def _set(items: Sequence[tuple[Any, Any]], chance: Random) -> str:
    if str(items[0][0]) == "NEGATE":
        excluded = "".join(map(_all_of, items[1:]))
        return chance.choice([char for char in _PRINTABLE if char not in excluded] or ["\u00a1"])
    return chance.choice(_all_of(chance.choice(items)))


def _all_of(item: tuple[Any, Any]) -> str:
    operator, argument = str(item[0]), item[1]
    if operator == "RANGE":
        return "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 200) + 1)))
    return chr(argument) if operator == "LITERAL" else _CATEGORIES[str(argument)]


def _repeated(argument: tuple[int, int, Any], chance: Random) -> str:
    fewest, most, tree = argument
    count = chance.choice((fewest, chance.randint(fewest, min(int(most), fewest + _MOST))))
    return "".join(_sequence(tree, chance) for _ in range(count))


_NODES: Final[dict[str, Callable[[Any, Random], str]]] = {
    "LITERAL": lambda argument, _: chr(argument),
    "NOT_LITERAL": lambda argument, chance: chance.choice([char for char in _PRINTABLE if char != chr(argument)]),
    "ANY": lambda _, chance: chance.choice(_PRINTABLE),
    "IN": _set,
    "BRANCH": lambda argument, chance: _sequence(chance.choice(argument[1]), chance),
    "SUBPATTERN": lambda argument, chance: _sequence(argument[3], chance),
    "ATOMIC_GROUP": _sequence,
    "MAX_REPEAT": _repeated,
    "MIN_REPEAT": _repeated,
    "POSSESSIVE_REPEAT": _repeated,
    "ASSERT": lambda argument, chance: _sequence(argument[1], chance) if argument[0] < 0 else "",
    "ASSERT_NOT": lambda *_: "",
    "AT": lambda *_: "",
    "GROUPREF": lambda *_: "",
    "GROUPREF_EXISTS": lambda *_: "",
    "CATEGORY": lambda argument, chance: chance.choice(_CATEGORIES[str(argument)]),
}
