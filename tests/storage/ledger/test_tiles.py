"""A log as files: names and widths of the specification, roots and proofs from tiles, appends that survive a crash at each call."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import merkle, tile_writer
from storage.ledger.errors import LedgerError
from storage.ledger.tile_writer import TileWriter
from storage.ledger.tiles import TileReader, bundle_path, decode_bundle, encode_bundle, tile_path
from tests import second_ledger
from tests.failing_disk import Crash, FailingDisk, OrderedDisk

ENTRIES = [b'{"entry":%d}' % number for number in range(70_000)]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def written(folder: Path, *sizes: int) -> bytes:
    """A log that grew to each of these sizes, one append each; returns the last root."""
    before, root = 0, merkle.EMPTY_ROOT
    for size in sizes:
        root = TileWriter(folder).append(before, ENTRIES[before:size])
        before = size
    return root


def test_paths_are_those_of_the_specification() -> None:
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_path(2, 0, 1) == "tile/2/000.p/1"
    assert tile_path(0, 273, 112) == "tile/0/273.p/112"
    assert bundle_path(1_000, 255) == "tile/entries/x001/000.p/255"
    for number in (0, 9, 999, 1_000, 999_999, 1_000_000, 1_234_067):
        assert tile_path(0, number) == f"tile/0/{second_ledger.number(number)}"
    for level, index, width in ((-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)):
        with pytest.raises(LedgerError, match="name a tile"):
            tile_path(level, index, width)


def test_a_log_of_70000_entries_has_the_tiles_that_the_specification_names(tmp_path: Path) -> None:
    """273 full tiles of level 0 and a partial one of 112, one full and one partial of 17 at level 1, a partial one of 1 at level 2."""
    assert written(tmp_path, 70_000) == merkle.root(LEAVES)
    full = {f"{folder}/{number:03}" for folder in ("tile/0", "tile/entries") for number in range(273)}
    assert files(tmp_path) == full | {"tile/0/273.p/112", "tile/entries/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert (tmp_path / "tile/1/000").stat().st_size == 8_192
    second_ledger.check_tiles(tmp_path, LEAVES)
    reader = TileReader(tmp_path)
    for index in (0, 255, 256, 65_535, 65_536, 69_999):
        proof = reader.inclusion_proof(index, 70_000)
        assert merkle.root_from_inclusion(LEAVES[index], index, 70_000, proof) == merkle.root(LEAVES)
    for old in (1, 255, 256, 257, 65_536, 65_537, 69_999, 70_000):
        proof = reader.consistency_proof(old, 70_000)
        merkle.check_consistency(old, 70_000, merkle.root(LEAVES[:old]), merkle.root(LEAVES), proof)


def test_every_checkpoint_has_its_partial_tiles_and_bundles(tmp_path: Path) -> None:
    """As tlog-tiles demands, until the full ones are there."""
    written(tmp_path, *range(1, 31))
    for folder in ("tile/0/000.p", "tile/entries/000.p"):
        assert files(tmp_path / folder) == {str(width) for width in range(1, 31)}


def test_of_partial_bundles_that_are_too_much_the_widest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle repeats the entries of the narrower ones: whoever comes with an older checkpoint reads the beginning of a wider one."""
    monkeypatch.setattr(tile_writer, "KEPT_BUNDLE_BYTES", 3 * len(encode_bundle(ENTRIES[:29])))
    written(tmp_path, *range(1, 31))
    assert files(tmp_path / "tile/0/000.p") == {str(width) for width in range(1, 31)}
    assert files(tmp_path / "tile/entries/000.p") == {"26", "27", "28", "29", "30"}
    assert TileReader(tmp_path).entries(0, 7) == ENTRIES[:7]


def test_the_bundle_of_the_checkpoint_in_force_stays_however_often_an_append_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_writer, "KEPT_BUNDLE_BYTES", 0)
    written(tmp_path, 3)
    for size in range(4, 30):
        TileWriter(tmp_path).append(3, ENTRIES[3:size])
    assert (tmp_path / "tile/entries/000.p/3").exists()


def test_a_log_of_256_entries_has_a_full_tile_and_a_partial_one_above(tmp_path: Path) -> None:
    written(tmp_path, 256)
    assert files(tmp_path) == {"tile/0/000", "tile/entries/000", "tile/1/000.p/1"}


