"""Nothing is lost silently, and the agent never waits beyond its timeouts."""

import time
from collections.abc import Callable

import auditlake
import pytest
from auditlake._client import Client

from tests.sdk.otlp_server import OtlpServer, serving, wait_for

Configure = Callable[..., auditlake.Handle]
DEAD = "http://127.0.0.1:1"


def counts(handle: auditlake.Handle) -> dict[tuple[str, str], int]:
    return dict(handle._client.drops.totals())


def test_a_full_queue_drops_counts_and_reports(server: OtlpServer, configure: Configure) -> None:
    """What did not fit is counted, and the collector is told how many of which run."""
    server.delay_seconds = 0.2
    handle = configure(queue_size=10, batch_size=5)
    with auditlake.run() as run:
        for number in range(200):
            with auditlake.tool_call("burst", arguments=number):
                pass
    server.delay_seconds = 0.0
    assert handle.flush()
    dropped = counts(handle)["traces", "queue_full"]
    assert dropped == auditlake.dropped() > 100
    assert dropped + len(server.spans) == 201
    wait_for(lambda: sum(event.attributes["auditlake.dropped.count"] for event in server.events("telemetry.dropped")) == dropped)
    report = server.events("telemetry.dropped")[0].attributes
    assert (report["auditlake.dropped.signal"], report["auditlake.dropped.reason"], report["auditlake.run.id"]) == (
        "traces",
        "queue_full",
        run.id,
    )
    handle.flush()
    assert max(point.message.as_int for point in server.points if point.name == "auditlake.dropped") == dropped


