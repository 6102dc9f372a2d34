"""The model of a rule, and the few forms that most rules have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ALONE: Final = "(?<![A-Za-z0-9])"
GLUED: Final = "(?<=[A-Za-z0-9])"
"""A key with a distinctive prefix stands alone, or letters stand directly before it: then it has to look like a key more than otherwise."""

WORD: Final = "[A-Za-z0-9]"
HEX: Final = "[0-9A-Fa-f]"
URLSAFE: Final = r"[A-Za-z0-9_\-]"
BASE64: Final = "[A-Za-z0-9+/]"
UUID: Final = f"(?:{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}})"

TO: Final = (
    r"""(?:["'`\\\])}]{0,3}[ \t]{0,3}(?:=>|:=|->|[=:>])[ \t]{0,3}|["'][ \t]{0,2},[ \t]{0,2}(?=["'])|["'],?[ \t]{1,4}value=(?=["'])"""
    r"""|["']?,?\s{1,24}["']?[Vv]alue["']?[ \t]{0,3}[=:][ \t]{0,3}|["'`]{0,3}\*{0,2}[ \t]{0,40}\|[ \t]{1,3}"""
    r"""|[ \t]{0,3}:[ \t]{0,3}&?[A-Za-z][\w.\[\]<>?|]{0,30}[ \t]{0,3}=[ \t]{0,3}|[ \t]{1,3}(?:string|\[\]byte)[ \t]{0,3}=[ \t]{0,3}"""
    r"""|["'][ \t]{0,2}\{(?:\s{1,24}(?:type|sensitive|description)[ \t]{0,12}=[^\n{}]{0,80}){0,3}\s{1,24}default[ \t]{0,12}=[ \t]{0,3})"""
    r"""[bfru(\[]{0,2}["'`\\]{0,3}"""
)
"""From a name to its value: `name = value`, `"name": "value"`, `name => 'value'`, `("name", "value")`, `name: X` over `value: Y`, cells of
a table, names with a type (`name: str = value`, `var name string = value`), Terraform's variables with their default."""

TO_SHAPE: Final = (
    r"""["'`\\\])}]{0,3}(?:[ \t]*(?:=>|:=|->|[=:>])|[ \t]*,[ \t]*["']|,?\s+["']?[Vv]alue"""
    r"""|\*{0,2}[ \t]*\||[ \t]+(?:string|\[\]byte)|[ \t]*\{)"""
)
"""What every `TO` begins with, without look-arounds; without counted repetitions, too, which would take seconds to compile."""

ENDS: Final = "(?![A-Za-z0-9])"
_SHAPE_CHARS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """One kind of credential, or one way to recognise it."""

    name: str
    entity: str
    expression: str  # case-sensitive unless it says (?i)
    shape: str  # what every text with a match contains, in an expression without look-arounds: decides quickly whether to look closer
    score: float = 0.9
    context: tuple[str, ...] = ()  # words that raise a weak score
    accept: Callable[[str], bool] | None = None  # a check of the match that an expression cannot express
    long: bool = False  # may be longer than 500 characters: also looked for in whole texts


def prefixed(
    entity: str,
    name: str,
    prefix: str,
    rest: str,
    fewest: int,
    most: int = 255,
    *,
    alone: bool = True,
    accept: Callable[[str], bool] | None = None,
    score: float = 0.95,
) -> SecretRule:
    """Return the rule of a key with a beginning of its own: `fewest` to `most` characters of the set `rest` follow."""
    shape = f"{prefix}{rest}{{{min(fewest, _SHAPE_CHARS)}}}"
    expression = f"{ALONE if alone else ''}{prefix}{rest}{{{fewest},{most}}}+"
    return SecretRule(name=name, entity=entity, expression=expression, shape=shape, accept=accept, score=score)


def shaped(
    entity: str, name: str, shape: str, *, after: str = ENDS, accept: Callable[[str], bool] | None = None, score: float = 0.95
) -> SecretRule:
    """Return the rule of a key that is recognised by the whole of its shape, standing alone."""
    return SecretRule(name=name, entity=entity, expression=ALONE + shape + after, shape=shape, accept=accept, score=score)


def assigned(entity: str, name: str, names: str, value: str, *, accept: Callable[[str], bool] | None = None) -> SecretRule:
    """Return the rule of a key without a shape of its own that stands behind one of its usual names in any case (`DD_API_KEY=…`)."""
    expression = f"(?<=(?i:{names}){TO}){value}(?![A-Za-z0-9_\\-])"
    return SecretRule(name=name, entity=entity, expression=expression, shape=f"(?i:{names}){TO_SHAPE}", accept=accept, score=0.95)


def near(entity: str, name: str, value: str, words: tuple[str, ...], *, accept: Callable[[str], bool] | None = None) -> SecretRule:
    """Return the rule of a key without a shape of its own beside one of these words, in the text or in the attribute's key."""
    expression = rf"(?<![A-Za-z0-9_\-/+.]){value}(?![A-Za-z0-9_\-/+=])"
    return SecretRule(name=name, entity=entity, expression=expression, shape=value, score=0.35, context=words, accept=accept)


def called(entity: str, name: str, value: str, *vendors: str, accept: Callable[[str], bool] | None = None) -> SecretRule:
    """Return the rule of a key without a shape of its own behind the vendor's name and what it is: `the Datadog API key is …`."""
    kinds = ("api", "app", "application", "key", "token", "secret", "auth", "access", "admin", "global", "license")
    grown = ("apikey", "appkey", "key", "apitoken", "token", "secret", "accesstoken")
    words = tuple(f"{vendor} {kind}" for vendor in vendors for kind in kinds) + tuple(vendor + end for vendor in vendors for end in grown)
    return near(entity, name, value, words, accept=accept)


def words_of(*vendors: str) -> tuple[str, ...]:
    """Return a vendor's name as it stands in keys: alone, and grown together with what it names (`mistralApiKey`)."""
    return tuple(vendor + end for vendor in vendors for end in ("", "key", "apikey", "token", "apitoken", "secret", "accesstoken"))
