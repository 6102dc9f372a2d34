"""MLflow Tracing: every attribute is JSON text, strings in their quotes, on spans of any scope that MLflow exports.

`mlflow.traceRequestId` names the run on every span: MLflow may drop a root span, and then its children are still one run. The agents and
chains around a call carry no usage of their own, or repeat it: only a call's span counts.
"""

from typing import Any, Final

import orjson

from collector.dialects import answers, genai, langgraph
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import provider
from collector.dialects.record import SENT_COST, Attributes, Dialect, Fields, SpanView, no_logs
from collector.dialects.usage import make_inclusive
from collector.dialects.values import integer, number, objects, parsed, text

TYPE: Final = "mlflow.spanType"
REQUEST: Final = "mlflow.traceRequestId"


def _unquoted(value: Any) -> str | None:
    """Return a text that may be sent as JSON text, in quotes."""
    sent = text(value)
    if sent is None or not (sent.startswith('"') and sent.endswith('"')):
        return sent
    try:
        return text(orjson.loads(sent))
    except orjson.JSONDecodeError:
        return sent


def _provider(value: Any) -> str | None:
    return provider(_unquoted(value))


def _version(value: Any) -> str | None:
    """Return the version of the last prompt that was linked."""
    prompts = objects(_unquoted(value))
    return text(prompts[-1].get("version")) if prompts else None


NAMES: Final[Names] = {
    **genai.NAMES,
    "run_id": (_unquoted, (REQUEST,)),
    "session_id": (_unquoted, ("mlflow.trace.session", "session.id", *genai.NAMES["session_id"][1])),
    "actor": (_unquoted, ("mlflow.trace.user", "user.id", *genai.NAMES["actor"][1])),
    "tenant": (_unquoted, ("mlflow.traceTag.tenant", "tenant", "tenant.id", "tenant_id")),
    "environment": (_unquoted, ("mlflow.traceTag.environment", "mlflow.traceTag.env", "deployment.environment.name")),
    "project": (_unquoted, ("mlflow.experimentId",)),
    "agent_name": (_unquoted, ("agent_name", "gen_ai.agent.name", "agent.name")),
    "model_requested": (_unquoted, ("mlflow.llm.model", "gen_ai.request.model", "model")),
    "model": (_unquoted, ("gen_ai.response.model",)),
    "provider": (_provider, ("mlflow.llm.provider", "model_provider", *genai.NAMES["provider"][1])),
    "prompt_version": (_version, ("mlflow.linkedPrompts",)),
    "tool_name": (_unquoted, ("gen_ai.tool.name", "tool_name")),
    "tool_call_id": (_unquoted, ("gen_ai.tool.call.id", "tool_call_id", "tool_id", "call_id")),
    "error_type": (_unquoted, ("error.type",)),
}
TABLE: Final = NameTable(NAMES, COMMON)
_TYPES: Final = {  # span type → step kind, operation
    "CHAT_MODEL": ("model", "chat"),
    "LLM": ("model", "chat"),
    "EMBEDDING": ("model", "embeddings"),
    "TOOL": ("tool", "execute_tool"),
    "RETRIEVER": ("retrieval", "retrieval"),
    "RERANKER": ("retrieval", "rerank"),
    "AGENT": ("agent", "invoke_agent"),
    "WORKFLOW": ("agent", "invoke_workflow"),
    "MEMORY": ("memory", "memory"),
    "GUARDRAIL": ("policy", "guardrail"),
    "EVALUATOR": ("eval", "evaluate"),
}
_INPUTS, _OUTPUTS, _USAGE, _COST = "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.tokenUsage", "mlflow.llm.cost"
_FORMAT: Final = "mlflow.message.format"
"""Whose client was called; Anthropic's own counts are kept as it counts them."""
_PARAMETERS: Final = "invocation_params"
_FUNCTION: Final = "mlflow.spanFunctionName"
_COUNTS: Final = {  # column → names in the token usage
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cache_read_tokens": ("cache_read_input_tokens", "cached_tokens"),
    "cache_write_tokens": ("cache_creation_input_tokens",),
    "reasoning_tokens": ("reasoning_tokens", "reasoning_output_tokens"),
}


def read_span(span: SpanView) -> Fields | None:
    """Read a span of MLflow."""
    attributes = span.attributes
    if TYPE not in attributes and REQUEST not in attributes:
        return None
    fields = TABLE.read(attributes)
    sent = (_unquoted(attributes.get(TYPE)) or "UNKNOWN").upper()
    fields["step_kind"], fields["operation"] = _TYPES.get(sent, ("other", sent.lower()))
    kind = fields["step_kind"]
    if kind == "model":
        _complete_call(fields, attributes)
    else:
        genai.without_call(fields)
        if kind == "tool":
            _complete_tool(fields, span)
        elif kind == "agent":
            _complete_agent(fields, span)
            make_inclusive(fields, _counts(fields, attributes))
        elif kind == "other" and span.is_root:
            fields["step_kind"] = "run"
        if kind in {"agent", "other"}:
            langgraph.read_graph(fields, attributes.get(_INPUTS), attributes.get(_OUTPUTS))
    return fields


def _complete_call(fields: Fields, attributes: Attributes) -> None:
    """Read usage, cost, and what the answer alone tells; make the counts inclusive."""
    total = _counts(fields, attributes)
    answers.complete(fields, parsed(attributes.get(_OUTPUTS)))
    for name in (_PARAMETERS, _INPUTS):  # LangChain's models are asked for in the first
        asked = parsed(attributes.get(name))
        if isinstance(asked, dict) and (model := text(asked.get("model"))) is not None:
            fields["model_requested"] = model
    make_inclusive(fields, total, without_cached=_unquoted(attributes.get(_FORMAT)) == "anthropic")


def _counts(fields: Fields, attributes: Attributes) -> int | None:
    """Read usage and cost; return the sum of all tokens as it was sent."""
    usage, cost = parsed(attributes.get(_USAGE)), parsed(attributes.get(_COST))
    if isinstance(cost, dict) and (dollars := number(cost.get("total_cost"))) is not None:
        fields[SENT_COST] = dollars
    if not isinstance(usage, dict):
        return None
    for column, names in _COUNTS.items():
        count = next((found for name in names if (found := integer(usage.get(name))) is not None), None)
        if count is not None:
            fields[column] = count
    return integer(usage.get("total_tokens"))


def _complete_tool(fields: Fields, span: SpanView) -> None:
    fields.setdefault("tool_name", _unquoted(span.attributes.get(_FUNCTION)) or span.name)
    answers.of_tool(fields, parsed(span.attributes.get(_OUTPUTS)))


def _complete_agent(fields: Fields, span: SpanView) -> None:
    if fields["operation"] == "invoke_workflow" and span.is_root:
        fields["step_kind"] = "run"
    elif fields["operation"] == "invoke_agent":
        fields.setdefault("agent_name", span.name)


DIALECT: Final = Dialect(
    "mlflow",
    3,
    read_span,
    no_logs,
    recognised_by=f"the attribute `{TYPE}` or `{REQUEST}`",
    reads="MLflow Tracing: its decorators and its autologging of other frameworks, exported over OTLP",
    marks=frozenset({TYPE, REQUEST}),
)
