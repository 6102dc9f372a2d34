"""A process that starts with another configuration than it had last says so in `access_log`."""

from pathlib import Path
from typing import Any

import pytest

from cli.access import AccessLog
from cli.configuration_log import tell_configuration
from collector.config import DEFAULT, Config, parse
from collector.config_hash import config_hash, remember
from storage.catalog import Catalog
from storage.lake import Lake
from storage.wal import closed_segments

CONFIG = parse(DEFAULT, "test", {})
CHANGED = parse(DEFAULT.replace("seal_interval: 1s", "seal_interval: 2s"), "test", {})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    Catalog.open(tmp_path).close()
    return tmp_path


def recorded(data: Path, config: Config) -> list[dict[str, Any]]:
    AccessLog(config, data, scans=False).seal()
    with Lake.open(data) as lake:
        return lake.query("SELECT * FROM access_log ORDER BY time").to_pylist(maps_as_pydicts="lossy")


def test_a_change_between_two_starts_is_an_event_with_both_hashes(data: Path) -> None:
    remember(data, "collector", config_hash(CONFIG))
    tell_configuration(CONFIG, data, "collector")
    assert closed_segments(data) == []
    tell_configuration(CHANGED, data, "collector")
    tell_configuration(CHANGED, data, "collector")
    (event,) = recorded(data, CONFIG)
    assert (event["event_name"], event["action"], event["resource"]) == ("config.changed", "config.change", "collector")
    assert event["attributes"]["auditlake.config.hash.old"] == config_hash(CONFIG)
    assert event["attributes"]["auditlake.config.hash.new"] == config_hash(CHANGED)


def test_the_first_start_changes_nothing(tmp_path: Path) -> None:
    tell_configuration(CONFIG, tmp_path / "lake", "alerts")
    assert not (tmp_path / "lake").exists()
    tell_configuration(CONFIG, tmp_path / "lake", "collector", creates=True)
    Catalog.open(tmp_path / "lake").close()
    tell_configuration(CONFIG, tmp_path / "lake", "alerts")
    assert closed_segments(tmp_path / "lake") == []


def test_a_lake_whose_last_configuration_nobody_remembers_gets_an_event(data: Path) -> None:
    """Who deletes the memory does not hide the change."""
    tell_configuration(CHANGED, data, "collector")
    (event,) = recorded(data, CONFIG)
    assert event["attributes"].keys() & {"auditlake.config.hash.old", "auditlake.config.hash.new"} == {"auditlake.config.hash.new"}


def test_rule_files_of_the_alerts_count(data: Path) -> None:
    rules = data / "rules.yaml"
    for text in ("a", "b"):
        rules.write_text(text)
        tell_configuration(CONFIG, data, "alerts", files=[rules])
    assert [event["resource"] for event in recorded(data, CONFIG)] == ["alerts", "alerts"]
