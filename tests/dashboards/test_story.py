"""The story is complete, in order, and its jump chips lead where they say."""

import json

from dashboards import story
from tests.dashboards.steps import step


def test_approvals_say_how_long_they_waited() -> None:
    steps = [
        step("ask", 1, 1, kind="approval", source="event", approval_state="requested", action="refund"),
        step("yes", 61, 61, kind="approval", source="event", approval_state="granted", action="refund"),
    ]
    assert story.waiting_times(steps) == {"yes": 60_000}
    assert {"text": "waited 1 min 00 s", "tone": "warn"} in story.items(steps)[1]["tags"]


def test_an_approval_that_was_never_asked_for_did_not_wait() -> None:
    assert story.waiting_times([step("yes", 1, 1, kind="approval", approval_state="granted", action="refund")]) == {}


def test_model_turns_tell_only_what_is_new() -> None:
    talk = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}]
    first = {"gen_ai.input.messages": json.dumps(talk), "gen_ai.output.messages": json.dumps(answer)}
    more = [*talk, *answer, {"role": "user", "parts": [{"type": "text", "content": "And?"}]}]
    second = {"gen_ai.input.messages": json.dumps(more), "gen_ai.output.messages": json.dumps(answer)}
    items = story.items([step("m1", 0, 1, kind="model", attributes=first), step("m2", 1, 2, kind="model", attributes=second)])
    assert [block["text"] for block in items[1]["blocks"]] == ["2 earlier messages unchanged", "And?", "Hello"]


def test_two_agents_do_not_share_a_conversation() -> None:
    talk = {"gen_ai.input.messages": json.dumps([{"role": "user", "content": "Hi"}])}
    steps = [step("a", 0, 1, kind="model", agent_name="a", attributes=talk), step("b", 1, 2, kind="model", agent_name="b", attributes=talk)]
    assert [block["text"] for block in story.items(steps)[1]["blocks"]] == ["Hi"]


def test_long_texts_are_cut_with_a_number() -> None:
    item = story.items([step("t", 0, 1, attributes={"gen_ai.tool.call.result": "x" * 5000})])[0]
    assert item["blocks"][0]["more"] == 5000 - story.CUT


def test_a_failure_without_words_still_says_so() -> None:
    assert story.items([step("t", 0, 1, status="error")])[0]["blocks"] == [{"type": "failure", "text": "failed without saying why"}]


def test_chips_lead_to_the_right_steps() -> None:
    steps = [
        step("root", 0, 9, kind="run", status="error"),
        step("slow", 0, 5, parent="root"),
        step("bad", 5, 6, parent="root", status="error", attributes={"auditlake.tool.retry_count": "2"}),
        step("dear", 6, 7, parent="root", kind="model", cost_usd=0.2, redactions={"EMAIL_ADDRESS": 1}),
        step("no", 7, 7, parent="root", kind="policy", decision="deny"),
        *[step(f"loop{number}", 8, 8.1, parent="root", attributes={"input.value": "same"}, tool_name="look") for number in range(3)],
    ]
    found = {jump.key: jump.step for jump in story.jumps(steps)}
    assert found == {
        "error": "bad",
        "slowest": "slow",
        "costliest": "dear",
        "denials": "no",
        "redactions": "dear",
        "retries": "bad",
        "loops": "loop2",
    }


def test_a_run_in_which_nothing_happened_has_no_story() -> None:
    assert story.items([]) == []
    assert story.jumps([]) == []


def test_prompts_that_are_records_of_their_own_are_in_the_story() -> None:
    """Coding agents tell what the user wrote in a log record."""
    prompt = {"event.name": "user_prompt", "prompt": "fix it"}
    [item] = story.items([step("e", 0, 0, kind="message", source="event", attributes=prompt)])
    assert [(block["role"], block["text"]) for block in item["blocks"]] == [("user", "fix it")]


def test_an_agent_does_not_repeat_what_its_calls_say() -> None:
    talk = {"gen_ai.input.messages": json.dumps([{"role": "user", "content": "Hi"}])}
    said = talk | {"gen_ai.output.messages": json.dumps([{"role": "assistant", "content": "Hello"}])}
    items = story.items([step("a", 0, 2, kind="agent", attributes=said), step("m", 0, 1, kind="model", parent="a", attributes=said)])
    assert [[block["text"] for block in item["blocks"]] for item in items] == [[], ["Hi", "Hello"]]
