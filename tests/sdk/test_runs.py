"""A run and its steps arrive whole, numbered, and with their required fields."""

import asyncio
from collections.abc import Callable

import auditlake
import pytest
from auditlake import vocabulary as names
from opentelemetry import baggage
from opentelemetry.context import attach, detach
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.sdk.otlp_server import OtlpServer, wait_for

Configure = Callable[..., auditlake.Handle]


def test_a_run_arrives_whole(server: OtlpServer, configure: Configure) -> None:
    """Every step of the run is a span of one trace, with the run's id, session, actor, agent and resource."""
    handle = configure(tenant="acme", environment="test", release="1.2", agent_name="support", agent_version="7")
    with auditlake.run(task_type="refund", actor="user-7", session_id="chat-1", input_ref="ticket-81") as run:
        with auditlake.model_call("gpt-4o-mini", provider="openai", prompt_version="3", input_ref="ticket-81") as call:
            call.messages(input="hello", output={"role": "assistant", "content": "hi"}, system="be kind")
            call.tokens(input=10, output=5, cache_read=4, cache_write=1, reasoning=2).cost(0.001)
            call.result(finish_reason="stop", response_id="r-1", model="gpt-4o-mini-2024-07-18")
        with auditlake.retrieval("handbook", query="refunds") as found:
            found.sources(["d-1", "d-2"], scores=[0.9, 0.5], freshness_seconds=60, access_decision="allow", citation_required=True)
        with auditlake.memory("write", store="profile", retention_class="session", policy_basis="consent") as memory:
            memory.ids(written=["m-1"])
        with auditlake.tool_call(
            "issue_refund", arguments={"order": 81}, call_id="c-1", authorization="policy:refunds", side_effect="external",
            requires_approval=True, retry_count=0, idempotency_key="refund-81",
        ) as tool:  # fmt: skip
            tool.result({"ok": True})
    assert handle.flush()

    assert {span.message.trace_id for span in server.spans} == {bytes.fromhex(run.trace_id)}
    assert {span.attributes[names.RUN_ID] for span in server.spans} == {run.id}
    assert {(span.attributes[names.CONVERSATION_ID], span.attributes[names.USER_ID]) for span in server.spans} == {("chat-1", "user-7")}
    assert {(span.attributes[names.AGENT_NAME], span.attributes[names.AGENT_VERSION]) for span in server.spans} == {("support", "7")}
    resource = server.spans[0].resource
    expected = {
        "service.name": "support-agent",
        "service.version": "1.2",
        "deployment.environment.name": "test",
        "auditlake.tenant": "acme",
    }
    assert expected.items() <= resource.items()

    model = server.span("chat gpt-4o-mini").attributes
    assert model["auditlake.kind"] == "model"
    assert model["gen_ai.usage.input_tokens"] == 10
    assert model["gen_ai.usage.cache_read.input_tokens"] == 4
    assert model["gen_ai.usage.reasoning.output_tokens"] == 2
    assert model["gen_ai.response.finish_reasons"] == ["stop"]
    assert model["gen_ai.prompt.version"] == "3"
    assert model["gen_ai.input.messages"] == '[{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]'
    assert model["gen_ai.system_instructions"] == '[{"type": "text", "content": "be kind"}]'
    tool_attributes = server.span("execute_tool issue_refund").attributes
    assert tool_attributes["gen_ai.tool.call.arguments"] == '{"order": 81}'
    assert tool_attributes["auditlake.tool.requires_approval"] is True
    assert tool_attributes["auditlake.tool.retry_count"] == 0
    assert server.span("retrieval handbook").attributes["auditlake.retrieval.source_ids"] == ["d-1", "d-2"]
    assert server.span("update_memory profile").attributes["auditlake.memory.write_ids"] == ["m-1"]
    root = server.span("invoke_agent support")
    assert root.attributes["auditlake.stop_reason"] == "completed"
    assert root.message.parent_span_id == b""


