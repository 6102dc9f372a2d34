"""The threads of the forwarder process: each minds its own exporter, whatever happens to the others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.config_forwarding import Forward
from collector.forwarding import process
from collector.forwarding.queue import LOCK, exporter_folder
from collector.forwarding.status import Status
from collector.forwarding.told import Told
from storage.durable import FileLock
from tests.collector.certificates import pair
from tests.collector.forwarding.backends import ID, HttpBackend, names, over_http, queued, ready, sealed, spans
from tests.polling import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCKED_SECONDS", "DEFECT_SECONDS", "STORAGE_SECONDS"):
        monkeypatch.setattr(process, name, 0.02)


@contextmanager
def exporter_thread(data: Path, forward: Forward) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=process.forward_one, args=(data, forward, Told(data, "n"), stop))
    thread.start()
    yield
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_of_two_collectors_with_the_same_exporter_one_sends_and_the_other_takes_its_place(tmp_path: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(tmp_path, forward)
    sealed(tmp_path, spans("a"))
    lock = FileLock(exporter_folder(tmp_path, ID) / LOCK, "forward")
    with exporter_thread(tmp_path, forward):
        assert queued(tmp_path)
        lock.release()
        wait_until(lambda: not queued(tmp_path))
    assert names(backend.taken) == ["a"]


def test_a_certificate_that_is_gone_is_told_and_looked_for_again(tmp_path: Path, backend: HttpBackend) -> None:
    authority = pair("authority")
    ca_file, _ = authority.write(tmp_path, "authority")
    forward = over_http(backend.url, tls={"ca_file": ca_file})
    ca_file.unlink()
    ready(tmp_path, forward)
    sealed(tmp_path, spans("a"))
    with exporter_thread(tmp_path, forward):
        wait_until(lambda: (status := Status.read(tmp_path, ID)) is not None and "No such file" in status.trouble)
        authority.write(tmp_path, "authority")
        wait_until(lambda: not queued(tmp_path))
    assert names(backend.taken) == ["a"]


def test_what_cannot_be_noted_is_not_sent_again_and_again(tmp_path: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(tmp_path, forward)
    sealed(tmp_path, spans("a"))
    in_the_way = exporter_folder(tmp_path, ID) / "cursor.json.tmp"
    in_the_way.mkdir()
    with capture_logs() as lines, exporter_thread(tmp_path, forward):
        wait_until(lambda: len(lines) > 2)
        assert backend.asked == []
        in_the_way.rmdir()
        wait_until(lambda: not queued(tmp_path))
    assert {line["attempted"] for line in lines} == {"note how far an exporter has come"}
    assert names(backend.taken) == ["a"]
