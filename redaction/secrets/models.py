"""Credentials of model providers and of the services around models."""

from typing import Final

from redaction.secrets.checks import has_digit, key_like, key_like_or_has_digit, random_looking
from redaction.secrets.rule import ALONE, GLUED, HEX, URLSAFE, UUID, WORD, SecretRule, assigned, called, near, prefixed, words_of

_PROJECT: Final = "sk-(?:proj|svcacct|admin|None|test|live)-"

LARGEST: Final = (
    SecretRule(
        name="Anthropic key", entity="ANTHROPIC_API_KEY", shape="sk-ant-", expression=ALONE + r"sk-ant-[A-Za-z0-9_\-]{12,}", score=0.95
    ),
    SecretRule(
        name="Anthropic key, glued",
        entity="ANTHROPIC_API_KEY",
        shape="sk-ant-",
        expression=GLUED + r"sk-ant-[A-Za-z0-9_\-]{12,}",
        accept=key_like,
    ),
    SecretRule(
        name="OpenAI project key",
        entity="OPENAI_API_KEY",
        shape=_PROJECT,
        expression=ALONE + _PROJECT + r"[A-Za-z0-9_\-]{16,}",
        score=0.95,
        accept=key_like_or_has_digit,
    ),
    SecretRule(
        name="OpenAI project key, glued",
        entity="OPENAI_API_KEY",
        shape=_PROJECT,
        expression=GLUED + _PROJECT + r"[A-Za-z0-9_\-]{16,}",
        score=0.95,
        accept=key_like,
    ),
    SecretRule(
        name="OpenAI key",
        entity="OPENAI_API_KEY",
        shape="sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16}",
        expression=ALONE + r"sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9]{16,}(?![A-Za-z0-9])",
        score=0.95,
        accept=key_like_or_has_digit,
    ),
    prefixed("OPENAI_API_KEY", "OpenAI session", "sess-", WORD, 36, 80, accept=has_digit),
)

PROVIDERS: Final = (
    prefixed("HUGGINGFACE_TOKEN", "Hugging Face token", "hf_", WORD, 28, 60, accept=key_like),
    prefixed("HUGGINGFACE_TOKEN", "Hugging Face token of an organisation", "api_org_", WORD, 28, 60),
    prefixed("GROQ_API_KEY", "Groq key", "gsk_", WORD, 32, 80, accept=key_like),
    near("COHERE_API_KEY", "Cohere key", WORD + "{40}", (*words_of("cohere"), "co api", "coapikey"), accept=random_looking),
    assigned("COHERE_API_KEY", "Cohere key by name", r"cohere[a-z0-9_\-. ]{0,16}(?:key|token)|\bco_api_key", WORD + "{36,44}"),
    near("MISTRAL_API_KEY", "Mistral key", WORD + "{32}", words_of("mistral", "mistralai"), accept=random_looking),
    assigned("MISTRAL_API_KEY", "Mistral key by name", r"mistral[a-z0-9_\-. ]{0,16}(?:key|token)", WORD + "{30,40}"),
    called("TOGETHER_API_KEY", "Together key by context", HEX + "{64}", "together", "togetherai"),
    prefixed("PERPLEXITY_API_KEY", "Perplexity key", "pplx-", WORD, 32, 80, accept=key_like),
    prefixed("REPLICATE_TOKEN", "Replicate token", "r8_", WORD, 32, 48, accept=key_like),
    prefixed("XAI_API_KEY", "xAI key", "xai-", WORD, 40, 120, accept=has_digit),
    prefixed("OPENROUTER_API_KEY", "OpenRouter key", "sk-or-(?:v[0-9]-)?", HEX, 32, 80, alone=False),
    prefixed("FIREWORKS_API_KEY", "Fireworks key", "fw_", WORD, 20, 40, accept=key_like),
    prefixed("TOGETHER_API_KEY", "Together key", "tgp_v[0-9]_", URLSAFE, 32, 64),
    assigned("TOGETHER_API_KEY", "Together key by name", r"together(?:_?ai)?[a-z0-9_\-. ]{0,12}key", HEX + "{64}"),
    prefixed("NVIDIA_API_KEY", "NVIDIA key", "nvapi-", URLSAFE, 40, 90),
    prefixed("CEREBRAS_API_KEY", "Cerebras key", "csk-", WORD, 40, 60, accept=has_digit),
    prefixed("VOYAGE_API_KEY", "Voyage key", "pa-", URLSAFE, 40, 50, accept=random_looking),
    prefixed("JINA_API_KEY", "Jina key", "jina_", URLSAFE, 40, 80, accept=key_like),
    assigned("DEEPGRAM_API_KEY", "Deepgram key", r"deepgram[a-z0-9_\-. ]{0,16}key", HEX + "{40}"),
    called("DEEPGRAM_API_KEY", "Deepgram key by context", HEX + "{40}", "deepgram"),
    assigned("ASSEMBLYAI_API_KEY", "AssemblyAI key", r"assembly[_\-.]?ai[a-z0-9_\-. ]{0,16}key", HEX + "{32}"),
    called("ASSEMBLYAI_API_KEY", "AssemblyAI key by context", HEX + "{32}", "assemblyai", "assembly ai"),
    called("ELEVENLABS_API_KEY", "ElevenLabs key by context", HEX + "{32}", "elevenlabs", "eleven labs", "xi"),
    prefixed("ELEVENLABS_API_KEY", "ElevenLabs key", "sk_", HEX, 40, 64, accept=has_digit),
    assigned("ELEVENLABS_API_KEY", "ElevenLabs key by name", r"eleven[_\-.]?labs[a-z0-9_\-. ]{0,16}key|xi-api-key", HEX + "{32}"),
)

