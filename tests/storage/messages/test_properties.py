"""Whatever is recorded: no exception, no text lost, nothing new hidden, nothing told twice."""

import json
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.messages import conversation, messages_of_step
from storage.messages.parts import NAMED_BY, TYPES
from storage.messages.sources import DETAILS, EVENTS, SOURCES
from tests.dashboards.steps import step
from tests.storage.messages.talk import call

KEYS = sorted({key for source in SOURCES for key in (*source.system, *source.given, *source.answered, *source.histories)})
KEYS += [
    "ai.response.text",
    "ai.response.toolCalls",
    "llm.input_messages.0.message.content",
    "gen_ai.prompt.0.a.0.b",
    "llm.input_messages.x",
]
NAMES = [*EVENTS, DETAILS, "claude_code.user_prompt", "something else"]
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NAMES_OF_FIELDS = """
role content parts type text tool_calls function name id arguments input output result message messages source data image_url url toolUse
toolResult functionCall kwargs lc finish_reason index reasoning_content tool_call_id file uri kind refusal summary contents choices system
thought
"""
FIELDS = st.sampled_from(NAMES_OF_FIELDS.split())
TYPE_WORDS = st.sampled_from([*TYPES, "message", "human", "ai", "unheard-of"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORDS | TYPE_WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=12,
)
CONTENT = (
    st.text(max_size=30)
    | JSON.map(json.dumps)
    | JSON.map(lambda value: json.dumps(json.dumps(value)))
    | JSON.map(json.dumps).map(lambda text: text[:-2])
)
KINDS = st.sampled_from(["model", "agent", "run", "tool", "message", "other"])


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    attributes = draw(st.dictionaries(st.sampled_from([*KEYS, "event.name", "message"]), CONTENT, max_size=4))
    events = draw(
        st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(NAMES), "attributes": st.dictionaries(FIELDS, CONTENT, max_size=3)}), max_size=2
        )
    )
    source = draw(st.sampled_from(["span", "event"]))
    columns = {"event_name": draw(st.sampled_from(NAMES)), "body": draw(st.none() | CONTENT)} if source == "event" else {"events": events}
    parent = draw(st.none() | st.sampled_from(["r0", "r1", "r2", "r9"]))
    return step("", draw(st.integers(0, 3)), 4, kind=draw(KINDS), source=source, parent=parent, attributes=attributes, **columns)


@settings(max_examples=80, deadline=None)
@given(st.lists(records(), max_size=5))
def test_nothing_that_is_recorded_raises(found):
    steps = [record | {"record_id": f"r{number}"} for number, record in enumerate(found)]
    assert json.dumps(conversation(steps), ensure_ascii=False).encode("utf-8", "surrogatepass")
    for record in steps:
        messages_of_step(record)


