"""Erased rows leave what waits to be forwarded; everything else is sent as before."""

from pathlib import Path
from typing import Any

from collector.forwarding.answers import Answer, Kind
from collector.forwarding.dead_letters import DeadLetters, Letter
from collector.forwarding.erasing import forget
from collector.forwarding.queue import Backlog, activate, exporter_folder
from collector.forwarding.requests import Outgoing, first_seq, windows
from collector.forwarding.splitting import each_record
from collector.signals import SIGNALS
from storage.lake import Lake
from storage.rows import Rows
from tests.collector.otlp_samples import logs, traces
from tests.leak_scan import scan
from tests.sealed_lake import seal

SIGNAL_NAMES = frozenset({"traces", "logs", "metrics"})


def segment_of(data: Path, exporter: str) -> Any:
    """The one segment in the queue of an exporter."""
    backlog = Backlog(exporter_folder(data, exporter))
    backlog.refresh()
    assert len(backlog) == 1
    assert backlog.first is not None
    return backlog.segment(backlog.first)


def sent(data: Path, exporter: str) -> dict[str, int]:
    """How many records of each signal would be sent from the beginning, by the messages themselves."""
    counts = dict.fromkeys(sorted(SIGNAL_NAMES), 0)
    for window in windows(segment_of(data, exporter), data / "quarantine", begin=0, end=0, signals=SIGNAL_NAMES, own=True):
        for signal, parts in window.parts.items():
            for part in parts:
                message = SIGNALS[signal].request.FromString(part.payload)
                counts[signal] += sum(1 for _ in each_record(SIGNALS[signal], message))
    return counts


def requests() -> list[tuple[str, Any]]:
    """Several batches a signal, so that rows of an entry are numbered over them."""
    span = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "start": 1_795_262_400 * 10**9, "end": 1_795_262_401 * 10**9}
    record = {"time_unix_nano": 1_795_262_400 * 10**9}
    return [
        ("logs", logs({**record, "body": "log of one"}, {**record, "body": "log of two"}, scope="s", resource={})),
        ("traces", traces({**span, "name": "span of one"}, {**span, "name": "span of two"}, scope="s", resource={})),
        ("traces", traces({**span, "name": "span of one again"}, scope="s", resource={})),
        ("logs", logs({**record, "body": "log of two again"}, scope="s", resource={})),
    ]


def rows_of(data: Path, who: str) -> Rows:
    """The rows that name somebody."""
    found = Rows()
    with Lake.open(data) as lake:
        found.note("spans", lake.sql("SELECT origin, entry, entry_row FROM spans WHERE contains(name, $who)", {"who": who}))
        found.note("events", lake.sql("SELECT origin, entry, entry_row FROM events WHERE contains(body, $who)", {"who": who}))
    return found


def test_erased_records_leave_every_queue_and_the_others_stay_where_they_were(tmp_path: Path) -> None:
    """A forwarder in the middle of the segment goes on by offsets and numbers, and no copy is left."""
    activate(tmp_path, {"otlp": SIGNAL_NAMES, "otlp_http/b": SIGNAL_NAMES})
    seal(tmp_path, requests())
    before = segment_of(tmp_path, "otlp")
    size, written, number = before.path.stat().st_size, before.path.stat().st_mtime_ns, first_seq(before, tmp_path / "quarantine")
    ends = [window.end for window in windows(before, tmp_path / "quarantine", begin=0, end=1, signals=SIGNAL_NAMES, own=True)]
    sent_meanwhile = before.path.with_name("node~collector-000000000009.anew")
    sent_meanwhile.write_bytes(b"of one, when a crash came between")
    told = forget(tmp_path, rows_of(tmp_path, "of one"))
    assert told == [f"the backend of exporter {name}: it may have got copies; erase them there" for name in ("otlp", "otlp_http/b")]
    for exporter in ("otlp", "otlp_http/b"):
        after = segment_of(tmp_path, exporter)
        assert sent(tmp_path, exporter) == {"logs": 2, "metrics": 0, "traces": 1}
        assert (after.path.stat().st_size, after.path.stat().st_mtime_ns) == (size, written)
        assert first_seq(after, tmp_path / "quarantine") == number
        assert ends == [window.end for window in windows(after, tmp_path / "quarantine", begin=0, end=1, signals=SIGNAL_NAMES, own=True)]
    assert scan(tmp_path / "forward", ["of one", "of two"])["of one"] == []
    assert not (tmp_path / "quarantine").exists()


def test_a_dead_letter_of_an_entry_with_erased_rows_goes_whole(tmp_path: Path) -> None:
    """The lake has its other records; letters of other entries stay."""
    activate(tmp_path, {"otlp": SIGNAL_NAMES})
    seal(tmp_path, requests())
    letters = DeadLetters(exporter_folder(tmp_path, "otlp"), 1 << 20)
    segment = segment_of(tmp_path, "otlp")
    for entry in (0, 1):
        for_entry = type(segment)(origin=segment.origin, entry=entry, path=segment.path)
        request = Outgoing(SIGNALS["traces"], requests()[1][1].SerializeToString(), 2)
        letters.keep(Letter(for_entry, request, Answer(kind=Kind.REFUSED)))
    forget(tmp_path, rows_of(tmp_path, "of one"))
    names = sorted(path.name for path in (exporter_folder(tmp_path, "otlp") / "dead-letters").iterdir())
    assert [name.rsplit("-", 3)[1] for name in names] == ["000000000001"] * 2
