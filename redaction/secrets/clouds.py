"""Credentials of clouds."""

from typing import Final

from redaction.secrets.checks import has_digit, random_looking
from redaction.secrets.rule import ALONE, GLUED, SecretRule

_AWS_ID: Final = "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"

RULES: Final = (
    SecretRule(name="AWS access key id", entity="AWS_ACCESS_KEY_ID", shape=_AWS_ID, expression=ALONE + _AWS_ID + "(?![A-Za-z0-9])"),
    SecretRule(
        name="AWS access key id, glued",
        entity="AWS_ACCESS_KEY_ID",
        shape=_AWS_ID,
        expression=GLUED + _AWS_ID + "(?![A-Z0-9])",
        accept=has_digit,
    ),
    SecretRule(
        name="AWS secret beside its access key id",
        entity="AWS_SECRET_ACCESS_KEY",
        shape="(?:AKIA|ASIA)[A-Z0-9]{16}",
        expression=r"(?<=(?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9]{1,8})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        accept=random_looking,
    ),
    SecretRule(
        name="AWS secret by context",
        entity="AWS_SECRET_ACCESS_KEY",
        shape="[A-Za-z0-9/+]{40}",
        expression=r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        score=0.1,
        context=("aws", "secret", "secretaccesskey", "credential", "credentials"),
        accept=random_looking,
    ),
)
