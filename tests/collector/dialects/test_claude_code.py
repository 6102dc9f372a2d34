"""Claude Code: log events alone, spans alone, both, and spans that lost their trace: the same numbers."""

import os
from typing import Any

import pytest

from collector import dialects
from collector.decode import Decoder
from collector.dialects.record import LogView, SpanView
from collector.signals import SIGNALS
from tests.collector.otlp_samples import NOW_NS, header, set_attribute
from tests.sealed_flows import Flows, Row, logs_request, record, span, spans_request, told
from tests.sealed_lake import Request

RESOURCE = {"service.name": "claude-code", "service.version": "2.1.224", "os.type": "linux"}
MODEL = "claude-sonnet-4-5"
USAGE = {"model": MODEL, "input_tokens": 176, "output_tokens": 90, "cache_read_tokens": 1000, "cache_creation_tokens": 24}
NUMBERS = {
    "model_calls": 2, "input_tokens": 2400, "cache_read_tokens": 2000, "cache_write_tokens": 48, "output_tokens": 180,
    "tool_calls": 2, "errors": 1,
}  # fmt: skip
"""Two requests of 1,200 tokens each, however they were reported; of three tools one was refused and one failed."""


class Session:
    """A session with one prompt, whose names all contain its own: two requests (the second after a retry), a tool that a rule allowed, one
    that the user refused, and one that the user allowed and that failed.
    """

    def __init__(self, name: str, *, prompt: bool = True, ids: bool = True, traced: bool = False) -> None:
        self.name, self.prompt, self.ids = name, f"{name}-prompt" if prompt else None, ids
        self.where = {"trace": name, "inside": "inter"} if traced else {}

    def event(self, event: str, seconds: float, attributes: Row) -> Row:
        told = {"session.id": self.name, "organization.id": "org-7", "user.account_uuid": "account-1", "user.id": "anonymous-9"}
        told |= {"app.version": "2.1.224", "event.name": event, "event.sequence": int(seconds * 10)}
        told |= {"prompt.id": self.prompt} if self.prompt else {}
        return record(self._with_ids(told | attributes), seconds, body=f"claude_code.{event}", **self.where)

    def events(self) -> list[Row]:
        call = {"decision_source": "config", "decision_type": "accept", "duration_ms": "120", "tool_result_size_bytes": "20"}
        failed = {"tool_name": "Edit", "tool_use_id": "use3", "success": "false", "error_type": "Error:ENOENT"}
        request = {**USAGE, "cost_usd": 0.0021, "duration_ms": 1900}
        return [
            self.event("user_prompt", 0, {"prompt_length": "40", "prompt": "<REDACTED>"}),
            self.event("api_request", 2, {**request, "request_id": "1"}),
            self.event("tool_decision", 2.1, {"tool_name": "Read", "tool_use_id": "use1", "decision": "accept", "source": "config"}),
            self.event("tool_result", 2.3, {**call, "tool_name": "Read", "tool_use_id": "use1", "success": "true"}),
            self.event("tool_decision", 3, {"tool_name": "Bash", "tool_use_id": "use2", "decision": "reject", "source": "user_reject"}),
            self.event("tool_decision", 4, {"tool_name": "Edit", "tool_use_id": "use3", "decision": "accept", "source": "user_temporary"}),
            self.event("tool_result", 5, {**call, **failed}),
            self.event("api_request", 7, {**request, "request_id": "2"}),
            self.event("assistant_response", 7.1, {"response": "<REDACTED>", "request_id": "2", "model": MODEL}),
        ]  # fmt: skip

    def span(self, kind: str, identity: str, begin: float, end: float, parent: str | None, attributes: Row, **fields: Any) -> Row:
        told = {"span.type": kind, "session.id": self.name, "user.id": "anonymous-9"} | attributes
        fields = {"trace": self.name} | fields
        return span(f"claude_code.{kind}", identity, begin, end, parent=parent, attributes=self._with_ids(told), **fields)

    def spans(self, **scattered: str) -> list[Row]:
        """The prompt as spans; those that `scattered` names are roots of traces of their own, with what is in them."""

        def place(identity: str, parent: str | None = "inter") -> Row:
            alone = scattered.get(identity)
            inner = scattered.get(parent or "")
            return {"parent": None if alone else parent, "trace": f"{self.name} {alone or inner}" if alone or inner else self.name}

        def request(identity: str, begin: float, end: float, number: str, **more: Any) -> Row:
            attributes = {**USAGE, "gen_ai.system": "anthropic", "gen_ai.request.model": MODEL, "success": True, "attempt": 1}
            attributes |= {"request_id": number, "gen_ai.response.id": number}
            return self.span("llm_request", identity, begin, end, attributes=attributes | more, **place(identity))

        def tool(number: str, begin: float, end: float, name: str, verdict: str, source: str) -> list[Row]:
            use = {"tool_name": name, "tool_use_id": f"use{number}", "gen_ai.tool.call.id": f"use{number}"}
            outer = self.span("tool", f"tool{number}", begin, end, attributes=use, **place(f"tool{number}"))
            given = {"decision": verdict, "source": source}
            wait = place(f"wait{number}", f"tool{number}")
            return [outer, self.span("tool.blocked_on_user", f"wait{number}", begin, begin + 0.05, attributes=given, **wait)]

        def execution(number: str, begin: float, end: float, attributes: Row, **fields: Any) -> Row:
            attributes = {"tool_use_id": f"use{number}"} | attributes
            return self.span(
                "tool.execution", f"exec{number}", begin, end, attributes=attributes, **place(f"exec{number}", f"tool{number}"), **fields
            )

        return [
            self.span("interaction", "inter", 0, 8, None, {"user_prompt": "<REDACTED>", "interaction.sequence": 1}),
            request("llm1", 0.1, 2, "1", stop_reason="tool_use"),
            *tool("1", 2.05, 2.3, "Read", "accept", "config"), execution("1", 2.1, 2.3, {"success": True}),
            *tool("2", 2.9, 3, "Bash", "reject", "user_reject"),
            *tool("3", 3.5, 5, "Edit", "accept", "user_temporary"),
            execution("3", 4, 5, {"success": False, "error": "Error:ENOENT"}, status_code=2),
            request("llm2", 5.1, 7, "2", stop_reason="end_turn", attempt=2),
        ]  # fmt: skip

    def _with_ids(self, attributes: Row) -> Row:
        """Make the ids the session's own, or leave out those of requests."""
        of_requests = {"request_id", "gen_ai.response.id", "client_request_id"}
        kept = attributes if self.ids else {name: value for name, value in attributes.items() if name not in of_requests}
        named = {*of_requests, "tool_use_id", "gen_ai.tool.call.id"}
        return {name: f"{self.name}-{value}" if name in named else value for name, value in kept.items()}


