"""Credentials of source hosts and package registries."""

from typing import Final

from redaction.secrets.rule import SecretRule

RULES: Final = (
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
)
