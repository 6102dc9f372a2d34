"""Files that leave the lake: whole or not at all, for their owner alone, and never in the place of what is no file."""

from pathlib import Path

import pytest

from storage.errors import StorageError
from storage.export import write_export


def test_an_export_is_for_its_owner_alone_and_replaces_an_older_one(tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    target.write_bytes(b"older, for everybody")
    seen: list[tuple[bytes, bytes, int]] = []
    write_export(target, b"new", lambda made: seen.append((made.read_bytes(), target.read_bytes(), made.stat().st_mode & 0o777)))
    assert seen == [(b"new", b"older, for everybody", 0o600)]
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [target]


def test_what_does_not_pass_the_check_leaves_nothing(tmp_path: Path) -> None:
    def refuse(made: Path) -> None:
        raise ValueError(made.name)

    with pytest.raises(ValueError, match="tmp"):
        write_export(tmp_path / "b.zip", b"new", refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_a_device_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    device = tmp_path / "stdout"
    device.symlink_to("/dev/null")
    for target in (tmp_path / "folder", device):
        with pytest.raises(StorageError, match="it is no file: give a file"):
            write_export(target, b"new")
    with pytest.raises(StorageError, match="No such file or directory: give a file"):
        write_export(tmp_path / "none" / "b.zip", b"new")
    assert (device.is_symlink(), sorted(path.name for path in tmp_path.iterdir())) == (True, ["folder", "stdout"])
