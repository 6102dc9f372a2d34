"""The closer look before a recognizer is called: at a few places of a text it says what it says of the whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction import escapes
from redaction.conditions import Condition, open_gate
from redaction.database import MOST_PLACES
from redaction.policy import RedactionConfig
from redaction.prefilter import LOOKED_AT_CHARS, Gate, _spans
from redaction.presidio.detectors import conditions, detectors
from tests.redaction.conftest import CACHE

PARTS = st.one_of(
    st.sampled_from(["415-555-0132", "+49 30 901820", "(415) 555 0132", "5550132", "4012888888881881", "4012 8888 8888 1881", "4.0128e15"]),
    st.sampled_from(
        ["GB82WEST12345698765432", "DE89 3704 0044 0532 0130 00", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "2026-11-21", "x" * 300]
    ),
    st.sampled_from([" ", ", ", " phone ", " card: ", "\n", "-", "a", "(", " | ", "９", "\u00a0", " – "]),
    st.text("0123456789 -./()+", max_size=60),
)
TEXTS = st.lists(PARTS, max_size=12).map("".join)


@pytest.fixture(scope="module")
def gate() -> Gate:
    """Of the default policy."""
    config = RedactionConfig()
    return open_gate(conditions(config, detectors(config)), CACHE)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, context=st.sampled_from([(), ("phone",), ("card",)]))
def test_the_places_of_a_shape_tell_as_much_as_the_whole_text(gate: Gate, text: str, context: tuple[str, ...]) -> None:
    forms = [text.encode()]
    for _, check, database in gate._checks:
        spans = _spans(text, forms, database)
        assert spans is not None or len(text) > LOOKED_AT_CHARS
        assert check(text, context, spans or ()) == check(text, context, [(0, len(text))])


def test_so_many_places_in_a_long_text_are_left_to_the_recognizer(gate: Gate) -> None:
    """And in a short one the whole is looked at."""
    numbers = " ".join(["order 12345678,"] * MOST_PLACES)
    phones = next(bit for bit, check, _ in gate._checks if check.__name__ == "_may_hold_phone")
    assert len(numbers) > LOOKED_AT_CHARS
    assert gate.candidates(numbers, ()) & phones
    assert not gate.candidates(numbers[:LOOKED_AT_CHARS], ()) & phones


def test_weak_expressions_are_searched_beside_their_words_only() -> None:
    """In a text or its key; the second word of a phrase has to follow the first."""
    gate = open_gate([Condition(worded=(("[0-9]{9}", 0),), words=("passport", "health authority")), Condition(expressions=(("zzz", 0),))])
    found = [
        gate.candidates(text, ())
        for text in ("123456789", "passport 123456789", "my health 123456789", "HealthAuthority: 123456789", "passport")
    ]
    assert found == [0, 1, 0, 1, 0]
    assert (gate.candidates("123456789", ("passport",)), gate.candidates("123456789", ("health",))) == (1, 1)


@settings(max_examples=300, deadline=None)
@given(text=st.text("\\\"'/nrtbfu0041xU aé=3D", max_size=40))
def test_usual_escapes_are_read_without_an_expression_like_all_others(text: str) -> None:
    expression = escapes._QUOTED_PRINTABLE if escapes._is_quoted_printable(text) else escapes._ESCAPE
    assert escapes._decoded(text) == expression.sub(escapes._meaning, text)
