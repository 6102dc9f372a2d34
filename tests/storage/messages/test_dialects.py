"""Every dialect's way to record content gives the same messages."""

import json
from typing import Any

import pytest

from storage.messages import conversation
from tests.dashboards.steps import step
from tests.storage.messages.talk import spoken

ARGUMENTS = {"city": "Paris"}
WANTED = [
    ("system", "be brief"),
    ("user", "Weather in Paris?"),
    ("assistant", ("c1", "get_weather", ARGUMENTS)),
    ("tool", ("c1", "sunny")),
    ("assistant", "It is sunny."),
]


def said(messages: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Role and content of every part."""
    return [(message["role"], _content(part)) for message in messages for part in message["parts"]]


def _content(part: dict[str, Any]) -> Any:
    if part["type"] == "tool_call":
        return part.get("id"), part["name"], part["arguments"]
    if part["type"] == "tool_result":
        return part.get("id"), part["result"]
    return part.get("text", part)


def openai(*, arguments: Any = '{"city": "Paris"}') -> list[dict[str, Any]]:
    function = {"name": "get_weather", "arguments": arguments}
    return [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "Weather in Paris?"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]


ANSWER = {"id": "x", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is sunny."}}]}
RESPONSES = [
    {"role": "developer", "content": "be brief"},
    {"role": "user", "content": [{"type": "input_text", "text": "Weather in Paris?"}]},
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Paris"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
]
RESPONSE = {
    "object": "response",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "It is sunny."}], "role": "assistant"}],
}
ANTHROPIC = {
    "model": "claude",
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "get_weather", "input": ARGUMENTS}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "sunny"}]}]},
    ],
}
ANTHROPIC_ANSWER = {
    "role": "assistant",
    "type": "message",
    "content": [{"type": "text", "text": "It is sunny."}],
    "stop_reason": "end_turn",
}
GEMINI = {
    "model": "gemini",
    "config": {"system_instruction": "be brief", "tools": [{"function_declarations": []}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Weather in Paris?"}]},
        {"role": "model", "parts": [{"function_call": {"id": "c1", "name": "get_weather", "args": ARGUMENTS}}]},
        {"role": "user", "parts": [{"function_response": {"id": "c1", "name": "get_weather", "response": "sunny"}}]},
    ],
}
GEMINI_ANSWER = {"content": {"parts": [{"text": "It is sunny."}], "role": "model"}, "finish_reason": "STOP"}
VERCEL = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "Weather in Paris?"}]},
    {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "get_weather", "input": ARGUMENTS}]},
    {
        "role": "tool",
        "content": [{"type": "tool-result", "toolCallId": "c1", "toolName": "get_weather", "output": {"type": "text", "value": "sunny"}}],
    },
]
LANGCHAIN = [
    {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "SystemMessage"], "kwargs": {"content": "be brief"}},
    {"type": "human", "data": {"content": "Weather in Paris?", "type": "human", "id": "m1"}},
    {"type": "ai", "content": "", "tool_calls": [{"name": "get_weather", "args": ARGUMENTS, "id": "c1", "type": "tool_call"}]},
    {"type": "tool", "data": {"content": "sunny", "tool_call_id": "c1", "name": "get_weather", "type": "tool", "status": "success"}},
]
LANGCHAIN_ANSWER = {
    "generations": [
        [
            {
                "text": "It is sunny.",
                "message": {"lc": 1, "id": ["langchain", "schema", "messages", "AIMessage"], "kwargs": {"content": "It is sunny."}},
            }
        ]
    ]
}
PYDANTIC_EVENTS = [
    {"content": "be brief", "role": "system", "event.name": "gen_ai.system.message"},
    {"content": "Weather in Paris?", "role": "user", "gen_ai.message.index": 0, "event.name": "gen_ai.user.message"},
    {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": ARGUMENTS}}]},
    {"content": "sunny", "role": "tool", "id": "c1", "name": "get_weather", "event.name": "gen_ai.tool.message"},
    {"index": 0, "message": {"role": "assistant", "content": "It is sunny."}, "event.name": "gen_ai.choice"},
]
INDEXED = {
    "0.role": "system",
    "0.content": "be brief",
    "1.role": "user",
    "1.content": '[{"type": "text", "text": "Weather in Paris?"}]',
    "2.role": "assistant",
    "2.tool_calls.0.id": "c1",
    "2.tool_calls.0.name": "get_weather",
    "2.tool_calls.0.arguments": '{"city": "Paris"}',
    "3.role": "tool",
    "3.content": "sunny",
    "3.tool_call_id": "c1",
}
OPENINFERENCE = {
    "1.message.role": "system",
    "1.message.content": "be brief",
    "2.message.role": "user",
    "2.message.contents.0.message_content.type": "text",
    "2.message.contents.0.message_content.text": "Weather in Paris?",
    "10.message.role": "assistant",
    "10.message.tool_calls.0.tool_call.id": "c1",
    "10.message.tool_calls.0.tool_call.function.name": "get_weather",
    "10.message.tool_calls.0.tool_call.function.arguments": '{"city": "Paris"}',
    "11.message.role": "tool",
    "11.message.content": "sunny",
    "11.message.tool_call_id": "c1",
}


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.prompt": json.dumps({"messages": openai(), "model": "m"}), "gen_ai.completion": json.dumps(ANSWER)},
        {"input.value": json.dumps({"input": RESPONSES, "model": "m"}), "output.value": json.dumps(RESPONSE)},
        {"gen_ai.prompt": json.dumps(ANTHROPIC), "gen_ai.completion": json.dumps(ANTHROPIC_ANSWER)},
        {"gcp.vertex.agent.llm_request": json.dumps(GEMINI), "gcp.vertex.agent.llm_response": json.dumps(GEMINI_ANSWER)},
        {"ai.prompt.messages": json.dumps(VERCEL), "ai.response.text": "It is sunny."},
        {"ai.prompt": json.dumps({"system": "be brief", "messages": VERCEL[1:]}), "ai.response.text": "It is sunny."},
        {"gen_ai.prompt": json.dumps({"messages": [LANGCHAIN]}), "gen_ai.completion": json.dumps(LANGCHAIN_ANSWER)},
        {"mlflow.spanInputs": json.dumps({"messages": openai()}), "mlflow.spanOutputs": json.dumps(ANSWER)},
        {"mlflow.spanInputs": json.dumps(json.dumps({"messages": openai()})), "mlflow.spanOutputs": json.dumps(json.dumps(ANSWER))},
        {"events": json.dumps(PYDANTIC_EVENTS)},
        {"all_messages_events": json.dumps(PYDANTIC_EVENTS)},
        {"request_data": json.dumps({"messages": openai()}), "response_data": json.dumps({"message": ANSWER["choices"][0]["message"]})},
        {f"gen_ai.prompt.{key}": value for key, value in INDEXED.items()}
        | {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "It is sunny.", "gen_ai.prompt.version": "3"},
        {f"llm.input_messages.{key}": value for key, value in OPENINFERENCE.items()}
        | {"llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "It is sunny."},
    ],
    ids=[
        "langsmith-openai", "openinference-responses", "langsmith-anthropic", "google-adk", "vercel-legacy-call", "vercel-legacy-prompt",
        "langsmith-langchain", "mlflow", "mlflow-quoted", "pydantic-ai-events", "pydantic-ai-all-events", "logfire", "traceloop-indexed",
        "openinference-from-1",
    ],
)  # fmt: skip
def test_attributes_of_every_dialect_give_the_same_conversation(attributes):
    assert said(spoken(attributes)) == WANTED


def events(*, as_logs: bool) -> list[dict[str, Any]]:
    """The older conventions' events: an event a message."""
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    told = [
        ("gen_ai.system.message", {"content": "be brief"}),
        ("gen_ai.user.message", {"content": "Weather in Paris?"}),
        ("gen_ai.assistant.message", {"tool_calls": [call]}),
        ("gen_ai.tool.message", {"content": "sunny", "id": "c1"}),
        ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is sunny."}}),
    ]
    if as_logs:
        return [
            step(f"e{at}", 0, 0, kind="message", source="event", event_name=name, body=json.dumps(body), parent="m", attributes={})
            for at, (name, body) in enumerate(told)
        ]
    flat = [{key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()} for _, body in told]
    return [{"name": name, "attributes": fields} for (name, _), fields in zip(told, flat, strict=True)]


def test_span_events_of_the_older_conventions():
    found = spoken({}, events=events(as_logs=False))
    assert said(found) == WANTED
    assert found[-1]["finish_reason"] == "stop"


def test_log_events_of_the_older_conventions_are_of_their_span():
    found = conversation([step("m", 0, 1, kind="model"), *events(as_logs=True)])
    assert said(found) == WANTED
    assert {message["record_id"] for message in found} == {"m"}


def test_log_events_whose_span_did_not_come_are_one_call():
    orphans = [event | {"parent_record_id": None, "trace_id": "t", "parent_span_id": "s"} for event in events(as_logs=True)]
    assert said(conversation(orphans)) == WANTED
    assert {message["turn"] for message in conversation(orphans)} == {1}


def test_events_of_a_step_that_stands_for_several_calls():
    """A client without spans of its own writes all its calls' events into the agent's."""
    calls = [
        {"name": "gen_ai.user.message", "attributes": {"content": "1"}},
        {"name": "gen_ai.choice", "attributes": {"message": "2"}},
        {"name": "gen_ai.user.message", "attributes": {"content": "1"}},
        {"name": "gen_ai.assistant.message", "attributes": {"content": "2"}},
        {"name": "gen_ai.user.message", "attributes": {"content": "3"}},
        {"name": "gen_ai.choice", "attributes": {"message": "4"}},
    ]
    assert [(m["turn"], text) for m in conversation([step("a", 0, 1, kind="agent", events=calls)]) for _, text in said([m])] == [
        (1, "1"), (1, "2"), (2, "3"), (2, "4"),
    ]  # fmt: skip


def test_the_oldest_events_hold_prompt_and_completion():
    found = spoken(
        {},
        events=[
            {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": json.dumps(openai())}},
            {"name": "gen_ai.content.completion", "attributes": {"gen_ai.completion": json.dumps([ANSWER["choices"][0]["message"]])}},
        ],
    )
    assert said(found) == WANTED


def test_strands_writes_bedrock_blocks_into_span_events():
    """`toolUse` and `toolResult` say what they are by their key."""
    told = [
        ("gen_ai.user.message", {"content": '[{"text": "Weather in Paris?"}]'}),
        (
            "gen_ai.assistant.message",
            {"content": json.dumps([{"toolUse": {"toolUseId": "c1", "name": "get_weather", "input": ARGUMENTS}}])},
        ),
        (
            "gen_ai.tool.message",
            {"content": json.dumps([{"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "sunny"}]}}])},
        ),
        ("gen_ai.choice", {"message": '[{"text": "It is sunny."}]', "finish_reason": "end_turn"}),
    ]
    assert said(spoken({}, events=[{"name": name, "attributes": fields} for name, fields in told])) == WANTED[1:]


def test_vercel_answers_stand_in_pieces():
    calls = [{"toolCallType": "function", "toolCallId": "c1", "toolName": "get_weather", "args": '{"city":"Paris"}'}]
    attributes = {"ai.response.reasoning": "Hm.", "ai.response.text": "Looking.", "ai.response.toolCalls": json.dumps(calls)}
    [message] = spoken(attributes)
    assert [part["type"] for part in message["parts"]] == ["reasoning", "text", "tool_call"]
    assert message["parts"][2]["arguments"] == ARGUMENTS


def coding(name: str, at: float, **attributes: str) -> dict[str, Any]:
    """A log record of a coding agent, whose attribute names the event."""
    return step(name + str(at), at, at, kind="message", source="event", event_name="x.rs:1", attributes={"event.name": name} | attributes)


def test_claude_code_tells_prompts_and_bodies():
    request = {"model": "claude", "messages": [{"role": "user", "content": [{"type": "text", "text": "fix it"}]}]}
    found = conversation(
        [
            coding("user_prompt", 0, prompt="fix it", prompt_length="6"),
            coding("api_request_body", 1, body=json.dumps(request)),
            coding("api_response_body", 2, body=json.dumps(ANTHROPIC_ANSWER)),
            coding("assistant_response", 3, response="It is sunny."),
        ]
    )
    assert said(found) == [("user", "fix it"), ("assistant", "It is sunny.")]


def test_claude_code_without_bodies_tells_prompts_and_responses():
    steps = [coding("claude_code.user_prompt", 0, prompt="a"), coding("assistant_response", 1, response="ok")]
    steps += [coding("claude_code.user_prompt", 2, prompt="b"), coding("assistant_response", 3, response="ok")]
    assert said(conversation(steps)) == [("user", "a"), ("assistant", "ok"), ("user", "b"), ("assistant", "ok")]


def test_codex_tells_prompts_calls_and_final_responses():
    found = conversation(
        [
            coding("codex.user_prompt", 0, prompt="[REDACTED]", prompt_length="6"),
            coding("codex.tool_result", 1, tool_name="shell", call_id="c1", arguments='{"cmd":["ls"]}', output="a\nb", success="true"),
            coding("codex.agent_response", 2, response="Done."),
        ]
    )
    assert said(found) == [
        ("user", "[REDACTED]"), ("assistant", ("c1", "shell", {"cmd": ["ls"]})), ("tool", ("c1", "a\nb")), ("assistant", "Done."),
    ]  # fmt: skip


def test_messages_that_were_uploaded_are_files():
    [message] = spoken({"gen_ai.input.messages_ref": "gs://bucket/in.jsonl"})
    assert message["parts"] == [{"type": "file", "uri": "gs://bucket/in.jsonl"}]


def test_semantic_kernel_items_and_agent_framework_parts():
    items = [
        {"role": "user", "items": [{"content_type": "text", "text": "Weather in Paris?"}]},
        {"role": "assistant", "items": [{"content_type": "function_call", "id": "c1", "name": "get_weather", "arguments": ARGUMENTS}]},
        {"role": "tool", "items": [{"content_type": "function_result", "id": "c1", "name": "get_weather", "result": "sunny"}]},
    ]
    found = spoken({}, events=[{"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": json.dumps(items)}}])
    assert said(found) == WANTED[1:4]
