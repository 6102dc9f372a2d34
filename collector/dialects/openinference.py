"""OpenInference (Arize): `openinference.span.kind` and flattened `llm.*`, `retrieval.*`, `tool.*` attributes."""

import re
from typing import Final

from collector.dialects import answers, langgraph
from collector.dialects.genai import NAMES as GENAI
from collector.dialects.genai import keep_total, without_call
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import decision, finish_reason, passed, provider
from collector.dialects.record import Attributes, Dialect, Fields, SpanView, no_logs
from collector.dialects.usage import CACHE_ADDED, CONVENTION, add_cached, make_inclusive
from collector.dialects.values import integer, number, parsed, text

KIND: Final = "openinference.span.kind"
NAMES: Final[Names] = {
    "provider": (provider, ("llm.provider", "llm.system")),
    "model_requested": (text, ("llm.request.model_name",)),
    "model": (text, ("llm.response.model_name", "llm.model_name", "embedding.model_name", "reranker.model_name")),
    "prompt_version": (text, ("llm.prompt_template.version",)),
    "input_tokens": (integer, ("llm.token_count.prompt",)),
    "output_tokens": (integer, ("llm.token_count.completion",)),
    "cache_read_tokens": (integer, ("llm.token_count.prompt_details.cache_read",)),
    "cache_write_tokens": (integer, ("llm.token_count.prompt_details.cache_write",)),
    "reasoning_tokens": (integer, ("llm.token_count.completion_details.reasoning",)),
    "finish_reason": (finish_reason, ("llm.finish_reason",)),
    "agent_name": (text, ("agent.name",)),
    "tool_name": (text, ("tool.name", "tool_call.function.name")),
    "tool_call_id": (text, ("tool_call.id", "tool.id")),
    "eval_name": (text, ("evaluation.name", "eval.name")),
    "eval_score": (number, ("evaluation.score", "eval.score")),
    "eval_passed": (passed, ("evaluation.label", "eval.label")),
    "decision": (decision, ("guardrail_status",)),
}
TABLE: Final = NameTable(NAMES, GENAI, COMMON)
"""What adds these names to another's spans leaves the names of OpenTelemetry's conventions there."""
_STEPS: Final = {  # span kind → step kind, operation
    "LLM": ("model", "chat"),
    "EMBEDDING": ("model", "embeddings"),
    "AGENT": ("agent", "invoke_agent"),
    "TOOL": ("tool", "execute_tool"),
    "RETRIEVER": ("retrieval", "retrieval"),
    "RERANKER": ("retrieval", "rerank"),
    "GUARDRAIL": ("policy", "guardrail"),
    "EVALUATOR": ("eval", "evaluate"),
    "CHAIN": ("other", "chain"),
    "PROMPT": ("other", "prompt"),
}
_METADATA: Final = {  # in the JSON of `metadata`, as users and LangChain put it there
    "session_id": ("session_id", "thread_id", "conversation_id"),
    "actor": ("user_id",),
    "tenant": ("tenant", "tenant_id"),
    "prompt_version": ("prompt_version",),
}
_NODE: Final = "graph.node.id"
_HANDOFF: Final = "handoff to "
_METHOD: Final = re.compile(r"\.(?:a?run(?:_stream)?|a?invoke|a?kickoff|a?stream|query|__call__|_?execute_(?:core|task))$")
"""The method by which an agent was run, behind the agent in the name of its span."""
_OF_ADK: Final = re.compile(r"^(?:agent_run \[|invoke_agent )")
"""What stands before the agent there."""
_CALL_ID: Final = "tool_call_id"
_WITHOUT_CACHED: Final = frozenset({"anthropic", "aws.bedrock"})
"""Whose counts Agno hands on as they are: the input without cached tokens."""
_TEMPLATES: Final = ("llm.prompt_template.template", "llm.prompt_template.variables")


