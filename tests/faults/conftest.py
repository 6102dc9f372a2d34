"""What survives a fault is on a disk."""

from tests import on_disk

tmp_path_factory = on_disk.tmp_path_factory
