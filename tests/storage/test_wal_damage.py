"""Damage in a WAL segment: it costs the records it hit, never another, and never produces one that was not written."""

import json
from hashlib import sha256
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.wal import Damage, RecordType, Segment, WalWriter, closed_segments, read_segment
from storage.wal_format import SEGMENT_HEADER_BYTES, encode

ORIGIN = "node/collector"
RECORDS = [b"alpha" * 20, b"", encode(7, [(RecordType.BATCH, b"{}", b"forged")]) * 2, b"\xa1WAL" * 30, b"omega"]


def written(data: Path) -> Segment:
    writer = WalWriter(data, ORIGIN)
    for body in RECORDS:
        writer.append([(RecordType.BATCH, b"{}", body)])
    segment = writer.rotate()
    writer.close()
    assert segment is not None
    return segment


def read(segment: Segment, quarantine: Path) -> tuple[list[bytes], list[Damage]]:
    damage: list[Damage] = []
    return [record.payload for record in read_segment(segment, quarantine, on_damage=damage.append)], damage


def ends(segment: Segment) -> list[int]:
    """Offsets behind each record."""
    position, found = SEGMENT_HEADER_BYTES, []
    for body in RECORDS:
        position += len(encode(0, [(RecordType.BATCH, b"{}", body)]))
        found.append(position)
    assert position == segment.path.stat().st_size
    return found


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_flipped_bit_costs_at_most_the_record_it_hit(tmp_path_factory, draw) -> None:  # type: ignore[no-untyped-def]
    """All other records come back, nothing else does, and the damaged bytes are kept."""
    data = tmp_path_factory.mktemp("flip")
    segment = written(data)
    content = bytearray(segment.path.read_bytes())
    position = draw.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << draw.draw(st.integers(0, 7))
    segment.path.write_bytes(content)
    hit = next(number for number, end in enumerate(ends(segment)) if position < end) if position >= SEGMENT_HEADER_BYTES else None
    found, damage = read(segment, data / "quarantine")
    assert found == [body for number, body in enumerate(RECORDS) if number != hit]
    assert sum(one.lost for one in damage) == (0 if hit is None else 1)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_truncation_never_loses_a_record_before_it(tmp_path_factory, draw) -> None:  # type: ignore[no-untyped-def]
    """Every record that ends before the cut comes back, and no other; those that do not are counted, also when the cut is between two."""
    data = tmp_path_factory.mktemp("cut")
    segment = written(data)
    size = draw.draw(st.integers(0, segment.path.stat().st_size))
    expected = [body for body, end in zip(RECORDS, ends(segment), strict=True) if end <= size]
    segment.path.write_bytes(segment.path.read_bytes()[:size])
    found, damage = read(segment, data / "quarantine")
    assert found == expected
    assert sum(each.lost for each in damage) == len(RECORDS) - len(expected)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_overwritten_bytes_never_yield_a_wrong_record(tmp_path_factory, draw) -> None:  # type: ignore[no-untyped-def]
    """Any range overwritten with anything: what is read was written, in its order, and all that the range did not touch."""
    data = tmp_path_factory.mktemp("burst")
    segment = written(data)
    content = bytearray(segment.path.read_bytes())
    start = draw.draw(st.integers(SEGMENT_HEADER_BYTES, len(content) - 1))
    junk = draw.draw(st.binary(min_size=1, max_size=200))[: len(content) - start]
    content[start : start + len(junk)] = junk
    segment.path.write_bytes(content)
    stops = ends(segment)
    untouched = [
        number
        for number, end in enumerate(stops)
        if end <= start or (stops[number - 1] if number else SEGMENT_HEADER_BYTES) >= start + len(junk)
    ]
    found, _ = read(segment, data / "quarantine")
    positions = [RECORDS.index(body) for body in found]
    assert positions == sorted(set(positions))
    assert set(untouched) <= set(positions)


def test_quarantine_keeps_the_bytes_and_says_why(tmp_path: Path) -> None:
    """A JSON beside the bytes names the place, the reason and the digest; reading again writes the same two files."""
    segment = written(tmp_path)
    content = bytearray(segment.path.read_bytes())
    first_end = ends(segment)[0]
    content[first_end - 1] ^= 1
    segment.path.write_bytes(content)
    for _ in range(2):
        found, (damage,) = read(segment, tmp_path / "quarantine")
        assert found == RECORDS[1:]
        assert len(list((tmp_path / "quarantine").iterdir())) == 2
    assert damage.kept.read_bytes() == content[SEGMENT_HEADER_BYTES:first_end]
    why = json.loads(damage.kept.with_suffix(".json").read_bytes())
    assert why["sha256"] == sha256(damage.kept.read_bytes()).hexdigest()
    assert (why["origin"], why["entry"], why["offset"], why["reason"], why["lost_records"]) == (
        ORIGIN,
        0,
        SEGMENT_HEADER_BYTES,
        "checksum",
        1,
    )


def test_a_damaged_tail_of_a_dead_writer_is_kept_before_it_is_cut_off(tmp_path: Path) -> None:
    """A whole last record that fails its checksum may have been acknowledged: it leaves the WAL only into quarantine."""
    dead = WalWriter(tmp_path, ORIGIN)
    dead.append([(RecordType.BATCH, b"{}", b"good")])
    dead.append([(RecordType.BATCH, b"{}", b"bad")])
    dead._release()
    path = tmp_path / "wal" / ORIGIN / "000000000000.open"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    WalWriter(tmp_path, ORIGIN).close()
    (segment,) = closed_segments(tmp_path)
    assert len(list((tmp_path / "quarantine").glob("*.bin"))) == 1
    found, damage = read(segment, tmp_path / "quarantine")
    assert found == [b"good"]
    assert [(each.reason, each.lost) for each in damage] == [("records are missing", 1)]


def test_several_lost_records_are_counted_by_their_numbers(tmp_path: Path) -> None:
    """One damaged range over two records reports two lost."""
    segment = written(tmp_path)
    content = bytearray(segment.path.read_bytes())
    stops = ends(segment)
    content[stops[0] : stops[2]] = b"x" * (stops[2] - stops[0])
    segment.path.write_bytes(content)
    found, (damage,) = read(segment, tmp_path / "quarantine")
    assert found == [RECORDS[0], *RECORDS[3:]]
    assert damage.lost == 2