def read_span(span: SpanView) -> Fields | None:
    """Read a span that says its kind in `openinference.span.kind`."""
    kind = span.attributes.get(KIND)
    if kind is None:
        return None
    step, operation = _STEPS.get(str(kind).upper(), ("other", None))
    fields = TABLE.read(span.attributes)
    if step == "model" and _is_no_call(span, fields):
        step, operation = "other", "prompt"
    fields["operation"] = operation
    fields["step_kind"] = "run" if step == "other" and span.is_root else step
    if step == "model":
        raw = span.scope.endswith(".agno") and fields.get("provider") in _WITHOUT_CACHED
        _complete_call(span.attributes, fields, without_cached=raw)
    elif step == "agent":
        _complete_agent(span, fields)
    else:
        without_call(fields)
    _by_name(span, step, fields)
    if step == "tool" and _CALL_ID in str(span.attributes.get("output.value")):
        answers.of_tool(fields, parsed(span.attributes.get("output.value")))
    if step == "policy" and "decision" not in fields:
        fields["decision"] = _verdict(span.attributes)
    elif step == "eval" and span.name:
        fields.setdefault("eval_name", span.name)
    from_metadata(span.attributes, fields)
    if step in {"agent", "other"}:
        langgraph.read_graph(fields, span.attributes.get("input.value"), span.attributes.get("output.value"))
    return fields


def _by_name(span: SpanView, step: str, fields: Fields) -> None:
    """Say of agents and hand-offs what only their span's name tells."""
    if step == "agent" and "agent_name" not in fields:
        node = text(span.attributes.get(_NODE))
        if node is None and span.is_root and "openai_agents" in span.scope:  # a trace of the OpenAI Agents SDK, with its agents below
            fields |= {"step_kind": "run", "operation": "invoke_workflow"}
        elif name := node or _OF_ADK.sub("", _METHOD.sub("", span.name)).rstrip("]"):
            fields["agent_name"] = name  # LangChain's agents have no other name
    elif step == "tool" and "tool_name" not in fields:
        if span.name.startswith(_HANDOFF):  # OpenAI Agents SDK
            fields |= {"step_kind": "other", "operation": "handoff", "handoff_to": text(span.name.removeprefix(_HANDOFF))}
        elif span.name:
            fields["tool_name"] = _METHOD.sub("", span.name)


def _is_no_call(span: SpanView, fields: Fields) -> bool:
    """Return whether a span of kind LLM only fills in a prompt, as Haystack's builders of prompts do."""
    if span.failed or "input_tokens" in fields or "output_tokens" in fields or "model" in fields or "model_requested" in fields:
        return False
    return "PromptBuilder" in span.name or any(name in span.attributes for name in _TEMPLATES)


def _verdict(attributes: Attributes) -> str | None:
    """Return what a guardrail decided, where its output is one word for that."""
    word = decision(attributes.get("output.value"))
    return word if word in {"allow", "deny"} else None


def _complete_call(attributes: Attributes, fields: Fields, *, without_cached: bool) -> None:
    if "model_requested" not in fields:
        asked = parsed(attributes.get("llm.invocation_parameters") or attributes.get("embedding.invocation_parameters"))
        if isinstance(asked, dict) and (model := text(asked.get("model")) or text(asked.get("model_name"))):
            fields["model_requested"] = model
    if "provider" not in fields and isinstance(metadata := parsed(attributes.get("metadata")), dict):
        fields["provider"] = provider(metadata.get("ls_provider"))  # LangChain's
    if fields["operation"] == "embeddings":
        fields.pop("output_tokens", None)
    make_inclusive(fields, integer(attributes.get("llm.token_count.total")), without_cached=without_cached)
    if "finish_reason" not in fields or "response_id" not in fields:
        answers.describe(fields, parsed(attributes.get("output.value")))


def _complete_agent(span: SpanView, fields: Fields) -> None:
    """Leave an agent the sum of its calls; that of Anthropic's agent is without the cached tokens, and so is its total."""
    without_cached = ".claude_" in span.scope and "input_tokens" in fields
    keep_total(fields, None if without_cached else integer(span.attributes.get("llm.token_count.total")))
    if without_cached:
        fields.setdefault("provider", "anthropic")
        if CACHE_ADDED not in str(fields.get(CONVENTION)):
            add_cached(fields)


def from_metadata(attributes: Attributes, fields: Fields) -> None:
    """Fill identity that is not known yet from the JSON object in `metadata`."""
    metadata = parsed(attributes.get("metadata"))
    if not isinstance(metadata, dict):
        return
    for column, names in _METADATA.items():
        if column not in fields:
            value = next((found for name in names if (found := text(metadata.get(name)))), None)
            if value is not None:
                fields[column] = value


DIALECT: Final = Dialect(
    "openinference",
    4,
    read_span,
    no_logs,
    recognised_by="`openinference.span.kind`",
    reads="OpenInference (Arize): OpenAI, LangChain and LangGraph, OpenAI Agents, LlamaIndex …",
    marks=frozenset({KIND}),
)
