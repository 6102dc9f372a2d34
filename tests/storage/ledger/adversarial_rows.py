"""Rows of every table that are hard to write down: each type's extremes, NULL, empty, nested NULL, text of every kind."""

import random
import struct
from typing import Any

import pyarrow as pa

from storage.schema import TABLES
from tests.lake_rows import NOON_NS

TEXTS = (
    "", " ", "a", "n;", "t1:a", "model=t1:x", "=", ";", ":", "'", '"', "\\", "\\x00", "\x00", "a\x00b", "\n", "\r\n", "\t", "{}", "[1,2]",
    "null", "é", "e\u0301", "ß", "İ", "\u200b", "\u202e", "\ufeff", "\ufffd", "\uffff", "\U0001f9fe", "\U0010ffff", "日本語",
    "x" * 1000, "é" * 127, "é" * 128,
)  # fmt: skip
DOUBLES = (
    0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 1e15, 1e16, 1e17, 123456789012345680.0, 1e-4, 1e-5, 1.5e-7, 1e22, 1e23, 5e-324,
    2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 9007199254740993.0, float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
_WIDTHS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}
_DAYS = 3


def rows(table: str, count: int, *, seed: int = 0, origin: str = "n/collector", entry: int = 0) -> list[dict[str, Any]]:
    """Rows as Python has them: maps as pairs, times as µs. What the lake itself needs (place, salt or seed, its own times) is sound."""
    rng = random.Random(f"{table}/{seed}")
    sound = {"origin": origin, "entry": entry, "schema_version": 4, "clock_flagged": False}
    made = []
    for number in range(count):
        row = {field.name: value(field.type, rng) for field in TABLES[table]}
        at = NOON_NS + rng.randrange(_DAYS) * 86_400_000_000_000 + rng.randrange(10**9)
        row |= {name: at for name in ("start_ns", "time_ns", "received_ns") if name in row}
        made.append(row | sound | {"entry_row": number, "salt": rng.randbytes(rng.choice((16, 32)))})
    return made


def value(kind: pa.DataType, rng: random.Random, *, null: float = 0.3) -> Any:
    """Any value of a type, None among them."""
    if rng.random() < null:
        return None
    if pa.types.is_map(kind):
        keys = [value(kind.key_type, rng, null=0) for _ in range(rng.choice((0, 0, 1, 2, 5)))]
        return [(key, value(kind.item_type, rng, null=0.1)) for key in dict.fromkeys(keys)]
    if pa.types.is_list(kind):
        return [value(kind.value_type, rng, null=0.1) for _ in range(rng.choice((0, 0, 1, 3)))]
    if pa.types.is_struct(kind):
        return {field.name: value(field.type, rng) for field in kind}
    if pa.types.is_large_string(kind):
        return rng.choice(TEXTS) if rng.random() < 0.8 else "".join(map(chr, rng.choices(range(0x20, 0xD7FF), k=rng.randrange(20))))
    if pa.types.is_floating(kind):
        return rng.choice(DOUBLES) if rng.random() < 0.5 else struct.unpack("<d", rng.randbytes(8))[0]
    if pa.types.is_boolean(kind):
        return rng.random() < 0.5
    if pa.types.is_timestamp(kind):
        return rng.choice((0, -1, 1, -62_135_596_800_000_000, 253_402_300_799_999_999, rng.randrange(-(2**55), 2**57)))
    if pa.types.is_integer(kind):
        low, high = _WIDTHS[str(kind)]
        return rng.choice((low, low + 1, max(low, -1), 0, 1, high - 1, high, rng.randint(low, high)))
    return rng.randbytes(16)


def arrow(table: str, made: list[dict[str, Any]]) -> pa.Table:
    """The rows in the table's schema."""
    return pa.Table.from_pylist(made, schema=TABLES[table])
