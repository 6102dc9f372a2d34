"""Characters to which Hyperscan gives other classes than the `regex` module, whose Unicode is another version."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import regex  # type: ignore[import-untyped]

from redaction.database import hyperscan
from redaction.prefilter import CLASSES, DOTTED


@cache
def disagreements() -> Mapping[str, list[tuple[int, int]]]:
    """Return, by the class that the `regex` module gives them, the ranges of characters to which Hyperscan gives other classes."""
    module = hyperscan()
    characters = [chr(code) for code in range(0x80, 0x110000) if not 0xD800 <= code < 0xE000]
    text = "".join(characters)
    ends = {}
    position = 0
    for character in characters:
        position += len(character.encode())
        ends[position] = ord(character)
    data = text.encode()
    theirs: dict[str, set[int]] = {}
    ours: dict[str, set[int]] = {}
    for name in (each for each in CLASSES if each):
        database = module.Database(mode=module.HS_MODE_BLOCK)
        database.compile(expressions=[name.encode()], ids=[0], elements=1, flags=[module.HS_FLAG_UTF8 | module.HS_FLAG_UCP])
        found: set[int] = set()
        database.scan(data, match_event_handler=lambda _id, _start, end, _flags, found: found.add(end), context=found)
        theirs[name] = {ends[end] for end in found}
        ours[name] = set(map(ord, regex.findall(name, text)))
    disagreeing = set().union(*(theirs[name] ^ ours[name] for name in theirs)) | set(range(0xD800, 0xE000)) | set(DOTTED)
    by_class: dict[str, list[int]] = {name: [] for name in CLASSES}
    for code in sorted(disagreeing):
        by_class[next((name for name in ours if code in ours[name]), "")].append(code)
    return {name: list(_ranges(codes)) for name, codes in by_class.items()}


def _ranges(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = -2
    for code in codes:
        if code == last + 1:
            last = code
            continue
        if first >= 0:
            yield first, last
        first = last = code
    if first >= 0:
        yield first, last
