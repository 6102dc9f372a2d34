"""Codex: a turn in eighteen traces, log records without a trace, only the one or only the other: the same numbers."""

from typing import Any

import pytest

from collector import dialects
from collector.dialects.record import NO_RUN, LogView, SpanView
from storage.runs import reconstruct
from tests.sealed_flows import Flows, Row, logs_request, record, span, spans_request, told
from tests.sealed_lake import Request

NUMBERS = {
    "model_calls": 2, "input_tokens": 2400, "cache_read_tokens": 2048, "output_tokens": 180, "reasoning_tokens": 128, "tool_calls": 1,
}  # fmt: skip
"""Two calls of the same size: 1,200 tokens in, of which 1,024 cached, and 90 out, of which 64 reasoning."""
ATTEMPTS = {"events", "both", "later"}
"""Sessions whose log records also tell of a request that failed and was made again."""


class Session:
    """A conversation of one turn: a request that is refused and repeated, a tool that the user allows and the sandbox runs, an answer."""

    def __init__(self, name: str, *, env: str = "dev", begin: float = 0, traced: bool = False, number: int = 1) -> None:
        self.name, self.begin, self.traced, self.number = name, begin, traced, number
        self.turn = f"{name}-turn" if number == 1 else f"{name}-turn-{number}"
        self.trace = name if number == 1 else f"{name} {number}"
        self.resource = {"service.name": "codex_exec", "service.version": "0.154.0", "env": env}

    def event(self, event: str, seconds: float, attributes: Row, *, inside: str | None = None) -> Row:
        told = {"event.name": f"codex.{event}", "event.timestamp": "2026-11-21T12:00:00Z", "conversation.id": self.name}
        told |= {"app.version": "0.154.0", "auth_mode": "ApiKey", "originator": "codex_exec", "user.account_id": "account-1"}
        told |= {"terminal.type": "xterm", "model": "gpt-5-codex", "slug": "gpt-5-codex"}
        where = {"trace": self.trace, "inside": inside} if inside and self.traced else {}
        place = {"event_name": "event otel/src/events/session_telemetry.rs:511", "severity_number": 9}
        return record(told | attributes, self.begin + seconds, **where, **place)

    def events(self) -> list[Row]:
        usage = {"event.kind": "response.completed", "input_token_count": "1200", "output_token_count": "90", "cached_token_count": 1024}
        usage |= {"reasoning_token_count": 64, "tool_token_count": "1290"}
        tool = {"tool_name": "get_weather", "call_id": f"{self.name}-call"}
        request = {"attempt": 1, "http.response.status_code": 200, "duration_ms": "900", "endpoint": "/responses"}
        return [
            self.event("conversation_starts", 0, {"provider_name": "OpenAI", "approval_policy": "on-request"}),
            self.event("user_prompt", 0.2, {"prompt_length": "31", "prompt": "[REDACTED]"}, inside="turn"),
            self.event("api_request", 0.6, request | {"attempt": 0, "http.response.status_code": 500, "error.message": "server error"}),
            self.event("api_request", 1, request),
            self.event("sse_event", 1.5, {"event.kind": "response.output_text.delta", "duration_ms": "3"}),
            self.event("sse_event", 2, usage),
            self.event("tool_decision", 2.5, tool | {"decision": "approved", "source": "User"}, inside="tool"),
            self.event("sandbox_outcome", 2.9, tool | {"outcome": "success", "initial_duration_ms": 40}, inside="tool"),
            self.event("tool_result", 3, tool | {"success": "true", "duration_ms": "40", "output": "sunny"}, inside="tool"),
            self.event("api_request", 3.2, request | {"attempt": 0}),
            self.event("sse_event", 4, usage),
        ]  # fmt: skip

    def span(
        self, name: str, identity: str, begin: float, end: float, parent: str | None, attributes: Row, trace: str = "", **fields: Any
    ) -> Row:
        told = {"code.module.name": "codex_core", "thread.id": 10, "thread.name": "tokio-rt-worker", "busy_ns": 5} | attributes
        trace = f"{self.trace} {trace}" if trace else self.trace
        return span(name, identity, self.begin + begin, self.begin + end, trace=trace, parent=parent, attributes=told, **fields)

    def turn_spans(self) -> list[Row]:
        total = {"input_tokens": 2400, "cached_input_tokens": 2048, "output_tokens": 180, "reasoning_output_tokens": 128}
        turn = {f"codex.turn.token_usage.{name}": count for name, count in total.items()}
        turn |= {"thread.id": self.name, "turn.id": self.turn, "model": "gpt-5-codex"}
        usage = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.cache_read.input_tokens": 1024, "gen_ai.usage.output_tokens": 90}
        usage |= {"codex.usage.reasoning_output_tokens": 64, "codex.usage.total_tokens": 1290, "codex.request.reasoning_effort": "low"}
        tool = {"tool_name": "get_weather", "call_id": f"{self.name}-call"}
        return [
            self.span("op.dispatch.user_input", "dispatch", 0.1, 0.3, None, {"submission.id": self.turn, "codex.op": "user_input"}),
            self.span("session_task.turn", "turn", 0.2, 5, "dispatch", turn),
            self.span("run_sampling_request", "sampling", 0.3, 2.1, "turn", {"turn_id": self.turn, "model": "gpt-5-codex"}),
            self.span("handle_responses", "created", 1.1, 1.2, "sampling", {"tool_name": "get_weather", "from": "output_item_done"}),
            self.span("handle_responses", "done1", 1.9, 2.05, "sampling", usage),
            self.span("dispatch_tool_call_with_code_mode_result", "tool", 2.4, 3, "turn", tool | {"aborted": False}),
            self.span("handle_responses", "done2", 3.9, 4.05, "turn", usage),
        ]  # fmt: skip

    def other_spans(self) -> list[Row]:
        """What the process does besides, in seventeen traces: the session's beginning names it, the libraries' spans name nothing."""
        begun = self.span("session_init", "init", 0, 0.1, None, {"thread_id": self.name}, trace="init")
        noise = [self.span("FramedRead::poll_next", f"h2-{n}", n / 10, n / 10 + 0.05, None, {}, trace=f"noise {n}") for n in range(16)]
        return [begun, *noise]

    def logs(self) -> Request:
        return logs_request(*self.events(), scope="codex_otel.log_only", resource=self.resource)

    def traces(self, *, whole: bool = True) -> Request:
        spans = self.turn_spans() + (self.other_spans() if whole else [])
        return spans_request(*spans, scope="codex_exec", resource=self.resource)


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    both, later = Session("both", env="both", begin=3600, traced=True), Session("later", env="later", begin=7200, traced=True)
    neighbours = [Session(name, env="shared", begin=10800) for name in ("left", "right")]
    turns = [Session("long", env="long", begin=14400 + 600 * number, traced=True, number=number) for number in (1, 2)]
    first = [
        *(request for turn in turns for request in (turn.logs(), turn.traces())),
        Session("events").logs(), Session("spans", env="spans").traces(), both.logs(), both.traces(), later.logs(),
        *(each.traces() for each in neighbours),
    ]  # fmt: skip
    return Flows(tmp_path_factory.mktemp("codex") / "data", first, [later.traces()])