AROUND: Final = (
    prefixed("LANGSMITH_API_KEY", "LangSmith key", "lsv[0-9]_(?:pt|sk)_", "[0-9a-f_]", 32, 60, alone=False),
    prefixed("LANGSMITH_API_KEY", "LangSmith key of old", "ls__", HEX, 32, 32),
    prefixed("LANGFUSE_SECRET_KEY", "Langfuse key", "sk-lf-", "[0-9A-Fa-f\\-]", 32, 40, alone=False),
    prefixed("HELICONE_API_KEY", "Helicone key", "sk-helicone-", "[a-z0-9\\-]", 24, 60),
    prefixed("PINECONE_API_KEY", "Pinecone key", "pcsk_", "[A-Za-z0-9_]", 40, 100, alone=False),
    assigned("PINECONE_API_KEY", "Pinecone key by name", r"pinecone[a-z0-9_\-. ]{0,16}key", UUID),
    called("PINECONE_API_KEY", "Pinecone key by context", UUID, "pinecone"),
    prefixed("TAVILY_API_KEY", "Tavily key", "tvly-(?:dev-|prod-)?", URLSAFE, 20, 60, accept=key_like_or_has_digit),
    prefixed("FIRECRAWL_API_KEY", "Firecrawl key", "fc-", HEX, 32, 32),
    prefixed("E2B_API_KEY", "E2B key", "e2b_", HEX, 32, 60),
    prefixed("RUNPOD_API_KEY", "RunPod key", "rpa_", WORD, 36, 60),
    prefixed("WANDB_API_KEY", "Weights & Biases key", "wandb_v[0-9]_", "[A-Za-z0-9_]", 40, 120),
    assigned("WANDB_API_KEY", "Weights & Biases key by name", r"wandb[a-z0-9_\-. ]{0,12}key", HEX + "{40}"),
    called("WANDB_API_KEY", "Weights & Biases key by context", HEX + "{40}", "wandb"),
    prefixed("POSTHOG_KEY", "PostHog key", "ph[xr]_", WORD, 36, 60),
    prefixed("MODAL_TOKEN", "Modal token", "a[ks]-", WORD, 22, 24, accept=random_looking),
)

RULES: Final = (*LARGEST, *PROVIDERS, *AROUND)
