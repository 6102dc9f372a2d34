"""Credentials of model providers and of the services around them."""

from typing import Final

from redaction.secrets.checks import key_like, key_like_or_has_digit
from redaction.secrets.rule import ALONE, GLUED, SecretRule

_PROJECT: Final = "sk-(?:proj|svcacct|admin|None|test|live|or-v1)-"

RULES: Final = (
    SecretRule(name="Anthropic key", entity="ANTHROPIC_API_KEY", shape="sk-ant-", expression=ALONE + r"sk-ant-[A-Za-z0-9_\-]{12,}"),
    SecretRule(
        name="Anthropic key, glued",
        entity="ANTHROPIC_API_KEY",
        shape="sk-ant-",
        expression=GLUED + r"sk-ant-[A-Za-z0-9_\-]{12,}",
        accept=key_like,
    ),
    SecretRule(
        name="OpenAI project key",
        entity="OPENAI_API_KEY",
        shape=_PROJECT,
        expression=ALONE + _PROJECT + r"[A-Za-z0-9_\-]{16,}",
        accept=key_like_or_has_digit,
    ),
    SecretRule(
        name="OpenAI project key, glued",
        entity="OPENAI_API_KEY",
        shape=_PROJECT,
        expression=GLUED + _PROJECT + r"[A-Za-z0-9_\-]{16,}",
        accept=key_like,
    ),
    SecretRule(
        name="OpenAI key",
        entity="OPENAI_API_KEY",
        shape="sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16}",
        expression=ALONE + r"sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16,}(?![A-Za-z0-9])",
        accept=key_like_or_has_digit,
    ),
)
