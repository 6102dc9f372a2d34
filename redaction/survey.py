"""Whether JSON in a string holds nothing that the policy touches, told from the text as a whole; pure.

Nearly all JSON in telemetry is harmless: keys that decide nothing, and values in which nothing can be found. What each of its strings
may hold, the whole text may hold: so the prefilter is asked once about all of it, with the words of all its keys, instead of once for
every string, and the text is walked only where the answer is not certain.
"""

import re
from typing import Final

from redaction import blobs, columns, labels, pairs, structure
from redaction.escapes import has_usual_escapes_only, meanings
from redaction.keys import Handling, KeyClass
from redaction.prefilter import Prefilter
from redaction.rules import Rules
from redaction.sensitive_keys import Test
from redaction.structure import Kind

_KEY: Final = re.compile(r"\"([^\"\\]*)\"\s*:")
_NAMED: Final = re.compile(r"\"([^\"\\]*)\"\s*:\s*(?:\"([a-z0-9_.\-/:]*)\"|null\b|(?=([^\s\"]|\"[^\"]*[^a-z0-9_.\-/:\"])))")
_OPTION: Final = re.compile(r"\"--?[A-Za-z]")
_ARRAY_IN_ARRAY: Final = re.compile(r"[\[,]\s*\[")
_MOST_KEYS: Final = 200
_TEXTS: Final = frozenset({Kind.STRING, Kind.KEY, Kind.RAW})
_NESTED: Final = 3
"""JSON in JSON so deep is taken apart here."""

_IN_ORDER: Final = (Handling.SCAN, Handling.EXEMPT)


def is_plain(text: str, outer: KeyClass, rules: Rules, prefilter: Prefilter) -> bool:
    """Whether nothing in the JSON of `text`, under a key of the class `outer`, would be changed or counted; False is no answer."""
    if not _decides_nothing(outer) or ("\\" in text and ("%" in text or "&" in text)) or blobs.may_hold(text) or columns.may_hold(text):
        return False
    read = list(meanings(text))
    meaning = read[-1] if read else text
    keys = dict.fromkeys(_KEY.findall(meaning))
    if len(keys) > _MOST_KEYS or _may_be_told_before(meaning):
        return False
    classes = {key: rules.keys.nested(key) for key in keys}
    names = {key for key, each in classes.items() if _may_be_person(each)}
    if not all(key in names or _decides_nothing(each) for key, each in classes.items()):
        return False
    if names and not _name_machines(meaning, names, beside_person=not rules.persons.isdisjoint(keys)):
        return False
    context = dict.fromkeys((*outer.context, *(word for each in classes.values() for word in each.context)))
    # of usual escapes the meaning alone has every string as it will be read
    told = prefilter.told_at_most(read if has_usual_escapes_only(text) else (text, *read), tuple(context))
    return told is not None and (not (told or labels.may_tell(keys)) or _tells_nothing(text, rules, _NESTED))


def _may_be_told_before(text: str) -> bool:
    """Whether items may say what the next one is: options of commands, and strings of arrays in arrays."""
    if _OPTION.search(text) is not None:
        return True
    nested = _ARRAY_IN_ARRAY.search(text)
    return nested is not None and '"' in text[nested.end() :]


def _tells_nothing(text: str, rules: Rules, depth: int) -> bool:
    """Whether in the JSON no member of an object, and in none of its strings a key, says what a value is; also in JSON in a string."""
    leaves = structure.walk(text)
    if leaves is None:
        return not pairs.may_find(text) or next(pairs.find(text, rules), None) is None
    if not depth or any(leaf.place is not None and labels.may_tell(leaf.place.keys) for leaf in leaves):
        return False
    return all(leaf.kind not in _TEXTS or _tells_nothing(leaf.text, rules, depth - 1) for leaf in leaves)


def _decides_nothing(key_class: KeyClass) -> bool:
    return (
        key_class.handling in _IN_ORDER
        and key_class.whole is None
        and not (key_class.pseudonymise or key_class.blocked_otherwise or key_class.keep or key_class.identifier)
    )


def _may_be_person(key_class: KeyClass) -> bool:
    return key_class.whole is not None and key_class.whole.test is Test.PERSON and key_class.otherwise is not None


def _name_machines(text: str, keys: set[str], *, beside_person: bool) -> bool:
    """Whether every value under these keys, which people and machines have, is null or an identifier in lower case."""
    values = [(value, other) for key, value, other in _NAMED.findall(text) if key in keys]
    return not any(other or (beside_person and value.isalpha()) for value, other in values)
