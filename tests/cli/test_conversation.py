"""A conversation on a terminal is bounded, in one line a part, and cannot steer the terminal."""

from cli.conversation import MOST_LINES, lines


def message(text: str, *, turn: int = 1, agent: str = "a", **more: object) -> dict[str, object]:
    return {"turn": turn, "role": "user", "agent_name": agent, "parts": [{"type": "text", "text": text}]} | more


def test_one_line_a_part():
    call = message("", turn=2) | {"role": "assistant", "parts": [{"type": "tool_call", "name": "look", "arguments": {"q": 1}}]}
    assert lines([message("Hi\nyou"), call]) == [("1 user", "Hi you"), ("2 assistant", '→ look { "q": 1 }')]


def test_what_was_sent_again_is_counted():
    assert lines([message("Hi", resent=2)])[0] == ("", "(2 earlier messages sent again)")


def test_agents_are_named_where_there_are_several():
    assert [speaker for speaker, _ in lines([message("x"), message("y", agent="b")])] == ["1 user (a)", "1 user (b)"]


def test_long_conversations_show_their_beginning_and_their_end():
    told = lines([message(str(number)) for number in range(200)])
    assert len(told) == MOST_LINES
    assert (told[0][1], told[-1][1]) == ("0", "199")
    assert told[20] == ("", "… 171 lines left out: --format json has all")


def test_escape_sequences_do_not_reach_the_terminal():
    assert lines([message("a\x1b[2Jb\u202ec")]) == [("1 user", "a�[2Jb�c")]
