"""The redaction policy: the `processors.redaction` section of otel-config.yaml.

Options that OpenTelemetry's contrib redaction processor has keep their names there; ours stand under `presidio`, `secrets` and the
options after them. Every option here takes effect; an unknown one is an error. What the defaults name is visible on purpose: which
entities are looked for, which keys are exempt and which hold identities decides what a reader of the lake will see.
"""

import hashlib
import json
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from redaction.expressions import Expression
from redaction.policy_defaults import (
    COUNTRY_ENTITIES,
    DEFAULT_BLOCKED_KEYS,
    DEFAULT_CONTENT_EVENTS,
    DEFAULT_CONTENT_KEYS,
    DEFAULT_ENTITIES,
    DEFAULT_EXEMPT_KEYS,
    DEFAULT_IDENTITY_KEYS,
    DEFAULT_MACHINE_SIBLINGS,
    DEFAULT_NOT_SENSITIVE_KEYS,
    DEFAULT_PERSON_SIBLINGS,
    DEFAULT_SUBJECT_KEYS,
    KEY_ENTITIES,
    MODEL_ENTITIES,
    OPTIONAL_ENTITIES,
    POLICY_ENTITIES,
)
from redaction.policy_presidio import Entity, Model, PresidioConfig
from redaction.secrets import PRIVATE_KEY, RULES, RULES_VERSION

__all__ = [
    "DEFAULT_ENTITIES",
    "DEFAULT_EXEMPT_KEYS",
    "DEFAULT_IDENTITY_KEYS",
    "OPTIONAL_ENTITIES",
    "RedactionConfig",
    "policy_hash",
]

POLICY_VERSION: Final = 2
"""Part of the policy hash: raise it when keys, names, actions or the walk of JSON give other results for the same policy."""

DEFAULT_ACTION: Final = "DEFAULT"
SECRET_ENTITIES: Final = frozenset({PRIVATE_KEY, *(rule.entity for rule in RULES)})
"""Credentials: kept only when named, and never masked, for a part of a key is a start for guessing the rest."""

Action = Literal["replace", "mask", "pseudonym", "drop", "vault", "keep"]
CaptureMode = Literal["full", "truncated", "hash", "none"]


