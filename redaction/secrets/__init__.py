"""Credential rules of ours: what a key looks like, as data. Formats are facts from the vendors' documentation; the rules are ours.

Each rule has positive and negative examples in tests/redaction/secrets. A rule's expression matches the credential itself, nothing
around it (context goes into look-behinds), and is linear in the text. A new rule is one entry in the module of its kind of vendor.
"""

from typing import Final

from redaction.secrets import clouds, communication, generic, hosts, infrastructure, models, payments, private_keys, shell, web
from redaction.secrets.private_keys import KEY_TAIL_SHAPE, PRIVATE_KEY, key_tails, spread_key_lines
from redaction.secrets.rule import SecretRule

__all__ = ["KEY_TAIL_SHAPE", "PRIVATE_KEY", "RULES", "RULES_VERSION", "SecretRule", "key_tails", "spread_key_lines"]

RULES_VERSION: Final = 6
"""Part of the policy hash: raise it when a rule, or the way texts are scanned, changes."""

RULES: Final[tuple[SecretRule, ...]] = (
    *models.RULES,
    *clouds.RULES,
    *hosts.RULES,
    *communication.RULES,
    *payments.RULES,
    *infrastructure.RULES,
    *private_keys.RULES,
    *web.RULES,
    *shell.RULES,
    *generic.RULES,
)
