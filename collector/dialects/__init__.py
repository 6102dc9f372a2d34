"""What agents' frameworks call things → the canonical columns. An ordered tuple decides: the first dialect that recognises a record
reads it. Reading is pure: the same record gives the same columns whatever came with it, before it or after it.
"""

from functools import lru_cache
from typing import Final

from collector.dialects import (
    agent_framework,
    autogen,
    claude_code,
    codex,
    execution,
    genai,
    google_adk,
    langgraph,
    langsmith,
    logfire,
    mcp,
    mlflow,
    openinference,
    plain,
    pydantic_ai,
    strands,
    traceloop,
    vercel,
    vocabulary,
)
from collector.dialects.normalise import handed_to, provider_of_model, stop_of_error
from collector.dialects.record import Dialect, Fields, LogView, SpanView, no_logs
from collector.dialects.values import text

DIALECTS: Final[tuple[Dialect, ...]] = (
    vocabulary.DIALECT,
    execution.DIALECT,
    logfire.DIALECT,  # its start markers copy the attributes of any other dialect's spans
    claude_code.DIALECT,
    codex.DIALECT,
    mlflow.DIALECT,
    langsmith.DIALECT,
    google_adk.DIALECT,
    pydantic_ai.DIALECT,  # its spans may have the names of OpenInference beside its own
    openinference.DIALECT,
    strands.DIALECT,
    agent_framework.DIALECT,
    autogen.DIALECT,
    vercel.DIALECT,
    traceloop.DIALECT,
    mcp.DIALECT,
    genai.DIALECT,
    plain.DIALECT,
)


_MARKS: Final = frozenset[str]().union(*(dialect.marks for dialect in DIALECTS if dialect.marks is not None))
_OF_LOGS: Final = tuple(dialect for dialect in DIALECTS if dialect.read_log is not no_logs)


def read_span(span: SpanView) -> Fields:
    """Return the canonical columns of a span that are known."""
    unmarked = span.attributes.keys().isdisjoint(_MARKS)
    for dialect in _of_scope(span.scope) if unmarked else DIALECTS:
        fields = dialect.read_span(span)
        if fields is not None:
            fields["dialect"], fields["dialect_version"] = dialect.name, dialect.version
            if span.failed and not langgraph.stopped(span, fields):
                _fail(span, fields)
            if "tool_name" in fields:
                _hand_over(span, fields)
            if fields["step_kind"] == "model" and fields.get("provider") is None:
                _name_provider(fields)
            return fields
    raise AssertionError("the last dialect reads every span")


@lru_cache(maxsize=1_024)
def _of_scope(scope: str) -> tuple[Dialect, ...]:
    """The dialects that can recognise a span of this scope which has no dialect's marks, in their order."""
    return tuple(dialect for dialect in DIALECTS if dialect.marks is None or scope.startswith(dialect.scopes))


def read_log(record: LogView) -> Fields:
    """Return the canonical columns of a log record that are known."""
    for dialect in _OF_LOGS:
        fields = dialect.read_log(record)
        if fields is not None:
            fields["dialect"], fields["dialect_version"] = dialect.name, dialect.version
            if "error_type" not in fields and (kind := text(record.attributes.get("exception.type"))) is not None:
                fields["error_type"] = kind
            return fields
    raise AssertionError("the last dialect reads every log record")


def _fail(span: SpanView, fields: Fields) -> None:
    """Say which error it was, and whether the error tells why the run stopped."""
    if "error_type" not in fields:
        _exception_type(span, fields)
    if "stop_reason" not in fields and (span.is_root or fields["step_kind"] == "run") and "error_type" in fields:
        reason = stop_of_error(fields["error_type"])
        if reason is not None:
            fields["stop_reason"] = reason


def _name_provider(fields: Fields) -> None:
    """Say whose model answered where only the model's name tells."""
    provider = provider_of_model(fields.get("model_requested")) or provider_of_model(fields.get("model"))
    if provider is not None:
        fields["provider"] = provider


def _hand_over(span: SpanView, fields: Fields) -> None:
    """Say to whom a tool call hands over."""
    tool = fields["tool_name"]
    if tool is not None and "to_" in tool and fields["step_kind"] == "tool" and "handoff_to" not in fields:
        agent = handed_to(tool, span.attributes.get("gen_ai.tool.call.arguments"))
        if agent is not None:
            fields["handoff_to"] = agent


def _exception_type(span: SpanView, fields: Fields) -> None:
    """Take the error's type from the exception that the span recorded."""
    for name, attributes in reversed(span.events):
        kind = text(attributes.get("exception.type"))
        if name == "exception" and kind is not None:
            fields["error_type"] = kind
            return