def _expressions(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        Expression(pattern)
    return patterns


def _rules(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := sorted(set(names) - {rule.name for rule in RULES}):
        raise ValueError(f"unknown rules {', '.join(unknown)}; `auditlake redact --explain` shows a rule as SecretRecognizer/<name>")
    return names


def _expression(pattern: str) -> str:
    Expression(pattern)
    return pattern


Expressions = Annotated[tuple[str, ...], AfterValidator(_expressions)]


class SecretsConfig(Model):
    """How credentials are detected."""

    # Look for API keys, tokens and private keys.
    enabled: bool = True
    # Names of rules that do not apply (`auditlake redact --explain` shows them: `SecretRecognizer/<name>`).
    disabled_rules: Annotated[tuple[str, ...], AfterValidator(_rules)] = ()
    # Look also at what base64 and hexadecimal stand for, one level deep.
    encoded: bool = True


class SensitiveKeysConfig(Model):
    """Keys that say what their value is: it is taken out whatever it looks like."""

    # Take out the values of keys that name a person, an address, a date of birth, an account …
    enabled: bool = True
    # Further keys: entity → regular expressions, found anywhere in the key; they come before the built-in ones.
    extra: dict[Entity, Expressions] = Field(default_factory=dict)
    # Regular expressions of keys, found anywhere, that are not sensitive. Yours replace the defaults, which name machines.
    ignore: Expressions = DEFAULT_NOT_SENSITIVE_KEYS
    # Keys in the same object beside which a bare `name` is a tool's, a model's or a file's and stays.
    machine_siblings: tuple[str, ...] = DEFAULT_MACHINE_SIBLINGS
    # Keys in the same object beside which a bare `name` is a person's all the same.
    person_siblings: tuple[str, ...] = DEFAULT_PERSON_SIBLINGS


class NamesConfig(Model):
    """Names that the words around them give away."""

    # Find names after salutations (`Dear Jane Doe`), introductions (`my name is …`), titles (`Dr. …`) and in sign-offs.
    enabled: bool = True


class KeyActionConfig(Model):
    """One rule for the values of keys."""

    # Regular expression, found anywhere in the key (attribute keys and keys of JSON inside strings).
    pattern: Annotated[str, AfterValidator(_expression)]
    # What becomes of the whole value: replace, mask, pseudonym, drop (an empty string), vault; keep leaves personal data in it.
    action: Action
    # The name under which the value is replaced and counted.
    entity: Entity = "BLOCKED_KEY"


class ActionsConfig(Model):
    """What becomes of what was found."""

    # Entity → replace, mask, pseudonym, drop, vault or keep; DEFAULT is for all that are not named.
    entities: dict[Entity, Action] = Field(default_factory=dict)
    # Rules for the whole values of keys, before everything that is found in them; the first whose pattern matches counts.
    keys: tuple[KeyActionConfig, ...] = ()

    @model_validator(mode="after")
    def _credentials_are_no_text_to_mask(self) -> Self:
        masked = sorted(entity for entity, action in self.entities.items() if action == "mask" and entity in SECRET_ENTITIES)
        if masked:
            raise ValueError(f"{', '.join(masked)}: credentials cannot be masked, a part of one helps to guess the rest; use replace")
        return self


class CaptureRuleConfig(Model):
    """Content capture for some records."""

    # Tenants, with `*` for any run of characters; none means every tenant.
    tenant: str = "*"
    # Environments, likewise.
    environment: str = "*"
    # How content is stored for them.
    capture: CaptureMode


class ContentConfig(Model):
    """How much of what people and models wrote is stored; redaction comes first, whatever stands here."""

    # full, truncated (the first `truncate_chars` of every string), hash (a keyed digest), none (only that there was some).
    capture: CaptureMode = "full"
    # With `truncated`: characters that stay of each string.
    truncate_chars: int = Field(default=1024, ge=16, le=1_000_000)
    # Attribute keys that hold content, with `*` for any run of characters. Yours replace the defaults.
    keys: tuple[Annotated[str, Field(min_length=1)], ...] = DEFAULT_CONTENT_KEYS
    # Names of log records (events) whose body is content, likewise; `*` makes every body content.
    events: tuple[Annotated[str, Field(min_length=1)], ...] = DEFAULT_CONTENT_EVENTS
    # Other captures by tenant and environment; the first rule that matches counts, `capture` is for the rest.
    rules: tuple[CaptureRuleConfig, ...] = ()


class VaultConfig(Model):
    """Where what an action `vault` takes out is kept, encrypted under a key of its subject."""

    # Needed by the action `vault`.
    enabled: bool = False
    # Environment variable with the master key: 32 bytes as base64 or hexadecimal.
    master_key_env: str = "AUDITLAKE_VAULT_KEY"
    # File with the master key instead; readable by the owner alone.
    master_key_file: str | None = None
    # Attributes (of the record, else of its resource) that say whose data it is; the first that is there counts.
    subject_keys: tuple[str, ...] = DEFAULT_SUBJECT_KEYS


class RedactionConfig(Model):
    """The policy. Precedence for a key: ignored, not allowed, action by key, exempt (while an id), blocked, sensitive, else scanned."""

    # True keeps every key; False keeps the values of `allowed_keys` only and replaces all others by <KEY_NOT_ALLOWED>.
    allow_all_keys: bool = True
    # With `allow_all_keys: false`, the keys whose values are kept (and scanned).
    allowed_keys: tuple[str, ...] = ()
    # Keys that are passed through untouched and unscanned. Only for keys that you fill yourself.
    ignored_keys: tuple[str, ...] = ()
    # Regular expressions (found anywhere in the key) of further ignored keys.
    ignored_key_patterns: Expressions = ()
    # Regular expressions (found anywhere in the key, also in keys of JSON inside strings) whose values become <BLOCKED_KEY>.
    blocked_key_patterns: Expressions = DEFAULT_BLOCKED_KEYS
    # Regular expressions; what they match in any value becomes <BLOCKED_VALUE>.
    blocked_values: Expressions = ()
    # Regular expressions; a value or finding that one matches as a whole is kept, even under a blocked key.
    allowed_values: Expressions = ()
    # What stands for blocked values and the values of blocked keys: none (the constant), or a digest keyed with the lake's key.
    hash_function: Literal["none", "md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"] = "none"
    # Attributes `redaction.*` that say what was done to a record: silent (none), info (numbers), debug (numbers and keys).
    summary: Literal["silent", "info", "debug"] = "silent"
    # Look into numbers, too: cards, phones and social security numbers are sent as numbers. With False only keys decide about them.
    redact_all_types: bool = True
    # Keys that say what their value is: names, addresses, dates of birth, accounts …
    sensitive_keys: SensitiveKeysConfig = SensitiveKeysConfig()
    # Names that the words around them give away.
    names: NamesConfig = NamesConfig()
    # What becomes of what was found, by entity and by key.
    actions: ActionsConfig = ActionsConfig()
    # How much of prompts, completions and tool calls is stored.
    content: ContentConfig = ContentConfig()
    # Encrypted originals.
    vault: VaultConfig = VaultConfig()
    # Detection of personal data.
    presidio: PresidioConfig = PresidioConfig()
    # Detection of credentials.
    secrets: SecretsConfig = SecretsConfig()
    # Exact keys of ids that the pipeline needs: not scanned while the value looks like an id, scanned otherwise.
    exempt_keys: tuple[str, ...] = DEFAULT_EXEMPT_KEYS
    # Exact keys that say who: personal data in them becomes <ENTITY:pseudonym> instead of <ENTITY>.
    identity_keys: tuple[str, ...] = DEFAULT_IDENTITY_KEYS
    # Memory for texts that were seen before, in bytes.
    cache_bytes: int = Field(default=64 * 1024 * 1024, ge=0)

    @model_validator(mode="after")
    def _actions_are_possible(self) -> Self:
        known = self.known_entities()
        if unknown := sorted(set(self.actions.entities) - known):
            raise ValueError(f"actions.entities: unknown entities {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        if self.vaulting and not self.vault.enabled:
            raise ValueError("actions: vault needs `vault: {enabled: true}` and a master key")
        return self

    @property
    def vaulting(self) -> bool:
        """Whether some action puts originals into the vault."""
        return "vault" in {*self.actions.entities.values(), *(rule.action for rule in self.actions.keys)}

    def known_entities(self) -> frozenset[str]:
        """Return every entity that this policy can find, or that another one could, and DEFAULT."""
        countries = (entity for entities in COUNTRY_ENTITIES.values() for entity in entities)
        detected = {*self.presidio.entity_names(), *self.presidio.file_entities()}
        own = (*detected, *self.sensitive_keys.extra, *(rule.entity for rule in self.actions.keys), DEFAULT_ACTION)
        built_in = (*DEFAULT_ENTITIES, *OPTIONAL_ENTITIES, *MODEL_ENTITIES, *KEY_ENTITIES, *POLICY_ENTITIES)
        return frozenset((*own, *built_in, *countries)) | SECRET_ENTITIES


def policy_hash(config: RedactionConfig) -> str:
    """Return 16 hex digits that change whenever what is found or stored could change: the policy and the files it names, our rules,
    Presidio's version."""
    unseen: Any = {"workers": True, "recognizers": {"__all__": {"path"}}}
    without_effect: Any = {"cache_bytes": True, "presidio": unseen, "vault": {"master_key_env", "master_key_file"}}
    in_force = {
        "policy": config.model_dump(mode="json", exclude=without_effect),
        "rules": (RULES_VERSION, POLICY_VERSION),
        "presidio": version("presidio-analyzer"),
    }
    return hashlib.sha256(json.dumps(in_force, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
