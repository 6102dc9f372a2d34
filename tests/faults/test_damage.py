"""A closed segment that was cut or whose bits flipped, sealed: only what was hit is set aside, the rest is stored, counters balance."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.layout import EntryRecord
from storage.wal import BatchHeader, Counters, RecordType, WalWriter
from storage.wal_format import SEGMENT_HEADER_BYTES
from tests.collector.otlp_samples import NOW_NS, traces
from tests.lake_checks import check_lake

BATCHES = (("a 0", "a 1"), ("b 0", "b 1"), ("c 0", "c 1"))
RECEIVED = Counters(received=9, rejected=2, deduplicated=1)
FIELDS = (("magic", 4), ("version", 1), ("type", 1), ("length", 4), ("sequence", 8), ("checksum", 4), ("header length", 4))
"""Of a record's frame, with their sizes; behind them stand its header and its body."""


def records() -> list[tuple[RecordType, bytes, bytes]]:
    found = []
    for number, names in enumerate(BATCHES):
        header = BatchHeader(signal="traces", tenant=None, received_ns=NOW_NS, policy_hash="p", records=2, digest=f"d{number}")
        spans = [{"name": name, "span_id": f"span {name}".encode().ljust(8, b".")[:8]} for name in names]
        found.append((RecordType.BATCH, header.to_bytes(), traces(*spans).SerializeToString()))
    return [*found, (RecordType.COUNTERS, RECEIVED.to_bytes(), b"")]


def regions() -> Iterator[tuple[str, int | None, int, int]]:
    """Every field of a segment: name, number of its record, first and last byte."""
    yield "segment magic", None, 0, 3
    yield "first sequence", None, 4, 11
    yield "segment checksum", None, 12, 15
    position = SEGMENT_HEADER_BYTES
    for number, (_, header, body) in enumerate(records()):
        for name, size in (*FIELDS, ("header", len(header)), ("body", len(body))):
            if size:
                yield name, number, position, position + size - 1
            position += size


REGIONS = list(regions())
SIZE = REGIONS[-1][3] + 1


class Sealed:
    """What came of a segment whose bytes were changed before it was sealed."""

    def __init__(self, data: Path, change) -> None:
        with closing(WalWriter(data, "n/collector")) as writer:
            writer.append(records())
        (path,) = (data / "wal").rglob("*.wal")
        content = path.read_bytes()
        assert len(content) == SIZE
        path.write_bytes(change(bytearray(content)))
        self.data = data
        with closing(Catalog.open(data)) as catalog:
            assert seal_pending(data, catalog) == 1
            (self.entry,) = catalog.entries()
            self.names: Counter[str] = Counter()
            for file in catalog.live_files():
                self.names.update(pq.ParquetFile(data / file.path).read(["name"])["name"].to_pylist())

    @property
    def kept(self) -> list[dict[str, object]]:
        """What the quarantine says about each range."""
        return [json.loads(path.read_bytes()) for path in sorted((self.data / "quarantine").glob("*.json"))]


def balances(entry: EntryRecord) -> bool:
    return entry.received == entry.stored + entry.rejected + entry.deduplicated + entry.quarantined


def flipped(place: int, bit: int = 0):
    def change(content: bytearray) -> bytearray:
        content[place] ^= 1 << bit
        return content

    return change


def test_a_flipped_bit_in_any_field_costs_the_record_that_it_hit_and_no_other(tmp_path):
    """In its first byte and in its last by turns."""
    for number, (name, record, first, end) in enumerate(REGIONS):
        sealed = Sealed(tmp_path / f"{number}", flipped(end if number % 2 else first, number % 8))
        hit = BATCHES[record] if record is not None and record < len(BATCHES) else ()
        assert sealed.names == Counter(name for names in BATCHES for name in names if name not in hit), name
        assert balances(sealed.entry)
        if record is None:
            assert (sealed.entry.received, sealed.entry.quarantined, sealed.kept) == (9, 0, [])
        elif hit:
            assert (sealed.entry.received, sealed.entry.quarantined) == (9, 2)
        else:  # the counters: what they said is not known any more
            assert (sealed.entry.rejected, sealed.entry.deduplicated, sealed.entry.quarantined) == (0, 0, 1)
        assert sum(int(str(each["lost_records"])) for each in sealed.kept) == (0 if record is None else 1)
        if number % 4 == 0:
            check_lake(tmp_path / f"{number}")


def test_a_cut_costs_what_stands_behind_it(tmp_path):
    """Between two records, too, where the rest looks whole."""
    ends = [max(end for _, record, _, end in REGIONS if record == number) + 1 for number in range(len(BATCHES) + 1)]
    for number, (name, _, first, _) in enumerate(REGIONS):
        if name not in {"magic", "length", "header", "body"}:
            continue
        sealed = Sealed(tmp_path / f"{number}", lambda content, first=first: content[:first])
        whole = [names for names, end in zip(BATCHES, ends, strict=False) if end <= first]
        assert sealed.names == Counter(name for names in whole for name in names)
        lost = len(records()) - sum(end <= first for end in ends)
        assert sum(int(str(each["lost_records"])) for each in sealed.kept) == sealed.entry.quarantined == lost
        assert balances(sealed.entry)
        if number % 4 == 0:
            check_lake(tmp_path / f"{number}")


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_burst_of_damage_leaves_what_it_did_not_touch(tmp_path_factory, draw):
    """Bytes overwritten anywhere, with anything, and a cut behind them."""
    data = tmp_path_factory.mktemp("burst")
    start = draw.draw(st.integers(0, SIZE - 1))
    junk = draw.draw(st.binary(min_size=1, max_size=300))[: SIZE - start]
    end = draw.draw(st.integers(start + len(junk), SIZE))

    def change(content: bytearray) -> bytearray:
        content[start : start + len(junk)] = junk
        return content[:end]

    sealed = Sealed(data, change)
    untouched = []
    for number, names in enumerate(BATCHES):
        first = min(first for _, record, first, _ in REGIONS if record == number)
        behind = max(last for _, record, _, last in REGIONS if record == number) + 1
        if behind <= end and (behind <= start or first >= start + len(junk)):
            untouched += names
    assert set(untouched) <= set(sealed.names) <= {name for names in BATCHES for name in names}
    assert set(sealed.names.values()) <= {1}
    assert balances(sealed.entry)
    check_lake(data)
