"""What recording rules record: durable, once, and read by the rules that follow at once."""

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.listing import list_alerts
from alerts.recordings import Recorder, Recording, journalled
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.errors import StorageError
from storage.journal import Journal
from storage.lake import Lake
from tests.alerts.fakes import START, Process, as_it_is

MINUTE = timedelta(minutes=1)
RULES = """\
groups:
  - name: g
    interval: 1m
    rules:
      - record: agent:calls
        expr: SELECT agent, value FROM x
        labels: {team: support}
"""


def recording(value: float, *, minutes: int = 0, agent: str = "a") -> Recording:
    return Recording(name="agent:calls", rule_group="g", time=START + minutes * MINUTE, labels={"agent": agent}, value=value)


def test_recordings_are_records_of_the_lake_and_each_is_one_row(tmp_path: Path) -> None:
    """Also when a crash came between, so that the same evaluation recorded again; what is not sealed yet is read all the same."""
    Catalog.open(tmp_path).close()
    journal = Journal(tmp_path, "n/alerts", as_it_is, "p", lambda: int(START.timestamp()) * 10**9)
    with Lake.open(tmp_path, threads=1) as lake:
        recorder = Recorder(lake, journalled(journal))
        recorder.take([recording(1), recording(2, agent="b")])
        rows = lake.query("SELECT labels['agent'] AS agent, value, record_id FROM recordings ORDER BY ALL").to_pylist()
        assert rows == [{"agent": "a", "value": 1.0, "record_id": None}, {"agent": "b", "value": 2.0, "record_id": None}]
        journalled(journal)([recording(1)])
        catalog = Catalog.open(tmp_path)
        assert seal_pending(tmp_path, catalog) == 2
        catalog.close()
    with Lake.open(tmp_path, threads=1) as lake:
        table = lake.query("SELECT time, name, rule_group, labels, value FROM recordings ORDER BY value").to_pylist()
        assert table[0] == {
            "time": START.replace(tzinfo=None),
            "name": "agent:calls",
            "rule_group": "g",
            "labels": [("agent", "a")],
            "value": 1.0,
        }
        assert [row["value"] for row in table] == [1.0, 2.0]
        assert lake.query("SELECT count(*) AS n FROM steps").to_pylist() == [{"n": 0}], "they are nobody's steps"


def test_recordings_of_long_ago_are_not_kept_beside_the_files(tmp_path: Path) -> None:
    Catalog.open(tmp_path).close()
    with Lake.open(tmp_path, threads=1) as lake:
        recorder = Recorder(lake, remembered=10 * MINUTE)
        for minutes in (0, 1, 11):
            recorder.take([recording(minutes, minutes=minutes)])
        assert lake.query("SELECT value FROM recordings ORDER BY ALL").to_pylist() == [{"value": 1.0}, {"value": 11.0}]


def test_what_cannot_be_made_durable_is_an_error_of_the_rule_and_not_read(tmp_path: Path) -> None:
    def full_disk(recordings: object) -> None:
        raise StorageError("write the journal", tmp_path, hint="the disk is full")

    process = Process(tmp_path, rules=RULES, record=full_disk)
    process.tick([{"agent": "a", "value": 1}])
    assert "the disk is full" in (process.store.rules()[0].error or "")
    assert process.lake.recorded == []
    process.store.close()


def test_a_recording_rule_is_listed_with_how_much_it_records(tmp_path: Path) -> None:
    process = Process(tmp_path, rules=RULES)
    process.tick([{"agent": "a", "value": 1}, {"agent": "b", "value": 2}, {"agent": "c", "value": None}])
    rows = [(row.alert, row.state, row.summary) for row in list_alerts(process.store, now=START)]
    assert rows == [("agent:calls", "no_data", "no data for 1 label set"), ("agent:calls", "recording", "2 values recorded")]
    assert [row["value"] for row in process.lake.recorded] == [1.0, 2.0]
    assert process.events() == [("no_data", "there is no data for 1 label set")]
    process.store.close()


@pytest.mark.parametrize("error", [False, True])
def test_no_data_is_a_state_with_a_beginning_and_told_once(tmp_path: Path, error: bool) -> None:
    """An error in between forgets nothing, nor does a restart."""
    process = Process(tmp_path)
    process.tick([{"agent": "support", "value": None}])
    process.lake.error = "no" if error else None
    process.tick()
    process = process.restarted()
    process.lake.error = None
    process.tick()
    [status] = process.store.rules()
    assert (status.no_data, status.no_data_since) == (1, START)
    process.tick([])
    told = [state for state, _ in process.events()]
    assert told == (["no_data", "error", "inactive", "inactive"] if error else ["no_data", "inactive"])
    assert process.store.rules()[0].no_data == 0
    process.store.close()
