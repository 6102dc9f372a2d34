"""The salts of rows: a seed for each group of rows that are sealed together, from which each row's own salt is derived.

Random bytes do not compress: 16 of them were a third of a short row. Instead all rows of a tenant that one entry brings to one file share
a seed in their column `salt`, and a row that leaves the lake (in a bundle, a proof, a view) takes along what is derived of it. The rows of
a seed are merged together and so always lie in one file: a copy of the lake that holds the seed holds the rows. Whoever writes that file
anew without some of them gives the others their own salts, so that the seed dies with the row (docs/ledger.md, "Salts").
"""

from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from storage.ledger.row_form import SALT, SALT_BYTES, SEED_BYTES, SEED_MARK
from storage.parquet import days

_BYTES: Final = pa.large_binary()


def seeded(name: str, rows: pa.Table, random: Callable[[int], bytes]) -> pa.Table:
    """Return rows of the table `name` that are about to be sealed with a new seed for each date and tenant; `random` makes bytes."""
    groups = pa.array([f"{day} {tenant}" for day, tenant in zip(days(name, rows).to_pylist(), rows["tenant"].to_pylist(), strict=True)])
    coded = groups.dictionary_encode()
    seeds = pa.array([random(SEED_BYTES) for _ in coded.dictionary], _BYTES)
    return _replaced(rows, seeds.take(coded.indices))


def with_own(rows: pa.Table, seeds: Collection[bytes] | None = None) -> pa.Table:
    """Return rows with their own salts in place of these seeds, or of all."""
    salts = rows[SALT].combine_chunks()
    own = own_salts(salts, rows["entry_row"].combine_chunks())
    if seeds is not None:
        chosen = pc.is_in(salts, value_set=pa.array(list(seeds), salts.type))
        own = pc.if_else(chosen, own, salts.cast(_BYTES))
    return _replaced(rows, own)


def own_salts(salts: pa.Array, numbers: pa.Array) -> pa.Array:
    """Return each row's own salt as large_binary, of its column `salt` and its `entry_row`; NULL where that is neither salt nor seed."""
    salts = salts.cast(_BYTES)
    lengths = pc.binary_length(salts)
    own = pc.if_else(pc.equal(lengths, SALT_BYTES), salts, pa.scalar(None, _BYTES))
    derived = pc.fill_null(pc.and_(pc.equal(lengths, SEED_BYTES), numbers.is_valid()), fill_value=False)
    if not pc.any(derived).as_py():
        return own
    digits = numbers.filter(derived).cast(pa.int64()).cast(pa.large_string()).cast(_BYTES)  # either can be a dictionary
    texts = pc.binary_join_element_wise(pa.scalar(SEED_MARK, _BYTES), salts.filter(derived), digits, pa.scalar(b"", _BYTES))
    found = [sha256(text).digest()[:SALT_BYTES] for text in texts.to_pylist()]
    return pc.replace_with_mask(own, derived, pa.array(found, _BYTES))


def seeds_in(salts: pa.Array) -> set[bytes]:
    """Return the seeds among values of the column `salt`."""
    found: set[bytes] = set(pc.unique(salts.filter(pc.equal(pc.binary_length(salts), SEED_BYTES))).to_pylist())
    return found


def _replaced(rows: pa.Table, salts: pa.Array) -> pa.Table:
    place = rows.schema.get_field_index(SALT)
    return rows.set_column(place, pa.field(SALT, salts.type), salts)
