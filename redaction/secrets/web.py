"""Credentials as protocols of the web carry them, whoever issued them."""

from typing import Final

from redaction.secrets.checks import has_digit
from redaction.secrets.rule import SecretRule

RULES: Final = (
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
        accept=has_digit,
        long=True,
    ),
)
