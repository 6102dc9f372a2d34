"""Where a command finds the lake."""

from pathlib import Path

import pytest

from cli.configuration import load_config
from cli.options import data_directory


@pytest.mark.parametrize(("said", "expected"), [("/var/lib/auditlake/data", "/var/lib/auditlake/data"), ("", "auditlake-data")])
def test_without_a_configuration_readers_look_where_the_collector_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, expected: str
) -> None:
    """So `auditlake runs` in a container needs no option."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITLAKE_DATA", said)
    assert data_directory(None) == load_config(None).parquet.path == Path(expected)
    assert data_directory(Path("other")) == Path("other")
