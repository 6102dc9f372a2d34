"""The prefilter is a superset: what it lets pass unscanned, no recognizer would have found."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.policy import DEFAULT_ENTITIES, RedactionConfig
from redaction.prefilter import Prefilter
from redaction.presidio import Analyzer
from redaction.secrets import RULES

PREFILTER = Prefilter(RedactionConfig())
CONTEXTS = [(), ("account",), ("driver", "license"), ("passport",), ("phone",), ("ssn",), ("aws", "secret"), ("dl",), ("medical",)]
PIECES = st.sampled_from([
    "jane@example.com", "4111 1111", "1111-1111", "(415) ", "555-0132", "٤١٥", "４１１１", "\u00a0", "\u200b", "GB82 WEST 1234",
    "5698 7654 32", "912-70", "-1234", "536 22 8726", "D1234567", "driver license ", "account ", "AB", "1234563", "sk-", "sk-ant-",
    "ghp_", "AKIA", "bc1", "-----BEGIN PRIVATE KEY-----", "eyJhbGciOiJI", ".", "bearer ", "Bearer\t", "\\u0040", "%40", "\\n", "K",
    "ſ", "1", "3", " ", "-", "\n", "+",
])  # fmt: skip
TEXTS = st.lists(PIECES | st.text(string.ascii_letters + string.digits, max_size=24) | st.text(max_size=6), max_size=8).map("".join)


@settings(max_examples=400, deadline=None)
@given(text=TEXTS, context=st.sampled_from(CONTEXTS))
def test_what_passes_unscanned_holds_nothing(analyzer: Analyzer, text: str, context: tuple[str, ...]) -> None:
    """No finding without the shape that the prefilter looks for."""
    if not PREFILTER.may_match(text, context):
        assert analyzer.find(text, context) == ()


@pytest.mark.parametrize("entity", DEFAULT_ENTITIES)
def test_every_default_entity_has_a_shape(entity: str) -> None:
    """One entity without a shape would send every text to Presidio."""
    assert not Prefilter(RedactionConfig.model_validate({"presidio": {"entities": [entity]}})).may_match("nothing here", ())


def test_every_shape_of_a_secret_is_in_its_rule() -> None:
    """Each rule is looked for by itself, so that one shape cannot cover for another."""
    assert all(rule.shape for rule in RULES)


@pytest.mark.parametrize("text", ["The order was shipped yesterday.", "step 12 of 30 took 0.25 s", "2024-08-06T12:33:45Z INFO ready"])
def test_ordinary_texts_are_not_scanned(text: str) -> None:
    """The point of it."""
    assert not PREFILTER.may_match(text, ())


@pytest.mark.parametrize("text", [r"jane\u0040example.com", "jane%40example.com", r"\u0034111111111111111"])
def test_escapes_hide_nothing(text: str) -> None:
    """Shapes are also looked for in what an escaped text stands for."""
    assert PREFILTER.may_match(text, ())


@pytest.mark.parametrize("options", [{"blocked_values": ["x"]}, {"presidio": {"entities": ["URL"]}}])
def test_a_policy_with_unknown_shapes_has_no_prefilter(options: dict[str, object]) -> None:
    """Then everything is scanned."""
    assert Prefilter(RedactionConfig.model_validate(options)).may_match("nothing", ())
