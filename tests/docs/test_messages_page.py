"""The page of messages names every place where messages are read, and every sort of part."""

from pathlib import Path

from storage.messages import PART_TYPES
from storage.messages.sources import DETAILS, EVENT_CONTENT, EVENTS, RUNTIME_MESSAGES, SOURCES

PAGE = (Path(__file__).parents[2] / "docs/messages.md").read_text(encoding="utf-8")


def test_the_page_names_every_attribute_and_event():
    names = {DETAILS, EVENT_CONTENT, RUNTIME_MESSAGES, *EVENTS}
    for source in SOURCES:
        names.update(source.system, source.given, source.answered, source.histories, source.pieces or ())
        names.update(f"{prefix}N." for prefix in (*source.given_indexed, *source.answered_indexed))
    assert {name for name in names if f"`{name}" not in PAGE} == set()


def test_the_page_names_every_sort_of_part():
    assert [sort for sort in PART_TYPES if f"| `{sort}` |" not in PAGE] == []
