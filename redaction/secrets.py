"""Credential rules of ours: what a key looks like, as data. Formats are facts from the vendors' documentation; the rules are ours.

Each rule has positive and negative examples in tests/redaction/test_secrets.py. A rule's expression matches the credential itself,
nothing around it (context goes into look-behinds), and is linear in the text. A new rule is one entry in `RULES`.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from redaction.expressions import compiled

RULES_VERSION: Final = 2
"""Part of the policy hash: raise it when a rule, or the way texts are scanned, changes."""


PRIVATE_KEY: Final = "PRIVATE_KEY"


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


def _entropy_bits(text: str) -> float:
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def _random_looking(text: str) -> bool:
    """Mixed case and digits, and letters spread like a random key's: no word, no hex digest."""
    return (
        any(char.isdigit() for char in text)
        and any(char.islower() for char in text)
        and any(char.isupper() for char in text)
        and _entropy_bits(text) >= 3.5
    )


def _has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _key_like(text: str) -> bool:
    """Random letters of both cases, or digits among them; `planning-document` is neither. For a key that letters stand directly before."""
    longest = max(re.split("[-_]", text), key=len)
    mixed = any(char.islower() for char in text) and any(char.isupper() for char in text)
    return (mixed and _entropy_bits(text) >= 3.5) or (len(longest) >= 16 and _has_digit(longest))


def _key_like_or_has_digit(text: str) -> bool:
    return _has_digit(text) or _key_like(text)


_PEM: Final = (
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:"
    r"(?:(?!-----BEGIN)[\s\S]){0,20000}?-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    # cut off before its end: every line of base64 that follows, real or escaped line ends between them
    r"|(?:(?:\s|\\+[nrt])*+(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]{1,100}+)*+"
    r"(?:(?:\s|\\+[nrt])*+[A-Za-z0-9+/=]{16,}+)*+(?:(?:\s|\\+[nrt])++[A-Za-z0-9+/=]++(?![^\s\"'\\]))?)"
)

_PROJECT: Final = "sk-(?:proj|svcacct|admin|None|test|live|or-v1)-"
_AWS_ID: Final = "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"
_GLUED: Final = "(?<=[A-Za-z0-9])"
_ALONE: Final = "(?<![A-Za-z0-9])"

RULES: Final[tuple[SecretRule, ...]] = (
    SecretRule(name="Anthropic key", entity="ANTHROPIC_API_KEY", shape="sk-ant-", expression=_ALONE + r"sk-ant-[A-Za-z0-9_\-]{12,}"),
    SecretRule(
        name="Anthropic key, glued",
        entity="ANTHROPIC_API_KEY",
        shape="sk-ant-",
        expression=_GLUED + r"sk-ant-[A-Za-z0-9_\-]{12,}",
        accept=_key_like,
    ),
    SecretRule(
        name="OpenAI project key",
        entity="OPENAI_API_KEY",
        shape=_PROJECT,
        expression=_ALONE + _PROJECT + r"[A-Za-z0-9_\-]{16,}",
        accept=_key_like_or_has_digit,
    ),
    SecretRule(
        name="OpenAI project key, glued",
        entity="OPENAI_API_KEY",
        shape=_PROJECT,
        expression=_GLUED + _PROJECT + r"[A-Za-z0-9_\-]{16,}",
        accept=_key_like,
    ),
    SecretRule(
        name="OpenAI key",
        entity="OPENAI_API_KEY",
        shape="sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16}",
        expression=_ALONE + r"sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16,}(?![A-Za-z0-9])",
        accept=_key_like_or_has_digit,
    ),
    SecretRule(name="AWS access key id", entity="AWS_ACCESS_KEY_ID", shape=_AWS_ID, expression=_ALONE + _AWS_ID + "(?![A-Za-z0-9])"),
    SecretRule(
        name="AWS access key id, glued",
        entity="AWS_ACCESS_KEY_ID",
        shape=_AWS_ID,
        expression=_GLUED + _AWS_ID + "(?![A-Z0-9])",
        accept=_has_digit,
    ),
    SecretRule(
        name="AWS secret beside its access key id",
        entity="AWS_SECRET_ACCESS_KEY",
        shape="(?:AKIA|ASIA)[A-Z0-9]{16}",
        expression=r"(?<=(?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9]{1,8})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        accept=_random_looking,
    ),
    SecretRule(
        name="AWS secret by context",
        entity="AWS_SECRET_ACCESS_KEY",
        shape="[A-Za-z0-9/+]{40}",
        expression=r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        score=0.1,
        context=("aws", "secret", "secretaccesskey", "credential", "credentials"),
        accept=_random_looking,
    ),
    SecretRule(
        name="GitHub token",
        entity="GITHUB_TOKEN",
        shape="gh[oprsu]_[A-Za-z0-9]{20}",
        expression="gh[oprsu]_[A-Za-z0-9]{20,255}",
    ),
    SecretRule(
        name="GitHub fine-grained token",
        entity="GITHUB_TOKEN",
        shape="github_pat_",
        expression="github_pat_[A-Za-z0-9_]{22,255}",
    ),
    SecretRule(name="PEM private key", entity=PRIVATE_KEY, shape="-----BEGIN ", expression=_PEM, long=True),
    SecretRule(
        name="JSON web token",
        entity="JWT",
        shape=r"eyJ[A-Za-z0-9_\-]{8}",
        expression=r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}+\.eyJ[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]*+",
        long=True,
    ),
    SecretRule(
        name="Bearer token",
        entity="BEARER_TOKEN",
        shape=r"(?i:bearer)[ \t]",
        expression=r"(?i)(?<=\bbearer[ \t]{1,4})[A-Za-z0-9._~+/\-]{16,}+={0,2}",
        accept=_has_digit,
        long=True,
    ),
)

