"""Messages are read from every convention, and nothing that is not understood is dropped."""

import json

from dashboards import messages
from dashboards.messages import Message


def test_opentelemetry_messages_with_parts() -> None:
    attributes = {
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "tool_call", "name": "look", "arguments": {"q": 1}}]}]
        ),
    }
    assert messages.inputs(attributes) == [Message("system", "Be brief."), Message("user", "Hi")]
    assert messages.outputs(attributes) == [Message("assistant", 'look {\n  "q": 1\n}', "tool_call")]


def test_openinference_and_traceloop_flat_messages() -> None:
    answer = "llm.output_messages.0.message"
    flat = {
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": "Hi",
        f"{answer}.role": "assistant",
        f"{answer}.tool_calls.0.tool_call.function.name": "look",
        f"{answer}.tool_calls.0.tool_call.function.arguments": '{"q":1}',
    }
    assert messages.inputs(flat) == [Message("user", "Hi")]
    assert messages.outputs(flat)[0].text.startswith("look {")
    assert messages.inputs({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hi"}) == [Message("user", "Hi")]


def test_openai_style_content_and_plain_text() -> None:
    assert messages.inputs({"input.value": '{"messages":[{"role":"user","content":"Hi"}]}'}) == [Message("user", "Hi")]
    assert messages.outputs({"output.value": "plain"}) == [Message("assistant", "plain")]
    assert messages.outputs({"ai.response.text": "from vercel"}) == [Message("assistant", "from vercel")]


def test_broken_json_is_shown_as_it_is() -> None:
    assert messages.inputs({"gen_ai.input.messages": '[{"role": '}) == [Message("user", '[{"role": ')]
    assert messages.pretty('{"a": ') == '{"a": '


def test_only_what_is_new_at_a_turn_is_told_again() -> None:
    first, second, answer, third = Message("user", "1"), Message("assistant", "2"), Message("tool", "3"), Message("user", "4")
    assert messages.new_since([first, second], [first, second, answer, third]) == ([answer, third], 2)


def test_a_rewritten_conversation_is_shown_whole() -> None:
    old, now = (
        [Message("user", "1"), Message("assistant", "2")],
        [Message("user", "1"), Message("assistant", "other"), Message("user", "3")],
    )
    assert messages.new_since(old, now) == (now, 0)
    assert messages.new_since([], now) == (now, 0)


def test_arguments_and_results_of_tools() -> None:
    assert messages.arguments({"gen_ai.tool.call.arguments": '{"a":1}'}) == '{\n  "a": 1\n}'
    assert messages.result({"traceloop.entity.output": "done"}) == "done"
    assert messages.arguments({}) is None


def test_messages_in_span_events_are_read() -> None:
    events = [
        {"name": "gen_ai.user.message", "attributes": {"content": '[{"text": "Hi"}]'}},
        {"name": "gen_ai.choice", "attributes": {"message": "Hello", "finish_reason": "stop"}},
        {"name": "exception", "attributes": {"exception.type": "X"}},
    ]
    assert messages.spoken({"attributes": {}, "events": events}) == ([Message("user", "Hi")], [Message("assistant", "Hello")])
