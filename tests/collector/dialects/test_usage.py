"""Counts become inclusive where it is certain that they were not, and stay as sent where it is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.dialects.usage import make_inclusive

COLUMNS = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")


def counted(*tokens: int | None, total: int | None = None, **fields: Any) -> tuple[Any, ...]:
    """Input, cached, output and reasoning as sent → input and output as they are then, and the convention."""
    row: dict[str, Any] = {column: number for column, number in zip(COLUMNS, tokens, strict=True) if number is not None} | fields
    make_inclusive(row, total)
    return row.get("input_tokens"), row.get("output_tokens"), row.get("token_convention")


@pytest.mark.parametrize(
    ("sent", "total", "expected"),
    [
        ((1200, 1024, 90, 64), None, (1200, 90, None)),  # nothing says otherwise
        ((1200, 1024, 90, 64), 1290, (1200, 90, None)),
        ((1200, 1024, 154, 64), 1290, (1200, 90, "reasoning_subtracted")),  # ADK through LiteLLM
        ((1200, 1024, 154, 64), None, (1200, 154, None)),  # it may be so
        ((106, None, 6, 46), None, (106, 52, "reasoning_added")),  # a part is not larger than its whole: Gemini
        ((106, None, 60, 46), 212, (106, 106, "reasoning_added")),
        ((176, 1024, 90, None), None, (1200, 90, "cache_added")),  # Anthropic
        ((1100, 100, 90, None), 1290, (1200, 90, "cache_added")),  # Bedrock's total has its cached tokens
        ((176, 1024, 26, 64), None, (1200, 90, "cache_added,reasoning_added")),
        ((1200, 1024, 90, 64), 5, (1200, 90, None)),  # a total that fits nothing says nothing
        ((None, None, 90, None), 1290, (1200, 90, None)),
        ((1200, None, None, None), 1290, (1200, 90, None)),
        ((1200, None, None, None), 100, (1200, None, None)),
        ((None, None, None, None), 1290, (None, None, None)),
    ],
)
def test_what_is_certain_is_changed(sent, total, expected):
    assert counted(*sent, total=total) == expected


def test_an_embeddings_total_is_its_input():
    assert counted(None, None, None, None, total=8, operation="embeddings") == (8, None, None)
    assert counted(8, None, None, None, total=8, operation="embeddings") == (8, None, None)


COUNTS = st.one_of(st.none(), st.integers(0, 3_000))


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_parts_are_never_larger_than_their_whole_and_reading_again_changes_nothing(tokens_in, cached, tokens_out, reasoning, total):
    row = {column: number for column, number in zip(COLUMNS, (tokens_in, cached, tokens_out, reasoning), strict=True) if number is not None}
    make_inclusive(row, total)
    assert min(row.get("input_tokens") or 0, row.get("output_tokens") or 0) >= 0
    if None not in (tokens_in, tokens_out):
        assert row["input_tokens"] >= (cached or 0)
        assert row["output_tokens"] >= (reasoning or 0)
        once = dict(row)
        make_inclusive(row, total)
        assert row == once
