"""Content capture: which keys hold content in every dialect, and what is stored of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.content import Captures, truncated
from redaction.findings import Cleaned
from redaction.policy import ContentConfig, RedactionConfig
from redaction.redactor import Redactor
from tests.redaction.conftest import KEY

EMAIL = "<EMAIL_ADDRESS:0123456789abcdef>"


def captures(**options: object) -> Captures:
    """The captures of a content policy."""
    return Captures(ContentConfig.model_validate(options), KEY)


def test_everything_is_stored_by_default() -> None:
    """Nothing to ask about."""
    assert captures().of("acme", "production") is None
    assert Redactor(RedactionConfig(), pseudonym_key=KEY).capture(None, None) is None


@pytest.mark.parametrize(
    ("tenant", "environment", "mode"),
    [
        ("acme", "production", "hash"),
        ("acme-eu", "prod", "hash"),
        ("acme", "staging", "none"),
        ("other", "staging", "none"),
        ("other", "production", "truncated"),
        (None, None, "truncated"),
        (None, "staging", "none"),
        ("vip", "staging", None),
    ],
)
def test_the_first_rule_that_matches_counts(tenant: str | None, environment: str | None, mode: str | None) -> None:
    """By tenant and environment; `capture` is for the rest."""
    rules = [
        {"tenant": "vip", "capture": "full"},
        {"tenant": "acme*", "environment": "prod*", "capture": "hash"},
        {"environment": "staging", "capture": "none"},
    ]
    capture = captures(capture="truncated", rules=rules).of(tenant, environment)
    assert (None if capture is None else capture.mode("gen_ai.input.messages")) == mode


CONTENT = """
    gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions gen_ai.tool.call.arguments gen_ai.tool.call.result
    gen_ai.prompt gen_ai.completion gen_ai.prompt.0.content gen_ai.completion.12.content gen_ai.completion.0.tool_calls.1.arguments
    llm.input_messages.3.message.content llm.output_messages.0.message.contents.0.message_content.text input.value output.value
    llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments retrieval.documents.4.document.content
    traceloop.entity.input traceloop.entity.output ai.prompt ai.prompt.messages ai.response.text ai.toolCall.args ai.toolCall.result
    pydantic_ai.all_messages final_result tool_arguments tool_response langfuse.observation.input langfuse.trace.output
    mlflow.spanInputs mlflow.spanOutputs embedding.embeddings.0.embedding.text llm.prompt_template.variables prompt message
"""
NO_CONTENT = """
    gen_ai.request.model gen_ai.usage.input_tokens gen_ai.tool.name gen_ai.agent.name llm.input_messages.0.message.role ai.toolCall.name
    gen_ai.prompt.0.role gen_ai.completion.0.finish_reason llm.input_messages.1.message.tool_calls.0.tool_call.function.name
    llm.prompt_template.version retrieval.documents.0.document.id session.id user.id service.name traceloop.entity.name tool.name
    gen_ai.prompt.name gen_ai.prompt.version gen_ai.tool.definitions
