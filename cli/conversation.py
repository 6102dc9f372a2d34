"""The conversation of a run for a terminal: one line a part, bounded. Pure: messages of a reconstruction in, words out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cli.figures import plural, printable, short

MOST_LINES: Final = 30
WIDTH: Final = 160
_MARKS: Final = {"tool_call": "→ ", "tool_result": "← ", "reasoning": "thinks: ", "blob": "content: ", "file": "file: "}


def lines(messages: Sequence[Mapping[str, Any]], *, most: int = MOST_LINES) -> list[tuple[str, str]]:
    """Return who speaks and what is said, the first turns and the last; what was left out between them is counted."""
    told = list(_told(messages))
    if len(told) <= most:
        return told
    head = most * 2 // 3
    tail = most - head - 1
    return [*told[:head], ("", f"… {plural(len(told) - head - tail, 'line')} left out: --format json has all"), *told[-tail:]]


def _told(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    from storage.messages import shown

    several = len({message["agent_name"] for message in messages}) > 1
    for message in messages:
        if again := message.get("resent"):
            yield "", f"({plural(again, 'earlier message')} sent again)"
        speaker = f"{message['turn']} {message['role']}" + (f" ({message['agent_name']})" if several and message["agent_name"] else "")
        for part in message["parts"]:
            yield speaker, _MARKS.get(part["type"], "") + printable(short(shown(part), WIDTH))