@pytest.mark.parametrize("session", ["events", "spans", "both", "later", "left", "right"])
def test_a_turn_has_the_same_numbers_however_it_is_exported(flows: Flows, session: str) -> None:
    told(flows.run(session), **NUMBERS, errors=int(session in ATTEMPTS))
    assert [row["tool_name"] for row in flows.of(flows.tools, session)] == ["get_weather"]


@pytest.mark.parametrize("session", ["spans", "both", "later"])
def test_eighteen_traces_are_one_run_that_the_turn_names(flows: Flows, session: str) -> None:
    run = flows.run(session)
    assert (run["run_id"], len(run["trace_ids"])) == (f"{session}-turn", 18)


def test_what_names_nothing_is_of_no_run_where_two_turns_ran_at_the_same_time(flows: Flows) -> None:
    assert [len(flows.run(session)["trace_ids"]) for session in ("left", "right")] == [2, 2]


def test_no_run_is_made_of_anything_else(flows: Flows) -> None:
    assert sorted(run["session_id"] for run in flows.runs) == ["both", "events", "later", "left", "long", "long", "right", "spans"]


def test_turns_of_a_conversation_are_runs_each_with_the_records_of_its_time(flows: Flows) -> None:
    """Most of the log records, which alone know the model, the user's answer and the sandbox's, are in no trace."""
    runs = [run for run in flows.runs if run["session_id"] == "long"]
    assert [run["run_id"] for run in runs] == ["long-turn", "long-turn-2"]
    whole = flows.run("both")
    for run in runs:
        told(run, **NUMBERS, **{name: whole[name] for name in ("errors", "unpriced_calls", "duration_ms")})
        assert run["cost_usd"] == pytest.approx(whole["cost_usd"])
    assert [row["run_id"] for row in flows.of(flows.approvals, "long")] == ["long-turn", "long-turn-2"]
    assert [row["run_id"] for row in flows.of(flows.policies, "long")] == ["long-turn", "long-turn-2"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_turn_reconstructed_has_what_the_list_says(flows: Flows, number: int) -> None:
    run = [run for run in flows.runs if run["session_id"] == "long"][number]
    whole = reconstruct(flows.lake, run["run_id"])
    assert whole is not None
    told(whole["run"], **run)
    assert len(whole["steps"]) == run["steps"]


def test_where_only_events_are_exported_a_conversation_is_the_run(flows: Flows) -> None:
    told(flows.run("events"), run_id="events", environment="dev", release="0.154.0", actor="account-1", agent_name="codex_exec")
    calls = flows.of(flows.calls, "events")
    assert [(row["model_requested"], row["input_tokens"], row["reasoning_tokens"]) for row in calls] == [("gpt-5-codex", 1200, 64)] * 2
    (failed,) = [step for step in flows.steps("events", "other") if step["error_type"]]
    told(failed, name="codex.api_request", error_type="500", status="error")


@pytest.mark.parametrize("session", ["events", "both"])
def test_the_user_approves_and_the_sandbox_is_a_policy(flows: Flows, session: str) -> None:
    (approval,) = flows.of(flows.approvals, session)
    told(approval, approval_state="granted", tool_name="get_weather", tool_call_id=f"{session}-call", approver="account-1")
    (policy,) = flows.of(flows.policies, session)
    told(policy, decision="allow", reason_code="success", tool_name="get_weather")


def test_calls_of_log_records_are_preferred_as_they_know_their_model(flows: Flows) -> None:
    assert flows.run("both")["unpriced_calls"] == 0
    assert flows.run("both")["cost_usd"] == pytest.approx(flows.run("events")["cost_usd"])


def test_an_event_is_called_by_its_attribute_not_by_its_place_in_the_source(flows: Flows) -> None:
    assert [step["name"] for step in flows.steps("events", "message")] == ["codex.user_prompt"]


def log(event: str, **attributes: Any) -> Row:
    return dialects.read_log(LogView("codex_otel.log_only", f"codex.{event}", None, {"conversation.id": "c", **attributes}, {}, False))


@pytest.mark.parametrize(
    ("decision", "source", "expected"),
    [
        ("denied", "config", {"step_kind": "policy", "decision": "deny", "reason_code": "config"}),
        ("approved", "Config", {"step_kind": "policy", "decision": "allow"}),
        ("approved_for_session", "User", {"step_kind": "approval", "approval_state": "granted"}),
        ("abort", "User", {"step_kind": "approval", "approval_state": "denied"}),
        ("timed_out", "user", {"step_kind": "approval", "approval_state": "expired"}),
        ("denied", "automated_reviewer", {"step_kind": "policy", "decision": "deny", "reason_code": "automated_reviewer"}),
    ],
)
def test_decisions_are_the_users_or_a_policys(decision, source, expected):
    told(log("tool_decision", tool_name="shell", call_id="1", decision=decision, source=source), **expected)


def test_a_sandbox_that_refused_is_a_denial_and_any_other_outcome_no_decision():
    told(log("sandbox_outcome", tool_name="shell", outcome="denied"), step_kind="policy", decision="deny")
    told(log("sandbox_outcome", tool_name="shell", outcome="timed_out"), step_kind="policy", decision=None, reason_code="timed_out")


def test_a_response_that_failed_and_a_tool_that_failed_say_so():
    told(log("sse_event", **{"event.kind": "response.failed", "error.message": "idle timeout"}), step_kind="model", outcome="failure")
    told(log("sse_event", **{"event.kind": "response.created"}), step_kind="other")
    told(log("tool_result", tool_name="shell", success="false"), step_kind="tool", outcome="failure", error_type="tool_error")


@pytest.mark.parametrize(
    ("event", "attributes", "kind"),
    [
        ("api_request", {"http.response.status_code": 500, "attempt": 0}, "other"),
        ("api_request", {"error.message": "reset"}, "other"),
        ("api_request", {"http.response.status_code": 503, "attempt": 4}, "model"),
        ("api_request", {"http.response.status_code": 429}, "model"),
        ("api_request", {"http.response.status_code": 200}, "other"),
        ("websocket_request", {"success": "false", "error.message": "closed"}, "other"),
        ("websocket_connect", {"success": "false", "http.response.status_code": 401}, "other"),
    ],
)
def test_a_request_that_is_made_again_is_no_call_of_its_own(event, attributes, kind):
    found = log(event, **attributes)
    failed = attributes.get("http.response.status_code") != 200
    assert (found["step_kind"], found.get("outcome"), "error_type" in found) == (kind, "failure" if failed else None, failed)


def test_spans_of_another_program_with_such_a_name_make_runs():
    assert NO_RUN not in dialects.read_span(SpanView("codex-shop", "GET /", {"http.route": "/"}, {}, True, False))
    assert dialects.read_span(SpanView("codexplorer", "GET /", {"http.route": "/"}, {}, True, False))["dialect"] == "otel"


def test_a_number_of_a_thread_is_no_conversation():
    found = dialects.read_span(SpanView("codex_exec", "poll", {"thread.id": "10"}, {}, False, False))
    assert ("session_id" in found, found[NO_RUN]) == (False, True)
