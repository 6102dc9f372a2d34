"""JSON that is told as a whole to hold nothing is what walking it gives: unchanged, and without a receipt."""

import json
import string
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redaction import composition, redactor
from redaction.findings import Cleaned
from redaction.prefilter import Prefilter
from redaction.redactor import Redactor
from redaction.rules import Rules
from redaction.survey import is_plain

KEYS = st.sampled_from([
    "role", "content", "type", "name", "id", "arguments", "city", "customer", "email", "value", "key", "account", "accountNumber", "dl",
    "password", "trace_id", "user_id", "query", "n", "q", "note", "properties", "description", "na\u006de", "ssn", "address", "data",
    "input_tokens", "token", "secret_name", "session_id", "phone", "values", "text", "parts",
])  # fmt: skip
STRINGS = st.sampled_from([
    "get_weather", "search", "jane", "Jane Doe", "the agent looked up an order", "jane@example.com", "536228726", "12345678901",
    "call me: 4155550132", "D1234567", "string", "note: see below", "Address: 12 Main St", "a=b", "password=hunter2x", "line\nother: x",
    "{\"name\": \"Jane Doe\"}", "{\"password\": \"x\"}", "'password': 'geheim12'", "%40", "jane%40example.com", "\\u0040", "R&D", "&#64;",
    "<name>Jane Doe</name>", "ｊａｎｅ＠example.com", "12:30", "http://x/y", "DB_PASSWORD", "c2VjcmV0IHRva2VuIGlzIGFiY2RlZmdoaWprbG1ub3A=",
    "4111 1111 1111 1111", "Dear Jane Doe,", "", "QUJD", "true", "2026-11-21T12:00:00Z", "7f3a9c2e1d4b5a6978aa",
])  # fmt: skip
LEAVES = (
    STRINGS
    | st.text(string.ascii_letters + " .:=\"\\'{}[]", max_size=12)
    | st.integers(-5, 10**16)
    | st.floats(0, 1)
    | st.none()
    | st.booleans()
)
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=10)
WRITTEN = st.builds(
    lambda document, ascii_only, compact, rest: (
        json.dumps(document, ensure_ascii=ascii_only, separators=(",", ":") if compact else None) + rest
    ),
    DOCUMENTS.filter(lambda document: isinstance(document, dict | list)),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "", "", '\n{"a": 1}', " and jane@example.com", ", rest: Jane Doe"]),
)


@pytest.fixture
def walked(make_redactor: Callable[..., Redactor]) -> Callable[[str, str | None], Cleaned]:
    """Clean a text by walking it, whatever it holds."""
    own = make_redactor(cache_bytes=0)

    def clean(text: str, key: str | None) -> Cleaned:
        with pytest.MonkeyPatch.context() as patch:
            for module in (composition, redactor):
                patch.setattr(module, "is_plain", lambda *_: False)
            return own.clean_now([(text, key)])[0]

    return clean


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=WRITTEN, key=st.sampled_from([None, "gen_ai.input.messages", "user.id", "bank_account", "password", "customer_name"]))
def test_what_is_told_at_once_is_what_the_walk_gives(
    redactor: Redactor, walked: Callable[[str, str | None], Cleaned], text: str, key: str | None
) -> None:
    """No difference, and nothing that the walk would count."""
    rules, prefilter = known(redactor)
    if is_plain(text, rules.keys.attribute(key), rules, prefilter):
        assert walked(text, key) == Cleaned(text=text)


@pytest.mark.parametrize(
    "document",
    [
        [{"role": "user", "content": "the agent looked up an order\nand found it"}],
        [{"type": "tool_call", "id": "call_7f3a", "name": "get_weather", "arguments": {"city": "Paris", "days": 3}}],
        {"usage": {"input_tokens": 12, "output_tokens": 3}, "model": "gpt-4o", "text": "Nothing is due at 12:30."},
    ],
)
def test_messages_of_agents_are_told_at_once(redactor: Redactor, document: object) -> None:
    """The point of it."""
    rules, prefilter = known(redactor)
    assert is_plain(json.dumps(document), rules.keys.attribute("gen_ai.input.messages"), rules, prefilter)


def known(redactor: Redactor) -> tuple[Rules, Prefilter]:
    """Return what a redactor knows once its scanner is there."""
    redactor.clean_now([("a@example.com", None)])
    return redactor._rules, redactor._prefilter
