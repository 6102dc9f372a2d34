"""Token counts in one convention: input with its cached tokens, output with its reasoning tokens, as OpenTelemetry counts.

Not every sender counts so, and few say it. What is certain is changed, and `token_convention` says how; what is not certain stays
as it was sent. Certain is arithmetic: a part is never larger than its whole, and a total that was sent beside the counts is the sum of
exactly one reading of them.
"""

from itertools import product
from typing import Final, NamedTuple

from collector.dialects.record import Fields

CONVENTION: Final = "token_convention"
CACHE_ADDED: Final = "cache_added"
"""Input was sent without the cached tokens."""
REASONING_ADDED: Final = "reasoning_added"
"""Output was sent without the reasoning tokens."""
REASONING_SUBTRACTED: Final = "reasoning_subtracted"
"""Output was sent with the reasoning tokens counted twice."""


class _Reading(NamedTuple):
    tokens: int
    convention: str | None


def make_inclusive(fields: Fields, total: int | None = None, *, without_cached: bool = False) -> None:
    """Change the counts of an inference step to those of OpenTelemetry's convention, where it is certain that they are others.

    `total` is the sum of all tokens as it was sent. A count that is missing is calculated from it where nothing else is missing.
    `without_cached`: the sender is known to leave cached tokens out of the input and the total, as Anthropic and Bedrock count.
    """
    if without_cached:
        add_cached(fields)
        return
    sent_in, sent_out = fields.get("input_tokens"), fields.get("output_tokens")
    if total is not None and sent_in is sent_out is None:
        if fields.get("operation") == "embeddings":
            fields["input_tokens"] = total
        return
    if total is not None and (sent_in is None or sent_out is None):
        _complete(fields, total)
        return
    cached = (fields.get("cache_read_tokens") or 0) + (fields.get("cache_write_tokens") or 0)
    reasoning = fields.get("reasoning_tokens") or 0
    if not cached and not reasoning:
        return
    readings = list(product(_inputs(sent_in, cached), _outputs(sent_out, reasoning)))
    if total is not None and sent_in is not None:
        fitting = [pair for pair in readings if pair[0].tokens + pair[1].tokens == total]
        if fitting:
            readings = fitting
    _note(fields, *readings[0])


def add_cached(fields: Fields) -> None:
    """Change an input count that is known to be without the cached tokens."""
    cached = (fields.get("cache_read_tokens") or 0) + (fields.get("cache_write_tokens") or 0)
    if fields.get("input_tokens") is not None and cached:
        fields["input_tokens"] += cached
        fields[CONVENTION] = CACHE_ADDED


def _complete(fields: Fields, total: int) -> None:
    """Fill in the count that is missing, if the total can be right."""
    missing, known = ("output_tokens", "input_tokens") if fields.get("output_tokens") is None else ("input_tokens", "output_tokens")
    rest = total - fields[known]
    if rest >= 0 and not (fields.get("operation") == "embeddings" and missing == "output_tokens"):
        fields[missing] = rest


def _inputs(sent: int | None, cached: int) -> list[_Reading]:
    """The ways in which an input count can be meant, the most usual first."""
    if sent is None or not cached:
        return [_Reading(sent or 0, None)]
    added = _Reading(sent + cached, CACHE_ADDED)
    return [added] if cached > sent else [_Reading(sent, None), added]


def _outputs(sent: int | None, reasoning: int) -> list[_Reading]:
    if sent is None or not reasoning:
        return [_Reading(sent or 0, None)]
    added = _Reading(sent + reasoning, REASONING_ADDED)
    if reasoning > sent:
        return [added]
    twice = [_Reading(sent - reasoning, REASONING_SUBTRACTED)] if sent >= 2 * reasoning else []
    return [_Reading(sent, None), added, *twice]


def _note(fields: Fields, tokens_in: _Reading, tokens_out: _Reading) -> None:
    for column, reading in (("input_tokens", tokens_in), ("output_tokens", tokens_out)):
        if reading.convention is not None:
            fields[column] = reading.tokens
            conventions = [convention for convention in str(fields.get(CONVENTION) or "").split(",") if convention]
            fields[CONVENTION] = ",".join(dict.fromkeys((*conventions, reading.convention)))
