"""The canonical columns of a data point: fewer than those of a span, by the same names, and by the first word of the metric's name."""

from collections.abc import Mapping
from typing import Final

from collector.dialects import claude_code, codex, genai, plain, vocabulary
from collector.dialects.names import COMMON, METRIC_TABLE, NameTable
from collector.dialects.record import Attributes, Dialect, Fields
from storage.schema import METRIC_CANONICAL

COLUMNS: Final = frozenset(name for name, _ in METRIC_CANONICAL)
_OF_AGENTS: Final[Mapping[str, tuple[Dialect, NameTable]]] = {  # first word of a metric's name → whose it is
    "claude_code": (claude_code.DIALECT, NameTable(claude_code.METRIC, COMMON)),
    "codex": (codex.DIALECT, NameTable(codex.METRIC, COMMON)),
}


def read_point(name: str, attributes: Attributes) -> Fields:
    """Return the canonical columns of a data point of the metric `name` that are known."""
    dialect, table = _OF_AGENTS.get(name.partition(".")[0]) or (_of_attributes(attributes), METRIC_TABLE)
    fields = {column: value for column, value in table.read(attributes).items() if column in COLUMNS}
    return {**fields, "dialect": dialect.name, "dialect_version": dialect.version}


def _of_attributes(attributes: Attributes) -> Dialect:
    if any(name.startswith("auditlake.") for name in attributes):
        return vocabulary.DIALECT
    return genai.DIALECT if any(name.startswith("gen_ai.") for name in attributes) else plain.DIALECT
