"""SIGHUP to a real collector: the policy changes between requests, a broken file changes nothing, and nothing is left over."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

import grpc
import httpx
import psutil
import pytest

from collector.signals import TRACES
from storage.lake import Lake
from tests.collector_process import CollectorProcess
from tests.polling import wait_until

MAIL = "jane.canary@example.com"
POLICIES = {
    "first": ("redaction: {}", "mail <EMAIL_ADDRESS>"),
    "second": ("redaction: {blocked_key_patterns: ['^note$']}", "<BLOCKED_KEY>"),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Over gRPC senders have to authenticate, over HTTP they have not."""
    collector = CollectorProcess(tmp_path_factory.mktemp("reload"))
    text = collector.config.read_text().replace(
        'grpc: {endpoint: "127.0.0.1:0"', 'grpc: {auth: {authenticator: bearertokenauth}, endpoint: "127.0.0.1:0"'
    )
    text = text.replace("\nextensions:\n", "\nextensions:\n  bearertokenauth:\n    token: first-token\n")
    collector.config.write_text(text.replace("extensions: [health_check]", "extensions: [health_check, bearertokenauth]"))
    with collector:
        wait_until(collector.ready, seconds=120)
        yield collector


def configure(collector: CollectorProcess, section: str) -> None:
    """Write another policy into the file that the collector was started with."""
    lines = collector.config.read_text().splitlines()
    lines = [f"  {section}" if line.startswith("  redaction:") else line for line in lines]
    collector.config.write_text("\n".join(lines))


def outcomes(collector: CollectorProcess) -> int:
    """How many reloads came to an end."""
    log = collector.log.read_text()
    return log.count("configuration loaded again") + log.count("the configuration is refused")


def reload(collector: CollectorProcess, section: str) -> None:
    """Reload and wait for what comes of it."""
    configure(collector, section)
    before = outcomes(collector)
    os.kill(collector.process.pid, signal.SIGHUP)
    wait_until(lambda: outcomes(collector) > before, seconds=90)


def rows(collector: CollectorProcess, sql: str) -> list[dict[str, object]]:
    with Lake.open(collector.data) as lake:
        found: list[dict[str, object]] = lake.sql(sql).to_pylist()
        return found


class Sender:
    """Sends spans one after the other; `names` are those that were acknowledged."""

    def __init__(self, collector: CollectorProcess) -> None:
        self.names: list[str] = []
        self.refused: list[int] = []
        self._url = f"http://127.0.0.1:{collector.ports['http']}/v1/traces"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _send(self) -> None:
        with httpx.Client(timeout=60, headers={"content-type": "application/x-protobuf"}) as client:
            while not self._stop.is_set():
                name = f"span {len(self.names)}"
                answer = client.post(self._url, content=span(name))
                if answer.status_code == 200:
                    self.names.append(name)
                else:
                    self.refused.append(answer.status_code)


def span(name: str) -> bytes:
    message = TRACES.request()
    one = message.resource_spans.add().scope_spans.add().spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name=name)
    one.attributes.add(key="note").value.string_value = f"mail {MAIL}"
    return bytes(message.SerializeToString())


def test_a_policy_is_switched_under_load_and_no_request_is_lost(running: CollectorProcess) -> None:
    """Every record was cleaned under exactly the policy that its hash names."""
    with Sender(running) as sender:
        wait_until(lambda: len(sender.names) > 20, seconds=90)
        for name in ("second", "first", "second"):
            reload(running, POLICIES[name][0])
            now = len(sender.names)
            wait_until(lambda now=now: len(sender.names) > now + 20)
    assert sender.refused == []
    wait_until(lambda: rows(running, "SELECT count(*) AS n FROM spans")[0]["n"] == len(sender.names))
    stored = rows(running, "SELECT name, policy_hash, attributes['note'] AS note FROM spans")
    assert sorted(str(row["name"]) for row in stored) == sorted(sender.names)
    assert {row["note"] for row in stored} == {note for _, note in POLICIES.values()}
    assert len({(row["policy_hash"], row["note"]) for row in stored}) == 2
    events = rows(running, "SELECT attributes, scope_name FROM events WHERE event_name = 'config.reload' ORDER BY time_ns")
    told = [dict(row["attributes"]) for row in events]  # type: ignore[call-overload]
    assert [each["auditlake.outcome"] for each in told] == ["ok"] * 3
    assert {each["auditlake.config.policy_hash.new"] for each in told} == {row["policy_hash"] for row in stored}
    assert {row["scope_name"] for row in events} == {"auditlake.collector"}


