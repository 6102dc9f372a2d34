"""What a text stands for: escapes, invisible characters, other alphabets' digits; positions lead back to what was written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.escapes import plain, unescaped, views
from redaction.redactor import Redactor

ZERO_WIDTH = "\u200b"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (r"jane\u0040example.com", "jane@example.com"),
        (r"jane\x40example.com", "jane@example.com"),
        (r"jane\u{40}example.com", "jane@example.com"),
        (r"jane\U00000040example.com", "jane@example.com"),
        ("jane%40example.com", "jane@example.com"),
        ("jane%2540example.com", "jane@example.com"),
        ("jane%252540example.com", "jane@example.com"),
        ("quoted-printable\n\nja=\nne@example.com", "quoted-printable\n\njane@example.com"),
        ("a=3Db, ja=\r\nne@example.com", "a=b, jane@example.com"),
        ("jane&#64;example&period;com", "jane@example.com"),
        ("jane&#x40;example.com", "jane@example.com"),
        ("jane&commat;example.com", "jane@example.com"),
        (r"a\nb", "a\nb"),
    ],
)
def test_escapes_are_read(text: str, meaning: str) -> None:
    """One level, in the writing of JSON, JavaScript, Python, URLs and HTML."""
    decoded = unescaped(text)
    assert decoded is not None
    assert decoded[0] == meaning


@pytest.mark.parametrize("text", ["plain", "100% & more", "C:\\dir", "&nosuch; &#9999999;", "\\"])
def test_a_text_without_escapes_has_no_second_view(text: str) -> None:
    """Or one that says the same."""
    assert all(view == text for view, _ in views(text))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (f"jane{ZERO_WIDTH}@example.com", "jane@example.com"),
        ("jane.doe\u00ad@example.com", "jane.doe@example.com"),
        ("jane＠example．com", "jane@example.com"),
        ("４１１１ ٤١١", "4111 411"),
        ("𝐣𝐚𝐧𝐞", "jane"),
        ("4111\u00a01111", "4111 1111"),
    ],
)
def test_characters_in_disguise_are_read(text: str, meaning: str) -> None:
    """Invisible ones go; what compatibility makes one ASCII character is that character."""
    normalised = plain(text)
    assert normalised is not None
    assert normalised[0] == meaning


@pytest.mark.parametrize("text", ["ascii", "für – „später“ … 你好，世界。", "10² m², ½, ™ é"])
def test_ordinary_writing_has_no_second_view(text: str) -> None:
    """Accents, dashes, quotes, ideographs and superscripts mean themselves."""
    assert plain(text) is None


@given(text=st.text(st.sampled_from("aé@４\u200b\u00ad＠．%40\\u0x{}&#;;64 \U0001d5ba"), max_size=30))
def test_positions_lead_back(text: str) -> None:
    """Every view has a position for each of its characters and one for its end, in order."""
    for view, positions in views(text):
        assert len(positions) == len(view) + 1
        assert list(positions) == sorted(positions)
        assert positions[-1] == len(text)


@pytest.mark.parametrize(
    ("written", "entity"),
    [
        (f"jane{ZERO_WIDTH}.doe@{ZERO_WIDTH}example.com", "EMAIL_ADDRESS"),
        ("jane＠example.com", "EMAIL_ADDRESS"),
        (f"4111{ZERO_WIDTH}1111{ZERO_WIDTH}1111{ZERO_WIDTH}1111", "CREDIT_CARD"),
        ("４１１１１１１１１１１１１１１１", "CREDIT_CARD"),
        ("٤١١١١١١١١١١١١١١١", "CREDIT_CARD"),
        (f"sk-proj-Zq8Kx{ZERO_WIDTH}2Lm5Np7Rt9Vw1Yb3Dc6Fg4Hj0", "OPENAI_API_KEY"),
        ("jane&#64;example.com", "EMAIL_ADDRESS"),
        (r"jane\x40example.com", "EMAIL_ADDRESS"),
        (f"jane%40{ZERO_WIDTH}example.com", "EMAIL_ADDRESS"),
    ],
)
def test_disguises_hide_nothing(redactor: Redactor, written: str, entity: str) -> None:
    """The whole of what was written goes, and nothing beside it, in texts of any length and in JSON."""
    assert redactor.clean_now([(f"to {written} é", None)])[0].text == f"to <{entity}> é"
    long = "word é " * 1000
    assert redactor.clean_now([(f"{long}{written} {long}", None)])[0].text == f"{long}<{entity}> {long}"
    assert redactor.clean_now([(json.dumps({"a": written}), None)])[0].text == f'{{"a": "<{entity}>"}}'


def test_other_writing_is_left(redactor: Redactor) -> None:
    """Emoji with joiners, bidirectional marks and entities come out as they went in."""
    text = "👩\u200d💻 said ❤️ &amp; \u202bשלום\u202c\u00a0５ 100%25"
    assert redactor.clean_now([(text, None)])[0].text == text


def test_percent_escapes_of_several_bytes_are_one_character() -> None:
    """Forms send fullwidth digits and non-breaking spaces so (RFC 3986, 2.5)."""
    (decoded, positions), (plain_text, _) = views("n=%EF%BC%96%C2%A07&p")
    assert decoded == "n=６\u00a07&p"
    assert plain_text == "n=6 7&p"
    assert list(positions)[:6] == [0, 1, 2, 11, 17, 18]


def test_percent_escapes_of_no_character_stay() -> None:
    """Half of a surrogate pair is no UTF-8."""
    assert unescaped("%ED%A0%80") == ("%ED%A0%80", [0] * 9 + [9])


@pytest.mark.parametrize("hyphen", "\u2010\u2011\u2012\u2212")
def test_hyphens_of_writers_are_hyphens(hyphen: str) -> None:
    """A number that was pasted from a letter is the same number."""
    assert [view for view, _ in views(f"ssn 536{hyphen}22{hyphen}1234")] == ["ssn 536-22-1234"]
