"""The redaction policy: the `processors.redaction` section of otel-config.yaml.

Options that OpenTelemetry's contrib redaction processor has keep their names there; ours stand under `presidio`, `secrets` and the
options after them. Every option here takes effect; an unknown one is an error. What the defaults name is visible on purpose: which
entities are looked for, which keys are exempt and which hold identities decides what a reader of the lake will see.
"""

import hashlib
import json
from importlib.metadata import version
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from redaction.expressions import Expression
from redaction.secrets import RULES_VERSION

DEFAULT_ENTITIES: Final = (
    "CREDIT_CARD",
    "CRYPTO",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "MEDICAL_LICENSE",
    "PHONE_NUMBER",
    "UK_NHS",
    "US_BANK_NUMBER",
    "US_DRIVER_LICENSE",
    "US_ITIN",
    "US_PASSPORT",
    "US_SSN",
)
"""What `entities: default` looks for: personal data that does not also match ordinary telemetry."""

OPTIONAL_ENTITIES: Final = ("DATE_TIME", "IP_ADDRESS", "MAC_ADDRESS", "URL", "UUID")
"""Only on request: these match timestamps, hosts, file names and ids that an operator needs."""

DEFAULT_BLOCKED_KEYS: Final = (
    r"(?i)passw(or)?d|passphrase|secret|api[-_.]?key|authorization|cookie|set-cookie|private[-_.]?key",
    r"(?i)(access|refresh|auth|bearer|session|id|api)[-_.]?token$",
)
"""Keys whose values are never stored, whatever they hold."""

DEFAULT_EXEMPT_KEYS: Final = (
    # records and their relations
    "trace_id", "span_id", "parent_span_id", "traceId", "spanId",
    "auditlake.run.id", "auditlake.task.id", "auditlake.kind", "auditlake.stop_reason", "auditlake.input.ref",
    "auditlake.tool.authorization", "auditlake.tool.idempotency_key", "auditlake.policy.version", "auditlake.alert.fingerprint",
    # model calls
    "gen_ai.response.id", "gen_ai.tool.call.id", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.system",
    "gen_ai.provider.name", "gen_ai.operation.name", "gen_ai.agent.id", "gen_ai.tool.name", "gen_ai.data_source.id",
    "gen_ai.token.type", "gen_ai.output.type", "gen_ai.openai.response.system_fingerprint", "openai.response.system_fingerprint",
    "llm.model_name", "llm.provider", "llm.system", "llm.request.type", "openinference.span.kind", "traceloop.span.kind",
    "tool_call.id", "tool_call_id", "ai.model.id", "ai.model.provider", "ai.response.id", "ai.response.model", "ai.operationId",
    # where it ran
    "service.name", "service.version", "service.namespace", "service.instance.id", "telemetry.sdk.name", "telemetry.sdk.version",
    "telemetry.sdk.language", "deployment.environment", "deployment.environment.name", "cloud.account.id", "cloud.region",
    "cloud.resource_id", "container.id", "container.image.name", "host.id", "host.name", "k8s.pod.name", "k8s.pod.uid",
    "k8s.namespace.name", "k8s.deployment.name", "k8s.node.name", "process.executable.name", "code.function.name",
)  # fmt: skip
"""Ids that the pipeline itself needs. Their values pass unscanned only while they look like an id (see `redaction.keys`)."""

DEFAULT_IDENTITY_KEYS: Final = (
    "user.id", "user.email", "user.name", "user.full_name", "user.hash", "enduser.id", "enduser.pseudo.id",
    "session.id", "session.previous_id", "gen_ai.conversation.id", "conversation_id", "thread_id",
    "user_id", "userId", "session_id", "sessionId", "customer.id", "customer_id", "account_id",
    "auditlake.tenant", "auditlake.approval.approver", "auditlake.rollout.owner", "auditlake.resource",
    "langfuse.user.id", "langfuse.session.id", "langsmith.metadata.user_id", "langsmith.metadata.session_id",
    "traceloop.association.properties.user_id", "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.userId", "ai.telemetry.metadata.sessionId", "mlflow.trace.user", "mlflow.trace.session",
)  # fmt: skip
"""Keys that say who: personal data in them becomes a keyed pseudonym, so that two people stay two people."""


def _expressions(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        Expression(pattern)
    return patterns


def _known_entities(value: Literal["default"] | tuple[str, ...]) -> Literal["default"] | tuple[str, ...]:
    known = (*DEFAULT_ENTITIES, *OPTIONAL_ENTITIES)
    unknown = [name for name in value if name not in known] if value != "default" else []
    if unknown:
        raise ValueError(f"unknown entities {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return value


Expressions = Annotated[tuple[str, ...], AfterValidator(_expressions)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PresidioConfig(_Model):
    """How personal data is detected."""

    # Language of the texts; context words and recognizers are Presidio's for it.
    language: Literal["en"] = "en"
    # The model for names and places. `none` uses pattern recognizers and context words alone: no download, no model in memory.
    nlp_engine: Literal["none"] = "none"
    # `default`, or a list of Presidio's entity names: exactly these are looked for. An empty list switches personal data off.
    entities: Annotated[Literal["default"] | tuple[str, ...], AfterValidator(_known_entities)] = "default"
    # Findings below this confidence are dropped. 0.4 is what a weak pattern reaches only beside a context word.
    score_threshold: float = Field(default=0.4, gt=0, le=1)
    # Regions whose national phone numbers are recognised without a country code (ISO 3166); international numbers always are.
    phone_regions: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = ("US",)
    # CPU time for one chunk (4,096 characters) of text; a text that takes longer is withheld.
    timeout_ms: int = Field(default=500, ge=10, le=60_000)
    # Scanner processes. One costs about 110 MB of memory.
    workers: int = Field(default=1, ge=1, le=32)
    # Longer texts (bytes of UTF-8) are withheld unseen.
    max_text_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)

    def entity_names(self) -> tuple[str, ...]:
        """Return the entities that are looked for, in alphabetical order."""
        return DEFAULT_ENTITIES if self.entities == "default" else tuple(sorted(set(self.entities)))


class SecretsConfig(_Model):
    """How credentials are detected."""

    # Look for API keys, tokens and private keys.
    enabled: bool = True


class RedactionConfig(_Model):
    """The policy. Precedence for a key: ignored, exempt (while the value looks like an id), not allowed, blocked, else scanned."""

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


def policy_hash(config: RedactionConfig) -> str:
    """Return 16 hex digits that change whenever what is found or stored could change: the policy, our rules, Presidio's version."""
    in_force = {
        "policy": config.model_dump(mode="json", exclude={"cache_bytes": True, "presidio": {"workers"}}),
        "rules": RULES_VERSION,
        "presidio": version("presidio-analyzer"),
    }
    return hashlib.sha256(json.dumps(in_force, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
