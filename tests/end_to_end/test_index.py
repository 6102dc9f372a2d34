"""The table of captures/INDEX.md, every cell: real frameworks' OTLP, decoded and sealed, and what the views then say.

The numbers are read from the page itself. A number of which a framework emits nothing at all must be NULL, never 0.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from collector.anyvalue import read_attributes
from collector.signals import SIGNALS
from storage.lake import Lake
from storage.messages import conversation
from storage.runs import RunFilter, list_runs, reconstruct
from tests.sealed_lake import open_lake, seal

CAPTURES = Path(__file__).parents[1] / "captures"
COLUMNS = ("client", "runs", "model calls", "tokens", "tool calls", "must also show")
TOKENS = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
CHAT_USD = 176 * 0.15e-6 + 1024 * 0.075e-6 + 90 * 0.6e-6  # gpt-4o-mini: input, cached input, output
EMBEDDING_USD = 8 * 0.02e-6
WORDS_OF = {"cache_read_tokens": ("cache",), "reasoning_tokens": ("reasoning",)}


def table() -> dict[str, dict[str, str]]:
    """The rows of INDEX.md by client."""
    rows = [line.strip("|\n ").split(" | ") for line in (CAPTURES / "INDEX.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return {row[0].split(" (")[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows[2:]}


INDEX = table()


def requests(client: str) -> list[tuple[str, bytes]]:
    paths = sorted(CAPTURES.glob(f"{client}-0*.pb"))
    return [(path.stem.rsplit("-", 1)[1], path.read_bytes()) for path in paths]


@cache
def spans(client: str) -> list[Any]:
    """The spans as they were sent."""
    messages = [SIGNALS[signal].request.FromString(payload) for signal, payload in requests(client) if signal == "traces"]
    return [span for message in messages for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]


def emitted(client: str) -> set[str]:
    """The attributes of the client's spans that count tokens."""
    return {name for span in spans(client) for name in read_attributes(span.attributes) if "usage" in name or "token" in name}


class Seen:
    """What the lake says of one client."""

    def __init__(self, lake: Lake, client: str, stories: list[dict[str, Any]]) -> None:
        self._lake = lake
        traces = {span.trace_id.hex() for span in spans(client)}
        self.stories = [story for story in stories if traces.intersection(story["run"]["trace_ids"])]
        self.runs = [story["run"] for story in self.stories]
        self.steps = [step for story in self.stories for step in story["steps"]]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [step for step in self.steps if step["kind"] == kind]

    def total(self, column: str) -> int | None:
        known = [run[column] for run in self.runs if run[column] is not None]
        return sum(known) if known else None

    def rows(self, select: str) -> list[dict[str, Any]]:
        """What a view has of the client's runs."""
        ids = [run["run_id"] for run in self.runs]
        return self._lake.sql(f"{select} WHERE list_contains($runs, run_id) ORDER BY ALL", {"runs": ids}).to_pylist()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Seen]]:
    """All captures in one lake, read by client."""
    data = seal(tmp_path_factory.mktemp("captures") / "data", *(requests(client) for client in INDEX))
    with open_lake(data) as lake:
        runs = list_runs(lake, RunFilter(limit=1_000, descending=False))
        stories = [story for run in runs if (story := reconstruct(lake, run["run_id"])) is not None]
        yield lambda client: Seen(lake, client, stories)


def check_runs(cell: str, found: Seen) -> None:
    assert len(found.runs) == int(re.match(r"\d+", cell)[0])  # type: ignore[index]
    assert all(run["orphans"] == run["gaps"] == 0 for run in found.runs)
    traces = re.search(r"over (\d+) traces", cell)
    if traces:
        assert len(found.runs[0]["trace_ids"]) == int(traces[1])
    joined = re.search(r"joined by (\d+) links", cell)
    if joined:
        assert sum(len(step["links"] or ()) for step in found.steps) == int(joined[1])
    for session in re.findall(r"(?:session|conversation) `([^`]+)`", cell):
        assert {run["session_id"] for run in found.runs} - {None} == {session}
    for column, word in (("actor", "user"), ("tenant", "tenant")):
        for name in re.findall(rf"{word} `([^`]+)`", cell):
            assert {run[column] for run in found.runs} - {None} == {name}
    for name in re.findall(r"(?:\(|; )`([^`]+)`", cell):
        assert any(name in str(run["name"]) for run in found.runs)


