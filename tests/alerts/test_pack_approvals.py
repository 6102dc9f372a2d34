"""UnapprovedSideEffect: which calls had an approval in force, and which had none."""

from tests.alerts.agent_lake import NOW, AgentLake, unix_ns
from tests.alerts.pack_rules import HOUR, MINUTE, SECOND, by, found, value


def test_a_call_without_the_approval_it_needs(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=True)
    agents.tool(2 * MINUTE, requires_approval=True)
    [row] = found(agents, "UnapprovedSideEffect")
    assert (row.value, row.labels["tool_name"], row.labels["run_id"]) == (2.0, "refund", "run-1")


def test_a_call_that_needs_none(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=False)
    agents.tool(MINUTE)
    assert found(agents, "UnapprovedSideEffect") == []


def test_a_call_that_was_refused_did_nothing(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=True, run="refused", outcome="denied")
    agents.tool(MINUTE, requires_approval=True, run="rejected", error=True, error_type="ApprovalRequired")
    agents.tool(MINUTE, requires_approval=True, run="failed", error=True, error_type="Timeout")
    assert by("run_id", agents, "UnapprovedSideEffect") == {"failed": 1}


def test_a_call_that_is_told_twice_is_one(agents: AgentLake) -> None:
    for _ in range(2):
        agents.tool(MINUTE, requires_approval=True, tool_call_id="call-1")
    assert value(agents, "UnapprovedSideEffect") == 1


def test_the_last_decision_before_the_call_counts(agents: AgentLake) -> None:
    cases = {
        "granted": False,
        "requested": True,
        "requested granted": False,
        "requested denied": True,
        "granted expired": True,
        "denied granted": False,
        "Approved": False,
    }
    for run in cases:
        for number, state in enumerate(run.split()):
            agents.approval(10 * MINUTE - number * SECOND, state, run=run)
        agents.tool(MINUTE, requires_approval=True, run=run)
    assert by("run_id", agents, "UnapprovedSideEffect") == {run: 1 for run, fires in cases.items() if fires}


def test_an_approval_after_the_call_is_none(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=True)
    agents.approval(MINUTE - SECOND, "granted")
    assert value(agents, "UnapprovedSideEffect") == 1


def test_an_expired_approval_is_none(agents: AgentLake) -> None:
    for run, expires in {"before": 2 * MINUTE, "with it": MINUTE, "later": -HOUR}.items():
        agents.approval(10 * MINUTE, "granted", expires=expires, run=run)
        agents.tool(MINUTE, requires_approval=True, run=run)
    assert by("run_id", agents, "UnapprovedSideEffect") == {"before": 1}


def test_the_approval_of_another_action_or_run_is_none(agents: AgentLake) -> None:
    agents.approval(10 * MINUTE, "granted", action="close_account")
    agents.approval(10 * MINUTE, "granted", run="run-2")
    agents.tool(MINUTE, requires_approval=True)
    assert value(agents, "UnapprovedSideEffect") == 1


def test_an_approval_that_names_its_call_is_of_no_other(agents: AgentLake) -> None:
    """The first refund was approved, the second, of which nobody asked, was not."""
    said = {"approval_state": "granted", "step_kind": "approval"}
    for run, names in {"the tool": {"action": "refund", "tool_name": "refund"}, "nothing else": {}}.items():
        agents.event("approval", 10 * MINUTE, run=run, tool_call_id="call-1", **said, **names)
        for call in ("call-1", "call-2"):
            agents.tool(MINUTE, requires_approval=True, run=run, tool_call_id=call)
    agents.event("approval", 10 * MINUTE, run="no call", action="refund", **said)
    agents.tool(MINUTE, requires_approval=True, run="no call", tool_call_id="call-1")
    assert by("run_id", agents, "UnapprovedSideEffect") == {"the tool": 1, "nothing else": 1}


def test_an_unapproved_call_is_told_for_a_quarter_of_an_hour(agents: AgentLake) -> None:
    agents.tool(16 * MINUTE, requires_approval=True)
    assert found(agents, "UnapprovedSideEffect") == []


def test_a_call_that_took_long_or_came_late_is_told_since_it_is_known(agents: AgentLake) -> None:
    """A deployment of forty minutes, and a record that an agent could send an hour later; of both this is the first that anybody hears."""
    ended = unix_ns(NOW - MINUTE)
    agents.tool(41 * MINUTE, requires_approval=True, run="long", end_ns=ended, end_time=ended // 1000)
    agents.tool(HOUR, requires_approval=True, run="late", received_ns=ended)
    agents.tool(HOUR, requires_approval=True, run="told")
    agents.tool(25 * HOUR, requires_approval=True, run="history", received_ns=ended)
    assert by("run_id", agents, "UnapprovedSideEffect") == {"long": 1, "late": 1}
