"""One spelling for what every framework spells its own way: providers, finish reasons, operations, decisions, why a run stopped."""

import re
from typing import Final

from collector.dialects.values import boolean, first_text, parsed, text

_PROVIDERS: Final = {
    "anthropic": ("anthropic", "claude"),
    "aws.bedrock": (
        "aws.bedrock",
        "aws",
        "aws_bedrock",
        "bedrock",
        "amazon_bedrock",
        "amazon-bedrock",
        "bedrock_converse",
        "bedrock-runtime",
    ),
    "azure.ai.inference": ("azure.ai.inference", "az.ai.inference", "azure_ai"),
    "azure.ai.openai": ("azure.ai.openai", "az.ai.openai", "azure_openai", "azure-openai", "azure", "azureopenai"),
    "cohere": ("cohere",),
    "deepseek": ("deepseek",),
    "gcp.gemini": ("gcp.gemini", "gemini", "google", "google_genai", "google-gla", "google.generative-ai", "google_generativeai"),
    "gcp.gen_ai": ("gcp.gen_ai",),
    "gcp.vertex_ai": ("gcp.vertex_ai", "vertex_ai", "vertexai", "vertex", "google-vertex", "google.vertex", "google_vertexai"),
    "groq": ("groq",),
    "ibm.watsonx.ai": ("ibm.watsonx.ai", "watsonx"),
    "mistral_ai": ("mistral_ai", "mistralai", "mistral"),
    "moonshot_ai": ("moonshot_ai", "moonshotai", "moonshot"),
    "openai": ("openai", "open_ai"),
    "perplexity": ("perplexity",),
    "x_ai": ("x_ai", "xai", "x-ai"),
}
_PROVIDER_OF: Final = {spelling: name for name, spellings in _PROVIDERS.items() for spelling in spellings}
_OF_BEDROCK: Final = re.compile(
    r"(?:[a-z]{2,6}(?:-gov)?\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|stability|writer)\.[a-z]"
)
_APIS: Final = frozenset({"chat", "responses", "completion", "messages", "embedding", "image", "speech", "transcription", "anthropic"})
FRAMEWORKS: Final = frozenset({
    "strands-agents", "strands", "microsoft.agent_framework", "autogen", "langchain", "langgraph", "llama_index", "llamaindex", "crewai",
    "pydantic-ai", "pydantic_ai", "agno", "smolagents", "dspy", "haystack", "semantic_kernel", "openai_agents", "vercel", "gateway",
    "gcp.vertex.agent", "google_adk", "google-adk", "microsoft.semantic_kernel", "agent_framework", "mastra", "litellm",
    "unknown", "_other",
})  # fmt: skip
"""What stands in the provider's place on spans of frameworks, and is no model's vendor."""

