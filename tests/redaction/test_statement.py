"""Statements in records of reads: what nobody can clear is a pseudonym, as little of the text as possible, and never the text itself."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.findings import UNSCANNED, withheld
from redaction.pseudonym import pseudonym
from redaction.statement import ENTITY, cleaned_name, cleaned_statement

KEY = b"k" * 32
WITHHELD = withheld(UNSCANNED).text


def doubtful(*words: str) -> Callable[[str], str]:
    """A policy that cannot clear texts with one of these words in them."""
    return lambda text: WITHHELD if any(word in text for word in words) else text


def standing(text: str) -> str:
    return pseudonym(KEY, ENTITY, text)


@pytest.mark.parametrize(
    ("statement", "words", "expected"),
    [
        ("SELECT * FROM runs", ["bob"], "SELECT * FROM runs"),
        ("SELECT 'a' WHERE x = 'bob'", ["bob"], f"SELECT 'a' WHERE x = '{standing('bob')}'"),
        ("SELECT 'it''s bob', 'fine'", ["bob"], f"SELECT '{standing(chr(39).join(['it', '', 's bob']))}', 'fine'"),
        ('SELECT "bob" FROM runs', ["bob"], f'SELECT "{standing("bob")}" FROM runs'),
        ("SELECT $$bob$$, $x$ bob $x$", ["bob"], f"SELECT {standing('$$bob$$')}, {standing('$x$ bob $x$')}"),
        ("SELECT 1 -- bob\n, 2", ["bob"], f"SELECT 1 {standing('-- bob')}\n, 2"),
        ("SELECT 1 /* bob */", ["bob"], f"SELECT 1 {standing('/* bob */')}"),
        ("SELECT 1 WHERE x = 4711", ["4711"], f"SELECT 1 WHERE x = {standing('4711')}"),
        ("SELECT 'bob", ["bob"], f"SELECT {standing(chr(39) + 'bob')}"),
        ("SELECT x1 FROM runs LIMIT 5", ["LIMIT 5"], f"SELECT x1 FROM runs LIMIT {standing('5')}"),
        ("SELECT bob FROM runs", ["bob"], standing("SELECT bob FROM runs")),
    ],
)
def test_only_the_literals_in_question_are_exchanged(statement: str, words: list[str], expected: str) -> None:
    assert cleaned_statement(statement, doubtful(*words), KEY) == expected


def test_what_cleaning_takes_out_itself_stays_taken_out() -> None:
    assert cleaned_statement("x = 'bob'", lambda text: text.replace("bob", "<PERSON>"), KEY) == "x = '<PERSON>'"


def test_a_name_is_itself_or_a_pseudonym() -> None:
    assert cleaned_name("run-1", doubtful("bob"), KEY) == "run-1"
    assert cleaned_name("bob's", doubtful("bob"), KEY) == standing("bob's")


@given(st.text(alphabet="ab'\"$-/* \n;\\1", max_size=40), st.text(alphabet="ab'\"$-/* \n;\\1", max_size=40))
def test_a_word_that_cannot_be_cleared_is_in_no_record(before: str, after: str) -> None:
    """Whatever stands around it: quotes that do not end, comments in strings, dollars."""
    assert "4711secret" not in cleaned_statement(f"{before}4711secret{after}", doubtful("4711secret"), KEY)