def test_records_are_numbered_without_a_gap(server: OtlpServer, configure: Configure) -> None:
    """`run.started` is 1, every record of the run has the next number, and the run says the last one."""
    handle = configure()
    with auditlake.run() as run:
        with auditlake.model_call("gpt-4o"):
            pass
        auditlake.policy_decision(action="refund", decision="allow", version="1", reason_code="within_limit", effect="none")
        with auditlake.tool_call("lookup"):
            auditlake.checkpoint("tool_attempt", state="executing")
    handle.flush()
    numbers = sorted(record.attributes[names.SEQ] for record in server.spans + server.logs)
    assert server.events("run.started")[0].attributes[names.SEQ] == 1
    assert numbers == list(range(1, run.seq_last + 1))
    root = server.span("invoke_agent support-agent").attributes
    assert root[names.SEQ] == root[names.SEQ_LAST] == run.seq_last


def test_other_instrumentation_inside_a_run_is_numbered_too(server: OtlpServer, configure: Configure) -> None:
    """One sequence numbers the whole run, whoever made the record."""
    handle = configure(agent_name="support")
    client = handle._client
    with auditlake.run() as run, client.tracer_provider.get_tracer("other").start_as_current_span("GET /orders"):
        pass
    handle.flush()
    foreign = server.span("GET /orders").attributes
    assert (foreign[names.RUN_ID], foreign[names.AGENT_NAME], foreign[names.SEQ]) == (run.id, "support", 2)


def test_run_started_is_sent_at_once(server: OtlpServer, configure: Configure) -> None:
    """A run that is still going is visible: the event does not wait for a batch."""
    configure(delay_seconds=60.0)
    with auditlake.run():
        wait_for(lambda: server.events("run.started"), 2.0)
        assert server.spans == []


def test_an_exception_marks_the_step_and_the_run_and_goes_on(server: OtlpServer, configure: Configure) -> None:
    """The agent's own error handling sees the exception; the record shows where it came from."""
    handle = configure()
    with pytest.raises(ValueError, match="no such order"), auditlake.run(), auditlake.tool_call("lookup"):
        raise ValueError("no such order")
    handle.flush()
    tool, root = server.span("execute_tool lookup"), server.span("invoke_agent support-agent")
    assert tool.attributes["error.type"] == root.attributes["error.type"] == "ValueError"
    assert tool.message.status.code == Status.STATUS_CODE_ERROR
    assert tool.message.status.message == "no such order"
    assert [event.name for event in tool.message.events] == ["exception"]
    assert root.attributes["auditlake.stop_reason"] == "error"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TimeoutError(), "timeout"), (KeyboardInterrupt(), "cancelled"), (asyncio.CancelledError(), "cancelled"), (SystemExit(0), "completed"),
     (SystemExit(1), "killed"), (RuntimeError(), "error")],
)  # fmt: skip
def test_the_stop_reason_follows_from_the_exception(server: OtlpServer, configure: Configure, error: BaseException, reason: str) -> None:
    """Why a run stopped is always known."""
    handle = configure()
    with pytest.raises(type(error)), auditlake.run():
        raise error
    handle.flush()
    assert server.spans[0].attributes["auditlake.stop_reason"] == reason


def test_the_agent_can_name_the_stop_reason(server: OtlpServer, configure: Configure) -> None:
    """A limit that the agent enforces itself is no error."""
    handle = configure()
    with auditlake.run() as run:
        run.stop("max_steps").quality(0.5).satisfaction(1)
    handle.flush()
    root = server.spans[0].attributes
    assert (root["auditlake.stop_reason"], root["auditlake.quality.score"], root["auditlake.satisfaction"]) == ("max_steps", 0.5, 1.0)


def test_unknown_is_absent_and_never_empty(server: OtlpServer, configure: Configure) -> None:
    """NULL means unknown in every column: what was not given is not sent."""
    handle = configure()
    with auditlake.run(actor="", session_id=None), auditlake.model_call("m", provider="", prompt_version=None) as call:
        call.tokens(input=0).result(finish_reason=None, response_id="")
    handle.flush()
    for record in server.spans + server.logs:
        assert "" not in record.attributes.values()
        assert None not in record.attributes.values()
    model = server.span("chat m").attributes
    assert model["gen_ai.usage.input_tokens"] == 0
    assert not {"gen_ai.provider.name", "gen_ai.usage.output_tokens", "gen_ai.response.id", "user.id"} & set(model)


