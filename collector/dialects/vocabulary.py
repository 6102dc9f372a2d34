"""auditlake's own vocabulary (vocabulary.yaml), as our SDK and plain OpenTelemetry users write it, over OpenTelemetry's GenAI names."""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Dialect, Fields, LogView, SpanView
from collector.dialects.values import number, text
from storage.schema import STEP_KINDS

KIND: Final = "auditlake.kind"
NAMES: Final[Names] = genai.NAMES
TABLE: Final = NameTable(NAMES, COMMON)
KIND_OF_EVENT: Final = {
    "run.started": "run",
    "policy.decision": "policy",
    "approval": "approval",
    "gen_ai.evaluation.result": "eval",
    "checkpoint": "checkpoint",
    "heartbeat": "heartbeat",
    "agent.shutdown": "heartbeat",
    **dict.fromkeys((
        "task", "handoff", "agent_action", "trust.handshake", "credential.rotation", "security", "rollout", "retrieval.issue",
        "resilience.circuit", "resilience.fallback", "resilience.cache_hit", "resilience.rate_limit", "resilience.retry",
        "resilience.compensation", "resilience.escalation", "resilience.dead_letter", "resilience.missed_schedule",
        "incident.opened", "incident.closed", "queue.depth", "telemetry.dropped", "alert.transition",
    ), "other"),
}  # fmt: skip
ACTION: Final = "agent_action"
ACTION_TABLE: Final = NameTable(
    NAMES,
    COMMON,
    {
        "action": (text, ("action",)),
        "resource": (text, ("resource",)),
        "outcome": (text, ("outcome",)),
        "latency_ms": (number, ("latency_ms",)),
    },
)
"""An audit action is also understood as structlog writes it, whoever exports it: `agent_id action resource outcome latency_ms`."""


def read_span(span: SpanView) -> Fields | None:
    """Read a span that says its kind in `auditlake.kind`."""
    kind = span.attributes.get(KIND)
    if kind is None:
        return None
    fields = TABLE.read(span.attributes)
    fields["step_kind"] = kind if kind in STEP_KINDS else "other"
    if kind in {"agent", "run"}:
        genai.keep_total(fields, genai.total_of(span.attributes))
    elif kind != "model":
        genai.without_call(fields)
    return fields


def read_log(record: LogView) -> Fields | None:
    """Read an event of the vocabulary."""
    kind = KIND_OF_EVENT.get(record.event_name)
    if kind is None:
        return None
    fields = (ACTION_TABLE if record.event_name == ACTION else TABLE).read(record.attributes)
    genai.without_call(fields)
    fields["step_kind"] = kind
    if not record.event_name.startswith("gen_ai."):
        fields["operation"] = record.event_name  # whatever named it: the views of operations go by this
    return fields


DIALECT: Final = Dialect(
    "auditlake",
    3,
    read_span,
    read_log,
    recognised_by="`auditlake.kind`; events of the [vocabulary](vocabulary.md)",
    reads="our SDK, and whoever writes its names",
    marks=frozenset({KIND}),
)
