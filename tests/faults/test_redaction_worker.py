"""The redaction worker dies, hangs or does not start in the middle of traffic: nothing raw passes, and no record is lost."""

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from collector.signals import TRACES
from storage.lake import Lake
from tests.collector_process import CollectorProcess
from tests.leak_scan import scan
from tests.polling import has_ended, wait_until

DOMAIN = "canary-mail.example.com"
CLEAN = "mail <EMAIL_ADDRESS> please"
ALLOWED = re.compile(r"mail <EMAIL_ADDRESS> please|<WITHHELD:(timeout|worker)>")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    collector = CollectorProcess(tmp_path_factory.mktemp("worker"))
    text = collector.config.read_text()
    collector.config.write_text(text.replace("redaction: {}", "redaction: {presidio: {timeout_ms: 100}}"))
    with collector:
        wait_until(collector.ready, seconds=90)
        yield collector


class Senders:
    """Two senders of spans with a text that nobody has seen before, until they are stopped; `sent` were acknowledged."""

    def __init__(self, collector: CollectorProcess, name: str) -> None:
        self.sent: list[str] = []
        self.failed: list[int] = []
        self._collector = collector
        self._name = name
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(2)]

    def __enter__(self) -> "Senders":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)

    def _send(self, sender: int) -> None:
        count = 0
        while not self._stop.is_set():
            name = f"{self._name} {sender} {count}"
            count += 1
            message = TRACES.request()
            span = message.resource_spans.add().scope_spans.add().spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name=name)
            span.attributes.add(key="note").value.string_value = f"mail j{os.urandom(6).hex()}@{DOMAIN} please"
            code = self._collector.post("traces", message.SerializeToString()).status_code
            (self.sent if code == 200 else self.failed).append(name if code == 200 else code)  # type: ignore[arg-type]
            self._stop.wait(0.02)


def rows(collector: CollectorProcess, sql: str) -> list[dict[str, object]]:
    with Lake.open(collector.data) as lake:
        found: list[dict[str, object]] = lake.sql(sql).to_pylist()
        return found


def notes(collector: CollectorProcess, senders: Senders, name: str) -> Counter[str]:
    """What was stored of the senders' texts; every acknowledged record is there once."""
    sql = f"SELECT name, attributes['note'] AS note FROM spans WHERE starts_with(name, '{name} ')"
    wait_until(lambda: len(rows(collector, sql)) >= len(senders.sent))
    stored = rows(collector, sql)
    assert senders.failed == []
    assert sorted(str(row["name"]) for row in stored) == sorted(senders.sent)
    return Counter(str(row["note"]) for row in stored)


def test_a_worker_that_is_killed_again_and_again_lets_nothing_through(running: CollectorProcess) -> None:
    with Senders(running, "killed") as senders:
        for _ in range(4):
            before = len(senders.sent)
            wait_until(lambda before=before: len(senders.sent) > before + 20 and running.scanners(), seconds=90)
            for scanner in running.scanners():
                scanner.kill()
    found = notes(running, senders, "killed")
    assert all(ALLOWED.fullmatch(note) for note in found), found
    assert found[CLEAN] > 40


def test_a_worker_that_hangs_is_replaced_and_what_it_held_is_withheld(running: CollectorProcess) -> None:
    with Senders(running, "stopped") as senders:
        wait_until(lambda: len(senders.sent) > 10 and running.scanners(), seconds=90)
        (scanner,) = running.scanners()
        scanner.send_signal(signal.SIGSTOP)
        wait_until(lambda: has_ended(scanner), seconds=60)
        before = len(senders.sent)
        wait_until(lambda: len(senders.sent) > before + 20, seconds=90)
    found = notes(running, senders, "stopped")
    assert all(ALLOWED.fullmatch(note) for note in found), found
    assert found["<WITHHELD:timeout>"] >= 1
    assert found[CLEAN] > 20


def test_while_no_worker_starts_texts_are_withheld_health_is_red_and_the_lake_says_so(running: CollectorProcess) -> None:
    stop = threading.Event()

    def kill_all() -> None:
        while not stop.wait(0.1):  # none is ready so soon
            for scanner in running.scanners():
                scanner.kill()

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        with Senders(running, "absent") as senders:
            wait_until(lambda: running.health().status_code == 503, seconds=90)
            state = running.health().json()["components"]["redaction"]["state"]
            assert state.startswith("down: the scanner does not start")
            before = len(senders.sent)
            wait_until(lambda: len(senders.sent) > before + 5, seconds=90)
            stop.set()
            killer.join()
            wait_until(lambda: running.health().status_code == 200, seconds=90)
    finally:
        stop.set()
        killer.join()
    found = notes(running, senders, "absent")
    assert all(ALLOWED.fullmatch(note) for note in found), found
    assert found["<WITHHELD:worker>"] > 5


def test_withheld_values_are_counted_by_reason_as_receipts_metrics_and_events(running: CollectorProcess) -> None:
    """One event a reason and minute, however many values there were."""
    assert running.terminate() == 0, running.log.read_text()
    sql = "SELECT rule, sum(findings)::BIGINT AS n FROM redaction_log WHERE entity = 'WITHHELD' AND key = 'note' GROUP BY rule"
    receipts = {row["rule"]: row["n"] for row in rows(running, sql)}
    assert receipts.keys() == {"timeout", "worker"}
    metric = "metric_name = 'auditlake.redaction.withheld'"
    sql = f"SELECT attributes['reason'] AS rule, sum(value)::BIGINT AS n FROM metrics WHERE {metric} GROUP BY 1"
    assert {row["rule"]: row["n"] for row in rows(running, sql)} == receipts
    told = rows(
        running,
        "SELECT attributes['auditlake.redaction.reason'] AS rule, sum(attributes['auditlake.redaction.values']::BIGINT)::BIGINT AS n,"
        " count(*) AS events FROM events WHERE event_name = 'redaction.withheld' AND scope_name = 'auditlake.collector' GROUP BY 1",
    )
    assert {row["rule"]: row["n"] for row in told} == receipts
    assert all(int(str(row["events"])) <= 5 for row in told)
    assert scan(running.data.parent, [DOMAIN])[DOMAIN] == []
