"""Vercel AI SDK: OpenTelemetry's GenAI names in scope `gen_ai` (v7), `ai.*` names in scope `ai` (before).

Its outer spans (`invoke_agent`, `ai.generateText`, `ai.streamText`) repeat the totals of the calls inside.
"""

from typing import Final

from collector.dialects import genai
from collector.dialects.names import COMMON, Names, NameTable
from collector.dialects.normalise import finish_reason, provider
from collector.dialects.record import Dialect, Fields, SpanView, no_logs
from collector.dialects.usage import make_inclusive
from collector.dialects.values import integer, text

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
        make_inclusive(fields, integer(span.attributes.get("ai.usage.totalTokens")))
    else:
        genai.without_call(fields)
    return fields


DIALECT: Final = Dialect(
    "vercel-ai",
    2,
    read_span,
    no_logs,
    recognised_by="`ai.operationId`, or scope `gen_ai`",
    reads="Vercel AI SDK, v7 and before",
    scopes=("gen_ai",),
    marks=frozenset({OPERATION}),
)
