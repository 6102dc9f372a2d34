"""What auditlake writes about itself: redacted OTLP log records, durable, under an origin of their own."""

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from storage import journal as journal_module
from storage.catalog import Catalog
from storage.durable import FileLock
from storage.errors import LakeLocked
from storage.journal import Journal, JournalEvent
from storage.wal import BatchHeader, closed_segments, read_segment
from tests.failing_disk import entry_record

ORIGIN = "node/alerts"


def clean(items: Sequence[tuple[str, str | None]]) -> list[str]:
    """A policy that hides one name everywhere and withholds what it is told to."""
    return ["<WITHHELD:timeout>" if key == "slow" else text.replace("bob@example.com", "<EMAIL_ADDRESS>") for text, key in items]


def written(data: Path) -> list[tuple[BatchHeader, ExportLogsServiceRequest]]:
    return [
        (BatchHeader.from_bytes(record.header), ExportLogsServiceRequest.FromString(record.payload))
        for segment in closed_segments(data)
        for record in read_segment(segment, data / "quarantine")
    ]


def test_events_become_log_records_about_ourselves(tmp_path: Path) -> None:
    """Name, time, severity and attributes of each type arrive; the batch is marked as our own and counts its records."""
    attributes = {"state": "firing", "count": 3, "ratio": 0.5, "first": True, "labels": ["a", "b"]}
    events = [
        JournalEvent(name="alert.transition", time_ns=77, attributes=attributes, severity=13),
        JournalEvent(name="alert.transition", time_ns=78),
    ]
    segment = Journal(tmp_path, ORIGIN, clean, "policy", lambda: 99).write(events)
    assert segment is not None
    ((header, message),) = written(tmp_path)
    assert (header.own, header.signal, header.records, header.received_ns, header.policy_hash) == (True, "logs", 2, 99, "policy")
    (resource_logs,) = message.resource_logs
    assert [(one.key, one.value.string_value) for one in resource_logs.resource.attributes] == [("service.name", "auditlake")]
    (scope_logs,) = resource_logs.scope_logs
    assert scope_logs.scope.name == "auditlake.alerts"
    first, second = scope_logs.log_records
    assert (first.event_name, first.time_unix_nano, first.severity_number, first.severity_text) == ("alert.transition", 77, 13, "WARN")
    values = {one.key: one.value for one in first.attributes}
    assert values["state"].string_value == "firing"
    assert (values["count"].int_value, values["ratio"].double_value, values["first"].bool_value) == (3, 0.5, True)
    assert [item.string_value for item in values["labels"].array_value.values] == ["a", "b"]
    assert second.time_unix_nano == 78


def test_every_text_of_an_event_is_redacted_before_the_disk(tmp_path: Path) -> None:
    """Names, keys, values and list items; a withheld value is counted."""
    mail = "bob@example.com"
    event = JournalEvent(name=f"read {mail}", time_ns=1, attributes={"query": f"where x = '{mail}'", mail: [mail, 1], "slow": "text"})
    Journal(tmp_path, ORIGIN, clean, "policy", lambda: 1).write([event])
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert mail.encode() not in content
    assert content.count(b"<EMAIL_ADDRESS>") == 4
    ((header, _),) = written(tmp_path)
    assert header.withheld == 1


def test_nothing_to_say_writes_nothing(tmp_path: Path) -> None:
    """No events, no segment, no lock."""
    assert Journal(tmp_path, ORIGIN, clean, "policy", lambda: 1).write([]) is None
    assert list(tmp_path.iterdir()) == []


def test_writers_of_one_origin_take_turns(tmp_path: Path) -> None:
    """Several short-lived processes or threads share an origin: each event is there once, numbers follow each other."""

    def write(number: int) -> None:
        Journal(tmp_path, ORIGIN, clean, "policy", lambda: 1).write([JournalEvent(name=f"event {number}", time_ns=number)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [record.event_name for _, message in written(tmp_path) for record in message.resource_logs[0].scope_logs[0].log_records]
    assert sorted(names) == [f"event {number}" for number in range(8)]
    assert [segment.entry for segment in closed_segments(tmp_path)] == list(range(8))


def test_numbers_go_on_when_the_wal_folder_was_lost(tmp_path: Path) -> None:
    """An entry number is never given to other events: the sealer would take them for a replay and drop them."""
    with closing(Catalog.open(tmp_path)) as catalog:
        catalog.commit_entry(entry_record(6, 0, origin=ORIGIN), [], runs={}, trace_runs={})
    segment = Journal(tmp_path, ORIGIN, clean, "policy", lambda: 1).write([JournalEvent(name="x", time_ns=1)])
    assert segment is not None
    assert segment.entry == 7


def test_a_lock_that_is_never_given_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting ends, and the message names who holds it."""
    monkeypatch.setattr(journal_module, "LOCK_WAIT_SECONDS", 0.1)
    with FileLock(tmp_path / "wal" / ORIGIN / "LOCK", "hold it"), pytest.raises(LakeLocked, match="holds it"):
        Journal(tmp_path, ORIGIN, clean, "policy", lambda: 1).write([JournalEvent(name="x", time_ns=1)])
