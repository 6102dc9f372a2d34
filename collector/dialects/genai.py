"""OpenTelemetry's GenAI conventions, current and older names; also how OpenLLMetry writes them on model calls.

The constants of the semantic-conventions package are deprecated there and were renamed often: this table is our own.
"""

from collections.abc import Iterator
from typing import Any, Final

from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import decision, finish_reason, kind_of, operation, provider
from collector.dialects.record import SENT_COST, Attributes, Dialect, Fields, LogView, SpanView
from collector.dialects.usage import CONVENTION, make_inclusive
from collector.dialects.values import integer, objects, parsed, text

NAMES: Final[Names] = {
    "operation": (operation, ("gen_ai.operation.name", "llm.request.type")),
    "session_id": (
        text,
        (
            "gen_ai.conversation.id",
            "gen_ai.session.id",
            "traceloop.association.properties.session_id",
            "traceloop.association.properties.thread_id",
            "traceloop.association.properties.conversation_id",
        ),
    ),
    "actor": (
        text,
        (
            "traceloop.association.properties.user_id",
            "llm.user",
            "metadata.user_api_key_end_user_id",
            "metadata.user_api_key_user_id",
        ),
    ),
    "tenant": (
        text,
        (
            "traceloop.association.properties.tenant",
            "traceloop.association.properties.tenant_id",
            "metadata.user_api_key_org_id",
            "metadata.user_api_key_team_id",
        ),
    ),
    "provider": (provider, ("gen_ai.provider.name", "gen_ai.system", "llm.vendor")),
    "model_requested": (text, ("gen_ai.request.model", "llm.request.model")),
    "model": (text, ("gen_ai.response.model", "llm.response.model")),
    "prompt_version": (text, ("gen_ai.prompt.version",)),
    "response_id": (text, ("gen_ai.response.id",)),
    "resource": (text, ("gen_ai.data_source.id", "gen_ai.memory.store.id")),
    "input_tokens": (
        integer,
        ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "gen_ai.response.prompt_tokens", "llm.usage.prompt_tokens"),
    ),
    "output_tokens": (
        integer,
        (
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "gen_ai.response.completion_tokens",
            "llm.usage.completion_tokens",
        ),
    ),
    "cache_read_tokens": (
        integer,
        (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cached_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
            "gen_ai.usage.details.cached_tokens",
            "llm.usage.cache_read_input_tokens",
        ),
    ),
    "cache_write_tokens": (
        integer,
        (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
            "llm.usage.cache_creation_input_tokens",
        ),
    ),
    "reasoning_tokens": (
        integer,
        (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.usage.details.thoughts_tokens",
            "gen_ai.usage.output_tokens.reasoning",
            "gen_ai.usage.experimental.reasoning_tokens",
            "llm.usage.reasoning_tokens",
        ),
    ),
    "finish_reason": (
        finish_reason,
        (
            "gen_ai.response.finish_reasons",
            "gen_ai.response.finish_reason",
            "gen_ai.completion.0.finish_reason",
            "llm.completions.0.finish_reason",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
            "finish_reason",
        ),
    ),
    "decision": (
        decision,
        ("gen_ai.guardrail.verdict.type", "gen_ai.guardrail.status", "gen_ai.guardrail.decision", "gen_ai.guardrail.action"),
    ),
    "reason_code": (text, ("gen_ai.guardrail.reason_code", "gen_ai.guardrail.error.type")),
}
TABLE: Final = NameTable(NAMES, COMMON)
TOTALS: Final = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens")
"""The sum of all tokens of a call, which no column holds: it tells how the counts were meant."""
OF_ONE_CALL: Final = (
    "response_id", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "finish_reason",
    SENT_COST, CONVENTION,
)  # fmt: skip
"""What only an inference step may carry: on other steps it repeats that of a call."""
OF_LAST_CALL: Final = ("response_id", "finish_reason")
"""What says on an agent which was the last of its calls. The counts there are the sum of its calls, which the views take where no call
below knows its own."""
_THREAD_RUN: Final = "gen_ai.thread.run.id"
DETAILS: Final = "gen_ai.client.inference.operation.details"
EVALUATION: Final = "gen_ai.evaluation.result"
GUARDRAILS: Final = ("gen_ai.guardrail.name", "gen_ai.guardrail.verdict.type")
_MESSAGES: Final = frozenset({
    "gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message", "gen_ai.choice",
    "gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.client.inference.details",
})  # fmt: skip
_RESULTS: Final = frozenset({"db.query.result", "db.search.result"})
"""Span events, one a document, of vector databases under OpenLLMetry."""


def read_span(span: SpanView) -> Fields | None:
    """Read a span that has any attribute of these conventions, or that a vector database answered."""
    if speaks(span.attributes) or is_vector_search(span):
        return read(span, TABLE)
    return None


def speaks(attributes: Attributes) -> bool:
    """Return whether any attribute is one of this convention."""
    if "gen_ai.operation.name" in attributes or "gen_ai.system" in attributes:
        return True
    return any(name.startswith("gen_ai.") for name in attributes) or "llm.request.type" in attributes


def is_vector_search(span: SpanView) -> bool:
    """Return whether a span is a search in a vector database, as OpenLLMetry's instrumentations of those record it."""
    if "db.system" not in span.attributes:
        return False
    return "db.vector.query.top_k" in span.attributes or any(name in _RESULTS for name, _ in span.events)


