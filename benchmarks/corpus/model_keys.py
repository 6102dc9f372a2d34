"""Credentials of those who serve models and of the services around them: what agents carry most."""

from random import Random

from benchmarks.corpus.credentials import Credential, after
from benchmarks.corpus.letters import ALNUM, LETTERS, URL_SAFE, hexadecimal, of, token


def openai_legacy(rng: Random) -> str:
    return f"sk-{of(rng, ALNUM, 20)}T3BlbkFJ{of(rng, ALNUM, 20)}"


def openai_project(rng: Random) -> str:
    return f"sk-{rng.choice(('proj', 'svcacct', 'admin'))}-{of(rng, URL_SAFE, 74)}T3BlbkFJ{token(rng, URL_SAFE, 74)}"


def anthropic(rng: Random) -> str:
    return f"sk-ant-{rng.choice(('api03', 'api03', 'admin01', 'oat01'))}-{of(rng, URL_SAFE, 93)}AA"


MODELS: tuple[Credential, ...] = (
    Credential("OPENAI_API_KEY", (openai_legacy, openai_project, openai_project), ("OPENAI_API_KEY", "openai_api_key")),
    Credential("ANTHROPIC_API_KEY", (anthropic,), ("ANTHROPIC_API_KEY", "x-api-key")),
    Credential("HUGGINGFACE_TOKEN", (after("hf_", LETTERS, 34), after("api_org_", LETTERS, 34)), ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")),
    Credential("GROQ_API_KEY", (after("gsk_", ALNUM, 52),), ("GROQ_API_KEY",)),
    Credential("PERPLEXITY_API_KEY", (after("pplx-", ALNUM, 48),), ("PERPLEXITY_API_KEY", "PPLX_API_KEY")),
    Credential("REPLICATE_TOKEN", (after("r8_", ALNUM, 37),), ("REPLICATE_API_TOKEN",)),
    Credential("XAI_API_KEY", (after("xai-", ALNUM, 80),), ("XAI_API_KEY",)),
    Credential("OPENROUTER_API_KEY", (lambda rng: "sk-or-v1-" + hexadecimal(rng, 64),), ("OPENROUTER_API_KEY",)),
    Credential("FIREWORKS_API_KEY", (after("fw_", ALNUM, 22, 24),), ("FIREWORKS_API_KEY",)),
    Credential(
        "LANGSMITH_API_KEY",
        (lambda rng: f"lsv2_{rng.choice(('pt', 'sk'))}_{hexadecimal(rng, 32)}_{hexadecimal(rng, 10)}",),
        ("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"),
    ),
    Credential(
        "LANGFUSE_SECRET_KEY",
        (lambda rng: "sk-lf-" + "-".join(hexadecimal(rng, length) for length in (8, 4, 4, 4, 12)),),
        ("LANGFUSE_SECRET_KEY",),
    ),
    Credential("PINECONE_API_KEY", (lambda rng: f"pcsk_{of(rng, ALNUM, rng.choice((5, 6)))}_{of(rng, ALNUM, 63)}",), ("PINECONE_API_KEY",)),
    Credential("TAVILY_API_KEY", (after("tvly-", ALNUM, 32), after("tvly-dev-", ALNUM, 32)), ("TAVILY_API_KEY",)),
    Credential("ELEVENLABS_API_KEY", (lambda rng: "sk_" + hexadecimal(rng, 48),), ("ELEVENLABS_API_KEY", "xi-api-key")),
)