def check_calls(cell: str, found: Seen) -> None:
    said = sum(int(number) for number in re.findall(r"\d+(?= (?:chat|embedding))", cell)) or int(re.match(r"\d+", cell)[0])  # type: ignore[index]
    assert found.total("model_calls") == said
    failed = [step for step in found.of_kind("model") if step["status"] == "error"]
    assert len(failed) == (1 if "failed" in cell else 0)
    embeddings = [step for step in found.of_kind("model") if step["operation"] == "embeddings"]
    assert len(embeddings) == (1 if "embedding" in cell else 0)


def check_tokens(cell: str, found: Seen, client: str) -> None:
    if cell.startswith("unknown"):
        assert {found.total(column) for column in (*TOKENS, "cost_usd")} == {None}
        return
    truth = dict(zip(TOKENS, (int(number) for number in re.findall(r"\d+", cell)[:4]), strict=True))
    for column, number in truth.items():
        told = column not in WORDS_OF or any(word in name for name in emitted(client) for word in WORDS_OF[column])
        assert found.total(column) == (number if told else None), column
    for name, number in re.findall(r"`([^`]+)` (\d+)", cell):
        assert [run["input_tokens"] for run in found.runs if name in run["name"]] == [int(number)]


def check_tools(cell: str, found: Seen) -> None:
    names = re.findall(r"(\d+) `([^`]+)`", cell)
    expected = [name for number, name in names for _ in range(int(number))]
    assert found.total("tool_calls") == len(expected)
    assert [row["tool_name"] for row in found.rows("SELECT tool_name FROM tool_calls")] == expected


def shows_retrieval_conversation_and_error(found: Seen) -> None:
    (row,) = found.rows("SELECT documents FROM retrievals")
    assert [(item["id"], item["score"]) for item in json.loads(row["documents"])] == [("doc-1", 0.9), ("doc-2", 0.4)]
    assert {run["session_id"] for run in found.runs} == {"conv-1", None}
    (failed,) = [run for run in found.runs if run["status"] == "error"]
    assert (failed["errors"], failed["stop_reason"], failed["cost_usd"]) == (1, "error", None)
    assert [step["error_type"] for step in found.of_kind("model") if step["error_type"]] == ["openai.RateLimitError"]


def shows_an_approval_between_two_traces(found: Seen) -> None:
    approvals = found.rows("SELECT time, approval_state, tool_name, trace_id FROM approvals")
    assert [(row["approval_state"], row["tool_name"]) for row in approvals] == [("requested", "get_weather"), ("granted", "get_weather")]
    (tool,) = found.of_kind("tool")
    assert approvals[0]["trace_id"] != approvals[1]["trace_id"] == tool["trace_id"]
    assert tool["started_at"] >= approvals[1]["time"]


def shows_one_retrieved_document(found: Seen) -> None:
    (row,) = found.rows("SELECT documents FROM retrievals")
    assert {name.split(".")[2] for name in json.loads(row["documents"])} == {"0"}


def shows_the_guardrail(found: Seen) -> None:
    assert [row["name"] for row in found.rows("SELECT name FROM policy_decisions")] == ["pii"]


def shows_messages_of_span_events(found: Seen) -> None:
    for story in found.stories:
        assert any("gen_ai.input.messages" in (event["attributes"] or {}) for step in story["steps"] for event in step["events"] or ())


def shows_workflow_and_agent(found: Seen) -> None:
    (run,) = found.of_kind("run")
    (agent,) = found.of_kind("agent")
    assert "weather_flow" in run["name"]
    assert agent["agent_name"] == "weather_agent"


