"""Credential rules of ours: what a key looks like, as data. Formats are facts from the vendors' documentation; the rules are ours.

Each rule has positive and negative examples in tests/redaction/test_secrets.py. A rule's expression matches the credential itself,
nothing around it (context goes into look-behinds), and is linear in the text. A new rule is one entry in `RULES`.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

RULES_VERSION: Final = 2
"""Part of the policy hash: raise it when a rule, or the way texts are scanned, changes."""


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


_PEM: Final = (
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:"
    r"(?:(?!-----BEGIN)[\s\S]){0,20000}?-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    # cut off before its end: every line of base64 that follows, real or escaped line ends between them
    r"|(?:(?:\s|\\+[nrt])*+[A-Za-z0-9+/=]{16,}+)*+(?:(?:\s|\\+[nrt])++[A-Za-z0-9+/=]++(?![^\s\"'\\]))?)"
)

RULES: Final[tuple[SecretRule, ...]] = (
    SecretRule(name="Anthropic key", entity="ANTHROPIC_API_KEY", shape="sk-ant-", expression=r"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_\-]{12,}"),
    SecretRule(
        name="OpenAI project key",
        entity="OPENAI_API_KEY",
        shape="sk-(?:proj|svcacct|admin|None|test|live|or-v1)-",
        expression=r"(?<![A-Za-z0-9])sk-(?:proj|svcacct|admin|None|test|live|or-v1)-[A-Za-z0-9_\-]{16,}",
        accept=_has_digit,
    ),
    SecretRule(
        name="OpenAI key",
        entity="OPENAI_API_KEY",
        shape="sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16}",
        expression=r"(?<![A-Za-z0-9])sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16,}(?![A-Za-z0-9])",
        accept=_has_digit,
    ),
    SecretRule(
        name="AWS access key id",
        entity="AWS_ACCESS_KEY_ID",
        shape="(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
        expression=r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
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
        expression=r"(?<![A-Za-z0-9])gh[oprsu]_[A-Za-z0-9]{20,255}",
    ),
    SecretRule(
        name="GitHub fine-grained token",
        entity="GITHUB_TOKEN",
        shape="github_pat_",
        expression=r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{22,255}",
    ),
    SecretRule(name="PEM private key", entity="PRIVATE_KEY", shape="-----BEGIN ", expression=_PEM),
    SecretRule(
        name="JSON web token",
        entity="JWT",
        shape=r"eyJ[A-Za-z0-9_\-]{8}",
        expression=r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*",
    ),
    SecretRule(
        name="Bearer token",
        entity="BEARER_TOKEN",
        shape=r"(?i:bearer)[ \t]",
        expression=r"(?i)(?<=\bbearer[ \t]{1,4})[A-Za-z0-9._~+/\-]{16,}={0,2}",
        accept=_has_digit,
    ),
)