def texts(value: Any) -> Iterator[str]:
    """The words in a JSON value: not those by which blocks say what they are, nor roles and their kind."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not (
                isinstance(item, str)
                and (key in {"role", "source", "finish_reason"} or (key in NAMED_BY and item in {*TYPES, "message", "human", "ai"}))
            ):
                yield from texts(item)


MESSAGE_FIELDS = st.sampled_from(
    ["content", "parts", "text", "tool_calls", "name", "id", "arguments", "output", "result", "refusal", "reasoning_content"]
)
BLOCK = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*"abc", "text", "content", "type", "name", "id", "arguments", "result"]), inner, min_size=1, max_size=4
        )
    ),
    max_leaves=8,
)
TYPED = st.builds(
    lambda word, rest: {**rest, "type": word},
    st.sampled_from([word for word, sort in TYPES.items() if sort != "media"]),
    st.dictionaries(FIELDS, BLOCK, max_size=4),
)
MESSAGE = st.builds(
    lambda role, rest: {**rest, "role": role},
    st.sampled_from(["user", "assistant", "tool", "system"]),
    st.dictionaries(MESSAGE_FIELDS, st.lists(TYPED, max_size=3) | BLOCK, max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(MESSAGE | TYPED, min_size=1, max_size=3))
def test_every_text_of_messages_is_somewhere(messages):
    said = json.dumps(conversation([call("m", 0, messages)]), ensure_ascii=False)
    whole = json.loads(said)
    leaves = list(_strings(whole))
    for text in texts(messages):
        escaped = json.dumps(text, ensure_ascii=False)[1:-1]
        assert any(text in leaf or escaped in leaf for leaf in leaves), (text, said)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


SAID = st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), WORDS), min_size=1, max_size=14).map(
    lambda said: [message for at, message in enumerate(said) if at == 0 or message != said[at - 1]]
)


def written(role: str, words: str, place: int, chance: random.Random) -> Any:
    """One message in one of the spellings in which frameworks send it again."""
    if role == "tool":
        return chance.choice(
            [
                {"role": "tool", "tool_call_id": f"c{place}", "content": words},
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": f"c{place}", "content": [{"type": "text", "text": words}]}],
                },
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": f"c{place}", "response": words}]},
            ]
        )
    return chance.choice(
        [
            {"role": role, "content": words},
            {"content": [{"text": words, "type": "text"}], "role": role},
            {"role": role, "parts": [{"type": "text", "content": words}]},
        ]
    )


@settings(max_examples=150, deadline=None)
@given(SAID, st.integers(0, 1_000_000))
def test_a_history_in_any_spelling_is_told_once(said, seed):
    """However the calls cut the conversation, and however each spells what it sends again."""
    chance = random.Random(seed)
    steps, at = [], 0
    while at < len(said):
        to = at
        while to < len(said) and (to == at or said[to][0] != "assistant"):
            to += 1
        history = [written(*message, place, chance) for place, message in enumerate(said[:to])]
        answer = [written(*said[to], to, chance)] if to < len(said) else None
        steps.append(call(f"c{at}", at, history, answer, status="error" if answer is None else "ok"))
        at = to + 1
    found = [part for message in conversation(steps) for part in message["parts"]]
    assert [" ".join(str(part.get("text", part.get("result"))).split()) for part in found] == [" ".join(words.split()) for _, words in said]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1_000_000))
def test_a_history_that_is_cut_or_put_together_hides_nothing(seed):
    """Windows, summaries and forks: every word that is said for the first time is told, at the call that brought it."""
    chance = random.Random(seed)
    history: list[tuple[str, str]] = []
    steps, fresh = [], []
    for number in range(12):
        cut = chance.random()
        if cut < 0.2:
            history = history[chance.randint(0, len(history)) :]
        elif cut < 0.4:
            history = [("user", f"summary {number}"), *history[chance.randint(0, len(history)) :]]
        elif cut < 0.5:
            history = history[: chance.randint(0, len(history))]
        history.append(("user", f"question {number}"))
        answer = f"answer {number}"
        steps.append(call(f"c{number}", number, [written(*message, 0, chance) for message in history], answer))
        fresh.append(
            (f"c{number}", {f"question {number}", answer} | ({f"summary {number}"} if history[0][1] == f"summary {number}" else set()))
        )
        history.append(("assistant", answer))
    told: dict[str, set[str]] = {}
    for message in conversation(steps):
        told.setdefault(message["record_id"], set()).update(part["text"] for part in message["parts"])
    for record, words in fresh:
        assert words <= told[record]


@settings(max_examples=40, deadline=None)
@given(st.lists(records(), max_size=5), st.randoms(use_true_random=False))
def test_the_order_in_which_records_came_does_not_matter(found, chance):
    steps = [record | {"record_id": f"r{number}", "sequence": number} for number, record in enumerate(found)]
    mixed = chance.sample(steps, len(steps))
    assert conversation(mixed) == conversation(steps)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_indexed_attributes_lose_no_text(value):
    leaves: dict[str, str] = {}
    _flatten(value if isinstance(value, dict) else {"content": value}, "llm.input_messages.0.message", leaves)
    said = list(_strings(conversation([step("m", 0, 1, kind="model", attributes=leaves)])))
    for key, text in leaves.items():
        if key.rpartition(".")[2] not in {"role", "source", *NAMED_BY, "lc"} and text:
            assert any(text in leaf or json.dumps(text, ensure_ascii=False)[1:-1] in leaf for leaf in said)


def _flatten(value: Any, path: str, leaves: dict[str, str]) -> None:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            _flatten(item, f"{path}.{key}", leaves)
    elif isinstance(value, str):
        leaves[path] = value