def test_a_dead_endpoint_costs_the_agent_nothing_but_is_counted(configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
    """With a tiny queue and nobody listening, steps take no time, and every record is accounted for."""
    handle = configure(endpoint=DEAD, queue_size=5, batch_size=5, export_timeout_seconds=0.3, timeout_seconds=1.0)
    before = time.monotonic()
    with auditlake.run():
        for _ in range(100):
            with auditlake.tool_call("burst"):
                pass
    assert time.monotonic() - before < 2.0
    before = time.monotonic()
    handle.shutdown()
    assert time.monotonic() - before < 4.0
    assert {reason for _, reason in counts(handle)} >= {"queue_full", "export_failed"}
    assert sum(counts(handle).values()) == auditlake.dropped() == 102
    assert sum("dropped telemetry" in record.message for record in caplog.records) == 1


def test_drops_are_reported_when_the_collector_comes_back(configure: Configure) -> None:
    """A report that cannot be sent is not lost either: the next delivery carries it."""
    with serving() as first:
        port = int(first.endpoint.rsplit(":", 1)[1])
    handle = configure(endpoint=first.endpoint, export_timeout_seconds=0.2)
    with auditlake.run():
        pass
    wait_for(lambda: auditlake.dropped() == 2)
    with serving(port=port) as second:
        auditlake.heartbeat()
        assert handle.flush()
        reported = {event.attributes["auditlake.dropped.signal"]: event.attributes for event in second.events("telemetry.dropped")}
    assert {signal: report["auditlake.dropped.count"] for signal, report in reported.items()} == {"traces": 1, "logs": 1}
    assert {report["auditlake.dropped.reason"] for report in reported.values()} == {"export_failed"}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_overload_is_retried_with_the_same_bytes(server: OtlpServer, configure: Configure, status: int) -> None:
    """An overloaded collector gets the records later; nothing is dropped."""
    server.statuses = [status, status]
    handle = configure()
    auditlake.heartbeat()
    assert handle.flush()
    assert len(server.events("heartbeat")) == 1
    assert auditlake.dropped() == 0


def test_retry_after_is_respected(server: OtlpServer, configure: Configure) -> None:
    """The collector says when it wants to be asked again."""
    server.statuses, server.retry_after = [503], "1"
    handle = configure()
    before = time.monotonic()
    auditlake.heartbeat()
    assert handle.flush()
    assert time.monotonic() - before >= 0.9
    assert len(server.events("heartbeat")) == 1


def test_a_refused_batch_is_not_retried(server: OtlpServer, configure: Configure) -> None:
    """400 is final: the batch is counted, and the next one goes on."""
    server.statuses = [400]
    handle = configure()
    auditlake.heartbeat()
    assert handle.flush()
    assert counts(handle) == {("logs", "export_failed"): 1}
    auditlake.heartbeat()
    assert handle.flush()
    assert len(server.events("heartbeat")) == 1


def test_what_a_partial_success_rejects_is_counted(server: OtlpServer, configure: Configure) -> None:
    """OpenTelemetry's exporters ignore this answer; here it is a known gap."""
    server.rejected = 1
    handle = configure()
    with auditlake.tool_call("x"):
        pass
    assert handle.flush()
    assert counts(handle)["traces", "rejected"] == 1


def test_a_batch_that_is_too_large_is_split(server: OtlpServer, configure: Configure) -> None:
    """Large records travel in requests of their own; none is lost."""
    handle = configure(request_bytes=50_000, delay_seconds=1.0)
    for _ in range(8):
        with auditlake.tool_call("large", arguments="x" * 20_000):
            pass
    assert handle.flush()
    assert len(server.spans) == 8
    assert len([path for path, _, _ in server.requests if path == "/v1/traces"]) == 4


def test_one_record_that_cannot_be_encoded_takes_no_other_with_it(server: OtlpServer, configure: Configure) -> None:
    """A foreign span with a name that is no text is dropped alone, and counted."""
    handle = configure(delay_seconds=1.0)
    tracer = handle._client.tracer_provider.get_tracer("other")
    for name in ("good-1", "bad \ud800", "good-2"):
        tracer.start_span(name).end()
    assert handle.flush()
    assert sorted(span.name for span in server.spans) == ["good-1", "good-2"]
    assert counts(handle) == {("traces", "unencodable"): 1}


def test_flush_returns_in_time_when_the_collector_hangs(server: OtlpServer, configure: Configure) -> None:
    """A collector that accepts and never answers does not hold the agent."""
    server.delay_seconds = 10.0
    handle = configure(timeout_seconds=8.0)
    auditlake.heartbeat()
    auditlake.queue_depth("q", 1)
    before = time.monotonic()
    assert not handle.flush(0.3)
    assert not handle.shutdown(0.3)
    assert time.monotonic() - before < 3.0


def test_a_connection_closed_while_idle_is_replaced(configure: Configure) -> None:
    """A restarted collector costs no retry and no record."""
    with serving() as first:
        port = int(first.endpoint.rsplit(":", 1)[1])
        handle = configure(endpoint=first.endpoint)
        auditlake.heartbeat()
        assert handle.flush()
    with serving(port=port) as second:
        auditlake.heartbeat()
        assert handle.flush()
        assert len(second.events("heartbeat")) == 1
    assert auditlake.dropped() == 0


def test_compression_and_headers_are_sent(server: OtlpServer, configure: Configure) -> None:
    """A token travels with each request; gzip shrinks the larger ones."""
    handle = configure(compression="gzip", headers={"authorization": "Bearer t"})
    auditlake.heartbeat(message="x" * 5000)
    assert handle.flush()
    _, headers, _ = next(request for request in server.requests if request[0] == "/v1/logs")
    lower = {name.lower(): value for name, value in headers.items()}
    assert (lower["authorization"], lower["content-encoding"]) == ("Bearer t", "gzip")
    assert server.events("heartbeat")[0].attributes["auditlake.heartbeat.message"] == "x" * 5000


def test_what_waits_is_sent_when_the_process_ends(server: OtlpServer) -> None:
    """An agent that just returns from main loses nothing."""
    import subprocess
    import sys

    script = (
        "import auditlake\n"
        f"auditlake.configure('agent', endpoint={server.endpoint!r}, delay_seconds=60.0)\n"
        "with auditlake.run():\n    with auditlake.tool_call('last'): pass\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=30, env={"PYTHONPATH": "sdk"})
    assert {span.name for span in server.spans} == {"execute_tool last", "invoke_agent agent"}
    assert server.events("agent.shutdown") == []


def test_a_client_that_is_closed_twice_stays_closed(server: OtlpServer, configure: Configure) -> None:
    """Shutdown is idempotent, and records after it are counted, not queued for ever."""
    handle = configure()
    client: Client = handle._client
    assert handle.shutdown()
    assert handle.shutdown()
    client.emit("heartbeat", {})
    assert client.drops.totals() == {("logs", "shutdown"): 1}
