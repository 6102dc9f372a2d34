"""JSON inside strings: every leaf is seen, what is not replaced keeps its bytes, and valid JSON stays valid."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.structure import Kind, Paths, positions, rewritten, walk

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20)


def _strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in _strings(item)]
        case dict():
            return [text for key, item in value.items() for text in [key, *_strings(item)]]
        case _:
            return []


@settings(max_examples=200, deadline=None)
@given(
    document=DOCUMENTS.filter(lambda each: isinstance(each, dict | list | str)), ascii_only=st.booleans(), indent=st.sampled_from([None, 2])
)
def test_every_string_of_a_document_is_a_leaf(document: object, ascii_only: bool, indent: int | None) -> None:
    """However it was written: keys and values, escaped or not."""
    leaves = walk(json.dumps(document, ensure_ascii=ascii_only, indent=indent))
    assert leaves is not None
    assert sorted(leaf.text for leaf in leaves if leaf.kind in (Kind.STRING, Kind.KEY)) == sorted(_strings(document))


@settings(max_examples=200, deadline=None)
@given(document=DOCUMENTS.filter(lambda each: isinstance(each, dict | list | str)), ascii_only=st.booleans())
def test_replacing_every_leaf_leaves_valid_json(document: object, ascii_only: bool) -> None:
    """Quotes, line ends and lone surrogates in a replacement are written as JSON writes them."""
    text = json.dumps(document, ensure_ascii=ascii_only)
    replacements = [(leaf, f'<"\n\\{leaf.text}>') for leaf in walk(text) or () if leaf.kind is not Kind.CONTAINER]
    replaced = json.loads(rewritten(text, replacements))
    assert rewritten(text, []) == text
    if not any(leaf.kind is Kind.KEY for leaf, _ in replacements):
        assert sorted(_strings(replaced)) == sorted(replacement for _, replacement in replacements)


@settings(max_examples=200, deadline=None)
@given(text=st.text(), ascii_only=st.booleans())
def test_positions_lead_back_to_the_characters(text: str, ascii_only: bool) -> None:
    """Each character of a leaf stands in the text between its position and the next."""
    document = json.dumps([text], ensure_ascii=ascii_only)
    (leaf,) = walk(document) or ()
    found = positions(document, leaf)
    assert len(found) == len(text) + 1
    for index, char in enumerate(text):
        assert json.loads(f'"{document[found[index] : found[index + 1]]}"', strict=False) == char


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet='{}[]":,\\u0041 \n1.eE-+truefalsn\ud800', max_size=40))
def test_walking_anything_never_raises_and_stays_in_the_text(text: str) -> None:
    """What is not JSON is None or has leaves inside the text."""
    for leaf in walk(text) or ():
        assert 0 <= leaf.start <= leaf.end <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "[INFO] started",
        "{name} is a template",
        '"quoted" prose',
        "{'python': 'repr'}",
        "[1, 2",
        "[citation needed]",
        '{"a": x}',
        "}{",
    ],
)
def test_prose_is_not_walked(text: str) -> None:
    """Brackets alone do not make JSON; numbers cut off in an array are walked, for they may go on."""
    leaves = walk(text)
    assert leaves is None or text == "[1, 2"


def test_leaves_carry_the_nearest_key() -> None:
    """Elements of an array belong to its key; a container that is a value is a leaf of its own."""
    text = '{"emails": ["a", {"x": 1, "y": [true]}, "b"], "z": null}'
    seen = [(leaf.kind.value, leaf.key, leaf.text) for leaf in walk(text) or ()]
    assert seen == [
        ("key", None, "emails"),
        ("string", "emails", "a"),
        ("key", None, "x"),
        ("scalar", "x", "1"),
        ("key", None, "y"),
        ("scalar", "y", "true"),
        ("container", "y", ""),
        ("string", "emails", "b"),
        ("container", "emails", ""),
        ("key", None, "z"),
        ("scalar", "z", "null"),
    ]


def test_cut_off_and_followed_json_is_walked() -> None:
    """A string without an end, a container without an end, and prose behind are seen with their keys."""
    assert [(leaf.kind, leaf.key, leaf.text) for leaf in walk('{"password": {"value": "hunt') or ()] == [
        (Kind.KEY, None, "password"),
        (Kind.KEY, None, "value"),
        (Kind.RAW, "value", "hunt"),
        (Kind.CONTAINER, "password", ""),
    ]
    assert [(leaf.kind, leaf.text) for leaf in walk('{"a": 1}\n{"b": 2} and so on') or ()][-1] == (Kind.RAW, " and so on")


def test_keys_that_become_equal_stay_apart() -> None:
    """A reader that keeps the last of two equal keys would lose a value."""
    text = '{"a@x.org": 1, "b@x.org": 2}'
    replaced = rewritten(text, [(leaf, "<EMAIL_ADDRESS>") for leaf in walk(text) or () if leaf.kind is Kind.KEY])
    assert json.loads(replaced) == {"<EMAIL_ADDRESS>": 1, "<EMAIL_ADDRESS>#2": 2}


def test_a_deep_document_does_not_recurse() -> None:
    """Depth costs a list entry, not a stack frame."""
    text = "[" * 50_000 + '"x"' + "]" * 50_000
    assert [leaf.text for leaf in walk(text) or ()] == ["x"]


def test_paths_lead_from_the_root() -> None:
    """Members by their keys, items as `[]`, with the cleaned form of keys; a named value keeps its own key."""
    text = '{"a": [{"b": 1}, [2]], "x@y.org": {"name": "N", "value": 3}, "c": "4"}'
    paths = Paths({"x@y.org": "<EMAIL_ADDRESS>"})
    assert {leaf.text: paths.of(leaf) for leaf in walk(text) or () if leaf.kind in (Kind.SCALAR, Kind.STRING)} == {
        "1": ".a[].b",
        "2": ".a[][]",
        "N": ".<EMAIL_ADDRESS>.name",
        "3": ".<EMAIL_ADDRESS>.value",
        "4": ".c",
    }


def test_a_leaf_knows_what_stands_beside_it() -> None:
    """The keys of its object, also those that come later; and whether they describe a type."""
    by_text = {
        leaf.text: leaf for leaf in walk('{"o": {"name": "N", "type": "object", "later": 1}, "p": {"name": "M", "type": "x"}}') or ()
    }
    place, other = by_text["N"].place, by_text["M"].place
    assert place is not None
    assert other is not None
    assert place.keys == {"name", "type", "later"}
    assert place.is_schema()
    assert not other.is_schema()


def test_a_cleaned_key_takes_no_place_of_another() -> None:
    """Also not of one that was there before, written like it."""
    text = '{"<EMAIL_ADDRESS>": 0, "a@x.org": 1, "<EMAIL_ADDRESS>#2": 2}'
    keys = [leaf for leaf in walk(text) or () if leaf.text == "a@x.org"]
    assert json.loads(rewritten(text, [(leaf, "<EMAIL_ADDRESS>") for leaf in keys])) == {
        "<EMAIL_ADDRESS>": 0,
        "<EMAIL_ADDRESS>#3": 1,
        "<EMAIL_ADDRESS>#2": 2,
    }