"""


@pytest.mark.parametrize("key", CONTENT.split())
def test_keys_of_content(key: str) -> None:
    """Of every dialect, also numbered ones."""
    capture = captures(capture="none").of(None, None)
    assert capture is not None
    assert capture.mode(key) == "none"


@pytest.mark.parametrize("key", NO_CONTENT.split())
def test_keys_of_no_content(key: str) -> None:
    """Names, roles, numbers and ids are never shortened: dashboards live on them."""
    capture = captures(capture="none").of(None, None)
    assert capture is not None
    assert capture.mode(key) is None


def test_bodies_of_events() -> None:
    """Those of GenAI events and agents are content; of other log records only when the policy says so."""
    capture = captures(capture="hash").of(None, None)
    assert capture is not None
    names = ["gen_ai.user.message", "gen_ai.choice", "codex.user_prompt", "policy.decision", ""]
    assert [capture.body_mode(name) for name in names] == ["hash", "hash", "hash", None, None]
    everything = captures(capture="hash", events=["*"]).of(None, None)
    assert everything is not None
    assert everything.body_mode("") == "hash"


def test_none_says_that_there_was_some() -> None:
    """And an empty text stays empty."""
    capture = captures(capture="none").of(None, None)
    assert capture is not None
    assert capture.applied("none", "anything", None) == Cleaned(text="<CONTENT>", receipts={("CONTENT", "policy/content/none", ""): 1})
    assert capture.applied("none", "", None).text == ""


def test_a_hash_is_keyed_and_tells_equal_contents() -> None:
    """Whoever has no key cannot try out guesses; the length is told, nothing else."""
    one, other = (Captures(ContentConfig(capture="hash"), key).of(None, None) for key in (KEY, b"x" * 32))
    assert one is not None
    assert other is not None
    text = one.applied("hash", "Weather in Paris?", None).text
    assert text == one.applied("hash", "Weather in Paris?", None).text
    assert text.startswith("<CONTENT:")
    assert text.endswith(":17>")
    assert text != other.applied("hash", "Weather in Paris?", None).text
    assert text != one.applied("hash", "Weather in Rome??", None).text


def test_truncation_comes_after_redaction() -> None:
    """Its receipts add to those of the redaction; without a cleaned text nothing is stored."""
    capture = captures(capture="truncated", truncate_chars=16).of(None, None)
    assert capture is not None
    cleaned = Cleaned(text=f"{EMAIL} " + "x" * 100, receipts={("EMAIL_ADDRESS", "EmailRecognizer", ""): 1})
    result = capture.applied("truncated", "jane@example.com " + "x" * 100, cleaned)
    assert result.text == "…<TRUNCATED:133>"
    assert dict(result.counts) == {"EMAIL_ADDRESS": 1, "TRUNCATED": 1}
    assert capture.applied("truncated", "x" * 100, None).text == "<CONTENT>"
    short = Cleaned(text="short")
    assert capture.applied("truncated", "short", short) is short


def test_json_stays_json() -> None:
    """Each string is cut by itself; keys, numbers and names of tools stay."""
    document = {
        "messages": [{"role": "user", "content": "y" * 60}, {"name": "get_weather", "n": 1.50, "content": f"{'z' * 10}{EMAIL}!" * 2}]
    }
    text, cuts = truncated(json.dumps(document), 20)
    assert cuts == 2
    assert json.loads(text) == {
        "messages": [
            {"role": "user", "content": "y" * 20 + "…<TRUNCATED:40>"},
            {"name": "get_weather", "n": 1.5, "content": "z" * 10 + "…<TRUNCATED:76>"},
        ]
    }


@given(text=st.text(max_size=400) | st.just(("a" * 10 + EMAIL + "<BLOB:image/png:7:ab>") * 5), chars=st.integers(16, 300))
def test_no_cut_falls_into_a_placeholder(text: str, chars: int) -> None:
    """Nor is a text made longer; what is gone is told exactly."""
    shortened, cuts = truncated(text, chars)
    assert len(shortened) <= len(text)
    if cuts and text[:1] not in '{["':
        kept, _, mark = shortened.rpartition("…<TRUNCATED:")
        assert text.startswith(kept)
        assert int(mark.removesuffix(">")) == len(text) - len(kept)
        assert kept.count("<EMAIL_ADDRESS") == kept.count(EMAIL)


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=60), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(document=VALUES.filter(lambda each: isinstance(each, dict | list)), ascii_only=st.booleans())
def test_truncated_json_is_valid(document: Any, ascii_only: bool) -> None:
    """Whatever it holds, surrogate pairs in escapes included."""
    shortened, _ = truncated(json.dumps(document, ensure_ascii=ascii_only), 16)
    assert type(json.loads(shortened)) is type(document)


def test_no_surrogate_pair_is_split() -> None:
    """A character outside the basic plane is one character, escaped or not."""
    text, _ = truncated(json.dumps(["😀" * 60]), 20)
    assert json.loads(text) == ["😀" * 20 + "…<TRUNCATED:40>"]
