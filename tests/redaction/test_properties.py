"""Properties of the redactor over texts that nobody thought of."""

import base64
import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.policy import RedactionConfig
from redaction.redactor import Redactor
from tests.redaction.conftest import CACHE

REDACTOR = Redactor(RedactionConfig(cache_bytes=0), pseudonym_key=b"k" * 32, cache_folder=CACHE)
RANDOM = random.Random(11)
_PEM = base64.b64encode(RANDOM.randbytes(48)).decode()
PLANTED = (
    "jane.roe@example.com",
    "4012888888881881",
    "4012-8888-8888-1881",
    "+1 415-555-0132",
    "536-22-8726",
    "GB82 WEST 1234 5698 7654 32",
    "sk-proj-abcDEF1234567890abcd",
    "sk-ant-api03-abcDEF1234567890",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1B2c3D4" * 5,
    f"-----BEGIN PRIVATE KEY-----\n{_PEM}\n{_PEM}\n-----END PRIVATE KEY-----",
)
KEYS = st.sampled_from([None, "gen_ai.prompt", "user.id", "trace_id", "service.name", "body", "gen_ai.tool.call.arguments", "session.id"])
NOISE = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
WORDS = st.sampled_from(["the", "agent", "called", "a", "tool", "with", "two", "items", "and", "then", "stopped:", "ok,", "(really)."])
SURROUNDED = st.builds(lambda before, secret, after: (f"{before} {secret} {after}", secret), NOISE, st.sampled_from(PLANTED), NOISE)


def clean(text: str, key: str | None = None) -> str:
    """Clean one text."""
    return REDACTOR.clean_now([(text, key)])[0].text


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(), max_size=200), key=KEYS)
def test_cleaning_anything_gives_a_text(text: str, key: str | None) -> None:
    """Never an exception, lone surrogates and all."""
    assert isinstance(clean(text, key), str)


@settings(max_examples=300, deadline=None)
@given(planted=SURROUNDED, key=KEYS)
def test_a_planted_secret_never_comes_out(planted: tuple[str, str], key: str | None) -> None:
    """Whatever stands around it and whatever key it came under."""
    text, secret = planted
    assert secret not in clean(text, key)


@settings(max_examples=200, deadline=None)
@given(planted=SURROUNDED, ascii_only=st.booleans(), depth=st.integers(1, 3), key=st.sampled_from(["content", "trace_id", "user.id", "x"]))
def test_json_around_a_secret_hides_nothing_and_stays_json(planted: tuple[str, str], ascii_only: bool, depth: int, key: str) -> None:
    """At every depth of JSON in JSON, and every `@` written as an escape."""
    text, secret = planted
    document: object = text
    for _ in range(depth):
        document = json.dumps({key: [document, {"n": 1}]}, ensure_ascii=ascii_only)
    escaped = str(document).replace("@", "\\" * 2 ** (depth - 1) + "u0040")
    for written in (str(document), escaped):
        value: object = clean(written)
        for _ in range(depth):
            value = json.loads(str(value))[key][0]
        assert secret not in str(value)


@settings(max_examples=200, deadline=None)
@given(planted=SURROUNDED, key=KEYS)
def test_cleaning_twice_changes_nothing_more(planted: tuple[str, str], key: str | None) -> None:
    """What we write in place of a finding is never a finding."""
    once = clean(planted[0], key)
    assert clean(once, key) == once


@settings(max_examples=200, deadline=None)
@given(words=st.lists(WORDS, max_size=60))
def test_prose_is_left_as_it_is(words: list[str]) -> None:
    """To the byte."""
    text = " ".join(words)
    assert clean(text) == text


@settings(max_examples=30, deadline=None)
@given(where=st.integers(0, 9000), secret=st.sampled_from(PLANTED), solid=st.booleans())
def test_a_secret_anywhere_in_a_long_text_is_found(where: int, secret: str, solid: bool) -> None:
    """Chunks overlap enough, with and without white space to cut at."""
    filler = ("z" * 10 if solid else "so it goes ") * 1000
    text = f"{filler[:where]} {secret} {filler[where:]}"
    assert secret not in clean(text)