def read(span: SpanView, table: NameTable, *, totals: bool = True) -> Fields:
    """Read a span by a table that extends this one: the base of every dialect that builds on these conventions.

    `totals`: an agent's counts are kept, as there may be no records of its calls.
    """
    fields = table.read(span.attributes)
    kind = kind_of(fields.get("operation")) or _kind_by_content(span, fields)
    thread_run = _thread_run(span, fields)
    if kind == "agent" and span.is_root and fields.get("operation") == "invoke_workflow":
        kind = "run"
    fields["step_kind"] = kind
    if kind == "model":
        complete_call(span, table, fields)
    elif thread_run is not None:
        keep_total(fields, total_of(span.attributes))
        fields |= {"step_kind": "agent", "response_id": thread_run}
    elif kind in {"agent", "run"} and totals:
        keep_total(fields, total_of(span.attributes))
    else:
        without_call(fields)
        if kind == "retrieval" and "operation" not in fields:
            fields["operation"] = "retrieval"
    return fields


def _thread_run(span: SpanView, fields: Fields) -> str | None:
    """Return the id of the run of an agent that lives in Azure, where this span tells what all of it took; others tell the same."""
    return text(span.attributes.get(_THREAD_RUN)) if "output_tokens" in fields and _THREAD_RUN in span.attributes else None


def complete_call(span: SpanView, table: NameTable, fields: Fields) -> None:
    """Fill what an inference span leaves to its events, and make its counts inclusive."""
    if span.events:
        for attributes in _details(span):
            for column, value in table.read(attributes).items():
                fields.setdefault(column, value)
    if "finish_reason" not in fields and (reason := finish_reason_of_messages(span)) is not None:
        fields["finish_reason"] = reason
    if fields.get("operation") == "embeddings" and fields.get("output_tokens") == 0:
        del fields["output_tokens"]  # what has no output
    make_inclusive(fields, total_of(span.attributes))


def total_of(attributes: Attributes) -> int | None:
    """Return the sum of all tokens as it was sent."""
    for name in TOTALS:
        if name in attributes:
            return integer(attributes[name])
    return None


def keep_total(fields: Fields, total: int | None) -> None:
    """Leave an agent the sum of its calls; drop what is of one of them. `total` is the sum of all tokens as it was sent."""
    for column in OF_LAST_CALL:
        fields.pop(column, None)
    make_inclusive(fields, total)


def without_call(fields: Fields) -> None:
    """Drop what only an inference step may carry."""
    for column in OF_ONE_CALL:
        fields.pop(column, None)


def _kind_by_content(span: SpanView, fields: Fields) -> str:
    """The kind of a span whose operation is absent (older instrumentation) or says nothing about it."""
    if any(name in span.attributes for name in GUARDRAILS):
        return "policy"
    if is_vector_search(span):
        return "retrieval"
    if "operation" in fields:
        return "other"
    if "tool_name" in fields and "model_requested" not in fields:
        return "tool"
    if "model_requested" in fields and ("input_tokens" in fields or "output_tokens" in fields or "response_id" in fields):
        return "model"
    return "run" if span.is_root else "other"


def _details(span: SpanView) -> Iterator[Attributes]:
    """Yield the attributes of span events that describe the call itself."""
    return (attributes for name, attributes in span.events if name == DETAILS)


def finish_reason_of_messages(span: SpanView) -> str | None:
    """Return the finish reason in the output messages, which stand in an attribute or in the span's events, by any generation's names."""
    if (sent := span.attributes.get("gen_ai.output.messages")) is not None:
        return _finish_of_output(sent)
    for name, attributes in reversed(span.events):
        reason = None
        if (sent := attributes.get("gen_ai.output.messages")) is not None:
            reason = _finish_of_output(sent)
        elif name == "gen_ai.content.completion":
            reason = _finish_of_output(attributes.get("gen_ai.completion"))
        elif name == "gen_ai.choice":
            content = parsed(attributes.get("gen_ai.event.content"))
            reason = finish_reason(attributes.get("finish_reason") or (content.get("finish_reason") if isinstance(content, dict) else None))
        if reason is not None:
            return reason
    return None


def _finish_of_output(sent: Any) -> str | None:
    reasons = (finish_reason(message.get("finish_reason")) for message in reversed(objects(sent)))
    return next((reason for reason in reasons if reason), None)


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
        make_inclusive(fields, total_of(record.attributes))
        return fields
    body = parsed(record.body)
    if isinstance(body, dict) and "finish_reason" not in fields:  # gen_ai.choice keeps it in the body
        fields["finish_reason"] = finish_reason(body.get("finish_reason"))
    response_id, reason = fields.get("response_id"), fields.get("finish_reason")
    without_call(fields)
    fields.pop("error_type", None)  # the failure is the span's
    return {**fields, "step_kind": "message", "response_id": response_id, "finish_reason": reason}


DIALECT: Final = Dialect(
    "otel-genai",
    3,
    read_span,
    read_log,
    recognised_by="any `gen_ai.*` attribute or `llm.request.type`; events named `gen_ai.*`; searches in vector databases",
    reads="OpenTelemetry's GenAI conventions, current and the two older generations: span attributes, span events, log events",
)
