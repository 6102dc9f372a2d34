"""The node part of an origin: a host name is always a usable one."""

import pytest

from collector.node import node_name


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("db-1.example.com", "db-1.example.com"), ("höst name", "h-st-name"), ("../x", "x"), ("", "node"), ("a" * 80, "a" * 63)],
)
def test_a_host_name_is_a_folder_name(hostname: str, name: str) -> None:
    assert node_name(hostname) == name