def test_nothing_is_truncated(server: OtlpServer, configure: Configure) -> None:
    """A megabyte of prompt and two hundred attributes arrive as they are, and so does text that UTF-8 cannot hold."""
    handle = configure()
    with auditlake.run(), auditlake.tool_call("big", arguments={"text": "x" * 1_000_000}) as tool:
        for number in range(200):
            tool.set(f"app.{number}", number)
        tool.set("broken", "a\ud800b").set("huge", 2**70).set("mixed", [1, {"a": {2}}])
    handle.flush()
    big = server.span("execute_tool big").attributes
    assert len(big["gen_ai.tool.call.arguments"]) > 1_000_000
    assert sum(key.startswith("app.") for key in big) == 200
    assert (big["broken"], big["huge"], big["mixed"]) == ("a\\ud800b", str(2**70), '[1, {"a": ["2"]}]')


def test_a_sub_agent_belongs_to_the_run(server: OtlpServer, configure: Configure) -> None:
    """Its steps carry its own name, and the run's id and numbers."""
    handle = configure(agent_name="lead", agent_version="2")
    with auditlake.run() as run:
        with auditlake.agent("reader"), auditlake.tool_call("read"):
            pass
        with auditlake.tool_call("write"):
            pass
    handle.flush()
    read, write = server.span("execute_tool read").attributes, server.span("execute_tool write").attributes
    assert (read[names.AGENT_NAME], write[names.AGENT_NAME]) == ("reader", "lead")
    assert read[names.RUN_ID] == write[names.RUN_ID] == run.id
    assert server.span("invoke_agent reader").attributes[names.KIND] == "agent"


def test_a_run_within_a_run_is_a_run_of_its_own(server: OtlpServer, configure: Configure) -> None:
    """It has its own trace, numbers and actor; the outer run goes on after it, and baggage passes through."""
    handle = configure()
    with auditlake.run(actor="outer") as outer:
        token = attach(baggage.set_baggage("key", "kept"))
        with auditlake.run() as inner, auditlake.tool_call("inside"):
            assert baggage.get_baggage("key") == "kept"
        detach(token)
        with auditlake.tool_call("after"):
            pass
    handle.flush()
    inside, after = server.span("execute_tool inside"), server.span("execute_tool after")
    assert (inside.attributes[names.RUN_ID], after.attributes[names.RUN_ID]) == (inner.id, outer.id)
    assert (inside.message.trace_id.hex(), after.message.trace_id.hex()) == (inner.trace_id, outer.trace_id)
    assert "user.id" not in inside.attributes
    for run in (outer, inner):
        mine = [record.attributes[names.SEQ] for record in server.spans + server.logs if record.attributes[names.RUN_ID] == run.id]
        assert sorted(mine) == list(range(1, run.seq_last + 1))


def test_a_run_can_go_on_elsewhere(server: OtlpServer, configure: Configure) -> None:
    """After an approval, another process continues the run under the same id and the next number."""
    handle = configure()
    with auditlake.run() as first:
        pass
    with auditlake.run(run_id=first.id, after_seq=first.seq_last):
        pass
    handle.flush()
    assert {record.attributes[names.RUN_ID] for record in server.spans + server.logs} == {first.id}
    assert sorted(record.attributes[names.SEQ] for record in server.spans + server.logs) == [1, 2, 3, 4]


def test_without_configure_nothing_happens() -> None:
    """Instrumented code runs unchanged where auditlake is not configured."""
    with auditlake.run() as run, auditlake.tool_call("x", arguments={"a": 1}) as tool:
        tool.result(1)
        auditlake.heartbeat()
        auditlake.queue_depth("q", 1)
    assert run.seq_last == 1
    assert auditlake.flush()
    assert auditlake.shutdown()
