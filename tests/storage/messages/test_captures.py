"""What real frameworks recorded is a conversation in which everything is said once."""

from typing import Any

import pytest

from storage.messages import conversation
from tests.storage.messages.captured import runs_of

SYSTEM = ("system", "text", "be brief")
ASKED = ("user", "text", "Weather in Paris?")
RESULT = ("tool", "tool_result", "sunny in Paris")
SAID = ("assistant", "text", "It is sunny in Paris.")
CALL = ("assistant", "tool_call", {"city": "Paris"})


def told(steps: list[dict[str, Any]]) -> list[tuple[str, str, Any]]:
    """Role, type and content of every part, in order."""
    return [
        (message["role"], part["type"], part.get("text", part.get("arguments", part.get("result"))))
        for message in conversation(steps)
        for part in message["parts"]
    ]


@pytest.mark.parametrize(
    ("framework", "expected"),
    [
        ("pydantic-ai", [SYSTEM, ASKED, CALL, RESULT, SAID]),
        ("langgraph-openinference", [ASKED, CALL, RESULT, SAID]),
        ("openai-agents-openinference", [SYSTEM, ASKED, CALL, RESULT, SAID]),
        ("strands", [SYSTEM, ASKED, CALL, RESULT, SAID]),
        ("traceloop", [SYSTEM, ASKED, CALL]),
        ("vercel-ai", [SYSTEM, ASKED, CALL, RESULT, SAID]),
        ("autogen", [ASKED, CALL, RESULT, SAID, SAID]),
    ],
)
def test_a_conversation_tells_everything_once(framework, expected):
    """History that is sent again with every call, agents that repeat their calls, and messages that many listen to, count once."""
    assert told(runs_of(framework)[-1]) == expected


def test_every_call_of_an_instrumented_client_has_its_words():
    stories = [told(steps) for steps in runs_of("otel-genai-openai")]
    hello = ("user", "text", "hi")
    flow = [SYSTEM, ASKED, CALL, ("tool", "tool_result", "sunny"), SAID]
    assert stories == [flow, [hello, SAID], [SYSTEM, hello, SAID], [], [("user", "text", "FAIL429")]]
    assert [told(steps) for steps in runs_of("openinference-openai")] == [[ASKED, CALL], [hello, SAID], []]


def test_log_records_belong_to_the_call_of_their_span():
    """The same call is told by a span and by a log record; without the span's own words the log record's count."""
    flow = runs_of("otel-genai-openai")[0]
    bare = [step | {"attributes": {}} if step["kind"] == "model" else step for step in flow]
    assert told(bare) == told(flow)
    assert [m["record_id"] for m in conversation(bare)] == [m["record_id"] for m in conversation(flow)]


def test_a_call_keeps_its_id_name_and_reason_to_stop():
    call = conversation(runs_of("strands")[0])[2]
    assert call["parts"] == [{"type": "tool_call", "id": "call_27", "name": "get_weather", "arguments": {"city": "Paris"}}]
    assert (call["agent_name"], call["direction"], call["turn"], call["finish_reason"]) == ("weather_agent", "output", 1, "tool_use")


def test_what_was_sent_again_is_counted():
    assert [message.get("resent") for message in conversation(runs_of("vercel-ai")[0])] == [None, None, None, 3, None]


def test_two_answers_with_the_same_words_are_two_answers():
    """AutoGen's agent was asked twice; every message has an id of its own and is handed to several agents."""
    assert [message["agent_name"] for message in conversation(runs_of("autogen")[0])][1:] == ["weather_agent"] * 4