_FINISH: Final = {
    "stop": ("stop", "end_turn", "stop_sequence", "complete", "completed", "eos", "end", "finish_reason_stop"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_length", "incomplete", "model_context_window_exceeded"),
    "tool_calls": ("tool_calls", "tool_call", "tool_use", "function_call", "malformed_function_call"),
    "content_filter": (
        "content_filter",
        "content_filtered",
        "safety",
        "refusal",
        "recitation",
        "guardrail_intervened",
        "prohibited_content",
        "blocklist",
        "spii",
    ),
    "error": ("error", "failed", "error_toxic", "error_limit"),
}
_FINISH_OF: Final = {spelling: name for name, spellings in _FINISH.items() for spelling in spellings}
_FINISH_TOGETHER: Final = {spelling.replace("_", ""): name for spelling, name in _FINISH_OF.items()}
"""As they are in .NET and Java: ToolCalls, EndTurn."""

KIND_OF_OPERATION: Final = {
    "chat": "model",
    "generate_content": "model",
    "image_generation": "model",
    "speech": "model",
    "transcription": "model",
    "text_completion": "model",
    "embeddings": "model",
    "retrieval": "retrieval",
    "execute_tool": "tool",
    "create_agent": "agent",
    "invoke_agent": "agent",
    "invoke_workflow": "agent",
    "invoke_swarm": "agent",
    "invoke_graph": "agent",
    "guardrail": "policy",
    "evaluate": "eval",
}
"""The kind of step that an operation is; operations of a memory end in `_memory` or `_memory_store`."""
_OPERATION_OF: Final = {
    "completion": "text_completion", "completions": "text_completion", "text.completions": "text_completion",
    "embedding": "embeddings", "embed": "embeddings",
    "rerank": "retrieval",
    "chat.completions": "chat", "chat.streaming_completions": "chat", "chat_completion": "chat", "responses": "chat",
    "text.streaming_completions": "text_completion",
    "apply_guardrail": "guardrail", "guardrail.run": "guardrail", "guard": "guardrail",
    "call_llm": "generate_content",
    "guardrail_check": "guardrail", "agent_handoff": "handoff", "speech_generation": "speech",
    # LiteLLM's, whose gateway calls every one of them by its name in asyncio
    "acompletion": "chat", "aresponses": "chat", "anthropic_messages": "chat", "response": "chat", "atext_completion": "text_completion",
    "agenerate_content": "generate_content", "generate_content_stream": "generate_content",
    "agenerate_content_stream": "generate_content", "aembedding": "embeddings", "arerank": "retrieval",
    "aimage_generation": "image_generation", "atranscription": "transcription", "aspeech": "speech",
    "agent": "invoke_agent", "workflow": "invoke_workflow", "tool": "execute_tool", "tool_call": "execute_tool", "retriever": "retrieval",
}  # fmt: skip
_STOP: Final = {
    "completed": ("completed", "complete", "success", "succeeded", "stop", "stopped", "end_turn", "done", "finished", "ok", "final_answer"),
    "max_steps": (
        "max_steps", "max_turns", "max_turns_reached", "max_iterations", "max_turns_exceeded", "maxturnsexceeded", "error_max_turns",
        "graphrecursionerror", "usagelimitexceeded", "recursion_limit", "maxiterations", "max_iterations_reached", "step_limit",
        "eventlooplimiterror", "llmcallslimitexceedederror",
    ),
    "timeout": ("timeout", "timed_out", "timeouterror", "timeoutexception", "deadline_exceeded", "deadlineexceeded"),
    "budget": ("budget", "budget_exceeded", "budgetexceeded", "budgetexceedederror", "error_max_budget_usd", "max_budget", "cost_limit"),
    "cancelled": (
        "cancelled", "canceled", "cancellederror", "cancelederror", "aborterror", "aborted", "abort", "interrupted",
        "operationcanceledexception",
        "taskcanceledexception", "user_cancelled",
    ),
    "killed": ("killed", "systemexit", "keyboardinterrupt", "sigterm", "sigkill", "terminated", "kill_switch"),
    "error": ("error", "failed", "failure", "exception", "error_during_execution"),
}  # fmt: skip
_STOP_OF: Final = {spelling: name for name, spellings in _STOP.items() for spelling in spellings}
_HANDOFF: Final = re.compile(r"(?:^|[-._])(?:transfer|hand_?off)_(?:back_)?to_(?P<agent>.+)$")
_AGENT_ARGUMENTS: Final = ("agent_name", "agentName", "agent", "target")
_DECISIONS: Final = {
    "allow": (
        "allow",
        "allowed",
        "pass",
        "passed",
        "ok",
        "success",
        "approved",
        "accept",
        "accepted",
        "none",
        "permit",
        "permitted",
        "true",
    ),
    "deny": (
        "deny",
        "denied",
        "fail",
        "failed",
        "block",
        "blocked",
        "reject",
        "rejected",
        "triggered",
        "intervened",
        "guardrail_intervened",
    ),
}
_DECISION_OF: Final = {spelling: name for name, spellings in _DECISIONS.items() for spelling in spellings}


def provider(value: object) -> str | None:
    """Return OpenTelemetry's name of a provider, another's lower-cased, None for a framework's."""
    name = text(value)
    if name is None:
        return None
    name = name.strip().lower()
    if name in FRAMEWORKS:
        return None
    known = _PROVIDER_OF.get(name)
    while known is None and "." in name:  # the AI SDK appends the API: openai.chat, vertex.anthropic.messages
        shorter, _, api = name.rpartition(".")
        known = _PROVIDER_OF.get(shorter)
        if known is None and api not in _APIS:
            break
        name = shorter
    return known or name


def provider_of_model(model: str | None) -> str | None:
    """Return the provider that a model's name tells: `openai/gpt-4o-mini`, as LiteLLM writes it, Bedrock's names, Gemini's paths."""
    prefix, slash, _ = (model or "").partition("/")
    if slash:
        return "gcp.gemini" if prefix == "models" else _PROVIDER_OF.get(prefix.lower())
    return "aws.bedrock" if model is not None and _OF_BEDROCK.match(model) else None


def triggered(value: object) -> str | None:
    """Return what a guardrail decided that says whether it was triggered."""
    tripped = boolean(value)
    return None if tripped is None else "deny" if tripped else "allow"


def finish_reason(value: object) -> str | None:
    """Return the first finish reason, as stop, length, tool_calls, content_filter or error where it means one of them."""
    reason = first_text(value)
    if reason is None:
        return None
    plain = reason.split(",", 1)[0].rsplit(".", 1)[-1].strip().lower().replace("-", "_")
    return _FINISH_OF.get(plain) or _FINISH_TOGETHER.get(plain, plain)


def operation(value: object) -> str | None:
    """Return the name of an operation in OpenTelemetry's spelling; None for `unknown`."""
    name = text(value)
    if name is None or name == "unknown":
        return None
    return _OPERATION_OF.get(name, name)


def kind_of(name: str | None) -> str | None:
    """Return the step kind of an operation; None when the operation says nothing about it."""
    if name is None:
        return None
    kind = KIND_OF_OPERATION.get(name)
    return "memory" if kind is None and name.endswith(("_memory", "_memory_store")) else kind


def passed(label: object) -> bool | None:
    """Return what an evaluation's label says about passing."""
    word = (text(label) or "").lower()
    return {"pass": True, "passed": True, "fail": False, "failed": False}.get(word)  # nosec B105


def decision(value: object) -> str | None:
    """Return what a guardrail or policy decided: allow or deny where it means one of them, else its own word in lower case."""
    word = text(value)
    return None if word is None else _DECISION_OF.get(word.strip().lower(), word.strip().lower())


def stop_reason(value: object) -> str | None:
    """Return why a run stopped: completed, error, max_steps, timeout, budget, cancelled or killed, else the word as it was sent."""
    word = text(value)
    return None if word is None else _STOP_OF.get(_bare(word), word)


def stop_of_error(error_type: str) -> str | None:
    """Return why a run that failed with this error stopped, where the error is more than a failure."""
    reason = _STOP_OF.get(_bare(error_type))
    return None if reason in {"completed", "error"} else reason


def _bare(word: str) -> str:
    return word.rsplit(".", 1)[-1].strip().lower().replace("-", "_").replace(" ", "_")


def handed_to(tool: str, arguments: object = None) -> str | None:
    """Return the agent that a tool call hands over to: `transfer_to_billing`, or `transfer_to_agent` with the agent as argument."""
    match = _HANDOFF.search(tool)
    if match is None:
        return None
    agent = match["agent"]
    if agent != "agent":
        return agent
    given = parsed(arguments)
    return next((found for name in _AGENT_ARGUMENTS if (found := text(given.get(name)))), None) if isinstance(given, dict) else None
