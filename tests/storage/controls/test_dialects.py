"""What frameworks tell of permissions in their own words is held against their calls like our own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.lake import Lake
from tests.sealed_flows import Request, Row, logs_request, record, span, spans_request
from tests.sealed_lake import open_lake, seal

CAPTURES = Path(__file__).parents[2] / "captures"
RESOURCE = {"service.name": "agent", "service.version": "1"}
PERSON = "account-1"


def claude_code(prompt: str, *events: tuple[str, float, Row]) -> Request:
    """Log records of one prompt."""

    def told(name: str, seconds: float, attributes: Row) -> Row:
        who = {"session.id": prompt, "prompt.id": prompt, "user.account_uuid": PERSON, "event.name": name}
        return record(who | attributes, seconds, body=f"claude_code.{name}")

    return logs_request(*(told(*each) for each in events), scope="com.anthropic.claude_code.events", resource=RESOURCE)


def codex(conversation: str, *events: tuple[str, float, Row]) -> Request:
    """Log records of one conversation."""

    def told(name: str, seconds: float, attributes: Row) -> Row:
        who = {"conversation.id": conversation, "turn.id": conversation, "user.account_id": PERSON, "event.name": f"codex.{name}"}
        return record(who | attributes, seconds)

    return logs_request(*(told(*each) for each in events), scope="codex_otel", resource=RESOURCE)


def traced(name: str, verdict: str, source: str) -> Request:
    """A tool of Claude Code as spans: the wait for the user and the execution are within the tool's own."""
    who = {"session.id": name, "user.id": PERSON, "tool_name": "Bash", "tool_use_id": "u1"}

    def of(kind: str, begin: float, end: float, parent: str | None, **attributes: Any) -> Row:
        row = {"span.type": kind} | who | attributes
        return span(f"claude_code.{kind}", kind[:8], begin, end, trace=name, parent=parent, attributes=row)

    spans = [
        of("interaction", 0, 9, None),
        of("tool", 1, 8, "interact"),
        of("tool.blocked_on_user", 1, 4, "tool", decision=verdict, source=source),
    ]
    if verdict == "accept":
        spans.append(of("tool.execution", 4.1, 8, "tool"))
    return spans_request(*spans, scope="com.anthropic.claude_code.tracing", resource=RESOURCE)


def result(done: tuple[str, float, Row], attributes: Row) -> tuple[str, float, Row]:
    return (done[0], done[1], done[2] | attributes)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    use, call = {"tool_name": "Bash", "tool_use_id": "u1"}, {"tool_name": "shell", "call_id": "c1"}
    by_rule = ("tool_decision", 1, use | {"decision": "accept", "source": "config"})
    by_user = ("tool_decision", 1, use | {"decision": "accept", "source": "user_temporary"})
    refused = ("tool_decision", 1, use | {"decision": "reject", "source": "user_reject"})
    approved = ("tool_decision", 1, call | {"decision": "approved", "source": "config"})
    denied = ("tool_decision", 1, call | {"decision": "denied", "source": "user"})
    sandbox = ("sandbox_outcome", 1.5, call | {"outcome": "success"})
    done = ("tool_result", 2.0, {"success": "true"})
    requests = [
        claude_code("by rule", by_rule, result(done, use)),
        claude_code("by user", by_user, result(done, use)),
        claude_code("refused", refused),
        claude_code("another call", by_rule, result(done, use | {"tool_use_id": "u2"})),
        codex("codex rule", approved, sandbox, result(done, call)),
        codex("codex refused", denied, result(done, call | {"success": "false"})),
        codex("codex bypassed", denied, result(done, call)),
        traced("traced and allowed", "accept", "user_temporary"),
        traced("traced and refused", "reject", "user_reject"),
    ]
    data = seal(tmp_path_factory.mktemp("dialects"), requests, [("traces", (CAPTURES / "pydantic-ai-022-traces.pb").read_bytes())])
    with open_lake(data) as opened:
        yield opened


@pytest.fixture(scope="module")
def calls(lake: Lake) -> dict[str, Row]:
    """Session → its tool call, as the controls see it."""
    rows = lake.sql("SELECT a.*, r.session_id FROM tool_authorizations AS a JOIN runs AS r USING (run_id)").to_pylist()
    assert len({row["session_id"] for row in rows}) == len(rows)
    return {row["session_id"]: row for row in rows}


@pytest.mark.parametrize("session", ["by rule", "codex rule"])
def test_a_rule_of_the_configuration_is_a_policy_that_allows(calls: dict[str, Row], session: str) -> None:
    call = calls[session]
    assert (call["policy_decision"], call["policy_problem"], call["approval_required"], call["executed"]) == ("allow", None, False, True)


@pytest.mark.parametrize("session", ["by user", "traced and allowed"])
def test_the_answer_of_a_user_is_an_approval_by_the_actor_himself(calls: dict[str, Row], session: str) -> None:
    """Log records and spans alike, although the tool's span begins before the answer."""
    call = calls[session]
    assert (call["approval_required"], call["approval_state"], call["approval_problem"]) == (True, "granted", None)
    assert call["approver_problem"] == "the approver is the actor of the run"


def test_what_was_refused_is_no_call(calls: dict[str, Row]) -> None:
    """Claude Code tells no result of it, and a span that did nothing; Codex tells a call that failed."""
    assert not {"refused", "traced and refused"} & calls.keys()
    assert (calls["codex refused"]["approval_state"], calls["codex refused"]["executed"]) == ("denied", False)
    assert (calls["codex bypassed"]["approval_state"], calls["codex bypassed"]["executed"]) == ("denied", True)


def test_a_decision_on_another_call_of_the_same_tool_is_none(calls: dict[str, Row]) -> None:
    assert calls["another call"]["policy_problem"] == "no policy decision on it before it ran"


def test_a_deferred_call_of_pydantic_ai_has_its_approval_from_the_run_that_resumed_it(calls: dict[str, Row]) -> None:
    """Who gave it is not told by the framework."""
    (call,) = [row for row in calls.values() if row["tool_name"] == "get_weather"]
    assert (call["approval_state"], call["approval_problem"], call["executed"]) == ("granted", None, True)
    assert call["approver_problem"] == "who approved it is not recorded"
