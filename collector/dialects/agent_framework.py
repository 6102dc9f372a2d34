"""Microsoft's Agent Framework, Semantic Kernel and Microsoft.Extensions.AI: OpenTelemetry's GenAI names, the framework's name where the
provider's belongs, agents that repeat their calls' totals, and the spans of workflows.

A workflow is built in a trace of its own; it belongs to the first run of that workflow.
"""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.record import ADOPTS, JOINS, OFFERS, Dialect, Fields, Join, LogView, SpanView
from collector.dialects.usage import CACHE_ADDED, CONVENTION, add_cached
from collector.dialects.values import integer, text

_UNKNOWN: Final = "unknown"


def known(value: object) -> str | None:
    """Return text that is not `unknown`."""
    found = text(value)
    return None if found == _UNKNOWN else found


NAMES: Final[Names] = {
    **genai.NAMES,
    "model_requested": (known, ("gen_ai.request.model",)),
    "agent_name": (known, ("gen_ai.agent.name", "workflow.name", "workflow_builder.name")),
    "agent_id": (known, ("gen_ai.agent.id",)),
    "tool_call_id": (known, ("gen_ai.tool.call.id",)),
    "cache_read_tokens": (
        integer,
        (
            *genai.NAMES["cache_read_tokens"][1],
            "openai.cached_input_tokens",
            "prompt/cached_tokens",
            "anthropic.cache_read_input_tokens",
        ),
    ),
    "cache_write_tokens": (integer, (*genai.NAMES["cache_write_tokens"][1], "anthropic.cache_creation_input_tokens")),
    "reasoning_tokens": (
        integer,
        (*genai.NAMES["reasoning_tokens"][1], "openai.reasoning_tokens", "completion/reasoning_tokens"),
    ),
}
TABLE: Final = NameTable(NAMES, COMMON)
_SCOPES: Final = (
    "agent_framework", "semantic_kernel", "Microsoft.SemanticKernel", "Microsoft.Agents", "Experimental.Microsoft.Agents",
    "Experimental.Microsoft.Extensions.AI", "Microsoft.Extensions.AI",
)  # fmt: skip
_PROVIDER: Final = "microsoft.agent_framework"
_STEPS: Final = {  # first word of the span's name → step kind, operation
    "workflow.run": ("agent", "invoke_workflow"),
    "workflow_invoke": ("agent", "invoke_workflow"),
    "workflow.session": ("agent", "invoke_workflow"),
    "workflow.build": ("other", "build_workflow"),
    "executor.process": ("other", "executor"),
    "edge_group.process": ("other", "edge_group"),
    "message.send": ("message", "send"),
}
_ROLES: Final = {"workflow.build": ADOPTS, "workflow.run": OFFERS, "workflow_invoke": OFFERS, "workflow.session": OFFERS}


def read_span(span: SpanView) -> Fields | None:
    """Read a span of these frameworks' tracers."""
    attributes = span.attributes
    if not span.scope.startswith(_SCOPES) and attributes.get("gen_ai.provider.name", attributes.get("gen_ai.system")) != _PROVIDER:
        return None
    fields = genai.read(span, TABLE)
    if fields["step_kind"] == "model" and fields.get("provider") == "anthropic" and span.scope.startswith("agent_framework"):
        _as_anthropic_counts(fields)
    first = span.name.partition(" ")[0]
    if "gen_ai.operation.name" not in attributes and first in _STEPS:
        step, fields["operation"] = _STEPS[first]
        fields["step_kind"] = "run" if step == "agent" and span.is_root else step
        workflow = text(attributes.get("workflow.id"))
        if first in _ROLES and workflow is not None:
            fields[JOINS] = (Join(f"workflow:{workflow}", _ROLES[first]),)
    return fields


def _as_anthropic_counts(fields: Fields) -> None:
    """Add the cached tokens, which Anthropic's client in Python hands on beside the input."""
    if CACHE_ADDED not in str(fields.get(CONVENTION)):
        add_cached(fields)


def read_log(record: LogView) -> Fields | None:
    """Read a log record of these frameworks about an inference."""
    return genai.read_log(record) if record.scope.startswith(_SCOPES) else None


DIALECT: Final = Dialect(
    "agent-framework",
    2,
    read_span,
    read_log,
    recognised_by="scopes `agent_framework…`, `semantic_kernel…`, `Microsoft.SemanticKernel…`, `Microsoft.Agents…`, "
    "`Experimental.Microsoft.{Agents,Extensions}.AI`, or provider `microsoft.agent_framework`",
    reads="Microsoft Agent Framework, Semantic Kernel and Microsoft.Extensions.AI, Python and .NET",
)
