"""Each sample agent, as a process of its own against a real OTLP server, shows what the demo promises of it."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.configuration import cache_folder
from cli.demo import AGENTS, backfill
from cli.demo.expectations import EXPECTATIONS
from cli.demo.history import days
from cli.demo.leaks import CARD, CARD_WITH_SPACES, CONTROL, LEAKS
from cli.demo.report import until_a_day_with_room
from cli.demo.support import MAX_AGE_SECONDS
from collector.admission import is_audit
from collector.signals import LOGS
from redaction.policy import RedactionConfig
from redaction.presidio.analyzer import Analyzer
from redaction.scan import chunks
from tests.sdk.otlp_server import OtlpServer, Record, serving, wait_for

ROOT = Path(__file__).parents[2]
RUNS = {"support": 8, "research": 2, "report": 4, "failing": 25, "looping": 1, "leaking": 1, "thorough": 3, "silent": 1}
SDK_AGENTS = {"support", "report", "looping", "thorough", "silent"}


def start(agent: str, server: OtlpServer, *words: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}"}
    environment.pop("AUDITLAKE_GRPC_ENDPOINT", None)
    command = [sys.executable, "-W", "error", "-m", f"cli.demo.{agent}", "--endpoint", server.endpoint, *words]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def sent() -> Iterator[dict[str, OtlpServer]]:
    """What each agent sent in a few hurried runs."""
    servers = {agent: OtlpServer() for agent in AGENTS}
    contexts = {agent: serving(server) for agent, server in servers.items()}
    for context in contexts.values():
        context.__enter__()
    words = {agent: ("--runs", str(RUNS[agent]), "--pace", "0", "--seed", "5") for agent in AGENTS}
    processes = {agent: start(agent, servers[agent], *words[agent]) for agent in AGENTS}
    for agent, process in processes.items():
        output = process.communicate(timeout=60)[0].decode()
        assert (process.returncode, output) == (0, ""), f"{agent}: {output}"
    yield servers
    for context in contexts.values():
        context.__exit__(None, None, None)


def calls(server: OtlpServer) -> list[Record]:
    return [span for span in server.spans if span.attributes.get("gen_ai.operation.name") in {"chat", "execute_tool"}]


@pytest.mark.parametrize("agent", AGENTS)
def test_every_record_names_its_agent_and_tenant(sent: dict[str, OtlpServer], agent: str) -> None:
    """The alerts group by them."""
    server = sent[agent]
    for record in server.spans + server.logs:
        assert (record.resource["service.name"], record.resource["auditlake.tenant"]) == (agent, "northwind")
    if agent in SDK_AGENTS:
        assert {record.attributes["gen_ai.agent.name"] for record in server.spans + server.logs} == {agent}


def test_one_of_the_refunds_of_support_lacks_its_approval(sent: dict[str, OtlpServer]) -> None:
    """UnapprovedSideEffect: the second refund runs without one, the others after it was granted."""
    server = sent["support"]
    refunds = [span for span in server.spans if span.attributes.get("auditlake.tool.requires_approval")]
    granted = {
        event.attributes["auditlake.run.id"]
        for event in server.events("approval")
        if event.attributes["auditlake.approval.state"] == "granted"
    }
    without = [span for span in refunds if span.attributes["auditlake.run.id"] not in granted]
    assert len(refunds) >= 2
    assert len(without) == 1
    audited = {event.attributes.get("auditlake.run.id") for event in server.events("agent_action")}
    assert {span.attributes["auditlake.run.id"] for span in refunds} <= audited


def test_a_run_of_support_has_every_kind_of_step(sent: dict[str, OtlpServer]) -> None:
    """The Run page of the demo has something of everything to explain, without a gap."""
    server = sent["support"]
    for run in (span for span in server.spans if span.attributes["auditlake.kind"] == "run"):
        mine = [
            record
            for record in server.spans + server.logs
            if record.attributes.get("auditlake.run.id") == run.attributes["auditlake.run.id"]
        ]
        kinds = {record.attributes.get("auditlake.kind", record.name) for record in mine}
        assert {"run", "model", "tool", "retrieval", "memory", "policy.decision", "gen_ai.evaluation.result", "checkpoint"} <= kinds
        assert sorted(record.attributes["auditlake.seq"] for record in mine) == list(range(1, run.attributes["auditlake.seq.last"] + 1))


def test_support_is_attacked_and_reads_what_is_too_old(sent: dict[str, OtlpServer]) -> None:
    """SecurityEvent and RetrievalTrust: an attack in earnest on the second ticket, and every third source."""
    attacks = [event.attributes for event in sent["support"].events("security")]
    assert (attacks[0]["auditlake.security.category"], attacks[0]["auditlake.security.threat_level"]) == ("injection", "high")
    retrievals = [span.attributes for span in sent["support"].spans if span.attributes.get("auditlake.kind") == "retrieval"]
    stale = [attributes.get("auditlake.retrieval.freshness_seconds", 0) > MAX_AGE_SECONDS for attributes in retrievals]
    assert stale == [number % 3 == 2 for number in range(RUNS["support"])]


def test_support_says_how_its_operation_goes(sent: dict[str, OtlpServer]) -> None:
    """Tasks from created to done, queues, trust, security and a rollout: the pages of the demo have something of each to show."""
    server = sent["support"]
    states: dict[str, list[str]] = {}
    for event in server.events("task"):
        states.setdefault(event.attributes["auditlake.task.id"], []).append(event.attributes["auditlake.task.state"])
    assert len(states) == RUNS["support"], "a ticket that comes again is another task"
    for told in states.values():
        assert [state for state in told if state != "blocked"][:3] == ["created", "assigned", "in_progress"]
        assert told[-3:] == ["submitted", "reviewed", "done"]
    (release,) = (event.attributes for event in server.events("rollout") if event.attributes["auditlake.rollout.change"] == "release")
    assert {"commit", "owner", "rollback_owner", "dataset_version", "model", "prompt_version", "tool_schema_version", "policy_version"} <= {
        name.removeprefix("auditlake.rollout.") for name in release
    }
    for event in ("security", "trust.handshake", "credential.rotation", "heartbeat"):
        assert server.events(event), event
    measured = {point.name for point in server.points}
    assert {"auditlake.queue.depth", "auditlake.business.task_completion", "auditlake.operational.request_duration"} <= measured


def test_failing_tells_of_its_resilience_in_plain_opentelemetry(sent: dict[str, OtlpServer]) -> None:
    """Log records with the names of the vocabulary are enough."""
    for event in ("resilience.retry", "resilience.rate_limit", "resilience.dead_letter"):
        assert sent["failing"].events(event)[0].attributes["auditlake.resource"], event


def test_research_is_plain_opentelemetry(sent: dict[str, OtlpServer]) -> None:
    """It works without our SDK: standard attributes alone, a sub-agent, embeddings, retrieval, metrics."""
    server = sent["research"]
    names = {key for span in server.spans for key in span.attributes}
    assert not [name for name in names if name.startswith("auditlake.")]
    operations = {span.attributes["gen_ai.operation.name"] for span in server.spans}
    assert operations == {"invoke_agent", "chat", "embeddings", "retrieval", "execute_tool"}
    assert {span.attributes["gen_ai.agent.name"] for span in server.spans} == {"research", "reader"}
    assert len({span.message.trace_id for span in server.spans}) == RUNS["research"]


def test_more_than_a_fifth_of_the_calls_of_failing_fail(sent: dict[str, OtlpServer]) -> None:
    """HighErrorRate: and enough calls to mean something."""
    made = calls(sent["failing"])
    failed = [span for span in made if span.message.status.code == 2]
    assert len(made) >= 40
    assert len(failed) / len(made) > 0.3
    assert all("error.type" in span.attributes for span in failed)


@pytest.mark.parametrize("agent", ["support", "research", "report", "leaking"])
def test_the_others_mostly_succeed(sent: dict[str, OtlpServer], agent: str) -> None:
    """No alert that the table does not name."""
    made = calls(sent[agent])
    assert sum(span.message.status.code == 2 for span in made) / len(made) <= 0.2


def test_looping_repeats_one_call_until_its_steps_are_used_up(sent: dict[str, OtlpServer]) -> None:
    """RunawayAgent: the same tool with the same arguments, in calls of their own."""
    server = sent["looping"]
    repeated = Counter(span.attributes["gen_ai.tool.call.arguments"] for span in server.spans if "gen_ai.tool.name" in span.attributes)
    assert max(repeated.values()) >= 5
    assert len({span.attributes.get("gen_ai.tool.call.id") for span in server.spans}) - 1 == max(repeated.values())
    assert server.span("invoke_agent looping").attributes["auditlake.stop_reason"] == "max_steps"


def test_silent_declares_a_heartbeat_and_ends_without_a_word(sent: dict[str, OtlpServer]) -> None:
    """AgentDown: there is a promise, and no shutdown."""
    beats = sent["silent"].events("heartbeat")
    assert len(beats) >= 3
    assert {beat.attributes["auditlake.heartbeat.interval_seconds"] for beat in beats} == {5.0}
    assert sent["silent"].events("agent.shutdown") == []
    for agent in SDK_AGENTS - {"silent"}:
        assert len(sent[agent].events("agent.shutdown")) == 1


def test_report_spends_a_month_in_a_minute(sent: dict[str, OtlpServer]) -> None:
    """CostSpike: far above its usual day, and no more than 200,000 tokens a minute in any one run."""
    import genai_prices

    spent = 0.0
    for span in calls(sent["report"]):
        usage = genai_prices.Usage(
            input_tokens=span.attributes["gen_ai.usage.input_tokens"], output_tokens=span.attributes["gen_ai.usage.output_tokens"]
        )
        price = genai_prices.calc_price(usage, span.attributes["gen_ai.request.model"], provider_id=span.attributes["gen_ai.provider.name"])
        spent += float(price.total_price)
    assert spent > 20
    tokens: Counter[str] = Counter()
    for span in calls(sent["report"]):
        tokens[span.attributes["auditlake.run.id"]] += (
            span.attributes["gen_ai.usage.input_tokens"] + span.attributes["gen_ai.usage.output_tokens"]
        )
    assert max(tokens.values()) / 5 < 200_000


@pytest.mark.parametrize(
    ("time_of_day", "waits"), [("00:00:00", 0), ("12:00:00", 0), ("23:58:59", 0), ("23:59:01", 59), ("23:59:59.5", 0.5)]
)
def test_the_burst_of_report_falls_into_one_day(time_of_day: str, waits: float) -> None:
    """CostSpike compares days: a burst across midnight would be two halves."""
    assert until_a_day_with_room(datetime.fromisoformat(f"2026-11-21T{time_of_day}+00:00")) == waits


def test_the_audit_records_of_thorough_take_long_to_redact(sent: dict[str, OtlpServer]) -> None:
    """AuditWriteLatency: requests of one audit event each, tens of kilobytes, never the same, nearly all of which has to be scanned."""
    gate = Analyzer(RedactionConfig(), cache_folder=cache_folder()).gate
    requests = [request for request in sent["thorough"].decoded("/v1/logs") if is_audit(LOGS, request)]
    texts = {
        record.body.string_value
        for request in requests
        for group in request.resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
        if record.event_name == "agent_action"
    }
    assert len(texts) == RUNS["thorough"]
    for text in texts:
        assert sum(end - start for start, end in chunks(text) if gate.candidates(text[start:end], ())) > 60_000


def test_leaking_leaks_every_value_everywhere(sent: dict[str, OtlpServer]) -> None:
    """Every planted value leaves the agent, beside the control value, in every place where a text can stand."""
    server = sent["leaking"]
    traces, logs, metrics = ("\n".join(map(str, server.decoded(path))) for path in ("/v1/traces", "/v1/logs", "/v1/metrics"))
    for value in (*LEAKS, CONTROL):
        assert value in traces + logs, value
    assert CONTROL in traces
    assert CONTROL in logs
    assert CONTROL in metrics
    spans = [span.message for span in server.spans]
    places = {
        "resource": [str(server.spans[0].resource)],
        "name": [span.name for span in spans],
        "key": [attribute.key for span in spans for attribute in span.attributes],
        "status": [span.status.message for span in spans],
        "event": [event.name for span in spans for event in span.events],
        "event attribute": [str(event.attributes) for span in spans for event in span.events],
        "link": [str(link.attributes) for span in spans for link in span.links],
        "json in json": [span.attributes["debug.payload"] for span in server.spans if "debug.payload" in span.attributes],
        "body": [log.message.body.string_value for log in server.logs],
        "structured body": [str(log.message.body.kvlist_value) for log in server.logs],
    }
    for place, texts in places.items():
        assert any(leak in text for leak in LEAKS for text in texts), place


def test_the_planted_cards_are_valid() -> None:
    """A recognizer checks the digits; so do we."""
    for card in (CARD, CARD_WITH_SPACES.replace(" ", "")):
        digits = [int(digit) for digit in reversed(card)]
        assert sum(digit if index % 2 == 0 else sum(divmod(digit * 2, 10)) for index, digit in enumerate(digits)) % 10 == 0


def test_every_agent_that_goes_wrong_has_a_row_in_the_table() -> None:
    """And each row is another alert, whose rule stands in a pack (tests/alerts/test_demo_table.py)."""
    assert {row.agent for row in EXPECTATIONS} == set(AGENTS) - {"research", "leaking"}
    assert len({row.alert for row in EXPECTATIONS}) == len(EXPECTATIONS) == 11


@pytest.mark.parametrize("agent", ["support", "research", "silent"])
def test_sigterm_ends_an_agent_cleanly(agent: str) -> None:
    """It sends what it has, and exits with 0 in well under the supervisor's patience."""
    with serving() as server:
        process = start(agent, server)
        wait_for(lambda: server.requests)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=5)[0].decode()
        assert (process.returncode, output) == (0, "")


