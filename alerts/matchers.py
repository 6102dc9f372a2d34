r"""Label matchers, as Alertmanager reads them: `severity="critical"`, `team!=search`, `instance=~"web-.+"`, `"a name"!~"x|y"`.

Grammar of Alertmanager's matchers in its default mode (`matcher/compat`, UTF-8, and the classic parser to fall back on): names and values
are bare words or double-quoted texts, an expression is a list of matchers with commas between them, in braces or not. Where all names are
classic ones (`[a-zA-Z_:][a-zA-Z0-9_:]*`, not quoted) `\\`, `\"` and `\n` are escapes, and any other backslash stands for itself:
`"web-\d+"` needs no second one. Else quoted texts have Go's escapes. Regular expressions match the whole value, and their `\w`, `\d`, `\s`
and `\b` know ASCII alone; a missing label is empty.
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
_CLASSIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_CLASSIC_ESCAPE: Final = re.compile(r'\\([\\"n])')
_GO_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}
_RESERVED: Final = re.compile(r"""[\s{}!=~,\\"'`]""")
_OPENMETRICS: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
HINT: Final = 'write it like severity="critical", team!="search" or agent=~"a|b"'

_Token = tuple[str, str]
"""Its kind, and what stands there: of a quoted text without the quotes."""


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
            return re.compile(expression, re.ASCII)
    except re.error as error:
        reason = error.msg
    except FutureWarning:
        reason = "write a class of characters as in [a-z]"
    except (ValueError, OverflowError, RecursionError):
        reason = "it is larger, or has other flags, than can be used here: write a simpler one"
    raise BadMatcher(f"the regular expression of {name} cannot be used: {reason}")


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
    found = list(_split(_unbraced(list(_tokens(text)))))
    classic = all(kind == "bare" and _CLASSIC_NAME.fullmatch(word) for (kind, word), _, _ in found)
    for name, operator, value in found:
        label = _meant(name)
        if not label:
            raise BadMatcher(f"a matcher needs the name of a label: {HINT}")
        yield Matcher(name=label, operator=Operator(operator), value=_classic(value[1]) if classic else _meant(value))


def _tokens(text: str) -> Iterator[_Token]:
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise BadMatcher(f"not a matcher: {HINT}")
        word = found[found.lastgroup]
        yield found.lastgroup, word[1:-1] if found.lastgroup == "quoted" else word
        position = found.end()


def _unbraced(tokens: list[_Token]) -> list[_Token]:
    if not tokens or tokens[0] != ("brace", "{"):
        return tokens
    if tokens[-1] != ("brace", "}") or len(tokens) == 1:
        raise BadMatcher(f"the brace is not closed: {HINT}")
    return tokens[1:-1]


_SHAPES: Final = [[name, "operator", value] for name in ("bare", "quoted") for value in ("bare", "quoted")]


def _split(tokens: list[_Token]) -> Iterator[tuple[_Token, str, _Token]]:
    """Yield name, operator and value of each matcher."""
    while tokens:
        if len(tokens) < 3 or [kind for kind, _ in tokens[:3]] not in _SHAPES:
            raise BadMatcher(f"not a matcher: {HINT}")
        name, (_, operator), value = tokens[:3]
        yield name, operator, value
        tokens = tokens[3:]
        if tokens and tokens[0][0] != "comma":
            raise BadMatcher(f"a comma is missing between matchers: {HINT}")
        tokens = tokens[1:]


def _classic(text: str) -> str:
    return _CLASSIC_ESCAPE.sub(lambda found: _ESCAPED[found[1]], text)


def _meant(token: _Token) -> str:
    """Return what a word stands for where there are names that the classic parser does not know."""
    kind, text = token
    if kind == "bare" and "\\" in text:
        raise BadMatcher("a word with a backslash must stand in double quotes, with two of them for each")
    return text if kind == "bare" else _unquoted(text)


def _unquoted(text: str) -> str:
    """Return what a Go string stands for: its `\\x` and octal escapes are bytes of UTF-8."""
    whole, position = bytearray(), 0
    try:
        for found in _GO_ESCAPE.finditer(text):
            whole += text[position : found.start()].encode() + _unescaped(found[1])
            position = found.end()
        return (whole + text[position:].encode()).decode()
    except ValueError:
        raise BadMatcher("an escape in quotes is none that Go knows, or no character: write the character itself") from None


def _unescaped(word: str) -> bytes:
    """Return the bytes of an escape without its backslash; raises ValueError."""
    if word in _ESCAPED:
        return _ESCAPED[word].encode()
    if word[0] in "uU" and len(word) > 1:
        return chr(int(word[1:], 16)).encode()
    if len(word) == 3:
        return bytes([int(word[1:], 16) if word[0] == "x" else int(word, 8)])
    raise ValueError(word)
