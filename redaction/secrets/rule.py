"""The model of a rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ALONE: Final = "(?<![A-Za-z0-9])"
GLUED: Final = "(?<=[A-Za-z0-9])"
"""A key with a distinctive prefix stands alone, or letters stand directly before it: then it has to look like a key more than otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """One kind of credential."""

    name: str
    entity: str
    expression: str  # case-sensitive unless it says (?i)
    shape: str  # what every match contains, in an expression without look-behinds: decides quickly whether to look closer
    score: float = 0.9
    context: tuple[str, ...] = ()  # words that raise a weak score
    accept: Callable[[str], bool] | None = None  # a check of the match that an expression cannot express
    long: bool = False  # may be longer than a chunk: also looked for in whole texts
