"""Costs: exactly the price list's, at the request's time, and NULL with a reason when unknown."""

import math
import random
from datetime import UTC, datetime

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers

from collector.pricing import BAD_TOKENS, NO_MODEL, NO_PRICE, NO_TOKENS, SENT, SOURCE, calculate, price

NOON_NS = 1_795_262_400 * 1_000_000_000


def test_fast_prices_equal_the_price_list_for_every_sort_of_model():
    rng = random.Random(7)
    models = [(provider.id, model.id) for provider in providers for model in provider.models]
    compared = 0
    for provider, model in rng.sample(models, 250):
        read, written, rest = rng.choice([0, 5, 1024, 190_000]), rng.choice([0, 7, 40_000]), rng.choice([0, 11, 200_001, 900_000])
        tokens = (read + written + rest, rng.randrange(5_000), read, written)
        names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
        time_ns = NOON_NS - rng.randrange(300) * 86_400 * 10**9 + rng.randrange(86_400) * 10**9
        when = datetime.fromtimestamp(time_ns // 10**9, UTC)
        try:
            usage = Usage(**{name: count for name, count in zip(names, tokens, strict=True) if count})
            expected = float(calc_price(usage, model, provider_id=provider, genai_request_timestamp=when).total_price)
        except (LookupError, ValueError):
            continue
        cost, source = calculate(provider, model, time_ns, tokens)
        assert source == SOURCE, (provider, model)
        assert math.isclose(cost, expected, rel_tol=1e-12), (provider, model, tokens)
        compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"input_tokens": 1, "output_tokens": 1}, NO_MODEL),
        ({"model": "gpt-4o", "input_tokens": 1}, NO_TOKENS),
        ({"model": "a-model-of-nobody", "input_tokens": 1, "output_tokens": 1}, NO_PRICE),
        ({"model": "gpt-4o", "input_tokens": 1, "output_tokens": 1, "cache_read_tokens": 9}, BAD_TOKENS),
    ],
)
def test_unknown_cost_is_null_with_its_reason(fields, reason):
    price(fields, NOON_NS)
    assert fields["cost_usd"] is None
    assert fields["cost_source"] == reason
    assert fields["price_version"] is None


def test_cost_that_the_agent_sent_is_taken_only_when_ours_is_unknown():
    unknown = {"model": "a-model-of-nobody", "input_tokens": 1, "output_tokens": 1, "sent_cost": 0.5}
    price(unknown, NOON_NS)
    assert (unknown["cost_usd"], unknown["cost_source"]) == (0.5, SENT)
    known = {"model": "gpt-4o-mini", "input_tokens": 1200, "output_tokens": 90, "cache_read_tokens": 1024, "sent_cost": 0.5}
    price(known, NOON_NS)
    assert known["cost_usd"] == pytest.approx(0.0001572)
    assert known["price_version"].startswith("genai-prices ")
    assert "sent_cost" not in known


def test_provider_that_the_list_does_not_know_does_not_hide_the_model():
    fields = {"provider": "my.gateway", "model": "gpt-4o-mini", "input_tokens": 1, "output_tokens": 1}
    price(fields, NOON_NS)
    assert fields["cost_source"] == SOURCE


def test_embeddings_need_no_output_tokens():
    fields = {"provider": "openai", "model": "text-embedding-3-small", "operation": "embeddings", "input_tokens": 8}
    price(fields, NOON_NS)
    assert fields["cost_usd"] == pytest.approx(1.6e-07)
