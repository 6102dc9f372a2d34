"""Messages that were spread over attributes with numbers in their names (`llm.input_messages.0.message.role`), put together again.

A call repeats those of the call before: only what changed is read again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

Element = TypeVar("Element")
Tree = Callable[[], Any]
Pairs = tuple[tuple[str, str], ...]
_DEPTH: Final = 24


@dataclass(frozen=True, slots=True)
class Indexed(Generic[Element]):
    """The attributes of one prefix, those of each number (name without prefix and number, text), and what they are."""

    own: Mapping[str, str]
    pairs: Mapping[str, Pairs]
    elements: Mapping[str, Element]

    @classmethod
    def read(
        cls, attributes: Mapping[str, str], prefix: str, before: "Indexed[Element] | None", element: Callable[[Pairs, Tree], Element]
    ) -> "Indexed[Element]":
        """Read the attributes that begin with `prefix`; `element` makes one of the pairs of a number."""
        own = {key: text for key, text in attributes.items() if key.startswith(prefix)}
        known, elements, changed = _unchanged(own, before)
        for number, some in _by_number(changed, own, len(prefix)).items():
            now = {**dict(known[number]), **dict(some)} if number in known else None
            known[number] = tuple(some if now is None else now.items())
            elements[number] = element(known[number], partial(unfolded, known[number]))
        return cls(own, known, elements)

    def in_order(self) -> list[Element]:
        """Return what was read, by number."""
        return [self.elements[number] for number in sorted(self.elements, key=int)]


def _unchanged(own: Mapping[str, str], before: Indexed[Element] | None) -> tuple[dict[str, Pairs], dict[str, Element], Iterable[str]]:
    """What can be taken over, and the attributes that have to be read; all of them when some are gone or most are different."""
    if before is None:
        return {}, {}, own
    changed = [key for key, text in own.items() if before.own.get(key) != text]
    fresh = sum(1 for key in changed if key not in before.own)
    if len(before.own) + fresh != len(own) or len(changed) * 2 > len(own):
        return {}, {}, own
    return dict(before.pairs), dict(before.elements), changed


def _by_number(keys: Iterable[str], own: Mapping[str, str], skipped: int) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        number, _, rest = key[skipped:].partition(".")
        some = found.get(number)
        if some is None:
            some = found[number] = []
        some.append((rest, own[key]))
    return {number: some for number, some in found.items() if _is_number(number)}


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
