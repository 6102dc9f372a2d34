"""Messages that were spread over attributes with numbers in their names (`llm.input_messages.0.message.role`), put together again.

A call repeats those of the call before: only what changed is read again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

Element = TypeVar("Element")
Tree = Callable[[], Any]
Pairs = tuple[tuple[str, str], ...]
_DEPTH: Final = 24


@dataclass(frozen=True, slots=True)
class Indexed(Generic[Element]):
    """The attributes of one prefix, the keys of each number, and what they are."""

    own: Mapping[str, str]
    keys: Mapping[int, tuple[str, ...]]
    elements: Mapping[int, Element]

    @classmethod
    def read(
        cls, attributes: Mapping[str, str], prefix: str, before: "Indexed[Element] | None", element: Callable[[Pairs, Tree], Element]
    ) -> "Indexed[Element]":
        """Read the attributes that begin with `prefix`; `element` makes one of a number's pairs (name without number, text)."""
        own = {key: text for key, text in attributes.items() if key.startswith(prefix)}
        keys, elements, changed = _unchanged(own, before)
        touched: dict[int, dict[str, None]] = {}
        for key in changed:
            number, dot, _ = key[len(prefix) :].partition(".")
            if dot and _is_number(number):
                place = int(number)
                touched.setdefault(place, dict.fromkeys(keys.get(place, ())))[key] = None
        for place, names in touched.items():
            keys[place] = tuple(names)
            pairs = tuple((name[len(prefix) :].partition(".")[2], own[name]) for name in names)
            elements[place] = element(pairs, partial(unfolded, pairs))
        return cls(own, keys, elements)

    def in_order(self) -> list[Element]:
        """Return what was read, by number."""
        return [self.elements[place] for place in sorted(self.elements)]


def _unchanged(own: Mapping[str, str], before: Indexed[Element] | None) -> tuple[dict[int, tuple[str, ...]], dict[int, Element], list[str]]:
    """What can be taken over, and the attributes that have to be read; all of them when some are gone."""
    if before is None:
        return {}, {}, list(own)
    changed = [key for key, text in own.items() if before.own.get(key) != text]
    fresh = sum(1 for key in changed if key not in before.own)
    if len(before.own) + fresh != len(own):
        return {}, {}, list(own)
    return dict(before.keys), dict(before.elements), changed


def unfolded(pairs: Pairs) -> Any:
    """Return the object whose paths, parted by dots, these are; names that are numbers make lists."""
    tree: dict[str, Any] = {}
    for path, text in pairs:
        node = tree
        *branches, leaf = path.split(".", _DEPTH)
        for branch in branches:
            inner = node.setdefault(branch, {})
            if not isinstance(inner, dict):  # a value stands where others have branches
                inner = node[branch] = {"text": inner}
            node = inner
        if isinstance(node.get(leaf), dict):
            node[leaf]["text"] = text
        else:
            node[leaf] = text
    return _listed(tree)


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    inner = {key: _listed(value) for key, value in node.items()}
    return [inner[key] for key in sorted(inner, key=int)] if inner and all(map(_is_number, inner)) else inner


def _is_number(name: str) -> bool:
    return name.isdecimal() and len(name) < 10
