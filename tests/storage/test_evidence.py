"""Evidence columns are read back as what was sent, as far as their text says it."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.anyvalue import as_text
from storage.evidence import value_of

SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(max_size=12).filter(lambda text: value_of(text) == text)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_comes_back_with_its_type(value: Any) -> None:
    found = value_of(as_text(value))
    assert type(found) is type(value)
    assert found == value


@given(st.text() | VALUES.map(as_text) | VALUES.map(lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()))
def test_whatever_was_stored_is_stored_again(text: str) -> None:
    assert as_text(value_of(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "0123", "1.10", "1e5", "-0", "+1", " 1", "1 ", "True", "null", "NaN", "Infinity", '"quoted"', "[1, 2]", '{"a": 1}', "{", "[1",
        "9223372036854775808", "[9223372036854775808]", "1e400", "12ab", "true ", '{"a":1,"a":2}', "\u0663", "-", "[" * 2000 + "]" * 2000,
        "[" * 31 + "]" * 31,
    ],
)  # fmt: skip
def test_what_no_encoder_of_ours_writes_stays_a_string(text: str) -> None:
    assert value_of(text) == text
    assert type(value_of(text)) is str


def test_what_the_text_does_not_say_is_lost_as_documented() -> None:
    assert value_of("42") == 42
    assert value_of(as_text(b"hi")) == '"aGk="'
    assert value_of(as_text([b"hi"])) == ["aGk="]
    assert (value_of(as_text(math.nan)), value_of(as_text(None))) == ("NaN", "null")
