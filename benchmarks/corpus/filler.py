"""What stands around the values: sentences, names of services, paths, times. Nothing here is personal or secret."""

import uuid
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.corpus.letters import LOWER_ALNUM, hexadecimal, of

SENTENCES = (
    "I checked the ticket and the deployment went through without problems.", "Can you summarise what happened in the last run?",
    "The build took 4m 12s and all 318 tests passed.",
    "Let me look at the configuration before changing anything.", "The customer wants to know when the parcel arrives.",
    "I'll open the file and fix the failing assertion.",
    "We moved the meeting to Thursday at 14:30.", "The query returned 42 rows in 0.018 s.", "Retrying in 5 seconds (attempt 2 of 3).",
    "Please keep the answer short.",
    "The refund of $129.99 was approved by the supervisor.", "Note: the cache is warmed by a nightly job at 02:15.",
    "It is sunny in Paris, 21 °C, wind from the north-west.",
    "That endpoint is deprecated since v2.3 and will be removed in v3.", "Here is what I found in the repository.",
    "Everything else looks fine to me.",
    "Could you double-check the numbers in section 3.2?", "The user asked for a refund because the size did not fit.",
    "I need to call the billing tool first.",
)  # fmt: skip
SERVICES = (
    "api-gateway",
    "billing",
    "checkout",
    "ingest-worker",
    "notifier",
    "search",
    "scheduler",
    "weather-agent",
    "support-bot",
    "crm-sync",
)
TOOLS = (
    "get_weather",
    "search_orders",
    "lookup_customer",
    "run_shell",
    "read_file",
    "query_database",
    "send_message",
    "http_request",
    "update_record",
    "create_ticket",
)
MODELS = (
    "gpt-4o-mini-2024-07-18",
    "claude-sonnet-4-5-20250929",
    "gemini-2.5-pro",
    "gpt-5-mini",
    "claude-opus-4-1-20250805",
    "llama-3.3-70b-versatile",
)
DOMAINS = ("northwind.io", "acme-logistics.com", "zenith.health", "internal.corp", "fieldnotes.app", "brightwater.co.uk")
LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR")


def sentence(rng: Random) -> str:
    return rng.choice(SENTENCES)


def moment(rng: Random) -> datetime:
    """Return a time between 2023 and 2026."""
    return datetime(2023, 1, 1, tzinfo=UTC) + timedelta(microseconds=rng.randrange(4 * 365 * 86_400_000_000))


def stamp(rng: Random) -> str:
    return moment(rng).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def identifier(rng: Random) -> str:
    """Return a random UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def call_id(rng: Random) -> str:
    """Return the id of a tool call, as the model providers write it."""
    return rng.choice(("call_", "toolu_01", "fc_")) + of(rng, LOWER_ALNUM, 22)


def host(rng: Random) -> str:
    return f"{rng.choice(SERVICES)}.{rng.choice(DOMAINS)}"


def path(rng: Random) -> str:
    return (
        "/"
        + "/".join(rng.choice(("srv", "app", "src", "home", "deploy", "lib", "workers", "config", "var")) for _ in range(rng.randint(1, 3)))
        + "/"
        + source_name(rng)
    )


def source_name(rng: Random) -> str:
    return rng.choice(("client", "settings", "main", "handlers", "orders", "session", "models")) + rng.choice(
        (".py", ".ts", ".go", ".rb", ".java")
    )


def trace_id(rng: Random) -> str:
    return hexadecimal(rng, 32)
