"""Where the page indexes of a Parquet file stand: its footer says it (parquet.thrift, compact protocol), and pyarrow does not tell."""

from collections.abc import Callable, Iterator
from typing import Any, Final

_COLUMN_CHUNKS: Final = (4, 1)  # FileMetaData.row_groups, RowGroup.columns
_INDEXES: Final = ((4, 5), (6, 7))  # ColumnChunk: offset and length of the offset index, and of the column index


def page_indexes(footer: bytes) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each page index. Raises ValueError, IndexError, KeyError, TypeError when the footer is none."""
    groups, chunks = _COLUMN_CHUNKS
    for group in _struct(_Bytes(footer))[groups]:
        for chunk in group[chunks]:
            yield from ((chunk[offset], chunk[offset] + chunk[length]) for offset, length in _INDEXES if offset in chunk)


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def skip(self, count: int) -> None:
        self._at += count

    def varint(self) -> int:
        value = shift = 0
        while (byte := self.byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def integer(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)


def _struct(content: _Bytes) -> dict[int, Any]:
    fields: dict[int, Any] = {}
    number = 0
    while head := content.byte():
        number = number + (head >> 4) if head >> 4 else content.integer()
        kind = head & 0x0F
        fields[number] = kind == 1 if kind in {1, 2} else _READ[kind](content)
    return fields


def _list(content: _Bytes) -> list[Any]:
    head = content.byte()
    count, kind = head >> 4, head & 0x0F
    count = content.varint() if count == 15 else count
    return [content.byte() if kind in {1, 2} else _READ[kind](content) for _ in range(count)]


_READ: Final[dict[int, Callable[[_Bytes], Any]]] = {
    3: _Bytes.byte,
    4: _Bytes.integer,
    5: _Bytes.integer,
    6: _Bytes.integer,
    7: lambda content: content.skip(8),
    8: lambda content: content.skip(content.varint()),
    9: _list,
    10: _list,
    12: _struct,
}
