"""Each turn shows what is new, whatever was sent again; nothing new is ever hidden."""

import json

from storage.messages import conversation, turns
from tests.dashboards.steps import step
from tests.storage.messages.talk import call, shown, text

U, A, T = "user", "assistant", "tool"


def test_history_that_is_sent_again_is_told_once():
    first = [text(U, "1")]
    second = [*first, text(A, "2"), text(U, "3")]
    third = [*second, text(A, "4"), text(U, "5")]
    steps = [call("a", 0, first, "2"), call("b", 1, second, "4"), call("c", 2, third, "6")]
    assert shown(steps) == [["1", "2"], ["3", "4"], ["5", "6"]]
    assert [turn.resent for turn in turns(steps)] == [0, 2, 4]


def test_the_same_words_said_twice_are_told_twice():
    first = [text(U, "go on")]
    second = [*first, text(A, "done"), text(U, "go on")]
    assert shown([call("a", 0, first, "done"), call("b", 1, second, "done")]) == [["go on", "done"], ["go on", "done"]]


def test_the_same_question_in_two_calls_is_told_twice():
    assert shown([call("a", 0, [text(U, "hi")], "hello"), call("b", 1, [text(U, "hi")], "hello")]) == [["hi", "hello"]] * 2


def test_a_call_that_failed_and_is_made_again_says_nothing_new():
    steps = [call("a", 0, [text(U, "hi")], status="error"), call("b", 1, [text(U, "hi")], "hello")]
    assert shown(steps) == [["hi"], ["hello"]]
    assert turns(steps)[1].resent == 1


def test_another_serialisation_is_not_another_message():
    """Keys in another order, arguments as text, results as blocks, one message taken apart in two, white space."""
    wanted = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"a": 1, "b": [2]}}
    first = call("a", 0, [text(U, "Look  it\nup")], [{"role": A, "parts": [{"type": "text", "content": "I will."}, wanted]}])
    again = [
        {"content": "Look it up", "role": U},
        {"role": A, "content": [{"type": "text", "text": "I will."}]},
        {"role": A, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"b": [2], "a":1}'}}]},
        {"role": T, "tool_call_id": "c1", "content": "found"},
    ]
    [_, second] = turns([first, call("b", 1, again, "Here.")])
    assert [part["result"] for message in second.given for part in message.parts] == ["found"]
    assert second.resent == 3


def test_a_summary_in_place_of_old_turns_hides_nothing_and_repeats_nothing():
    first = [text(U, "one"), text(A, "two"), text(U, "three")]
    second = [text(U, "summary of it all"), text(A, "a long answer, as models give them"), text(U, "one")]
    steps = [call("a", 0, first, "a long answer, as models give them"), call("b", 1, second, "five")]
    assert shown(steps)[1] == ["summary of it all", "one", "five"]


def test_a_window_that_moves_shows_only_what_came_in():
    history = [text(A if number % 2 else U, f"{number}") for number in range(12)]
    steps = [call(f"c{at}", at, history[max(0, at * 2 - 3) : at * 2 + 1], f"{at * 2 + 1}") for at in range(6)]
    assert shown(steps) == [[f"{at * 2}", f"{at * 2 + 1}"] for at in range(6)]


def test_history_that_was_cut_away_wholly_is_not_taken_for_what_is_new():
    """Nothing of the conversation before is left: the user's words count, though somebody said them before."""
    steps = [call("a", 0, [text(U, "yes"), text(A, "x"), text(U, "no")], "y"), call("b", 1, [text(U, "summary"), text(U, "yes")], "z")]
    assert shown(steps)[1] == ["summary", "yes", "z"]


def test_two_conversations_of_one_agent_may_alternate():
    main, side = [text(U, "main task")], [text(U, "title for it?")]
    steps = [call("a", 0, main, "working"), call("b", 1, side, "A title")]
    steps.append(call("c", 2, [*main, text(A, "working"), text(U, "and?")], "done"))
    assert shown(steps) == [["main task", "working"], ["title for it?", "A title"], ["and?", "done"]]


