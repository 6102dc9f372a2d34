"""Name tables: which attribute fills which canonical column. A dialect has one table of its own names; the vocabulary of
auditlake goes before it and the names that every convention shares go behind it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from collector.dialects.normalise import passed, provider, stop_reason, triggered
from collector.dialects.record import ANSWERED_FROM_CACHE, SENT_COST, SERVICE_TIER, Attributes, Fields
from collector.dialects.values import boolean, integer, number, text

Converter = Callable[[Any], Any]
Names = Mapping[str, tuple[Converter, tuple[str, ...]]]
"""Column → how its values are read, and the attributes that hold it, the best first."""

VOCABULARY: Final[Names] = {
    "run_id": (text, ("auditlake.run.id",)),
    "sequence": (integer, ("auditlake.seq",)),
    "sequence_last": (integer, ("auditlake.seq.last",)),
    "tenant": (text, ("auditlake.tenant",)),
    "project": (text, ("auditlake.project",)),
    "task_type": (text, ("auditlake.task.type",)),
    "stop_reason": (stop_reason, ("auditlake.stop_reason", "auditlake.run.terminated_reason")),
    "side_effect": (text, ("auditlake.tool.side_effect",)),
    "requires_approval": (boolean, ("auditlake.tool.requires_approval",)),
    "decision": (text, ("auditlake.policy.decision", "auditlake.retrieval.access_decision")),
    "reason_code": (text, ("auditlake.policy.reason_code", "auditlake.reason_code")),
    "policy_version": (text, ("auditlake.policy.version",)),
    "approval_state": (text, ("auditlake.approval.state",)),
    "approver": (text, ("auditlake.approval.approver",)),
    "eval_threshold": (number, ("auditlake.eval.threshold",)),
    "eval_passed": (boolean, ("auditlake.eval.passed",)),
    "action": (text, ("auditlake.action", "auditlake.policy.action", "auditlake.approval.action")),
    "resource": (text, ("auditlake.resource",)),
    "outcome": (text, ("auditlake.outcome",)),
    "latency_ms": (number, ("auditlake.latency_ms",)),
    "retry_count": (integer, ("auditlake.tool.retry_count",)),
    "quality_score": (number, ("auditlake.quality.score",)),
    "planning_ms": (number, ("auditlake.run.planning_ms",)),
    "execution_ms": (number, ("auditlake.run.execution_ms",)),
    "satisfaction": (number, ("auditlake.satisfaction",)),
    "handoff_to": (text, ("auditlake.handoff.to",)),
}
"""Of collector/dialects/vocabulary.yaml; the names there that fill no column stay in `attributes`."""

COMMON: Final[Names] = {
    "session_id": (text, ("session.id",)),
    "actor": (text, ("user.id", "enduser.id")),
    "tenant": (text, ("tenant", "tenant.id", "tenant_id")),
    "environment": (text, ("deployment.environment.name", "deployment.environment")),
    "release": (text, ("service.version",)),
    "agent_name": (text, ("gen_ai.agent.name", "agent.name", "agent_name")),
    "agent_id": (text, ("gen_ai.agent.id", "agent_id")),
    "agent_version": (text, ("gen_ai.agent.version",)),
    "tool_name": (text, ("gen_ai.tool.name",)),
    "tool_call_id": (text, ("gen_ai.tool.call.id",)),
    "error_type": (text, ("error.type",)),
    "eval_name": (text, ("gen_ai.evaluation.name",)),
    "eval_score": (number, ("gen_ai.evaluation.score.value",)),
    "eval_passed": (passed, ("gen_ai.evaluation.score.label",)),
    "decision": (triggered, ("gen_ai.guardrail.triggered", "guardrail.triggered")),
    "handoff_to": (text, ("gen_ai.handoff.to_agent",)),
    SENT_COST: (
        number,
        ("operation.cost", "llm.cost.total", "cost_usd", "gen_ai.usage.cost", "gen_ai.usage.total_cost", "gen_ai.cost.total_cost"),
    ),
    ANSWERED_FROM_CACHE: (boolean, ("gen_ai.response.cached", "litellm.cache_hit")),
    SERVICE_TIER: (text, ("openai.response.service_tier", "gen_ai.openai.response.service_tier")),
}
"""Names that records of any convention carry."""

RESOURCE: Final[Names] = {
    "run_id": (text, ("auditlake.run.id",)),
    "session_id": (text, ("session.id",)),
    "actor": (text, ("user.id", "enduser.id")),
    "tenant": (text, ("auditlake.tenant", "tenant", "tenant.id", "tenant_id")),
    "project": (text, ("auditlake.project", "openinference.project.name", "service.namespace")),
    "environment": (text, ("deployment.environment.name", "deployment.environment")),
    "release": (text, ("service.version",)),
    "agent_name": (text, ("gen_ai.agent.name", "service.name")),
    "agent_id": (text, ("gen_ai.agent.id",)),
    "agent_version": (text, ("gen_ai.agent.version",)),
}

METRIC: Final[Names] = {
    "provider": (provider, ("gen_ai.provider.name", "gen_ai.system")),
    "model": (text, ("gen_ai.response.model", "gen_ai.request.model")),
    "operation": (text, ("gen_ai.operation.name",)),
    "tool_name": (text, ("gen_ai.tool.name", "tool_name")),
    "session_id": (text, ("gen_ai.conversation.id", "traceloop.association.properties.session_id")),
    "actor": (text, ("traceloop.association.properties.user_id",)),
}


class NameTable:
    """Reads the attributes of one dialect in one pass over what was sent."""

    def __init__(self, own: Names, *shared: Names) -> None:
        """`own` names of a column go before those of `shared`, except that auditlake's own go first of all."""
        self._hits: dict[str, tuple[str, Converter, int]] = {}
        for rank, names in enumerate((VOCABULARY, own, *shared)):
            for column, (convert, attributes) in names.items():
                for place, attribute in enumerate(attributes):
                    self._hits.setdefault(attribute, (column, convert, rank * 100 + place))

    @property
    def attributes(self) -> frozenset[str]:
        """Every attribute that fills a column."""
        return frozenset(self._hits)

    def read(self, attributes: Attributes) -> Fields:
        """Return the columns that `attributes` fill; of several for one column the best that can be read."""
        found: Fields = {}
        ranks: dict[str, int] = {}
        for name in self._hits.keys() & attributes.keys():
            column, convert, rank = self._hits[name]
            if ranks.get(column, rank) < rank:
                continue
            value = convert(attributes[name])
            if value is not None:
                found[column] = value
                ranks[column] = rank
        return found


RESOURCE_TABLE: Final = NameTable(RESOURCE)
METRIC_TABLE: Final = NameTable(METRIC, COMMON)


def read_resource(attributes: Attributes) -> Fields:
    """Return the identity that a resource gives to all its records."""
    fields = RESOURCE_TABLE.read(attributes)
    if fields.get("agent_name", "").startswith("unknown_service"):
        del fields["agent_name"]
    return {column: value for column, value in fields.items() if column in RESOURCE}