def events_request(events: list[Row]) -> Request:
    return logs_request(*events, scope="com.anthropic.claude_code.events", resource=RESOURCE)


def spans_of(spans: list[Row]) -> Request:
    return spans_request(*spans, scope="com.anthropic.claude_code.tracing", resource=RESOURCE)


def failed_request(name: str) -> list[Request]:
    """A request that failed after three retries, as events and as spans."""
    session = Session(name, traced=True)
    failure = {"model": MODEL, "error": "529 overloaded", "status_code": 529, "attempt": 4, "client_request_id": "c"}
    events = [session.event("api_error", 3, failure), session.event("api_retries_exhausted", 3.1, failure | {"total_attempts": 4})]
    inner = session.span("llm_request", "llm", 0, 3, "inter", failure | {"success": False}, status_code=2)
    return [events_request(events), spans_of([session.span("interaction", "inter", 0, 4, None, {}), inner])]


def within_an_application(name: str) -> list[Request]:
    spans = Session(name).spans()
    host = span("summarise_notes", "host", -1, 9, trace=name, attributes={"session.id": name})
    spans[0]["parent_span_id"] = host["span_id"]
    return [spans_request(host, scope="app", resource={"service.name": "host"}), spans_of(spans)]


def start_up(name: str) -> list[Request]:
    """What a session tells before its first prompt."""
    session = Session(name, prompt=False)
    events = [session.event("plugin_loaded", -5, {"plugin.name": "x"}), session.event("mcp_server_connection", -4, {"status": "connected"})]
    return [events_request([*events, *Session(name).events()])]


