"""Real frameworks' OTLP in, the truth out: `auditlake run ID --format json` says what the recorded endpoint served.

Two of them; test_index has them all, without processes.

The truth is captures/INDEX.md: the endpoint answered every chat call with 1,200 input tokens, 1,024 of them cached, and 90 output
tokens, 64 of them reasoning; embeddings cost 8 input tokens.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
import pytest

from collector.signals import SIGNALS, TRACES
from tests.collector_process import ROOT, CollectorProcess, settle
from tests.command_line import invoked

CAPTURES = sorted((ROOT / "tests/captures").glob("*.pb"))


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A row of INDEX.md."""

    runs: int
    chats: int
    embeddings: int = 0
    failed_chats: int = 0
    tools: int = 0
    sessions: set[str] = field(default_factory=set)


TRUTH = {
    "otel-genai-openai": Truth(runs=5, chats=4, embeddings=1, failed_chats=1, tools=1, sessions={"conv-1"}),
    "pydantic-ai": Truth(runs=1, chats=2, tools=1, sessions={"conv-7"}),
}


PROTOCOLS = dict(zip(TRUTH, ("http", "grpc"), strict=True))
"""That both bring the same rows is test_collector's to say."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """What commands say of one client's captures."""

    folder: Path
    traces: frozenset[str]

    def read(self, *words: str) -> Any:
        """What a command says, of everybody."""
        run = invoked(self.folder, *words, "--data", str(self.folder / "data"), "--format", "json")
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    @cached_property
    def runs(self) -> list[dict[str, Any]]:
        """The client's runs, as listed."""
        return [run for run in self.read("runs", "--since", "36500d", "--limit", "100") if self.traces.intersection(run["trace_ids"])]

    @cached_property
    def stories(self) -> list[dict[str, Any]]:
        """The client's runs, as explained."""
        return [self.read("run", run["run_id"]) for run in self.runs]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Client]:
    """The clients, each of which has sent its captures to one collector over its protocol."""
    folder = tmp_path_factory.mktemp("captures")
    with CollectorProcess(folder) as collector, grpc.insecure_channel(f"127.0.0.1:{collector.ports['grpc']}") as channel:
        traces = {client: frozenset(_sent(client, collector, channel)) for client in TRUTH}
        assert collector.terminate() == 0
    settle(folder / "data")
    return {client: Client(folder=folder, traces=traces[client]) for client in TRUTH}


def _sent(client: str, collector: CollectorProcess, channel: grpc.Channel) -> Iterator[str]:
    """Send a client's captures; yield its trace ids."""
    for capture in CAPTURES:
        if not capture.name.startswith(client + "-0"):
            continue
        signal = SIGNALS[capture.stem.rpartition("-")[2]]
        if PROTOCOLS[client] == "http":
            assert collector.post(signal.name, capture.read_bytes()).status_code == 200
        else:
            channel.unary_unary(f"/{signal.grpc_service}/Export")(capture.read_bytes(), timeout=30)
        if signal is TRACES:
            for group in signal.request.FromString(capture.read_bytes()).resource_spans:
                yield from (span.trace_id.hex() for scope in group.scope_spans for span in scope.spans)


@pytest.mark.parametrize("client", TRUTH)
def test_the_reconstruction_says_what_the_endpoint_served(clients: dict[str, Client], client: str) -> None:
    truth, runs = TRUTH[client], clients[client].runs
    assert len(runs) == truth.runs
    assert {run["session_id"] for run in runs if run["session_id"]} == truth.sessions
    assert sum(run["input_tokens"] or 0 for run in runs) == 1200 * truth.chats + 8 * truth.embeddings
    assert sum(run["output_tokens"] or 0 for run in runs) == 90 * truth.chats
    for column, each in (("cache_read_tokens", 1024), ("reasoning_tokens", 64)):
        told = [run[column] for run in runs if run[column] is not None]
        assert sum(told) in {0, each * truth.chats}, column
    assert sum(run["tool_calls"] for run in runs) == truth.tools
    assert sum(run["model_calls"] for run in runs) == truth.chats + truth.embeddings + truth.failed_chats
    for run in runs:
        assert run["cost_usd"] is None or run["cost_usd"] > 0


def test_cached_and_reasoning_tokens_are_those_served_where_the_framework_tells_them(clients: dict[str, Client]) -> None:
    assert sum(run["cache_read_tokens"] or 0 for run in clients["pydantic-ai"].runs) == 2048


def test_the_weather_flow_has_its_tokens_tool_retrieval_and_the_failed_call_is_an_error(clients: dict[str, Client]) -> None:
    whole = clients["otel-genai-openai"].stories
    flow = next(each for each in whole if any("weather_flow" in (step["name"] or "") for step in each["steps"]))
    assert flow["run"]["input_tokens"] == 2400
    assert [step["tool_name"] for step in flow["steps"] if step["kind"] == "tool"] == ["get_weather"]
    retrievals = [step for each in whole for step in each["steps"] if step["kind"] == "retrieval"]
    text = json.dumps(retrievals)
    for word in ("doc-1", "0.9", "doc-2", "0.4"):
        assert word in text
    failed = [step for each in whole for step in each["steps"] if step["kind"] == "model" and step["status"] == "error"]
    assert len(failed) == 1
    assert "429" in json.dumps(failed) or "RateLimit" in json.dumps(failed)


def test_approve_and_resume_is_one_run_with_an_approval_before_the_tool(clients: dict[str, Client]) -> None:
    (story,) = clients["pydantic-ai"].stories
    run, steps = story["run"], story["steps"]
    assert len(run["trace_ids"]) == 2
    (tool,) = [step for step in steps if step["kind"] == "tool"]
    asked, granted = sorted((step for step in steps if step["approval_state"]), key=lambda step: step["started_at"])
    assert (asked["approval_state"], granted["approval_state"]) == ("requested", "granted")
    assert (asked["tool_name"], granted["tool_name"]) == ("get_weather", "get_weather")
    assert asked["trace_id"] != tool["trace_id"] == granted["trace_id"]
    states = clients["pydantic-ai"].read("query", f"SELECT approval_state FROM approvals WHERE run_id = '{run['run_id']}' ORDER BY time")
    assert [row["approval_state"] for row in states] == ["requested", "granted"]
