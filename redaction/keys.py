"""What the policy says about an attribute key, decided once per key and remembered.

An exempt key is no hiding place: its value passes unscanned only while it has the shape of an id (a short run of id characters,
without `@`, spaces, long runs of digits or the prefix of a credential) in which no recognizer could find anything; otherwise it is
scanned like any other value.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from redaction.escapes import plain
from redaction.expressions import Expression
from redaction.policy import Action, RedactionConfig
from redaction.policy_defaults import SUMMARY_KEYS
from redaction.secret_keys import secret_key
from redaction.sensitive_keys import Sensitive, Test, sensitive, words

KEY_LENGTH_LIMIT: Final = 1024
"""Longer keys mean nothing, and are not remembered: senders choose them."""
WORD_LENGTH_LIMIT: Final = 64
REMEMBERED_KEYS: Final = 20_000

ACTION_RULE: Final = "policy/actions.keys"
SENSITIVE_RULE: Final = "policy/sensitive_keys"
UNSPECIFIC: Final = "GENERIC_SECRET"
NAMED_RULE: Final = "SecretRecognizer/value under its name"

_GENERIC: Final = frozenset({
    "a", "ai", "arguments", "args", "attribute", "attributes", "body", "call", "calls", "content", "contents", "data", "function",
    "gen", "genai", "input", "inputs", "json", "key", "kwargs", "llm", "message", "messages", "metadata", "name", "number", "output",
    "outputs", "param", "params", "parameters", "prompt", "request", "response", "result", "results", "span", "tool", "tools", "text",
    "value", "values",
})  # fmt: skip
"""Words of keys that every agent uses: as context they would turn any number into a phone or an account."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:/+\-]{1,200}")
_NOT_AN_IDENTIFIER: Final = re.compile(
    r"(?<![A-Za-z0-9])\d(?:[-._:/+]?\d){8,}(?![A-Za-z0-9])|sk-|AKIA|ASIA|gh[a-z]_|github_pat_|eyJ|://[^/]*:"
)


class Handling(Enum):
    """What happens to the value of a key."""

    SCAN = "scan"
    KEEP = "keep"
    EXEMPT = "exempt"
    BLOCK = "block"
    REMOVE = "remove"
    WHOLE = "whole"  # the value is one finding, whatever it looks like


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A value that is one finding because of its key."""

    entity: str
    rule: str
    test: Test = Test.ANY  # what it has to look like
    action: Action | None = None  # of the key rule; None leaves it to the entity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyClass:
    """Keys that are treated alike share one instance, compared by identity: it is half of the cache's key."""

    handling: Handling
    pseudonymise: bool = False
    context: tuple[str, ...] = ()  # words of the key that tell what its value is
    blocked_otherwise: bool = False  # an exempt key that the policy also blocks
    identifier: bool = False  # ids: what is only looked for on request is left in them
    keep: bool = False  # personal data stays in the value
    secret: bool = False  # the value is a secret; recognizers may still know of which kind
    whole: Whole | None = None
    otherwise: "KeyClass | None" = None  # of a `whole`: the class of values that do not look like it


def looks_like_identifier(text: str) -> bool:
    """Whether an exempt key's value has the shape of an id."""
    return _IDENTIFIER.fullmatch(text) is not None and _NOT_AN_IDENTIFIER.search(text) is None


def context_words(key: str) -> tuple[str, ...]:
    """Return the lower-case words of a key that say something about its value, without repetition, at most eight."""
    return tuple(dict.fromkeys(word for word in words(key) if word not in _GENERIC and len(word) <= WORD_LENGTH_LIMIT))[-8:]


def _as_read(key: str) -> str:
    """Return a key as a reader sees it: without invisible characters, in one form of its letters."""
    if key.isascii() or len(key) > KEY_LENGTH_LIMIT:
        return key
    view = plain(key)
    return unicodedata.normalize("NFC", key if view is None else view[0])