LOST = {"llm2": "lost 2", "tool1": "lost 3", "tool2": "lost 4", "tool3": "lost 5"}
SAME = ["events", "spans", "both", "parts", "scattered", "nameless", "older", "hosted", "started"]


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    parts, nameless = Session("parts", traced=True), Session("nameless", ids=False, traced=True)
    first = [
        events_request(Session("events").events()), spans_of(Session("spans").spans()),
        events_request(Session("both", traced=True).events()), spans_of(Session("both").spans()),
        spans_of(parts.spans()[:5]), events_request(parts.events()[4:]),
        events_request(Session("scattered").events()),
        events_request(nameless.events()), spans_of(nameless.spans()),
        events_request(Session("older", prompt=False).events()),
        *within_an_application("hosted"), *failed_request("failed"), *start_up("started"),
    ]  # fmt: skip
    second = [spans_of(parts.spans()[5:]), events_request(parts.events()[:4]), spans_of(Session("scattered").spans(**LOST)[2:])]
    return Flows(tmp_path_factory.mktemp("claude") / "data", first, second)


@pytest.mark.parametrize("session", SAME)
def test_a_prompt_has_the_same_numbers_however_it_is_exported(flows: Flows, session: str) -> None:
    told(flows.run(session), **NUMBERS)
    assert [row["tool_name"] for row in flows.of(flows.tools, session)] == ["Read", "Edit"]
    assert sorted(str(row["approval_state"]) for row in flows.of(flows.approvals, session)) == ["denied", "granted"]
    assert [(row["decision"], row["reason_code"]) for row in flows.of(flows.policies, session)] == [("allow", "config")]
    assert [row["input_tokens"] for row in flows.of(flows.calls, session) if row["counted"]] == [1200, 1200]


def test_events_tell_who_where_and_what_it_cost(flows: Flows) -> None:
    told(flows.run("events"), run_id="events-prompt", tenant="org-7", actor="account-1", release="2.1.224", agent_name="claude-code")
    assert flows.run("events")["sent_cost_usd"] == pytest.approx(0.0042)
    (first, _) = flows.of(flows.calls, "events")
    told(first, provider="anthropic", response_id="events-1", duration_ms=1900)
    assert first["cost_usd"] == pytest.approx((176 * 3 + 1000 * 0.3 + 24 * 3.75 + 90 * 15) / 1e6)
    (refused,) = [row for row in flows.of(flows.approvals, "events") if row["approval_state"] == "denied"]
    told(refused, tool_name="Bash", tool_call_id="events-use2", approver="account-1")
    (failed,) = [row for row in flows.of(flows.tools, "events") if row["status"] == "error"]
    told(failed, tool_name="Edit", error_type="Error:ENOENT", duration_ms=120)


def test_the_story_shows_a_call_once_and_says_how_its_tokens_were_counted(flows: Flows) -> None:
    assert [(step["tool_name"], step["source"]) for step in flows.steps("both", "tool")] == [("Read", "event"), ("Edit", "event")]
    spans = flows.steps("spans", "model")
    assert {step["token_convention"] for step in spans} == {"cache_added"}
    assert [(step["finish_reason"], step["retry_count"]) for step in spans] == [("tool_calls", 0), ("stop", 1)]


