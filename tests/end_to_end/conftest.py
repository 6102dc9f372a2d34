"""Whole processes on a disk, as their users run them."""

from tests import on_disk

tmp_path_factory = on_disk.tmp_path_factory
