"""Costs: exactly the price list's, at the request's time, or the user's own; and NULL with a reason when unknown."""

import math
import pickle
import random
from datetime import UTC, datetime

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers

from collector.config_source import ConfigError
from collector.price_file import PriceFile, load_price_file
from collector.pricing import (
    BAD_TOKENS,
    CACHED_RESPONSE,
    FROM_CACHE,
    LISTED,
    NO_MODEL,
    NO_PRICE,
    NO_TOKENS,
    SENT,
    SOURCE,
    USER,
    Pricer,
    Tokens,
    calculate,
    without_price,
)

NOON_NS = 1_795_262_400 * 1_000_000_000  # 2026-11-21


def priced(fields, pricer=LISTED, time_ns=NOON_NS):
    pricer.price(fields, time_ns)
    return fields


def by_file(text: str) -> Pricer:
    return Pricer(PriceFile(text.encode(), "prices.yaml"))


def test_fast_prices_equal_the_price_list_for_every_sort_of_model():
    rng = random.Random(7)
    models = [(provider.id, model.id) for provider in providers for model in provider.models]
    compared = 0
    for provider, model in rng.sample(models, 250):
        read, written, rest = rng.choice([0, 5, 1024, 190_000]), rng.choice([0, 7, 40_000]), rng.choice([0, 11, 200_001, 900_000])
        tokens = Tokens(read + written + rest, rng.randrange(5_000), read, written)
        names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
        time_ns = NOON_NS - rng.randrange(300) * 86_400 * 10**9 + rng.randrange(86_400) * 10**9
        when = datetime.fromtimestamp(time_ns // 10**9, UTC)
        try:
            usage = Usage(**{name: count for name, count in zip(names, tokens, strict=True) if count})
            expected = float(calc_price(usage, model, provider_id=provider, genai_request_timestamp=when).total_price)
        except (LookupError, ValueError):
            continue
        cost = calculate(provider, model, time_ns, tokens)
        assert cost.source == SOURCE, (provider, model)
        assert math.isclose(cost.usd, expected, rel_tol=1e-12), (provider, model, tokens)
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
    priced(fields)
    assert fields["cost_usd"] is fields["cache_savings_usd"] is fields["price_version"] is None
    assert fields["cost_source"] == reason


def test_cost_that_the_agent_sent_stands_beside_ours_and_is_taken_only_when_ours_is_unknown():
    unknown = priced({"model": "a-model-of-nobody", "input_tokens": 1, "output_tokens": 1, "sent_cost_usd": 0.5})
    assert (unknown["cost_usd"], unknown["cost_source"], unknown["sent_cost_usd"]) == (0.5, SENT, 0.5)
    earned = priced({"model": "a-model-of-nobody", "input_tokens": 1, "output_tokens": 1, "sent_cost_usd": -0.5})
    assert (earned["cost_usd"], earned["cost_source"], earned["sent_cost_usd"]) == (None, NO_PRICE, -0.5)
    assert unknown["price_version"] is None
    known = priced({"model": "gpt-4o-mini", "input_tokens": 1200, "output_tokens": 90, "cache_read_tokens": 1024, "sent_cost_usd": 0.5})
    assert known["cost_usd"] == pytest.approx(0.0001572)
    assert known["price_version"].startswith("genai-prices ")
    assert known["sent_cost_usd"] == 0.5


def test_provider_that_the_list_does_not_know_does_not_hide_the_model():
    fields = priced({"provider": "my.gateway", "model": "gpt-4o-mini", "input_tokens": 1, "output_tokens": 1})
    assert fields["cost_source"] == SOURCE


def test_embeddings_need_no_output_tokens():
    fields = priced({"provider": "openai", "model": "text-embedding-3-small", "operation": "embeddings", "input_tokens": 8})
    assert fields["cost_usd"] == pytest.approx(1.6e-07)


def test_savings_are_what_the_cached_input_would_have_cost_more_uncached():
    call = {"provider": "openai", "model": "gpt-4o-mini", "input_tokens": 1200, "output_tokens": 90}
    cached = priced({**call, "cache_read_tokens": 1024})
    assert cached["cache_savings_usd"] == pytest.approx(priced(dict(call))["cost_usd"] - cached["cost_usd"])
    assert priced({**call, "cache_read_tokens": 0})["cache_savings_usd"] == 0
    assert priced(dict(call))["cache_savings_usd"] is None, "a call that says nothing of a cache"


def test_writing_to_the_cache_costs_and_that_counts_against_the_savings():
    tokens = {"input_tokens": 1000, "output_tokens": 0, "cache_write_tokens": 1000}
    written = priced({"provider": "anthropic", "model": "claude-sonnet-4-5", **tokens})
    assert written["cache_savings_usd"] < 0


def test_a_response_out_of_a_cache_took_no_tokens_and_costs_nothing():
    tokens = {"input_tokens": 1200, "output_tokens": 90, "cache_read_tokens": None}
    fields = priced({"model": "gpt-4o-mini", **tokens, "answered_from_cache": True})
    assert (fields["cost_usd"], fields["cost_source"], fields["price_version"]) == (0.0, FROM_CACHE, None)
    assert (fields["input_tokens"], fields["output_tokens"], fields["cache_read_tokens"]) == (0, 0, None)
    assert fields["token_convention"] == CACHED_RESPONSE
    assert "answered_from_cache" not in fields


def test_a_response_that_says_it_is_not_from_a_cache_is_priced_as_ever():
    fields = priced({"model": "gpt-4o-mini", "input_tokens": 1200, "output_tokens": 90, "answered_from_cache": False})
    assert fields["cost_source"] == SOURCE


def test_what_is_no_inference_keeps_nothing_that_only_inferences_have():
    fields = {"step_kind": "agent", "sent_cost_usd": 1.0, "answered_from_cache": True, "service_tier": "flex"}
    without_price(fields)
    assert fields == {"step_kind": "agent"}


OURS = """\
prices:
  - {model: "acme-large*", provider: my.*, valid_from: 2026-06-01, input: 2, output: 8, cache_read: 0.5, cache_write: 3, request: 0.01}
  - {model: "acme-large*", provider: my.*, valid_until: 2026-06-01, input: 4, output: 16}
  - {model: gpt-4o-mini, input: 1, output: 2}
  - {model: gpt-4o-mini, service_tier: flex, input: 0.1, output: 0.2}
  - {model: by-the-call, request: 0.25}
  - model: long
    input: 1
    output: 2
    cache_read: 0.1
    tiers: [{above: 1000, input: 10}, {above: 2000, output: 20, cache_read: 5}]
"""


def test_the_price_file_goes_before_the_list_and_says_which_file_it_was():
    pricer = by_file(OURS)
    fields = priced({"provider": "openai", "model": "gpt-4o-mini", "input_tokens": 1_000_000, "output_tokens": 500_000}, pricer)
    assert (fields["cost_usd"], fields["cost_source"]) == (2.0, USER)
    assert fields["price_version"] == pricer.version.split(", ")[0]
    assert fields["price_version"].startswith("user ")
    assert pricer.version.split(", ")[1].startswith("genai-prices ")
    other = priced({"provider": "openai", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}, pricer)
    assert other["cost_source"] == SOURCE


def test_another_content_is_another_version():
    assert by_file(OURS).version != by_file(OURS + "\n").version


def test_prices_of_the_file_hold_from_and_until_their_time():
    call = {"provider": "My.Gateway", "model": "Acme-Large-2", "input_tokens": 1_000_000, "output_tokens": 0}
    before = int(datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 10**9
    pricer = by_file(OURS)
    assert priced(dict(call), pricer, before)["cost_usd"] == 4
    assert priced(dict(call), pricer, before + 10**9)["cost_usd"] == pytest.approx(2.01)
    assert priced({**call, "provider": "elsewhere"}, pricer)["cost_source"] == NO_PRICE


def test_every_kind_of_token_has_its_price_in_the_file():
    tokens = {"input_tokens": 1_000_000, "output_tokens": 100_000, "cache_read_tokens": 400_000, "cache_write_tokens": 100_000}
    fields = priced({"provider": "my.gateway", "model": "acme-large", **tokens}, by_file(OURS))
    assert fields["cost_usd"] == pytest.approx(0.01 + 0.5 * 2 + 0.1 * 8 + 0.4 * 0.5 + 0.1 * 3)
    assert fields["cache_savings_usd"] == pytest.approx(0.4 * 1.5 - 0.1 * 1)


@pytest.mark.parametrize(
    ("tokens", "expected"), [((1000, 0), 1e-3), ((1001, 0), 10.01e-3), ((1001, 1000), 12.01e-3), ((2001, 1000), 40.01e-3)]
)
def test_a_tier_prices_the_whole_call_and_keeps_what_it_does_not_name(tokens, expected):
    fields = priced({"model": "long", "input_tokens": tokens[0], "output_tokens": tokens[1]}, by_file(OURS))
    assert fields["cost_usd"] == pytest.approx(expected)


def test_the_first_entry_that_matches_prices_a_call():
    flex_first = by_file("\n".join([OURS.splitlines()[0], OURS.splitlines()[4], OURS.splitlines()[3]]))
    call = {"model": "gpt-4o-mini", "input_tokens": 1_000_000, "output_tokens": 0}
    assert priced({**call, "service_tier": "flex"}, flex_first)["cost_usd"] == pytest.approx(0.1)
    assert priced(dict(call), flex_first)["cost_usd"] == 1
    assert priced({**call, "service_tier": "flex"}, by_file(OURS))["cost_usd"] == 1


def test_the_model_that_was_asked_is_priced_when_the_answering_one_has_no_price():
    fields = {"model": "internal-7", "model_requested": "long", "input_tokens": 1000, "output_tokens": 0}
    assert priced(fields, by_file(OURS))["cost_usd"] == pytest.approx(1e-3)


def test_a_price_by_the_call_needs_no_tokens_but_an_answer():
    assert priced({"model": "by-the-call"}, by_file(OURS))["cost_usd"] == 0.25
    assert priced({"model": "by-the-call", "error_type": "429"}, by_file(OURS))["cost_usd"] is None


def test_a_price_file_travels_between_processes_as_it_was_checked():
    file = PriceFile(OURS.encode(), "prices.yaml")
    assert pickle.loads(pickle.dumps(file)) == file
    assert len(file) == 6


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("prices:\n  - {model: a, inptu: 1}\n", 2, "did you mean 'input'"),
        ("prices:\n  - {input: 1, output: 1}\n", 2, "is required"),
        ("prices:\n  - {model: a, input: 1, output: 1}\n  - model: b\n    input: -1\n", 4, "greater than or equal to 0"),
        ("prices:\n  - model: b\n    input: cheap\n", 3, "valid decimal"),
        ("prices:\n  - model: b\n", 2, "has no price"),
        ("prices:\n  - {model: b, input: 1, valid_from: soon}\n", 2, "must be a date such as"),
        ("prices:\n  - {model: b, input: 1, valid_from: 2026-02-01, valid_until: 2026-01-01}\n", 2, "later than valid_from"),
        ("prices:\n  - model: b\n    input: 1\n    tiers: [{above: 9}, {above: 3}]\n", 2, "in the order of"),
        ("price: []\n", 1, "did you mean 'prices'"),
        ("- a\n", 1, "must be a mapping"),
        ("prices: [\n", 2, "not valid YAML"),
    ],
)
def test_a_wrong_price_file_is_refused_with_line_key_and_remedy(text, line, words):
    with pytest.raises(ConfigError) as caught:
        PriceFile(text.encode(), "prices.yaml")
    problem = caught.value.problems[0]
    assert problem.line == line
    assert words in " ".join(str(each) for each in caught.value.problems)
    assert "prices.yaml" in str(caught.value)


def test_a_price_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)no\.yaml.*processors\.pricing\.file") as caught:
        load_price_file(tmp_path / "no.yaml")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        (None, "openai/gpt-4o-mini", 0.15),
        (None, "text-embedding-3-small", 0.02),
        ("my-gateway", "anthropic/claude-3-5-haiku-20241022", 0.8),
        (None, "us.anthropic.claude-sonnet-4-20250514-v1:0", 3),
        (None, "models/gemini-2.5-flash", 0.3),
    ],
)
def test_a_model_is_priced_that_names_its_provider_itself(provider, model, usd):
    assert calculate(provider, model, 1_795_262_400_000_000_000, Tokens(1_000_000, 0, 0, 0)).usd == pytest.approx(usd)