def test_events_of_a_trace_name_the_run_of_its_spans(flows: Flows) -> None:
    assert [flows.run(session)["run_id"] for session in ("both", "parts", "scattered")] == [
        "both-prompt",
        "parts-prompt",
        "scattered-prompt",
    ]
    assert len(flows.run("scattered")["trace_ids"]) == len(LOST)


def test_before_there_were_prompt_ids_a_session_was_a_run(flows: Flows) -> None:
    assert flows.run("older")["run_id"] == "older"


def test_an_interaction_below_an_applications_span_is_an_agent_of_its_run(flows: Flows) -> None:
    told(flows.run("hosted"), name="summarise_notes", agent_name="claude-code")
    assert [step["name"] for step in flows.steps("hosted", "agent")] == ["claude_code.interaction"]


def test_a_request_that_failed_is_one_failed_call_with_its_retries(flows: Flows) -> None:
    told(flows.run("failed"), model_calls=1, errors=1, input_tokens=None, output_tokens=None)
    (call,) = [row for row in flows.of(flows.calls, "failed") if row["counted"]]
    told(call, error_type="529", cost_usd=None)
    assert {step["retry_count"] for step in flows.steps("failed", "model")} == {3}


def test_no_run_is_made_of_anything_else(flows: Flows) -> None:
    assert sorted(run["session_id"] for run in flows.runs) == sorted([*SAME, "failed"])


def test_data_points_tell_who_used_which_model():
    message = SIGNALS["metrics"].request()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="claude_code.token.usage", unit="tokens")
    point = metric.sum.data_points.add(time_unix_nano=NOW_NS, as_int=1000)
    told_of = {"session.id": "s", "user.account_uuid": "account-1", "organization.id": "org-7", "model": MODEL, "type": "cacheRead"}
    for key, value in told_of.items():
        set_attribute(point.attributes, key, value)
    decoder = Decoder("node/collector", 0)
    decoder.add(header("metrics"), message.SerializeToString())
    (row,) = decoder.tables(os.urandom)["metrics"].to_pylist(maps_as_pydicts="strict")
    told(row, dialect="claude-code", session_id="s", actor="account-1", tenant="org-7", model=MODEL, run_id=None)


def test_a_session_without_a_known_permission_source_has_no_invented_decision():
    attributes = {"span.type": "tool.blocked_on_user", "decision": "unknown", "source": "unknown"}
    view = SpanView("com.anthropic.claude_code.tracing", "claude_code.tool.blocked_on_user", attributes, {}, False, False)
    assert dialects.read_span(view)["step_kind"] == "other"


@pytest.mark.parametrize(
    ("event", "attributes", "error"),
    [
        ("internal_error", {"error_name": "TypeError"}, "TypeError"),
        ("mcp_server_connection", {"status": "failed", "error_code": "ECONNREFUSED"}, "ECONNREFUSED"),
        ("mcp_server_connection", {"status": "connected", "error_code": "stale"}, None),
        ("compaction", {"success": "false", "error": "Prompt is too long\nmore"}, "Prompt is too long"),
        ("hook_execution_complete", {"num_blocking": 1, "error": "blocked"}, None),
    ],
)
def test_what_else_failed_says_so(event, attributes, error):
    found = dialects.read_log(LogView("com.anthropic.claude_code.events", event, f"claude_code.{event}", attributes, {}, False))
    assert (found["step_kind"], found["operation"], found.get("error_type")) == ("other", event, error)


@pytest.mark.parametrize("name", ["claude_code.tool_result", "tool_result"])
def test_events_are_known_by_scope_or_by_prefix_as_versions_send_them(name):
    attributes = {"tool_name": "Agent", "success": "true", "tool_parameters": '{"subagent_type":"Explore"}'}
    found = dialects.read_log(LogView("", name, "claude_code.tool_result", attributes, {}, False))
    told(found, dialect="claude-code", step_kind="tool", outcome="success", handoff_to="Explore")