KEY_TAIL_SHAPE: Final = "PRIVATE KEY(?: BLOCK)?-----"
"""What every finding of `key_tails` contains."""

_KEY_BEGIN: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END: Final = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_LINE_BEFORE: Final = compiled(r"(?r)(?<![A-Za-z0-9+/=])[A-Za-z0-9+/=]++\s++")
_KEY_LINE: Final = re.compile(r"\s*(?:[A-Za-z0-9+/=]*|(?:Proc-Type|DEK-Info|Version|Comment): [^\n]*)\s*(?:-----END [A-Z0-9 ]*-----\s*)?")
_FULL_LINE_CHARS: Final = 16


def key_tails(text: str, _key_words: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """Yield private keys whose beginning was cut off: lines of base64 before the mark of the end. Escaped line ends are read before."""
    for end in _KEY_END.finditer(text):
        start, lines = end.start(), 0
        while (line := _LINE_BEFORE.match(text, pos=0, endpos=start)) is not None:
            if lines and len(line.group().strip()) < _FULL_LINE_CHARS:  # only the last line is short
                break
            start, lines = line.start(), lines + 1
        begun = any(start - each.end() <= 8 for each in _KEY_BEGIN.finditer(text, max(0, start - 96), start))
        if end.start() - start >= _FULL_LINE_CHARS and not begun:
            yield start, end.end()


def spread_key_lines(texts: Sequence[str]) -> set[int]:
    """Return which of the texts, items of a list, are lines of a private key that begins or ends in another item."""
    lines: set[int] = set()
    inside = False
    for index, text in enumerate(texts):
        is_line = _KEY_LINE.fullmatch(text) is not None
        if inside and is_line:
            lines.add(index)
        ends = "-----END " in text and _KEY_END.search(text) is not None
        if ends and not inside:
            lines |= _lines_before(texts, index)
        inside = (inside and is_line and not ends) or _begins_key(text)
    return lines


def _begins_key(text: str) -> bool:
    begins = list(_KEY_BEGIN.finditer(text)) if "-----BEGIN " in text else []
    return bool(begins) and _KEY_END.search(text, begins[-1].end()) is None


def _lines_before(texts: Sequence[str], index: int) -> set[int]:
    lines = {index} if _KEY_LINE.fullmatch(texts[index]) else set()
    for before in range(index - 1, -1, -1):
        if _KEY_LINE.fullmatch(texts[before]) is None or (before < index - 1 and len(texts[before].strip()) < _FULL_LINE_CHARS):
            break
        lines.add(before)
    return lines