def test_the_history_is_thirty_ordinary_days(tmp_path: Path) -> None:
    """Every day has its runs, fewer at weekends, nothing is in the future, and the same seed sends the same."""
    now = datetime(2026, 11, 20, 15, tzinfo=UTC)
    with serving() as server:
        mark = tmp_path / "mark"
        records = backfill.send(server.endpoint, 30, 7, now=now)
        assert not mark.exists()
        assert len(server.spans) + len(server.logs) == records
        ends = [span.message.end_time_unix_nano for span in server.spans]
    runs_a_day = {day: len(runs) for day, _, runs in days(now, 30, 7)}
    assert len(runs_a_day) == 31
    whole = {day: number for day, number in runs_a_day.items() if day != now.date()}
    assert all(30 <= number <= 90 for number in whole.values())
    weekend = [number for day, number in whole.items() if day.weekday() >= 5]
    assert sum(weekend) / len(weekend) < 0.75 * sum(whole.values()) / len(whole)
    assert max(ends) < (now - timedelta(minutes=10)).timestamp() * 1e9
    first, second = (next(iter(days(now, 30, 7)))[2] for _ in range(2))
    assert [run.spans for run in first] == [run.spans for run in second]


def test_the_backfill_command_marks_its_success(tmp_path: Path) -> None:
    """The mark stands for "all of it was acknowledged": a busy collector gets time."""
    with serving() as server:
        server.statuses = [503]
        assert backfill.main(["--endpoint", server.endpoint, "--days", "1", "--mark", str(tmp_path / "mark")]) == 0
    assert (tmp_path / "mark").exists()
    assert len(server.spans) > 100
