"""Old-style agent traces: one span `agent.execution.<id>` a run, its steps as span events `step.N.<action>`.

The steps become steps of the run where the lake is read (storage/sql/views/_execution_steps.sql): a record stays one row.
"""

import re
from typing import Final

from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import stop_reason
from collector.dialects.record import JOINS, SENT_COST, Dialect, Fields, Join, SpanView, no_logs
from collector.dialects.record import NAMES as NAMES_RUN
from collector.dialects.values import boolean, number, text

OPERATION: Final = "agent.execution"
"""What groups these runs: the span's name without its id."""
NAMES: Final[Names] = {
    "agent_name": (text, ("agent.name", "agent.type")),
    "agent_id": (text, ("agent.id",)),
    "agent_version": (text, ("agent.version",)),
    "session_id": (text, ("agent.session_id", "agent.session.id")),
    "actor": (text, ("agent.user_id", "agent.user.id")),
    "task_type": (text, ("agent.task_type", "agent.task.type")),
    "stop_reason": (stop_reason, ("agent.stop_reason", "agent.terminated_reason", "agent.termination_reason")),
    "error_type": (text, ("agent.error_type", "agent.error.type")),
    "quality_score": (number, ("agent.quality_score",)),
    "satisfaction": (number, ("agent.satisfaction", "agent.user_satisfaction")),
}
TABLE: Final = NameTable(NAMES, COMMON)
_NAME: Final = re.compile(r"agent\.execution(?:[.:/](?P<id>.+))?")
_SUCCEEDED: Final = "agent.succeeded"


def read_span(span: SpanView) -> Fields | None:
    """Read the span of an execution."""
    if not span.name.startswith(OPERATION):
        return None
    match = _NAME.fullmatch(span.name)
    if match is None:
        return None
    fields = TABLE.read(span.attributes)
    fields.pop(SENT_COST, None)
    fields["step_kind"], fields["operation"] = "run" if span.is_root else "agent", OPERATION
    succeeded = boolean(span.attributes.get(_SUCCEEDED))
    if succeeded is not None:
        fields["outcome"] = "success" if succeeded else "failure"
        fields.setdefault("stop_reason", "completed" if succeeded else "error")
    if match["id"]:
        fields[JOINS] = (Join(f"execution:{match['id']}", NAMES_RUN),)
    return fields


DIALECT: Final = Dialect(
    "execution",
    1,
    read_span,
    no_logs,
    recognised_by="span name `agent.execution.<id>`",
    reads="agents instrumented by hand in the style of one span a run: its events `step.N.<action>` are the run's steps",
)
