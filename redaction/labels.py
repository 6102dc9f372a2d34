"""What says what a value is where its own key does not: a name beside it, the item before it, the element of a page; pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

LABEL_KEYS: Final = frozenset({"name", "key", "Name", "Key"})
LABELLED_KEYS: Final = frozenset({"value", "Value", "values", "val"})
LABEL: Final = re.compile(r"[\w.\- /]{1,128}")

HINT_KEYS: Final = frozenset({"field", "label", "column", "header", "parameter", "variable", "element", "selector", "k", "ParameterKey"})
"""Of forms, of browsers' tools, of queries: they count where no name does."""
HINTED_KEYS: Final = frozenset({"text", "v", "ParameterValue"})
HINTING_KEYS: Final = frozenset({"element", "selector", "k", "ParameterKey"})
"""Beside these, what stands under `HINTED_KEYS` is a value, too."""

_ALL_LABELS: Final = LABEL_KEYS | HINT_KEYS
_ALL_LABELLED: Final = LABELLED_KEYS | HINTED_KEYS

HINT_CHARS: Final = 128
_NO_WORD: Final = re.compile(r"[^\w.\-]+")
_INPUT: Final = re.compile(r"(?i)[ _\-](?:field|input|(?:text )?box|textbox|entry)$")
_OPTION: Final = re.compile(r"--?([A-Za-z][\w\-]{2,40})")


def may_tell(keys: Iterable[str]) -> bool:
    """Whether objects with these keys may have one that says what another's value is; False is certain."""
    here = frozenset(keys)
    if here.isdisjoint(_ALL_LABELLED):
        return False
    return not here.isdisjoint(HINTING_KEYS) or not (here.isdisjoint(_ALL_LABELS) or here.isdisjoint(LABELLED_KEYS))


def hint(text: str) -> str:
    """Return what a label or an element (`Password field`, `input[name=ssn]`) is about, written like a key."""
    return _INPUT.sub("", _NO_WORD.sub(" ", text[:HINT_CHARS]).strip())


def said_before(items: Sequence[str], text: str, *, in_array: bool) -> str | None:
    """Return what the items before `text` say that it is: `["--password", …]`, and in an array of arrays `["Authorization", …]`."""
    option = _OPTION.fullmatch(items[-1]) if items and items[-1].startswith("-") else None
    if option is not None:
        return None if text.startswith("-") else option[1]
    return items[0] if in_array and len(items) == 1 and LABEL.fullmatch(items[0]) is not None else None


def told(members: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return the keys of an object whose values other members tell about, and what they tell; `members` are its keys and texts."""
    texts = dict(members)
    if not may_tell(texts):
        return {}
    label = next((text for key, text in texts.items() if key in LABEL_KEYS and LABEL.fullmatch(text)), None)
    hinted = next((hint(text) for key, text in texts.items() if key in HINT_KEYS and text), None)
    found = dict.fromkeys(LABELLED_KEYS, label or hinted)
    if not HINTING_KEYS.isdisjoint(texts):
        found |= dict.fromkeys(HINTED_KEYS, hinted)
    return {key: meaning for key, meaning in found.items() if meaning and key in texts}
