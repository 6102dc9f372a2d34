"""What agents' frameworks call things → the canonical columns. An ordered tuple decides: the first dialect that recognises a record
reads it. Reading is pure: the same record gives the same columns whatever came with it, before it or after it.
"""

from typing import Final

from collector.dialects import autogen, genai, openinference, plain, pydantic_ai, strands, traceloop, vercel, vocabulary
from collector.dialects.record import Dialect, Fields, LogView, SpanView
from collector.dialects.values import text

DIALECTS: Final[tuple[Dialect, ...]] = (
    vocabulary.DIALECT,
    openinference.DIALECT,
    pydantic_ai.DIALECT,
    strands.DIALECT,
    autogen.DIALECT,
    vercel.DIALECT,
    traceloop.DIALECT,
    genai.DIALECT,
    plain.DIALECT,
)


def read_span(span: SpanView) -> Fields:
    """Return the canonical columns of a span that are known."""
    for dialect in DIALECTS:
        fields = dialect.read_span(span)
        if fields is not None:
            fields["dialect"], fields["dialect_version"] = dialect.name, dialect.version
            if span.failed and "error_type" not in fields:
                _exception_type(span, fields)
            return fields
    raise AssertionError("the last dialect reads every span")


def read_log(record: LogView) -> Fields:
    """Return the canonical columns of a log record that are known."""
    for dialect in DIALECTS:
        fields = dialect.read_log(record)
        if fields is not None:
            fields["dialect"], fields["dialect_version"] = dialect.name, dialect.version
            if "error_type" not in fields and (kind := text(record.attributes.get("exception.type"))) is not None:
                fields["error_type"] = kind
            return fields
    raise AssertionError("the last dialect reads every log record")


def _exception_type(span: SpanView, fields: Fields) -> None:
    """Take the error's type from the exception that the span recorded."""
    for name, attributes in reversed(span.events):
        kind = text(attributes.get("exception.type"))
        if name == "exception" and kind is not None:
            fields["error_type"] = kind
            return
