"""Erased rows leave what waits to be forwarded; everything else is sent as before."""

from pathlib import Path
from typing import Any

import pytest

from collector.forwarding import requests as requests_module
from collector.forwarding.answers import Answer, Kind
from collector.forwarding.dead_letters import DeadLetters, Letter
from collector.forwarding.erasing import forget
from collector.forwarding.queue import Backlog, activate, exporter_folder
from collector.forwarding.requests import Bounds, Outgoing, first_seq, outgoing, records_behind, windows
from collector.forwarding.splitting import each_record, resources
from collector.signals import SIGNALS
from storage.lake import Lake
from storage.rows import Rows
from tests.collector.forwarding.backends import ID, Got, HttpAnswer, HttpBackend, forward_all, names, over_http, ready, sealed, spans
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


def sent(data: Path, exporter: str) -> list[str]:
    """What would be sent from the beginning: the texts of the records and of their resources."""
    texts = []
    for window in windows(segment_of(data, exporter), data / "quarantine", begin=0, end=0, signals=SIGNAL_NAMES, own=True):
        for name, parts in window.parts.items():
            for request in outgoing(name, parts, None, Bounds(size_bytes=1 << 20)):
                message = SIGNALS[name].request.FromString(request.body)
                records = list(each_record(SIGNALS[name], message))
                assert len(records) == request.records
                texts += [record.body.string_value if name == "logs" else record.name for record in records]
                texts += [pair.value.string_value for resource in resources(SIGNALS[name], message) for pair in resource.attributes]
    return sorted(texts)


def requests() -> list[tuple[str, Any]]:
    """Several batches a signal, so that rows of an entry are numbered over them."""
    span = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "start": 1_795_262_400 * 10**9, "end": 1_795_262_401 * 10**9}
    record = {"time_unix_nano": 1_795_262_400 * 10**9}
    return [
        ("logs", logs({**record, "body": "log of one"}, {**record, "body": "log of two"}, resource={"host.name": "host of both"})),
        ("traces", traces({**span, "name": "span of one"}, {**span, "name": "span of two"}, resource={"host.name": "host of both"})),
        ("traces", traces({**span, "name": "span of one again"}, resource={"host.name": "host of one"})),
        ("logs", logs({**record, "body": "log of two again"}, resource={})),
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
        assert sent(tmp_path, exporter) == ["host of both", "host of both", "log of two", "log of two again", "span of two"]
        assert records_behind(after, tmp_path / "quarantine", begin=0, signals=SIGNAL_NAMES, own=True) == 3
        assert (after.path.stat().st_size, after.path.stat().st_mtime_ns) == (size, written)
        assert first_seq(after, tmp_path / "quarantine") == number
        assert ends == [window.end for window in windows(after, tmp_path / "quarantine", begin=0, end=1, signals=SIGNAL_NAMES, own=True)]
    assert scan(tmp_path / "forward", ["of one", "of two"])["of one"] == []
    assert not (tmp_path / "quarantine").exists()


def test_what_was_erased_can_be_erased_again_and_others_after_it(tmp_path: Path) -> None:
    """An order that a crash interrupted is given again, and the next one is about other records of the same entry."""
    activate(tmp_path, {"otlp": SIGNAL_NAMES})
    seal(tmp_path, requests())
    first, second = rows_of(tmp_path, "of one"), rows_of(tmp_path, "of two again")
    for _ in range(2):
        forget(tmp_path, first)
        assert sent(tmp_path, "otlp") == ["host of both", "host of both", "log of two", "log of two again", "span of two"]
    forget(tmp_path, second)
    assert sent(tmp_path, "otlp") == ["host of both", "host of both", "log of two", "span of two"]
    forget(tmp_path, rows_of(tmp_path, "of two"))
    assert sent(tmp_path, "otlp") == []
    assert scan(tmp_path / "forward", ["of one", "of two", "host of"]) == {"of one": [], "of two": [], "host of": []}


def spans_of(*rows: int) -> Rows:
    """Rows of the first entry that `sealed` writes."""
    found = Rows()
    for row in rows:
        found.add("spans", "n/collector", 0, row)
    return found


def test_what_is_erased_while_the_backend_is_away_is_not_sent_when_it_is_back(data: Path, backend: HttpBackend) -> None:
    """The forwarder has it in its hands by then."""
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("of one", "of two"), spans("of one again"))

    def answer(_: Got) -> HttpAnswer:
        if len(backend.asked) > 1:
            return HttpAnswer()
        forget(data, spans_of(0, 2))
        return HttpAnswer(503)

    backend.answer = answer
    status = forward_all(data, forward)
    assert [names([got]) for got in backend.asked] == [["of one", "of two", "of one again"], ["of two"]]
    assert (status.counts["sent"], status.queue_segments) == (1, 0)


def test_what_is_erased_behind_the_place_where_the_forwarder_is_is_not_sent(
    data: Path, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_module, "WINDOW_BYTES", 1)
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("of two"), spans("of one"), spans("of two again"))

    def answer(_: Got) -> HttpAnswer:
        if len(backend.asked) == 1:
            forget(data, spans_of(1))
        return HttpAnswer()

    backend.answer = answer
    forward_all(data, forward)
    assert names(backend.taken) == ["of two", "of two again"]


def test_what_is_erased_while_the_backend_refuses_it_is_no_dead_letter(data: Path, backend: HttpBackend) -> None:
    """The letter is written behind the erasure's back."""
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("of one", "of two"))

    def answer(_: Got) -> HttpAnswer:
        forget(data, spans_of(0))
        return HttpAnswer(400)

    backend.answer = answer
    assert forward_all(data, forward).counts["rejected"] == 2
    assert list((exporter_folder(data, ID) / "dead-letters").iterdir()) == []


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
