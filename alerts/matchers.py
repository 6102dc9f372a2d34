"""Label matchers, as Alertmanager reads them: `severity="critical"`, `team!=search`, `instance=~"web-.+"`, `"a name"!~"x|y"`.

Grammar of Alertmanager's matchers (`matchers/parse`, UTF-8 mode): names and values are bare words or double-quoted texts, an expression is
a list of matchers with commas between them, in braces or not. In quoted texts Go's escapes are read, and an unknown one stands for itself,
as in its classic mode (`"web-\\d+"` needs no second backslash). Regular expressions match the whole value; a missing label is empty.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<brace>[{}])|(?P<comma>,)|(?P<operator>=~|!=|!~|=)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<bare>[^\s{}!=~,"'`]+))""", re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}
_RESERVED: Final = re.compile(r"""[\s{}!=~,\\"'`]""")
_OPENMETRICS: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
HINT: Final = 'write it like severity="critical", team!="search" or agent=~"a|b"'


class Operator(StrEnum):
    """How a matcher compares, in Alertmanager's order."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


_ORDER: Final = list(Operator)


class BadMatcher(ValueError):
    """A text is not a matcher; the message says why and how to write one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Compares one label with a value or a regular expression."""

    name: str
    operator: Operator
    value: str
    pattern: re.Pattern[str] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the regular expression; raises BadMatcher."""
        if self.operator in (Operator.REGEX, Operator.NOT_REGEX):
            object.__setattr__(self, "pattern", _compiled(self.name, self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether a label set has it; a label that is missing is empty."""
        return self.accepts(labels.get(self.name, ""))

    def accepts(self, value: str) -> bool:
        """Say whether the label may have this value."""
        if self.pattern is None:
            return (value == self.value) is (self.operator is Operator.EQUAL)
        return (self.pattern.fullmatch(value) is not None) is (self.operator is Operator.REGEX)

    def __str__(self) -> str:
        """Return Alertmanager's text of it, as it stands in group keys."""
        if _RESERVED.search(self.name):
            return f"{go_quoted(self.name)}{self.operator}{go_quoted(self.value)}"
        return f'{self.name}{self.operator}"{self.value.translate(_OPENMETRICS)}"'


def _compiled(name: str, expression: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # `[[:alpha:]]` would mean something else than in Go
            return re.compile(expression)
    except (re.error, FutureWarning) as error:
        reason = error.msg if isinstance(error, re.error) else "write a class of characters as in [a-z]"
        raise BadMatcher(f"the regular expression of {name} cannot be used: {reason}") from None


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Say whether every matcher accepts the labels; no matchers accept all."""
    return all(matcher.matches(labels) for matcher in matchers)


def in_order(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Return matchers in Alertmanager's order: by name, value and operator."""
    return tuple(sorted(matchers, key=lambda matcher: (matcher.name, matcher.value, _ORDER.index(matcher.operator))))


def as_text(matchers: Iterable[Matcher]) -> str:
    """Return Alertmanager's text of matchers in braces."""
    return "{" + ",".join(map(str, matchers)) + "}"


def parse_matchers(texts: str | Sequence[str]) -> tuple[Matcher, ...]:
    """Return the matchers of one expression or of several, in the order in which they stand; raises BadMatcher."""
    return tuple(matcher for text in ([texts] if isinstance(texts, str) else texts) for matcher in _parse(text))


def go_quoted(text: str) -> str:
    """Return a text as Go's `%q` writes it: it stands so in group keys."""
    named = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"'}
    return '"' + "".join(named.get(char) or (char if char.isprintable() else _numbered(ord(char))) for char in text) + '"'


def _numbered(code: int) -> str:
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _parse(text: str) -> Iterator[Matcher]:
    tokens = list(_tokens(text))
    if tokens and tokens[0] == ("brace", "{"):
        if tokens[-1] != ("brace", "}") or len(tokens) == 1:
            raise BadMatcher(f"the brace is not closed: {HINT}")
        tokens = tokens[1:-1]
    while tokens:
        if len(tokens) < 3 or [kind for kind, _ in tokens[:3]] not in _SHAPES:
            raise BadMatcher(f"not a matcher: {HINT}")
        (_, name), (_, operator), (_, value) = tokens[:3]
        if not name:
            raise BadMatcher(f"a matcher needs the name of a label: {HINT}")
        yield Matcher(name=name, operator=Operator(operator), value=value)
        tokens = tokens[3:]
        if tokens and tokens[0][0] != "comma":
            raise BadMatcher(f"a comma is missing between matchers: {HINT}")
        tokens = tokens[1:]


_SHAPES: Final = [[name, "operator", value] for name in ("bare", "quoted") for value in ("bare", "quoted")]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise BadMatcher(f"not a matcher: {HINT}")
        word = found[found.lastgroup]
        yield found.lastgroup, _unquoted(word[1:-1]) if found.lastgroup == "quoted" else word
        position = found.end()


def _unquoted(text: str) -> str:
    def read(found: re.Match[str]) -> str:
        word = found[1]
        if word in _ESCAPED:
            return _ESCAPED[word]
        if len(word) == 1:
            return f"\\{word}"
        code = int(word, 8) if word[0] not in "xuU" else int(word[1:], 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise BadMatcher("an escape in quotes is no character: leave it out")
        return chr(code)

    return _ESCAPE.sub(read, text)
