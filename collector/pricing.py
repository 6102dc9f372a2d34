"""Tokens → cost of one call, with its provenance: a price file of the user's, else `genai-prices`, the offline price list of the Pydantic
team, of the version installed.

A price is that of the request's time. Each call is priced by itself (long contexts have tiers), never a sum. What cannot be
priced has cost NULL and the reason in `cost_source`; a cost that the agent sent is then taken, and says so. The rules are written down
in docs/cost.md.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from collector.dialects.normalise import provider_of_model
from collector.dialects.record import ANSWERED_FROM_CACHE, SENT_COST, SERVICE_TIER, Fields
from collector.price_file import PriceFile
from collector.rates import Rates

SOURCE: Final = "genai-prices"
SENT: Final = "sent"
USER: Final = "user"
FROM_CACHE: Final = "response cache"
NO_MODEL: Final = "unknown: no model"
NO_TOKENS: Final = "unknown: no tokens"
NO_PRICE: Final = "unknown: no price for this model"
NO_SUM: Final = "unknown: calls of several sizes, whose prices differ"
BAD_TOKENS: Final = "unknown: token counts contradict each other"
CACHED_RESPONSE: Final = "cached_response"
"""In `token_convention`: the tokens that the answer repeats are those of an earlier call, this one took none."""

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
_EMBEDDINGS_OF_OPENAI: Final = "text-embedding-"
"""What the list knows of OpenAI alone, and others serve by the same name."""
_MAX_SECONDS: Final = 4_102_444_800  # the year 2100
_TOTALS: Final = frozenset({"agent", "run"})
"""Kinds of step that may know what their calls took together."""
_PROBE: Final = 1_000_000
_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


class Tokens(NamedTuple):
    """What a call took."""

    input: int  # cached tokens included
    output: int
    cache_read: int
    cache_write: int


class Cost(NamedTuple):
    """The price of one call, or why there is none."""

    usd: float | None
    source: str
    saved_usd: float | None = None  # what it would have cost more without a cache


class Pricer:
    """Prices calls, by the user's file where that knows the model."""

    def __init__(self, file: PriceFile | None = None) -> None:
        self._file = file

    @property
    def version(self) -> str:
        """Which prices these are, all together."""
        return version() if self._file is None else f"{self._file.version}, {version()}"

    @property
    def newest(self) -> str:
        """The version that goes first."""
        return version() if self._file is None else self._file.version

    def complete(self, fields: Fields, time_ns: int) -> None:
        """Fill the cost columns of a step that began at `time_ns`, if it took any tokens; what no column holds is taken out."""
        if fields["step_kind"] == "model":
            self.price(fields, time_ns)
        elif fields["step_kind"] in _TOTALS and (fields.get("input_tokens") is not None or fields.get("output_tokens") is not None):
            self._price_total(fields, time_ns)
        else:
            without_price(fields)

    def _price_total(self, fields: Fields, time_ns: int) -> None:
        """Fill the cost columns of an agent that knows what its calls took together: by its own word, which may know their models, else
        by the price of its model where that is the same for calls of all sizes.
        """
        tier, sent = fields.pop(SERVICE_TIER, None), fields.get(SENT_COST)
        fields.pop(ANSWERED_FROM_CACHE, None)
        if sent is not None and sent >= 0:
            fields["cost_usd"], fields["cost_source"] = sent, SENT
            return
        cost = self._cost(fields, time_ns, tier, total=True)
        fields["cost_usd"], fields["cost_source"] = cost.usd, cost.source
        if cost.usd is not None:
            fields["price_version"] = self._version_of(cost)

    def _version_of(self, cost: Cost) -> str | None:
        if cost.source == USER and self._file is not None:
            return self._file.version
        return version() if cost.source == SOURCE else None

    def price(self, fields: Fields, time_ns: int) -> None:
        """Fill the cost columns of an inference step that began at `time_ns`; what no column holds is taken out."""
        tier, from_cache = fields.pop(SERVICE_TIER, None), fields.pop(ANSWERED_FROM_CACHE, None)
        if from_cache:
            _answered_from_cache(fields)
            return
        cost = self._cost(fields, time_ns, tier)
        sent = fields.get(SENT_COST)
        if cost.usd is None and sent is not None and sent >= 0:
            cost = Cost(sent, SENT)
        knows_cache = fields.get("cache_read_tokens") is not None or fields.get("cache_write_tokens") is not None
        fields["cost_usd"], fields["cost_source"] = cost.usd, cost.source
        fields["cache_savings_usd"] = cost.saved_usd if knows_cache else None
        fields["price_version"] = self._version_of(cost)

    def _cost(self, fields: Fields, time_ns: int, tier: str | None, *, total: bool = False) -> Cost:
        """`total`: the tokens are those of several calls, of which only the sum is known."""
        names = [name for name in (fields.get("model"), fields.get("model_requested")) if name is not None]
        if not names:
            return Cost(None, NO_MODEL)
        tokens = _tokens(fields)
        seconds = min(max(time_ns // 1_000_000_000, 0), _MAX_SECONDS)
        if self._file is not None:
            found = self._file.find(fields.get("provider"), names, seconds, tier, 0 if tokens is None else tokens.input)
            if found is not None and (tokens is not None or (found.only_fixed and "error_type" not in fields)):
                if total and (found.fixed or found != self._file.find(fields.get("provider"), names, seconds, tier, 0)):
                    return Cost(None, NO_SUM)
                return _of_rates(found, tokens or Tokens(0, 0, 0, 0), USER)
        if tokens is None:
            return Cost(None, NO_TOKENS)
        return calculate(fields.get("provider"), names[0], time_ns, tokens, total=total)


LISTED: Final = Pricer()
"""By the price list alone."""


def without_price(fields: Fields) -> None:
    """Take out of a step that is no inference what only those have: agents repeat the sum of their calls."""
    for key in (SENT_COST, ANSWERED_FROM_CACHE, SERVICE_TIER):
        fields.pop(key, None)


@cache
def load() -> None:
    """Read the price list now instead of at the first call that is priced; once."""
    calculate(None, "gpt-4o", 0, Tokens(0, 0, 0, 0))
    version()


@cache
def version() -> str:
    """Return the version of the price list."""
    from genai_prices import __version__

    return f"{SOURCE} {__version__}"


def calculate(provider: str | None, model: str, time_ns: int, tokens: Tokens, *, total: bool = False) -> Cost:
    """Return the cost of one call, exactly as `genai_prices.calc_price` gives it but without its 100 µs a call.

    `total`: of several calls together, which has a price where that does not depend on their sizes or number.
    """
    entry = _model(provider, model)
    if entry is None:
        return Cost(None, NO_PRICE)
    when = datetime.fromtimestamp(min(max(time_ns // 1_000_000_000, 0), _MAX_SECONDS), UTC)
    prices = _Prices(entry.get_prices(when))
    rates = _rates(prices, tokens.input)
    if total and rates is not None and (rates.fixed or rates != _rates(prices, 0)):
        return Cost(None, NO_SUM)
    return Cost(None, NO_PRICE) if rates is None else _of_rates(rates, tokens, SOURCE)


def _tokens(fields: Fields) -> Tokens | None:
    tokens_in, tokens_out = fields.get("input_tokens"), fields.get("output_tokens")
    if tokens_in is None or (tokens_out is None and fields.get("operation") != "embeddings"):
        return None
    return Tokens(tokens_in, tokens_out or 0, fields.get("cache_read_tokens") or 0, fields.get("cache_write_tokens") or 0)


def _of_rates(rates: Rates, tokens: Tokens, source: str) -> Cost:
    cached = tokens.cache_read + tokens.cache_write
    if cached > tokens.input:
        return Cost(None, BAD_TOKENS)
    of_cache = rates.cache_read * tokens.cache_read + rates.cache_write * tokens.cache_write
    cost = rates.fixed + rates.input * (tokens.input - cached) + rates.output * tokens.output + of_cache
    return Cost(float(cost), source, float(rates.input * cached - of_cache))


def _answered_from_cache(fields: Fields) -> None:
    """No model ran: no tokens, no cost. What the answer repeats of an earlier call stays in the evidence."""
    for name in _COUNTS:
        if fields.get(name) is not None:
            fields[name] = 0
    earlier = fields.get("token_convention")
    fields["token_convention"] = CACHED_RESPONSE if earlier is None else f"{earlier},{CACHED_RESPONSE}"
    fields["cost_usd"], fields["cost_source"] = 0.0, FROM_CACHE
    fields["price_version"] = fields["cache_savings_usd"] = None


class _Prices:
    """A price object of the list as a key: the list is loaded once, so its objects are their own identity."""

    def __init__(self, prices: Any) -> None:
        self.prices = prices

    def __hash__(self) -> int:
        return id(self.prices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Prices) and other.prices is self.prices


def _rates(of: _Prices, tokens_in: int) -> Rates | None:
    tier = sum(tokens_in > start for start in _thresholds(of))
    return _rates_of_tier(of, tier)


@lru_cache(maxsize=4_096)
def _thresholds(of: _Prices) -> tuple[int, ...]:
    """The input sizes above which another price applies to the whole call."""
    return tuple(sorted({tier.start for price in vars(of.prices).values() for tier in getattr(price, "tiers", ())}))


@lru_cache(maxsize=4_096)
def _rates_of_tier(of: _Prices, tier: int) -> Rates | None:
    """USD a call, and a token. Within a tier a price is linear, so five probes give it exactly."""
    from genai_prices import Usage
    from genai_prices.types import ModelPrice

    size = (0, *_thresholds(of))[tier] + 1
    flat = ModelPrice(**{name: _at(price, size) for name, price in vars(of.prices).items()})

    def cost(**tokens: int) -> Decimal:
        return Decimal(flat.calc_price(Usage(**tokens))["total_price"])

    try:
        fixed = cost(input_tokens=0, output_tokens=0)
        return Rates(
            fixed=fixed,
            input=(cost(input_tokens=_PROBE, output_tokens=0) - fixed) / _PROBE,
            output=(cost(input_tokens=0, output_tokens=_PROBE) - fixed) / _PROBE,
            cache_read=(cost(input_tokens=_PROBE, output_tokens=0, cache_read_tokens=_PROBE) - fixed) / _PROBE,
            cache_write=(cost(input_tokens=_PROBE, output_tokens=0, cache_write_tokens=_PROBE) - fixed) / _PROBE,
        )
    except ValueError:
        return None


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

    attempts: list[tuple[str, str | None]] = (
        [(model, None)] if provider is None else [(model, _PROVIDER_IDS.get(provider, provider)), (model, None)]
    )
    named, bare = provider_of_model(model), model.partition("/")[2]
    if named is not None:
        attempts += [(bare or model, _PROVIDER_IDS.get(named, named)), (bare or model, None)]
    if model.startswith(_EMBEDDINGS_OF_OPENAI):
        attempts.append((model, "openai"))
    for name, attempt in attempts:
        try:
            return get_snapshot().find_provider_model(name, None, attempt, None)[1]
        except LookupError:
            continue
    return None
