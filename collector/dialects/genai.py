"""OpenTelemetry's GenAI conventions, current and older names; also how OpenLLMetry writes them on model calls.

The constants of the semantic-conventions package are deprecated there and were renamed often: this table is our own.
"""

from typing import Final

from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import finish_reason, kind_of, operation, provider
from collector.dialects.record import SENT_COST, Attributes, Dialect, Fields, LogView, SpanView
from collector.dialects.values import integer, objects, text

NAMES: Final[Names] = {
    "operation": (operation, ("gen_ai.operation.name", "llm.request.type")),
    "session_id": (text, ("gen_ai.conversation.id", "traceloop.association.properties.session_id")),
    "actor": (text, ("traceloop.association.properties.user_id",)),
    "tenant": (text, ("traceloop.association.properties.tenant", "traceloop.association.properties.tenant_id")),
    "provider": (provider, ("gen_ai.provider.name", "gen_ai.system")),
    "model_requested": (text, ("gen_ai.request.model",)),
    "model": (text, ("gen_ai.response.model",)),
    "prompt_version": (text, ("gen_ai.prompt.version",)),
    "response_id": (text, ("gen_ai.response.id",)),
    "input_tokens": (integer, ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens")),
    "output_tokens": (integer, ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens")),
    "cache_read_tokens": (
        integer,
        (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cached_tokens",
            "gen_ai.usage.details.cache_read_tokens",
        ),
    ),
    "cache_write_tokens": (
        integer,
        (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
        ),
    ),
    "reasoning_tokens": (
        integer,
        (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.usage.output_tokens.reasoning",
        ),
    ),
    "finish_reason": (
        finish_reason,
        ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "gen_ai.completion.0.finish_reason", "finish_reason"),
    ),
}
TABLE: Final = NameTable(NAMES, COMMON)
OF_ONE_CALL: Final = (
    "response_id", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "finish_reason",
    SENT_COST,
)  # fmt: skip
"""What only an inference step may carry: on an agent it repeats the sum or the last of its calls."""
DETAILS: Final = "gen_ai.client.inference.operation.details"
EVALUATION: Final = "gen_ai.evaluation.result"
_MESSAGES: Final = frozenset({
    "gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message", "gen_ai.choice",
    "gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.client.inference.details",
})  # fmt: skip


def read_span(span: SpanView) -> Fields | None:
    """Read a span that has any `gen_ai.*` attribute."""
    return read(span, TABLE) if speaks(span.attributes) else None


def speaks(attributes: Attributes) -> bool:
    """Return whether any attribute is one of this convention."""
    if "gen_ai.operation.name" in attributes or "gen_ai.system" in attributes:
        return True
    return any(name.startswith("gen_ai.") for name in attributes) or "llm.request.type" in attributes


def read(span: SpanView, table: NameTable) -> Fields:
    """Read a span by a table that extends this one: the base of every dialect that builds on these conventions."""
    fields = table.read(span.attributes)
    kind = kind_of(fields.get("operation"))
    if kind is None:
        kind = _kind_by_content(span, fields)
    if kind == "agent" and span.is_root and fields.get("operation") == "invoke_workflow":
        kind = "run"
    fields["step_kind"] = kind
    if kind != "model":
        without_call(fields)
    elif "finish_reason" not in fields:
        reason = finish_reason_of_messages(span)
        if reason is not None:
            fields["finish_reason"] = reason
    return fields


def without_call(fields: Fields) -> None:
    """Drop what only an inference step may carry."""
    for column in OF_ONE_CALL:
        fields.pop(column, None)


def _kind_by_content(span: SpanView, fields: Fields) -> str:
    """The kind of a span whose operation is absent (older instrumentation) or says nothing about it."""
    if "operation" in fields:
        return "other"
    if "tool_name" in fields and "model_requested" not in fields:
        return "tool"
    if "model_requested" in fields and ("input_tokens" in fields or "output_tokens" in fields or "response_id" in fields):
        return "model"
    return "run" if span.is_root else "other"


def finish_reason_of_messages(span: SpanView) -> str | None:
    """Return the finish reason in the output messages, which stand in an attribute or in the span's events."""
    sources = [span.attributes, *(attributes for _, attributes in reversed(span.events))]
    for attributes in sources:
        sent = attributes.get("gen_ai.output.messages")
        if sent is not None:
            reasons = (finish_reason(message.get("finish_reason")) for message in reversed(objects(sent)))
            return next((reason for reason in reasons if reason), None)
    return None


def read_log(record: LogView) -> Fields | None:
    """Read the log records of this convention: inference details, evaluation results, and the older message events."""
    event = record.event_name
    if event == EVALUATION:
        return {**TABLE.read(record.attributes), "step_kind": "eval"}
    if event not in _MESSAGES and event != DETAILS:
        return None
    fields = TABLE.read(record.attributes)
    if event == DETAILS and not record.in_span:
        fields["step_kind"] = "model"
        return fields
    if isinstance(record.body, dict) and "finish_reason" not in fields:  # gen_ai.choice keeps it in the body
        fields["finish_reason"] = finish_reason(record.body.get("finish_reason"))
    response_id, reason = fields.get("response_id"), fields.get("finish_reason")
    without_call(fields)
    fields.pop("error_type", None)  # the failure is the span's
    return {**fields, "step_kind": "message", "response_id": response_id, "finish_reason": reason}


DIALECT: Final = Dialect(
    "otel-genai",
    1,
    read_span,
    read_log,
    recognised_by="any `gen_ai.*` attribute or `llm.request.type`; events named `gen_ai.*`",
    reads="OpenTelemetry's GenAI conventions, current and the two older generations: span attributes, span events, log events",
)
