"""Tokens → cost of one call, with its provenance: `genai-prices`, the offline price list of the Pydantic team, of the version installed.

A price is that of the request's time. Each call is priced by itself (long contexts have tiers), never a sum. What cannot be
priced has cost NULL and the reason in `cost_source`; a cost that the agent sent is then taken, and says so.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

from collector.dialects.record import SENT_COST, Fields

SOURCE: Final = "genai-prices"
SENT: Final = "sent"
NO_MODEL: Final = "unknown: no model"
NO_TOKENS: Final = "unknown: no tokens"
NO_PRICE: Final = "unknown: no price for this model"
BAD_TOKENS: Final = "unknown: token counts contradict each other"

_PROVIDER_IDS: Final = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
}
"""OpenTelemetry's names of providers → those of genai-prices, where they differ."""
_MAX_SECONDS: Final = 4_102_444_800  # the year 2100
_PROBE: Final = 1_000_000
Tokens = tuple[int, int, int, int]
"""Input (cached tokens included), output, read from the cache, written to it."""


def price(fields: Fields, time_ns: int) -> None:
    """Fill `cost_usd`, `cost_source` and `price_version` of an inference step that began at `time_ns`."""
    sent = fields.pop(SENT_COST, None)
    cost, source = _calculated(fields, time_ns)
    if cost is None and sent is not None:
        cost, source = sent, SENT
    fields["cost_usd"], fields["cost_source"] = cost, source
    fields["price_version"] = version() if source == SOURCE else None


@cache
def load() -> None:
    """Read the price list now instead of at the first call that is priced; once."""
    calculate(None, "gpt-4o", 0, (0, 0, 0, 0))
    version()


@cache
def version() -> str:
    """Return the version of the price list."""
    from genai_prices import __version__

    return f"{SOURCE} {__version__}"


def _calculated(fields: Fields, time_ns: int) -> tuple[float | None, str]:
    model = fields.get("model") or fields.get("model_requested")
    if model is None:
        return None, NO_MODEL
    tokens_in, tokens_out = fields.get("input_tokens"), fields.get("output_tokens")
    if tokens_in is None or (tokens_out is None and fields.get("operation") != "embeddings"):
        return None, NO_TOKENS
    tokens = (tokens_in, tokens_out or 0, fields.get("cache_read_tokens") or 0, fields.get("cache_write_tokens") or 0)
    return calculate(fields.get("provider"), model, time_ns, tokens)


def calculate(provider: str | None, model: str, time_ns: int, tokens: Tokens) -> tuple[float | None, str]:
    """Return cost and source of one call, exactly as `genai_prices.calc_price` gives it but without its 100 µs a call."""
    entry = _model(provider, model)
    if entry is None:
        return None, NO_PRICE
    tokens_in, tokens_out, cache_read, cache_write = tokens
    uncached = tokens_in - cache_read - cache_write
    if uncached < 0:
        return None, BAD_TOKENS
    when = datetime.fromtimestamp(min(max(time_ns // 1_000_000_000, 0), _MAX_SECONDS), UTC)
    rates = _rates(_Prices(entry.get_prices(when)), tokens_in)
    if rates is None:
        return None, NO_PRICE
    fixed, a_token_in, a_token_out, a_token_read, a_token_written = rates
    return float(
        fixed + a_token_in * uncached + a_token_out * tokens_out + a_token_read * cache_read + a_token_written * cache_write
    ), SOURCE


class _Prices:
    """A price object of the list as a key: the list is loaded once, so its objects are their own identity."""

    def __init__(self, prices: Any) -> None:
        self.prices = prices

    def __hash__(self) -> int:
        return id(self.prices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Prices) and other.prices is self.prices


def _rates(of: _Prices, tokens_in: int) -> tuple[Decimal, ...] | None:
    tier = sum(tokens_in > start for start in _thresholds(of))
    return _rates_of_tier(of, tier)


@lru_cache(maxsize=4_096)
def _thresholds(of: _Prices) -> tuple[int, ...]:
    """The input sizes above which another price applies to the whole call."""
    return tuple(sorted({tier.start for price in vars(of.prices).values() for tier in getattr(price, "tiers", ())}))


@lru_cache(maxsize=4_096)
def _rates_of_tier(of: _Prices, tier: int) -> tuple[Decimal, ...] | None:
    """USD a call, and a token: input, output, read, written. Within a tier a price is linear, so five probes give it exactly."""
    from genai_prices import Usage
    from genai_prices.types import ModelPrice

    size = (0, *_thresholds(of))[tier] + 1
    flat = ModelPrice(**{name: _at(price, size) for name, price in vars(of.prices).items()})

    def cost(**tokens: int) -> Decimal:
        return Decimal(flat.calc_price(Usage(**tokens))["total_price"])

    try:
        fixed = cost(input_tokens=0, output_tokens=0)
        a_token_in = (cost(input_tokens=_PROBE, output_tokens=0) - fixed) / _PROBE
        a_token_out = (cost(input_tokens=0, output_tokens=_PROBE) - fixed) / _PROBE
        a_token_read = (cost(input_tokens=_PROBE, output_tokens=0, cache_read_tokens=_PROBE) - fixed) / _PROBE
        a_token_written = (cost(input_tokens=_PROBE, output_tokens=0, cache_write_tokens=_PROBE) - fixed) / _PROBE
    except ValueError:
        return None
    return fixed, a_token_in, a_token_out, a_token_read, a_token_written


def _at(price: Any, size: int) -> Any:
    """The price of a call with `size` input tokens."""
    tiers = getattr(price, "tiers", None)
    if tiers is None:
        return price
    return next((tier.price for tier in reversed(tiers) if size > tier.start), price.base)


@lru_cache(maxsize=4_096)
def _model(provider: str | None, model: str) -> Any | None:
    """The price list's entry: of the provider's model, else of the model wherever it is known."""
    from genai_prices.data_snapshot import get_snapshot

    attempts = (None,) if provider is None else (_PROVIDER_IDS.get(provider, provider), None)
    for attempt in attempts:
        try:
            return get_snapshot().find_provider_model(model, None, attempt, None)[1]
        except LookupError:
            continue
    return None
