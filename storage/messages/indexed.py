"""Messages that were spread over attributes with numbers in their names (`llm.input_messages.0.message.role`), put together again.

A call repeats the attributes of the call before, mostly by the same names: where each number's stand is found out once for them all.
"""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import compress
from operator import itemgetter, ne
from typing import Any, Final, Generic, NamedTuple, TypeVar

Element = TypeVar("Element")
Pairs = tuple[tuple[str, str], ...]
_DEPTH: Final = 24
_LAYOUTS: Final = 32


class Numbered(NamedTuple):
    """The attributes of one number: their names without prefix and number, and their places among a record's attributes."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    texts: Callable[[Sequence[str]], Any]  # takes them out of a record's values: a tuple; of one name the text itself

    def pairs(self, texts: Any) -> Pairs:
        """Return names and texts side by side."""
        return tuple(zip(self.names, texts if len(self.names) > 1 else (texts,), strict=True))


@lru_cache(maxsize=_LAYOUTS)
def layout(attributes: tuple[str, ...], prefix: str) -> tuple[Numbered, ...]:
    """Return what there is behind `prefix` among these names of attributes, in the order of the numbers."""
    found: dict[str, list[tuple[str, int]]] = {}
    skipped = len(prefix)
    for place, name in enumerate(attributes):
        if name.startswith(prefix):
            number, _, rest = name[skipped:].partition(".")
            some = found.get(number)
            if some is None:
                some = found[number] = []
            some.append((rest, place))
    return tuple(_numbered(found[number]) for number in sorted(filter(_is_number, found), key=int))


def _numbered(some: Sequence[tuple[str, int]]) -> Numbered:
    names, places = zip(*some, strict=True)
    return Numbered(names, places, itemgetter(*places))


class Spread(Generic[Element]):
    """What records of one layout said, one after the other: what the last one said too is not looked up again."""

    def __init__(self, numbers: tuple[Numbered, ...], known: Callable[[tuple[str, ...]], dict[Any, Element]]) -> None:
        """`known` gives the elements that are known of such names, by their texts."""
        self.numbers = numbers
        self._places = [place for number in numbers for place in number.places]
        self._number_of = [at for at, number in enumerate(numbers) for _ in number.places]
        self._lookups = [(number.texts, known(number.names).get) for number in numbers]
        self._known = known
        self._texts: list[str] = []
        self._elements: list[Element] = []

    def read(self, values: Sequence[str], element: Callable[[Pairs], Element]) -> list[Element]:
        """Return the elements of a record with these values; `element` makes those that are not known."""
        texts = [values[place] for place in self._places]
        changed: Collection[int] = set(compress(self._number_of, map(ne, texts, self._texts))) if self._texts else range(len(self.numbers))
        if len(changed) * 2 > len(self.numbers):
            found: list[Element | None] = [known(taken(values)) for taken, known in self._lookups]
        else:
            found = [*self._elements]
            for at in changed:
                taken, known = self._lookups[at]
                found[at] = known(taken(values))
        self._texts = texts
        self._elements = [self._made(at, values, element) if one is None else one for at, one in enumerate(found)]
        return self._elements.copy()

    def _made(self, at: int, values: Sequence[str], element: Callable[[Pairs], Element]) -> Element:
        number = self.numbers[at]
        texts = number.texts(values)
        known = self._known(number.names)
        if texts not in known:
            known[texts] = element(number.pairs(texts))
        return known[texts]


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
