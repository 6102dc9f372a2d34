"""What the policy says about an attribute key, decided once per key and remembered.

An exempt key is no hiding place: its value passes unscanned only while it has the shape of an id (a short run of id characters,
without `@`, spaces, long runs of digits or the prefix of a credential) in which no recognizer could find anything; otherwise it is
scanned like any other value.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from redaction.expressions import Expression
from redaction.policy import RedactionConfig

KEY_LENGTH_LIMIT: Final = 1024
REMEMBERED_KEYS: Final = 20_000

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_A-Za-z\d]+")
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyClass:
    """Keys that are treated alike share one instance, compared by identity: it is half of the cache's key."""

    handling: Handling
    pseudonymise: bool = False
    context: tuple[str, ...] = ()  # words of the key that tell what its value is
    blocked_otherwise: bool = False  # an exempt key that the policy also blocks
    identifier: bool = False  # ids: what is only looked for on request is left in them


def looks_like_identifier(text: str) -> bool:
    """Whether an exempt key's value has the shape of an id."""
    return _IDENTIFIER.fullmatch(text) is not None and _NOT_AN_IDENTIFIER.search(text) is None


def context_words(key: str) -> tuple[str, ...]:
    """Return the lower-case words of a key that say something about its value, without repetition, at most eight."""
    words = (word.lower() for word in _WORD.findall(key))
    return tuple(dict.fromkeys(word for word in words if word not in _GENERIC))[-8:]


class KeyRules:
    """The policy's rules about keys."""

    def __init__(self, config: RedactionConfig) -> None:
        self._config = config
        self._ignored = frozenset(config.ignored_keys)
        self._allowed = None if config.allow_all_keys else frozenset(config.allowed_keys)
        self._exempt = frozenset(config.exempt_keys)
        self._identity = frozenset(config.identity_keys)
        self._ignored_patterns = tuple(Expression(pattern) for pattern in config.ignored_key_patterns)
        self._blocked_patterns = tuple(Expression(pattern) for pattern in config.blocked_key_patterns)
        self._classes: dict[tuple[object, ...], KeyClass] = {}
        self._nested: dict[str, KeyClass] = {}
        self.plain = self._class(Handling.SCAN)
        self.identifier = KeyClass(handling=Handling.SCAN, identifier=True)
        self.attributes: dict[str | None, KeyClass] = {None: self.plain}
        """The classes of the attribute keys that were seen: the hot path reads it directly and asks `attribute` for the others."""

    def attribute(self, key: str | None) -> KeyClass:
        """Return the class of an attribute key; None stands for names, bodies and messages."""
        known = self.attributes.get(key)
        if known is None:
            if len(self.attributes) >= REMEMBERED_KEYS:
                self.attributes.clear()
                self.attributes[None] = self.plain
            known = self.attributes[key] = self.plain if key is None else self._of_attribute(key)
        return known

    def nested(self, key: str) -> KeyClass:
        """Return the class of a key of JSON inside a string: what senders choose freely cannot be ignored or allowed by name."""
        known = self._nested.get(key)
        if known is None:
            if len(self._nested) >= REMEMBERED_KEYS:
                self._nested.clear()
            known = self._nested[key] = self._of_nested(key)
        return known

    def _of_attribute(self, key: str) -> KeyClass:
        if key in self._ignored or self._matches(self._ignored_patterns, key, on_timeout=False):
            return self._class(Handling.KEEP)
        if self._allowed is not None and key not in self._allowed:
            return self._class(Handling.REMOVE)
        return self._of_nested(key)

    def _of_nested(self, key: str) -> KeyClass:
        blocked = self._matches(self._blocked_patterns, key, on_timeout=True)
        if key in self._exempt:
            return self._class(Handling.EXEMPT, blocked_otherwise=blocked)
        if blocked:
            return self._class(Handling.BLOCK)
        return self._class(Handling.SCAN, pseudonymise=key in self._identity, context=context_words(key))

    def _class(
        self, handling: Handling, *, pseudonymise: bool = False, context: tuple[str, ...] = (), blocked_otherwise: bool = False
    ) -> KeyClass:
        identity = (handling, pseudonymise, context, blocked_otherwise)
        known = self._classes.get(identity)
        if known is None:
            if len(self._classes) >= REMEMBERED_KEYS:
                self._classes.clear()
            known = KeyClass(handling=handling, pseudonymise=pseudonymise, context=context, blocked_otherwise=blocked_otherwise)
            self._classes[identity] = known
        return known

    @staticmethod
    def _matches(patterns: tuple[Expression, ...], key: str, *, on_timeout: bool) -> bool:
        if patterns and len(key) > KEY_LENGTH_LIMIT:
            return on_timeout
        answers = (pattern.found_in(key) for pattern in patterns)
        return any(on_timeout if answer is None else answer for answer in answers)