class KeyRules:
    """The policy's rules about keys."""

    def __init__(self, config: RedactionConfig) -> None:
        self._ignored = frozenset(config.ignored_keys)
        self._allowed = None if config.allow_all_keys else frozenset((*config.allowed_keys, *SUMMARY_KEYS))
        self._exempt = frozenset(config.exempt_keys)
        self._identity = frozenset(config.identity_keys)
        self._ignored_patterns = tuple(Expression(pattern) for pattern in config.ignored_key_patterns)
        self._blocked_patterns = tuple(Expression(pattern) for pattern in config.blocked_key_patterns)
        self._actions = tuple((Expression(rule.pattern), rule) for rule in config.actions.keys)
        self._finds_sensitive = config.sensitive_keys.enabled
        self._finds_secrets = config.secrets.enabled
        self._not_sensitive = tuple(Expression(pattern) for pattern in config.sensitive_keys.ignore)
        self._sensitive = tuple(
            (entity, tuple(Expression(pattern) for pattern in patterns)) for entity, patterns in config.sensitive_keys.extra.items()
        )
        self._classes: dict[KeyClassFields, KeyClass] = {}
        self._nested: dict[str, KeyClass] = {}
        self._sure: dict[KeyClass, KeyClass] = {}
        self.plain = self._class(KeyClass(handling=Handling.SCAN))
        self.identifier = KeyClass(handling=Handling.SCAN, identifier=True)
        self.attributes: dict[str | None, KeyClass] = {None: self.plain}
        """The classes of the attribute keys that were seen: the hot path reads it directly and asks `attribute` for the others."""

    def attribute(self, key: str | None) -> KeyClass:
        """Return the class of an attribute key; None stands for names, bodies and messages."""
        known = self.attributes.get(key)
        if known is None and key is not None and len(key) > KEY_LENGTH_LIMIT:
            return self._of_attribute(key)
        if known is None:
            if len(self.attributes) >= REMEMBERED_KEYS:
                self.attributes.clear()
                self.attributes[None] = self.plain
            known = self.attributes[key] = self.plain if key is None else self._of_attribute(key)
        return known

    def nested(self, key: str) -> KeyClass:
        """Return the class of a key of JSON inside a string: what senders choose freely cannot be ignored or allowed by name."""
        known = self._nested.get(key)
        if known is None and len(key) > KEY_LENGTH_LIMIT:
            return self._of_nested(_as_read(key))
        if known is None:
            if len(self._nested) >= REMEMBERED_KEYS:
                self._nested.clear()
            known = self._nested[key] = self._of_nested(_as_read(key))
        return known

    def sure(self, key_class: KeyClass) -> KeyClass:
        """Return the class of a value that was found to be what its key says."""
        known = self._sure.get(key_class)
        if known is None:
            if len(self._sure) >= REMEMBERED_KEYS:
                self._sure.clear()
            whole = None if key_class.whole is None else replace(key_class.whole, test=Test.ANY)
            known = self._sure[key_class] = replace(key_class, whole=whole)
        return known

    def secret(self, key_class: KeyClass) -> KeyClass:
        """Return the class of a value that was found to be a secret, of which recognizers may know the kind."""
        return self._class(replace(key_class, secret=True))

    def _of_attribute(self, key: str) -> KeyClass:
        if key in self._ignored or self._matches(self._ignored_patterns, key, on_timeout=False):
            return self._class(KeyClass(handling=Handling.KEEP))
        if self._allowed is not None and key not in self._allowed:
            return self._class(KeyClass(handling=Handling.REMOVE))
        return self.nested(key)

    def _of_nested(self, key: str) -> KeyClass:
        rule = next((rule for pattern, rule in self._actions if self._matches((pattern,), key, on_timeout=rule.action != "keep")), None)
        keep = rule is not None and rule.action == "keep"
        scanned = KeyClass(handling=Handling.SCAN, pseudonymise=key in self._identity, context=context_words(key), keep=keep)
        if rule is not None and not keep:
            return self._whole(Whole(entity=rule.entity, rule=ACTION_RULE, action=rule.action), scanned)
        blocked = self._matches(self._blocked_patterns, key, on_timeout=True)
        if key in self._exempt:
            return self._class(KeyClass(handling=Handling.EXEMPT, blocked_otherwise=blocked))
        if blocked:
            return self._class(KeyClass(handling=Handling.BLOCK))
        known = None if keep else self._sensitive_key(key)
        if known is not None:
            return self._whole(Whole(entity=known.entity, rule=SENSITIVE_RULE, test=known.test), scanned)
        test = secret_key(key) if self._finds_secrets and len(key) <= KEY_LENGTH_LIMIT else None
        if test is not None:
            return self._whole(Whole(entity=UNSPECIFIC, rule=NAMED_RULE, test=test), scanned)
        return self._class(scanned)

    def _sensitive_key(self, key: str) -> Sensitive | None:
        if not self._finds_sensitive or len(key) > KEY_LENGTH_LIMIT:
            return None
        for entity, patterns in self._sensitive:
            if self._matches(patterns, key, on_timeout=True):
                return Sensitive(entity, Test.ANY)
        known = sensitive(key)
        return None if known is None or self._matches(self._not_sensitive, key, on_timeout=False) else known

    def _whole(self, whole: Whole, scanned: KeyClass) -> KeyClass:
        otherwise = self._class(scanned)
        return self._class(KeyClass(handling=Handling.WHOLE, pseudonymise=scanned.pseudonymise, whole=whole, otherwise=otherwise))

    def _class(self, wanted: KeyClass) -> KeyClass:
        fields: KeyClassFields = (
            wanted.handling, wanted.pseudonymise, wanted.context, wanted.blocked_otherwise, wanted.keep, wanted.secret, wanted.whole,
            wanted.otherwise,
        )  # fmt: skip
        known = self._classes.get(fields)
        if known is None:
            if len(self._classes) >= REMEMBERED_KEYS:
                self._classes.clear()
            known = self._classes[fields] = wanted
        return known

    @staticmethod
    def _matches(patterns: tuple[Expression, ...], key: str, *, on_timeout: bool) -> bool:
        if patterns and len(key) > KEY_LENGTH_LIMIT:
            return on_timeout
        answers = (pattern.found_in(key) for pattern in patterns)
        return any(on_timeout if answer is None else answer for answer in answers)


KeyClassFields = tuple[Handling, bool, tuple[str, ...], bool, bool, bool, Whole | None, KeyClass | None]
"""What makes keys alike."""
