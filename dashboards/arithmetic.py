"""How a model call's cost comes about: the lines of the sum, when the price table of this installation gives the very cost that is stored.

The stored cost is the record; it is never recomputed for display. When our price table has moved on since, or the cost was sent by the
agent, the page says so instead of showing a sum that does not add up. Pure but for the price table, which ships with the package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from genai_prices import Usage, calc_price

SAME: Final = 0.005  # relative difference up to which two costs are the same sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One product of the sum."""

    what: str
    tokens: int
    usd: float | None


def lines(step: Mapping[str, Any]) -> tuple[list[Line], bool]:
    """The parts of a step's cost and whether they add up to what is stored; without a match the parts carry tokens alone."""
    given, cached, written = (int(step.get(key) or 0) for key in ("input_tokens", "cache_read_tokens", "cache_write_tokens"))
    gave = int(step.get("output_tokens") or 0)
    tokens = [("input", given - cached - written), ("input from cache", cached), ("input written to cache", written), ("output", gave)]
    tokens = [(what, number) for what, number in tokens if number > 0]
    parts = [_price(step, what, number) for what, number in tokens]
    total = sum(part for part in parts if part is not None)
    stored = step.get("cost_usd")
    if stored and all(part is not None for part in parts) and abs(total - stored) <= SAME * stored:
        return [Line(what=what, tokens=number, usd=part) for (what, number), part in zip(tokens, parts, strict=True)], True
    return [Line(what=what, tokens=number, usd=None) for what, number in tokens], False


def _price(step: Mapping[str, Any], what: str, tokens: int) -> float | None:
    usage = {
        "input": Usage(input_tokens=tokens),
        "input from cache": Usage(input_tokens=tokens, cache_read_tokens=tokens),
        "input written to cache": Usage(input_tokens=tokens, cache_write_tokens=tokens),
        "output": Usage(output_tokens=tokens),
    }[what]
    model = step.get("model") or step.get("model_requested")
    if not model or step.get("cost_source") != "genai-prices":
        return None
    for provider in (step.get("provider"), None):
        try:
            found = calc_price(usage, model, provider_id=provider, genai_request_timestamp=step["started_at"].replace(tzinfo=UTC))
        except (LookupError, ValueError):
            continue
        return float(found.total_price)
    return None
