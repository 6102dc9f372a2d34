"""What waits and what was refused is bounded: the oldest goes, counted and told."""

from pathlib import Path
from typing import Any

import pytest

from collector.forwarding import forwarder as forwarder_module
from collector.forwarding.queue import exporter_folder
from collector.forwarding.status import Status
from tests.collector.forwarding.backends import (
    ID,
    HttpAnswer,
    HttpBackend,
    events,
    forward_all,
    forwarding,
    over_http,
    queued,
    ready,
    sealed,
    spans,
)
from tests.polling import wait_until


@pytest.mark.parametrize(
    ("bounds", "reason"), [({"queue_size": 600, "sizer": "bytes"}, "queue full"), ({"max_age": "1ms"}, "too old")], ids=["bytes", "age"]
)
def test_over_its_bounds_the_queue_drops_the_oldest_and_says_so(
    data: Path, backend: HttpBackend, bounds: dict[str, Any], reason: str
) -> None:
    backend.answer = lambda _: HttpAnswer(503)
    forward = over_http(backend.url, sending_queue=bounds)
    ready(data, forward)
    for entry in range(4):
        sealed(data, spans(f"name {entry}", "second"), entry=entry)
    sizes = [path.stat().st_size for path in queued(data)]
    with forwarding(data, forward):
        wait_until(lambda: (status := Status.read(data, ID)) is not None and status.counts.get("dropped"))
        left = queued(data)
    assert sum(path.stat().st_size for path in left) <= 600
    assert [path.name[-5] for path in left] == [str(number) for number in range(4 - len(left), 4)]
    dropped = 2 * (len(sizes) - len(left))
    assert events(data) == [("forward.dropped", ID, reason, str(dropped))]


def test_a_full_disk_takes_from_the_queue_before_ingestion_suffers(
    data: Path, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder_module, "MIN_FREE_BYTES", 1 << 62)
    backend.answer = lambda _: HttpAnswer(503)
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("a"))
    assert forward_all(data, forward).counts["dropped"] == 1


def test_dead_letters_are_bounded(data: Path, backend: HttpBackend) -> None:
    backend.answer = lambda _: HttpAnswer(400)
    forward = over_http(backend.url, sending_queue={"dead_letter_bytes": 200})
    ready(data, forward)
    for entry in range(4):
        sealed(data, spans(f"span {entry}"), entry=entry)
    forward_all(data, forward)
    letters = list((exporter_folder(data, ID) / "dead-letters").iterdir())
    assert 0 < sum(path.stat().st_size for path in letters if path.suffix == ".pb") <= 200
    assert len(letters) == 2 * sum(path.suffix == ".pb" for path in letters)