@pytest.mark.parametrize("section", ["redaction: {blocked_values: ['(jane.canary']}", "redaction: [", "redaktion: {}"])
def test_a_broken_file_keeps_the_policy_and_says_so_without_going_unready(running: CollectorProcess, section: str) -> None:
    whole = running.config.read_text()
    before = running.health().json()
    reload(running, section)
    health = running.health()
    assert (health.status_code, health.json()["components"]["redaction"]) == (200, before["components"]["redaction"])
    assert health.json()["components"]["reload"]["state"].startswith("failed: ")
    assert running.ready()
    assert running.post("traces", span("after a broken file")).status_code == 200
    refused = (
        "SELECT attributes['auditlake.config.problems'] AS problems FROM events WHERE event_name = 'config.reload' AND outcome = 'refused'"
    )
    wait_until(lambda: rows(running, refused))
    running.config.write_text(whole)
    reload(running, POLICIES["first"][0])
    assert running.health().json()["components"]["reload"]["state"] == "ok"
    assert MAIL not in running.log.read_text()


def test_tokens_of_the_configuration_are_taken_over_and_old_ones_are_refused(running: CollectorProcess) -> None:
    assert codes(running, "first-token", "second-token") == [grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED]
    running.config.write_text(running.config.read_text().replace("token: first-token", "token: second-token"))
    reload(running, POLICIES["second"][0])
    assert codes(running, "first-token", "second-token") == [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.OK]
    assert "-token" not in running.log.read_text()


def codes(running: CollectorProcess, *tokens: str) -> list[grpc.StatusCode]:
    """How a request with each token is answered."""
    found = []
    with grpc.insecure_channel(f"127.0.0.1:{running.ports['grpc']}") as channel:
        export = channel.unary_unary(f"/{TRACES.grpc_service}/Export")
        for token in tokens:
            answer = export.future(span(token), metadata=(("authorization", f"Bearer {token}"),), timeout=30)
            found.append(answer.code())
    return found


def test_what_a_reload_cannot_change_is_named(running: CollectorProcess) -> None:
    whole = running.config.read_text()
    running.config.write_text(whole.replace("node: n1", "node: n2"))
    reload(running, POLICIES["first"][0])
    assert "exporters.parquet" in running.log.read_text()
    running.config.write_text(whole)


def test_reloads_leave_nothing_behind(running: CollectorProcess) -> None:
    """Processes and descriptors are as many as before, memory is about what it was."""
    process = psutil.Process(running.process.pid)

    def held() -> tuple[int, int]:
        return len(process.children(recursive=True)), process.num_fds()

    reload(running, POLICIES["second"][0])
    reload(running, POLICIES["first"][0])
    wait_until(lambda: len(running.scanners()) == 1)
    before, memory = held(), process.memory_info().rss
    for number in range(4):
        reload(running, POLICIES["second" if number % 2 == 0 else "first"][0])
    wait_until(lambda: held()[0] <= before[0] and held()[1] <= before[1] + 3)
    assert process.memory_info().rss < memory + (48 << 20)  # a policy that stayed would be 17 MiB


def staying(collector: CollectorProcess) -> list[psutil.Process]:
    """The collector's children, when none of them is ending and one of them scans; else none."""
    children = psutil.Process(collector.process.pid).children(recursive=True)
    commands = []
    for child in children:
        with contextlib.suppress(psutil.Error):  # it ended just now
            commands.append(child.cmdline())  # of one that is ending there is none
    whole = len(commands) == len(children) and all(commands)
    return children if whole and sum("redaction.scanner" in " ".join(command) for command in commands) == 1 else []


def test_a_terminal_that_goes_ends_no_child_of_its_own(running: CollectorProcess) -> None:
    """The signal reaches the whole process group; who reloads or stops is the collector."""
    wait_until(lambda: bool(staying(running)))  # those of the reloads before are gone
    process = psutil.Process(running.process.pid)
    children = staying(running)
    assert children
    for child in children:
        child.send_signal(signal.SIGHUP)
    assert running.post("traces", span("afterwards")).status_code == 200
    assert {child.pid for child in process.children(recursive=True)} == {child.pid for child in children}


def test_it_stops_in_order_after_all_that(running: CollectorProcess) -> None:
    assert running.terminate() == 0, running.log.read_text()
