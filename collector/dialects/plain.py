"""Any other OpenTelemetry: the root span is the run, everything below it a step of kind other."""

from typing import Final

from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import Dialect, Fields, LogView, SpanView

NAMES: Final[Names] = {}
TABLE: Final = NameTable(NAMES, COMMON)


def read_span(span: SpanView) -> Fields:
    """Read any span."""
    fields = TABLE.read(span.attributes)
    fields["step_kind"] = "run" if span.is_root else "other"
    return fields


def read_log(record: LogView) -> Fields:
    """Read any log record."""
    fields = TABLE.read(record.attributes)
    fields["step_kind"] = "other"
    return fields


DIALECT: Final = Dialect(
    "otel",
    1,
    read_span,
    read_log,
    recognised_by="everything else",
    reads="any other OpenTelemetry: the root span is the run, what is below it a step of kind `other`",
)