def test_system_instructions_are_told_once_an_agent_and_when_they_change():
    first, second = [text(U, "1")], [text(U, "1"), text(A, "2"), text(U, "3")]
    third = [*second, text(A, "4"), text(U, "5")]
    steps = [call("a", 0, first, "2", system="X"), call("b", 1, second, "4", system="X"), call("c", 2, third, "6", system="Y")]
    assert shown(steps) == [["X", "1", "2"], ["3", "4"], ["Y", "5", "6"]]


def test_agents_have_conversations_of_their_own():
    """By the agents around a call, whatever name its resource gives it."""
    steps = [
        step("top", 0, 9, kind="agent", name="invoke_agent planner", attributes={"gen_ai.agent.name": "planner"}),
        call("p", 1, [text(U, "Hi")], "Hello", parent_record_id="top", agent_name="service"),
        step("sub", 2, 5, kind="agent", parent="top", attributes={"gen_ai.agent.name": "worker"}),
        call("w", 3, [text(U, "Hi")], "Hello", parent_record_id="sub", agent_name="service"),
    ]
    assert [(turn.agent_name, len(turn.given)) for turn in turns(steps)] == [("planner", 1), ("worker", 1)]


def test_agents_that_repeat_their_calls_only_add_what_these_left_out():
    attributes = {
        "gen_ai.input.messages": json.dumps([text(U, "Hi")]),
        "gen_ai.output.messages": json.dumps([text(A, "Hello\n"), text(A, "and a last word of the agent")]),
    }
    steps = [step("top", 0, 9, kind="agent", attributes=attributes), call("m", 1, [text(U, "Hi")], "Hello", parent_record_id="top")]
    assert shown(steps) == [["and a last word of the agent"], ["Hi", "Hello"]]
    alone = [step("top", 0, 9, kind="agent", attributes=attributes)]
    assert shown(alone) == [["Hi", "Hello\n", "and a last word of the agent"]]


def test_a_second_record_of_the_same_response_adds_nothing():
    steps = [call("a", 0, [text(U, "Hi")], "Hello", response_id="r1"), call("b", 0.1, [text(U, "Hi")], "Hello", response_id="r1")]
    assert shown(steps) == [["Hi", "Hello"]]


def test_an_answer_that_was_recorded_with_the_input_is_the_answer():
    """Some frameworks hand over a list that the answer is put into."""
    assert shown([call("a", 0, [text(U, "Hi"), text(A, "Hello")], "Hello")]) == [["Hi", "Hello"]]


def test_thoughts_that_are_not_sent_again_do_not_break_the_thread():
    answer = [{"role": A, "parts": [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "ok"}]}]
    steps = [call("a", 0, [text(U, "1")], answer), call("b", 1, [text(U, "1"), text(A, "ok"), text(U, "2")], "3")]
    assert shown(steps) == [["1", "Hm.", "ok"], ["2", "3"]]


def test_new_results_alone_are_what_is_new():
    """The Responses API may keep the history: a call then sends only what came since."""
    sent = [{"type": "function_call_output", "call_id": "c1", "output": "found"}]
    [_, second] = turns([call("a", 0, [text(U, "1")], "2"), call("b", 1, sent, "3")])
    assert [(message.role, message.parts[0]["result"]) for message in second.given] == [("tool", "found")]


def test_clocks_that_were_corrected_decide_the_order():
    late = call("a", 5, [text(U, "first")], "1", clock_offset_ms=-10_000.0)
    assert [message["record_id"] for message in conversation([call("b", 0, [text(U, "second")], "2"), late])] == ["a", "a", "b", "b"]


def test_embeddings_are_no_conversation():
    assert conversation([step("e", 0, 1, kind="model", operation="embeddings", attributes={"input.value": "text"})]) == []


def test_a_run_without_content_has_no_conversation():
    assert conversation([]) == []
    assert conversation([call("a", 0), step("t", 1, 2)]) == []
