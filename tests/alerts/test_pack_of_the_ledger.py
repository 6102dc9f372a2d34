"""The rules about the pipeline itself that `ingest_log` alone answers: at their thresholds, just below, without data, and when it is over.

What events and metrics tell as well is in alerts/packs/tests/agent-ops.yaml.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.evaluate import Alert, State, fingerprint
from alerts.inhibition import Inhibition
from alerts.routing import read_routing
from alerts.samples import read_samples
from collector.config_model import AlertsConfig
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, ORIGIN, AgentLake
from tests.alerts.fakes import as_it_is
from tests.alerts.pack_rules import DAY, HOUR, MINUTE, RULES, SECOND

ASKED = (
    "AuditGap: entries are missing", "AuditGap: records are damaged", "RedactionFailure: values were withheld", "PipelineStale: no data",
    "PipelineStale: ingest lag",
)  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> AgentLake:
    return AgentLake(tmp_path)


def found(lake: AgentLake, *, ago: timedelta = timedelta()) -> Mapping[str, float | None]:
    """Return what each of these rules says of the origin, or the lake."""
    values = {}
    with Lake.open(lake.data, threads=1) as reader:
        for name in ASKED:
            for sample in read_samples(RULES[name], reader, eval_ts=NOW - ago, clean=as_it_is):
                assert sample.labels.get("origin", ORIGIN) == ORIGIN
                values[name] = sample.value
    return values


def test_entries_that_follow_each_other_are_no_gap(lake: AgentLake) -> None:
    """However long after each other they were sealed."""
    for ago in (3 * DAY, 2 * HOUR, HOUR, timedelta()):
        lake.seal(ago=ago)
    assert found(lake) == {}


def test_missing_entries_are_counted_and_told_for_a_day(lake: AgentLake) -> None:
    lake.seal(ago=2 * HOUR)
    for ago, skipped in ((HOUR, 2), (MINUTE, 1)):
        lake.entry += skipped
        lake.seal(ago=ago)
    assert found(lake) == {"AuditGap: entries are missing": 3}
    assert found(lake, ago=30 * MINUTE) == {"PipelineStale: no data": 1800, "AuditGap: entries are missing": 2}
    assert "AuditGap: entries are missing" not in found(lake, ago=90 * MINUTE)
    assert "AuditGap: entries are missing" not in found(lake, ago=-DAY)


def test_a_gap_is_told_however_long_ago_the_entry_before_it_was_sealed(lake: AgentLake) -> None:
    """A collector stood still for three days, and a segment was taken meanwhile."""
    lake.seal(ago=3 * DAY)
    lake.entry += 1
    lake.seal(ago=MINUTE)
    lake.seal()
    assert found(lake) == {"AuditGap: entries are missing": 1}


def test_other_origins_have_numbers_of_their_own(lake: AgentLake) -> None:
    """Gaps of the alert process and of commands are gaps as well; they are no data of agents, though."""
    lake.seal(ago=3 * MINUTE)
    lake.origin = "test/alerts"
    lake.entry = 7
    lake.seal(ago=MINUTE)
    lake.seal()
    assert found(lake) == {"PipelineStale: no data": 180}


def test_records_that_were_damaged_in_the_wal(lake: AgentLake) -> None:
    lake.seal(ago=HOUR, quarantined=2)
    lake.seal(quarantined=1)
    assert found(lake) == {"AuditGap: records are damaged": 3}


def test_one_withheld_value_is_one_too_many(lake: AgentLake) -> None:
    """It is told for a quarter of an hour."""
    lake.seal(ago=16 * MINUTE, withheld=3)
    lake.seal(ago=14 * MINUTE, withheld=1)
    lake.seal()
    assert found(lake) == {"RedactionFailure: values were withheld": 1}
    assert "RedactionFailure: values were withheld" not in found(lake, ago=-2 * MINUTE)


@pytest.mark.parametrize(("silence", "told"), [(2 * MINUTE, {}), (2 * MINUTE + SECOND, {"PipelineStale: no data": 121})])
def test_two_minutes_without_any_data(lake: AgentLake, silence: timedelta, told: Mapping[str, float]) -> None:
    lake.seal(ago=silence)
    assert found(lake) == told


def test_a_lake_without_any_entry_has_no_pipeline_yet(lake: AgentLake) -> None:
    lake.origin = "test/access"
    lake.seal(ago=HOUR)
    assert found(lake) == {}


@pytest.mark.parametrize(("lag", "told"), [(MINUTE, {}), (MINUTE + SECOND, {"PipelineStale: ingest lag": 61})])
def test_the_newest_segment_was_sealed_late(lake: AgentLake, lag: timedelta, told: Mapping[str, float]) -> None:
    """What was late before counts no more: so one that a dead collector left makes no alarm."""
    lake.seal(ago=2 * MINUTE, lag=5 * HOUR)
    lake.seal(ago=MINUTE, lag=lag)
    assert found(lake) == told


def test_a_pipeline_that_stands_still_mutes_what_follows_from_it_and_one_that_fills_up_does_not() -> None:
    """By the rules of a configuration that names none, and by the reasons that the pack gives."""
    inhibit_rules = read_routing(None, [rule.model_dump() for rule in AlertsConfig().inhibit_rules]).inhibit_rules
    down = {"alertname": "AgentDown", "agent_name": "support"}
    muting = set()
    for name, rule in RULES.items():
        labels = {"alertname": rule.name, **rule.labels}
        alert = Alert(labels=labels, annotations={}, value=1.0, state=State.FIRING, fingerprint=fingerprint(labels), active_at=NOW)
        if Inhibition(inhibit_rules, [alert]).by(down) is not None:
            muting.add(name)
    assert muting == {f"PipelineStale: {reason}" for reason in ("no data", "ingest lag", "sealing is stuck")}