def shows_two_steps(found: Seen) -> None:
    steps = [step for step in found.steps if step["operation"] == "agent_step"]
    assert [step["name"] for step in steps] == ["step 1", "step 2"]
    assert {step["kind"] for step in steps} == {"other"}


def shows_every_trace_in_one_run(found: Seen) -> None:
    (run,) = found.runs
    assert {step["trace_id"] for step in found.steps} == set(run["trace_ids"])
    assert run["model_calls"] == 0


MUST_SHOW: dict[str, Callable[[Seen], None] | None] = {
    "–": None,
    "retrieval of doc-1 (0.9), doc-2 (0.4); conversation `conv-1`; the error": shows_retrieval_conversation_and_error,
    "an approval: required in the first trace, granted, tool ran in the second": shows_an_approval_between_two_traces,
    "retrieval with 1 document": shows_one_retrieved_document,
    "guardrail `pii` as a policy step": shows_the_guardrail,
    "messages that arrive as span events": shows_messages_of_span_events,
    "workflow `weather_flow`, agent `weather_agent`": shows_workflow_and_agent,
    "steps 1 and 2": shows_two_steps,
    "every trace under one run": shows_every_trace_in_one_run,
}


@pytest.mark.parametrize("column", COLUMNS[1:])
@pytest.mark.parametrize("client", INDEX)
def test_every_cell_of_the_index_is_what_the_views_say(client: str, column: str, seen: Callable[[str], Seen]) -> None:
    cell, found = INDEX[client][column], seen(client)
    match column:
        case "runs":
            check_runs(cell, found)
        case "model calls":
            check_calls(cell, found)
        case "tokens":
            check_tokens(cell, found, client)
        case "tool calls":
            check_tools(cell, found)
        case _:
            check = MUST_SHOW[cell]
            if check is not None:
                check(found)


def test_every_capture_stands_in_the_index() -> None:
    assert {re.split(r"-\d", path.name)[0] for path in CAPTURES.glob("*.pb")} == INDEX.keys()


@pytest.mark.parametrize("client", INDEX)
def test_every_call_costs_what_the_price_list_says(client: str, seen: Callable[[str], Seen]) -> None:
    cell, found = INDEX[client]["model calls"], seen(client)
    chats = [step["cost_usd"] for step in found.of_kind("model") if step["operation"] != "embeddings" and step["cost_usd"] is not None]
    assert chats == pytest.approx([CHAT_USD] * len(chats))
    said = int(re.match(r"\d+", cell)[0])  # type: ignore[index]
    expected = said * CHAT_USD + ("embedding" in cell) * EMBEDDING_USD
    assert (found.total("cost_usd") or 0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("client", "agent", "session", "actor", "tenant"),
    [
        ("openinference-openai", None, "sess-1", "user-1", "acme"),
        ("otel-genai-openai", "weather_agent", "conv-1", None, None),
        ("pydantic-ai", "weather_agent", "conv-7", None, "acme"),
        ("langgraph-openinference", "weather_agent", "sess-1", "user-1", None),
        ("openai-agents-openinference", "weather_agent", None, None, None),
        ("strands", "weather_agent", "sess-1", "user-1", "acme"),
        ("traceloop", "weather_agent", "sess-1", "user-1", None),
        ("vercel-ai", "weather_agent", None, None, None),
        ("autogen", "weather_agent", None, None, None),
    ],
)
def test_who_ran_for_whom(
    client: str, agent: str | None, session: str | None, actor: str | None, tenant: str | None, seen: Callable[[str], Seen]
) -> None:
    run = max(seen(client).runs, key=lambda each: each["steps"])
    assert (run["session_id"], run["actor"], run["tenant"]) == (session, actor, tenant)
    assert run["agent_name"] == (agent or client)  # else its service


@pytest.mark.parametrize("client", [client for client in INDEX if client != "autogen"])
def test_the_conversation_can_be_read(client: str, seen: Callable[[str], Seen]) -> None:
    text = json.dumps([conversation(story["steps"]) for story in seen(client).stories], default=str, ensure_ascii=False)
    assert "Weather in Paris?" in text
