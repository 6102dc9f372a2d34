"""Vercel AI SDK: OpenTelemetry's GenAI names in scope `gen_ai` (v7), `ai.*` names in scope `ai` (before).

Its outer spans (`invoke_agent`, `ai.generateText`, `ai.streamText`) repeat the totals of the calls inside. Up to v5 it hands on what the
provider counts: of Anthropic and Bedrock the input without the cached tokens, and what v4 has no names for in `providerMetadata` alone.
"""

from typing import Any, Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import finish_reason, provider
from collector.dialects.record import Attributes, Dialect, Fields, SpanView, no_logs
from collector.dialects.usage import make_inclusive
from collector.dialects.values import integer, parsed, text

OPERATION: Final = "ai.operationId"
_METADATA: Final = "ai.telemetry.metadata."
NAMES: Final[Names] = {
    "provider": (provider, ("gen_ai.provider.name", "ai.model.provider", "gen_ai.system")),
    "session_id": (
        text,
        (
            "gen_ai.conversation.id",
            *(_METADATA + name for name in ("sessionId", "session_id", "session.id", "threadId", "thread_id", "conversationId", "chatId")),
        ),
    ),
    "actor": (text, tuple(_METADATA + name for name in ("userId", "user_id", "user.id"))),
    "tenant": (text, tuple(_METADATA + name for name in ("tenant", "tenantId", "tenant_id"))),
    "prompt_version": (text, tuple(_METADATA + name for name in ("promptVersion", "prompt_version", "prompt.version"))),
    "agent_name": (text, ("gen_ai.agent.name", "ai.telemetry.functionId")),
    "model_requested": (text, ("gen_ai.request.model", "ai.model.id")),
    "model": (text, ("gen_ai.response.model", "ai.response.model")),
    "response_id": (text, ("gen_ai.response.id", "ai.response.id")),
    "input_tokens": (integer, ("gen_ai.usage.input_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens")),
    "output_tokens": (integer, ("gen_ai.usage.output_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens")),
    "cache_read_tokens": (
        integer,
        (*genai.NAMES["cache_read_tokens"][1], "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
    ),
    "cache_write_tokens": (integer, (*genai.NAMES["cache_write_tokens"][1], "ai.usage.inputTokenDetails.cacheWriteTokens")),
    "reasoning_tokens": (
        integer,
        (*genai.NAMES["reasoning_tokens"][1], "ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
    ),
    "finish_reason": (finish_reason, ("gen_ai.response.finish_reasons", "ai.response.finishReason", "ai.finishReason")),
    "tool_name": (text, ("gen_ai.tool.name", "ai.toolCall.name")),
    "tool_call_id": (text, ("gen_ai.tool.call.id", "ai.toolCall.id")),
}
TABLE: Final = NameTable({**genai.NAMES, **NAMES}, COMMON)
_STEPS: Final = {  # last part of the operation → step kind, operation
    "toolCall": ("tool", "execute_tool"),
    "doGenerate": ("model", "chat"),
    "doStream": ("model", "chat"),
    "doEmbed": ("model", "embeddings"),
    "doRerank": ("retrieval", "rerank"),
    "generateText": ("agent", "invoke_agent"),
    "streamText": ("agent", "invoke_agent"),
    "generateObject": ("agent", "invoke_agent"),
    "streamObject": ("agent", "invoke_agent"),
}
_PROVIDER_METADATA: Final = "ai.response.providerMetadata"
_WITHIN: Final = ("usage", "usageMetadata")
_COUNTS: Final = {  # column → names in what a provider says beside the SDK's own usage
    "cache_read_tokens": ("cacheReadInputTokens", "cachedPromptTokens", "cachedContentTokenCount", "promptCacheHitTokens"),
    "cache_write_tokens": ("cacheCreationInputTokens", "cacheWriteInputTokens"),
    "reasoning_tokens": ("reasoningTokens", "thoughtsTokenCount"),
}
_DETAILED: Final = "ai.usage.inputTokenDetails.noCacheTokens"
"""Sent by v6, which counts cached tokens as input; its first releases are known by what the client calls itself."""
_CLIENT, _INCLUSIVE = "ai.request.headers.user-agent", ("ai/6", "ai/7")
_WITHOUT_CACHED: Final = ("anthropic", "bedrock")


def read_span(span: SpanView) -> Fields | None:
    """Read a span of the AI SDK."""
    operation = span.attributes.get(OPERATION)
    if operation is not None:
        return _older(span, str(operation))
    if span.scope == "gen_ai" and genai.speaks(span.attributes):
        return genai.read(span, TABLE, totals=False)
    return None


def _older(span: SpanView, operation: str) -> Fields:
    fields = TABLE.read(span.attributes)
    last = operation.rsplit(".", 1)[-1]
    step, name = _STEPS.get(last, ("run" if span.is_root else "other", last))
    fields["step_kind"], fields["operation"] = step, name
    if step == "model":
        _complete_call(fields, span.attributes)
    else:
        genai.without_call(fields)
    return fields


def _complete_call(fields: Fields, attributes: Attributes) -> None:
    said = parsed(attributes.get(_PROVIDER_METADATA))
    told = [found for found in said.values() if isinstance(found, dict)] if isinstance(said, dict) else []
    told += [inner for found in told for name in _WITHIN if isinstance(inner := found.get(name), dict)]
    for column, names in _COUNTS.items():
        counts = (integer(found.get(name)) for found in told for name in names)
        if column not in fields and (count := next((known for known in counts if known is not None), None)) is not None:
            fields[column] = count
    totals = (integer(found.get("totalTokenCount")) for found in told)
    total = integer(attributes.get("ai.usage.totalTokens")) or next((known for known in totals if known is not None), None)
    make_inclusive(fields, total, without_cached=_is_without_cached(fields, attributes, told))


def _is_without_cached(fields: Fields, attributes: Attributes, told: list[dict[str, Any]]) -> bool:
    """Return whether the input is what Anthropic or Bedrock count as input."""
    sender = str(attributes.get("ai.model.provider"))
    if _DETAILED in attributes or not any(name in sender for name in _WITHOUT_CACHED):
        return False
    counts = (integer(found.get("input_tokens")) for found in told)
    counted = next((known for known in counts if known is not None), None)
    if counted is not None:
        return counted == fields.get("input_tokens")
    return not str(attributes.get(_CLIENT, "")).startswith(_INCLUSIVE)


DIALECT: Final = Dialect(
    "vercel-ai",
    3,
    read_span,
    no_logs,
    recognised_by="`ai.operationId`, or scope `gen_ai`",
    reads="Vercel AI SDK, v7 and before",
    scopes=("gen_ai",),
    marks=frozenset({OPERATION}),
)