def test_partial_tiles_of_every_checkpoint_stay_until_the_full_one_is_there(tmp_path: Path) -> None:
    written(tmp_path, 1, 2, 255)
    assert files(tmp_path) == {f"tile/{folder}/000.p/{width}" for folder in ("0", "entries") for width in (1, 2, 255)}
    TileWriter(tmp_path).append(255, ENTRIES[255:257])
    assert files(tmp_path) == {"tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001.p/1", "tile/entries/001.p/1"}
    assert not (tmp_path / "tile/0/000.p").exists()


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.sampled_from([1, 2, 3, 100, 254, 255, 256, 257, 600]), min_size=1, max_size=8))
def test_however_a_log_grew_its_tiles_and_roots_are_the_same(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    folder, size = tmp_path_factory.mktemp("log"), 0
    for step in steps:
        root = TileWriter(folder).append(size, ENTRIES[size : size + step])
        size += step
        assert root == TileReader(folder).root(size) == merkle.root(LEAVES[:size])
    assert second_ledger.log_entries(folder, size) == TileReader(folder).entries(0, size) == ENTRIES[:size]
    second_ledger.check_tiles(folder, LEAVES[:size])
    assert TileReader(folder).hashes(0, 0, size) == LEAVES[:size]


def test_proofs_from_tiles_are_those_of_the_tree(tmp_path: Path) -> None:
    written(tmp_path, 5, 300, 700)
    reader = TileReader(tmp_path)
    for size in (1, 2, 255, 256, 257, 300, 513, 700):
        assert reader.root(size) == merkle.root(LEAVES[:size])
        for index in range(0, size, 37):
            assert reader.inclusion_proof(index, size) == merkle.inclusion_proof(LEAVES[:size], index)
        for old in range(0, size, 41):
            assert reader.consistency_proof(old, size) == merkle.consistency_proof(LEAVES[:size], old)


def test_an_append_that_dies_at_any_call_is_finished_by_the_next(tmp_path: Path) -> None:
    """Until then the log of the old size reads as before; the next append may bring more. No step takes anything back."""
    at, crashed = 0, True
    while crashed:
        folder = tmp_path / str(at)
        old_root = written(folder, 254)
        disk = FailingDisk(at, crash=True)
        with contextlib.suppress(Crash):
            TileWriter(folder, disk).append(254, ENTRIES[254:515])
        crashed = disk.failed
        assert TileReader(folder).root(254) == old_root
        assert TileReader(folder).entries(0, 254) == ENTRIES[:254]
        assert TileWriter(folder).append(254, ENTRIES[254:520]) == merkle.root(LEAVES[:520])
        second_ledger.check_tiles(folder, LEAVES[:520])
        assert second_ledger.log_entries(folder, 520) == ENTRIES[:520]
        assert not [name for name in files(folder) if name.endswith(".tmp") and ".p/" not in name]
        assert not (folder / "tile/0/000.p").exists()
        assert not (folder / "tile/entries/001.p").exists()
        at += 1
    assert at > 20


def test_an_append_syncs_each_file_once_and_each_folder_once_behind_the_last_name(tmp_path: Path) -> None:
    """Audit acknowledgements wait for the same disk. What stands there already may have lost its name: its folder is synced, too."""
    written(tmp_path, 300)
    disk = OrderedDisk()
    TileWriter(tmp_path, disk).append(300, ENTRIES[300:301])
    assert disk.order == ["sync", "sync", "replace", "replace", "sync_directory", "sync_directory"]
    disk.order.clear()
    TileWriter(tmp_path, disk).append(300, ENTRIES[300:301])
    assert disk.order == ["sync_directory", "sync_directory"]


def test_a_writer_reads_nothing_again_that_it_wrote(tmp_path: Path) -> None:
    """What is put into its files meanwhile gets into no root: the log goes on as it was appended."""
    writer = TileWriter(tmp_path)
    writer.append(0, ENTRIES[:3])
    for name in ("tile/0/000.p/3", "tile/entries/000.p/3"):
        (tmp_path / name).write_bytes(bytes(96))
    assert writer.append(3, ENTRIES[3:6]) == merkle.root(LEAVES[:6])
    assert TileReader(tmp_path).entries(0, 6) == ENTRIES[:6]


def test_entries_that_are_not_those_of_their_tile_are_not_written_on(tmp_path: Path) -> None:
    written(tmp_path, 3)
    (tmp_path / "tile/entries/000.p/3").write_bytes(encode_bundle([b"another", *ENTRIES[1:3]]))
    with pytest.raises(LedgerError, match="its entries are not those of its tile"):
        TileWriter(tmp_path).append(3, ENTRIES[3:4])


def test_a_failing_disk_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"could not write the ledger: .*I/O error"):
        TileWriter(tmp_path, FailingDisk(0, operations=("sync",))).append(0, ENTRIES[:1])


def test_the_same_append_twice_changes_nothing_and_another_one_is_refused(tmp_path: Path) -> None:
    written(tmp_path, 3)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    assert TileWriter(tmp_path).append(0, ENTRIES[:3]) == merkle.root(LEAVES[:3])
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)} == before
    with pytest.raises(LedgerError, match="it holds something else than this log"):
        TileWriter(tmp_path).append(0, [b"another", *ENTRIES[1:3]])


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    written(tmp_path, 300)
    damage = {
        "tile/0/000": ("missing", None),
        "tile/0/001.p/44": ("it has 1407 bytes", (tmp_path / "tile/0/001.p/44").read_bytes()[:-1]),
        "tile/entries/000": ("cut off", (tmp_path / "tile/entries/000").read_bytes()[:-1]),
        "tile/entries/001.p/44": ("it holds 45 entries, not 44", encode_bundle(ENTRIES[256:301])),
    }
    for name, (message, content) in damage.items():
        original = (tmp_path / name).read_bytes()
        if content is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(content)
        reader = TileReader(tmp_path)
        with pytest.raises(LedgerError, match=message) as refused:
            reader.entries(0, 300) if "entries" in name else reader.hashes(0, 0, 300)
        assert name in str(refused.value)
        (tmp_path / name).write_bytes(original)
    with pytest.raises(LedgerError, match="missing"):
        TileReader(tmp_path).hashes(0, 0, 301)


def test_stray_files_beside_a_partial_tile_are_not_read(tmp_path: Path) -> None:
    written(tmp_path, 3)
    for stray in ("2.tmp", "x", "0", "007", "999"):
        (tmp_path / "tile/0/000.p" / stray).write_bytes(b"stray")
    assert TileReader(tmp_path).hashes(0, 0, 2) == LEAVES[:2]


def test_bundles_hold_entries_of_every_length_and_no_longer_one() -> None:
    entries = [b"", b"x", b"y" * 65_535]
    assert decode_bundle(encode_bundle(entries)) == entries
    assert encode_bundle([b"ab"]) == b"\x00\x02ab"
    with pytest.raises(LedgerError, match="at most 65535 bytes"):
        encode_bundle([b"y" * 65_536])
    for cut in (b"\x00", b"\x00\x02a", b"\x00\x01a\x00"):
        with pytest.raises(LedgerError, match="cut off"):
            decode_bundle(cut)
