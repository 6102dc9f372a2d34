"""One spelling for what every framework spells its own way: providers, finish reasons, operations."""

from typing import Final

from collector.dialects.values import first_text, text

_PROVIDERS: Final = {
    "anthropic": ("anthropic", "claude"),
    "aws.bedrock": ("aws.bedrock", "aws_bedrock", "bedrock", "amazon_bedrock", "amazon-bedrock", "bedrock_converse", "bedrock-runtime"),
    "azure.ai.inference": ("azure.ai.inference", "az.ai.inference", "azure_ai"),
    "azure.ai.openai": ("azure.ai.openai", "az.ai.openai", "azure_openai", "azure-openai", "azure", "azureopenai"),
    "cohere": ("cohere",),
    "deepseek": ("deepseek",),
    "gcp.gemini": ("gcp.gemini", "gemini", "google", "google_genai", "google-gla", "google.generative-ai", "google_generativeai"),
    "gcp.gen_ai": ("gcp.gen_ai",),
    "gcp.vertex_ai": ("gcp.vertex_ai", "vertex_ai", "vertexai", "google-vertex", "google.vertex", "google_vertexai"),
    "groq": ("groq",),
    "ibm.watsonx.ai": ("ibm.watsonx.ai", "watsonx"),
    "mistral_ai": ("mistral_ai", "mistralai", "mistral"),
    "moonshot_ai": ("moonshot_ai", "moonshotai", "moonshot"),
    "openai": ("openai", "open_ai"),
    "perplexity": ("perplexity",),
    "x_ai": ("x_ai", "xai", "x-ai"),
}
_PROVIDER_OF: Final = {spelling: name for name, spellings in _PROVIDERS.items() for spelling in spellings}
FRAMEWORKS: Final = frozenset({
    "strands-agents", "strands", "microsoft.agent_framework", "autogen", "langchain", "langgraph", "llama_index", "llamaindex", "crewai",
    "pydantic-ai", "pydantic_ai", "agno", "smolagents", "dspy", "haystack", "semantic_kernel", "openai_agents", "vercel", "gateway",
})  # fmt: skip
"""What stands in the provider's place on spans of frameworks, and is no model's vendor."""

_FINISH: Final = {
    "stop": ("stop", "end_turn", "stop_sequence", "complete", "completed", "eos", "end", "finish_reason_stop"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_length"),
    "tool_calls": ("tool_calls", "tool_call", "tool_use", "function_call", "malformed_function_call"),
    "content_filter": (
        "content_filter",
        "content_filtered",
        "safety",
        "refusal",
        "recitation",
        "guardrail_intervened",
        "prohibited_content",
    ),
    "error": ("error", "failed"),
}
_FINISH_OF: Final = {spelling: name for name, spellings in _FINISH.items() for spelling in spellings}

KIND_OF_OPERATION: Final = {
    "chat": "model",
    "generate_content": "model",
    "text_completion": "model",
    "embeddings": "model",
    "retrieval": "retrieval",
    "execute_tool": "tool",
    "create_agent": "agent",
    "invoke_agent": "agent",
    "invoke_workflow": "agent",
    "search_memory": "memory",
    "update_memory": "memory",
    "guardrail": "policy",
}
_OPERATION_OF: Final = {"completion": "text_completion", "embedding": "embeddings", "rerank": "retrieval"}


def provider(value: object) -> str | None:
    """Return OpenTelemetry's name of a provider, another's lower-cased, None for a framework's."""
    name = text(value)
    if name is None:
        return None
    name = name.strip().lower()
    if name in FRAMEWORKS:
        return None
    known = _PROVIDER_OF.get(name)
    if known is None and "." in name:  # the AI SDK appends the API: openai.chat, anthropic.messages
        known = _PROVIDER_OF.get(name.rsplit(".", 1)[0])
    return known or name


def finish_reason(value: object) -> str | None:
    """Return the first finish reason, as stop, length, tool_calls, content_filter or error where it means one of them."""
    reason = first_text(value)
    if reason is None:
        return None
    plain = reason.rsplit(".", 1)[-1].strip().lower().replace("-", "_")
    return _FINISH_OF.get(plain, plain)


def operation(value: object) -> str | None:
    """Return the name of an operation in OpenTelemetry's spelling."""
    name = text(value)
    return None if name is None else _OPERATION_OF.get(name, name)


def kind_of(name: str | None) -> str | None:
    """Return the step kind of an operation; None when the operation says nothing about it."""
    if name is None:
        return None
    kind = KIND_OF_OPERATION.get(name)
    return "memory" if kind is None and name.endswith("_memory") else kind


def passed(label: object) -> bool | None:
    """Return what an evaluation's label says about passing."""
    word = (text(label) or "").lower()
    return {"pass": True, "passed": True, "fail": False, "failed": False}.get(word)  # nosec B105
