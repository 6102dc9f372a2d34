"""kill -9 in the middle of a load: everything acknowledged is there after the restart, exactly once, and a resend adds nothing."""

import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pyarrow.parquet as pq

from storage.catalog import Catalog
from tests.collector_process import CollectorProcess, settle, trace_of
from tests.lake_checks import check_lake
from tests.polling import wait_for_end, wait_until

SENDERS = 4
SPANS = 20
PAUSE_SECONDS = 0.02  # of each sender behind each batch: the processors are for the collector


class Load:
    """Senders that behave like exporters: each sends a batch again until it is acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.sent: set[str] = set()
        self._url = ""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]

    def point_at(self, collector: CollectorProcess) -> None:
        self._url = f"http://127.0.0.1:{collector.ports['http']}/v1/traces"

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _send(self, sender: int) -> None:
        number = 0
        with httpx.Client(timeout=10, headers={"content-type": "application/x-protobuf"}) as client:
            while not self._stop.is_set():
                names = [f"{sender}-{number}-{index}" for index in range(SPANS)]
                number += 1
                self._send_until_acknowledged(client, trace_of(names), names)

    def _send_until_acknowledged(self, client: httpx.Client, body: bytes, names: list[str]) -> None:
        self.sent.update(names)
        while True:
            try:
                answer = client.post(self._url, content=body)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                self.acknowledged.update(names)
                self._stop.wait(PAUSE_SECONDS)
                return
            time.sleep(0.05)


def stored(data: Path) -> Counter[str]:
    """How often each span name is in the live files."""
    names: Counter[str] = Counter()
    catalog = Catalog.open(data, read_only=True)
    for file in catalog.live_files("spans"):
        names.update(pq.read_table(data / file.path, columns=["name"], partitioning=None)["name"].to_pylist())
    catalog.close()
    return names


def test_acknowledged_spans_survive_kill_9_exactly_once(tmp_path: Path) -> None:
    load = Load()
    collector = CollectorProcess(tmp_path).start()
    load.point_at(collector)
    load.start()
    try:
        for _ in range(2):  # `python -m benchmarks.soak kills` does it two hundred times
            before = len(load.acknowledged)
            wait_until(lambda before=before: len(load.acknowledged) > before + 2000)
            collector.kill()
            collector.start()
            load.point_at(collector)
        wait_until(lambda: len(load.acknowledged) > 5000)
    finally:
        load.stop()
        code = collector.terminate()
    assert code == 0, collector.log.read_text()
    settle(tmp_path / "data")
    names = stored(tmp_path / "data")
    assert load.acknowledged == load.sent
    assert set(names) == load.acknowledged
    assert set(names.values()) == {1}
    check_lake(tmp_path / "data")


def test_a_collector_of_another_name_finishes_what_a_killed_one_left(tmp_path: Path) -> None:
    """A container comes again under another host name: what it acknowledged is sealed, and a resend of it is still one.

    What two collectors take at the same time has one digest: one copy is marked.
    """
    body = trace_of(["left over"])
    with CollectorProcess(tmp_path, node="a", interval="60s", redacted=False) as killed:
        assert killed.post("traces", body).status_code == 200
        killed.kill()
    with CollectorProcess(tmp_path, node="b", redacted=False) as collector:
        wait_until(lambda: stored(tmp_path / "data")["left over"] == 1)
        assert collector.post("traces", body).status_code == 200
        with CollectorProcess(tmp_path, node="a", redacted=False) as again:
            both = trace_of(["over both"])
            for one in (again, collector):
                assert one.post("traces", both).status_code == 200
            assert again.terminate() == 0
        assert collector.terminate() == 0
    settle(tmp_path / "data")
    assert stored(tmp_path / "data") >= Counter({"left over": 1, "over both": 2})
    assert stored(tmp_path / "data")["left over"] == 1
    with closing(Catalog.open(tmp_path / "data", read_only=True)) as catalog:
        entries = catalog.entries()
    assert (sum(entry.deduplicated for entry in entries), sum(entry.resent for entry in entries)) == (1, 1)
    check_lake(tmp_path / "data")


def test_the_children_die_with_a_killed_collector(tmp_path: Path) -> None:
    collector = CollectorProcess(tmp_path).start()
    children = psutil.Process(collector.process.pid).children(recursive=True)
    assert len(children) >= 2
    collector.kill()
    wait_for_end(children)


def test_a_killed_sealer_is_replaced_and_health_says_so_meanwhile(tmp_path: Path) -> None:
    with CollectorProcess(tmp_path, redacted=False) as collector:
        assert collector.post("traces", trace_of(["before"])).status_code == 200
        wait_until(lambda: stored(tmp_path / "data")["before"] == 1)
        children = {child.name(): child for child in psutil.Process(collector.process.pid).children()}
        assert {"sealer", "compactor"} <= set(children), "top shows what they are"
        children["sealer"].kill()
        children["compactor"].kill()
        wait_until(lambda: collector.health().json()["components"]["sealer"]["state"].startswith("down: the sealer ended"))
        assert collector.health().status_code == 503
        assert collector.post("traces", trace_of(["meanwhile"])).status_code == 200
        wait_until(lambda: collector.health().status_code == 200)
        wait_until(lambda: stored(tmp_path / "data")["meanwhile"] == 1)
        assert collector.terminate() == 0
    settle(tmp_path / "data")
    check_lake(tmp_path / "data")
