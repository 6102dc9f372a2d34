"""However requests are split, ordered and sent again: a reconstruction is the same. Captures and made flows are cut into single records."""

import json
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.signals import SIGNALS
from tests.collector.dialects.test_claude_code import Session as ClaudeCode
from tests.collector.dialects.test_claude_code import events_request, spans_of
from tests.collector.dialects.test_codex import Session as Codex
from tests.collector.dialects.test_frameworks import FRAMEWORKS
from tests.sealed_lake import Request, seal, stories_of

CAPTURES = Path(__file__).parents[1] / "captures"
CLIENTS = (
    "autogen", "langgraph-openinference", "openai-agents-openinference", "openinference-openai", "otel-genai-openai", "pydantic-ai",
    "strands", "traceloop", "vercel-ai",
)  # fmt: skip
PLACES = {"record_id", "parent_record_id", "origin", "entry", "entry_row", "salt", "received_ns"}
"""Where a row stands in the log, which of course depends on when it came."""


def single_records(requests: Iterable[tuple[str, Any]]) -> Iterator[Request]:
    """Yield every span and log record of some requests as a request of its own."""
    for signal, payload in requests:
        if signal == "metrics":
            continue
        message = SIGNALS[signal].request.FromString(payload) if isinstance(payload, bytes) else payload
        of_all, of_each, records = {
            "traces": ("resource_spans", "scope_spans", "spans"),
            "logs": ("resource_logs", "scope_logs", "log_records"),
        }[signal]
        for resource in getattr(message, of_all):
            for scope in getattr(resource, of_each):
                for record in getattr(scope, records):
                    single = SIGNALS[signal].request()
                    outer = getattr(single, of_all).add()
                    outer.resource.CopyFrom(resource.resource)
                    inner = getattr(outer, of_each).add()
                    inner.scope.CopyFrom(scope.scope)
                    inner.schema_url = scope.schema_url
                    getattr(inner, records).add().CopyFrom(record)
                    yield signal, single.SerializeToString()


def captured() -> Iterator[Request]:
    """Yield the captured requests of the clients."""
    for client in CLIENTS:
        for path in sorted(CAPTURES.glob(f"{client}-0*.pb")):
            yield path.stem.rsplit("-", 1)[1], path.read_bytes()


def claude_code() -> list[tuple[str, Any]]:
    """Events and spans of one session."""
    return [events_request(ClaudeCode("both", traced=True).events()), spans_of(ClaudeCode("both").spans())]


def codex() -> list[tuple[str, Any]]:
    """Two turns of one conversation."""
    turns = [Codex("long", env="long", begin=14400 + 600 * number, traced=True, number=number) for number in (1, 2)]
    return [request for turn in turns for request in (turn.logs(), turn.traces())]


RECORDS = tuple(single_records(captured()))


def told(segments: Sequence[Sequence[Request]]) -> list[dict[str, Any]]:
    """Return the reconstructions of all runs, by run id, with places in the log replaced by what stands there."""
    with tempfile.TemporaryDirectory() as folder:
        stories = stories_of(seal(Path(folder) / "data", *segments))
    return [_without_places(story) for story in sorted(stories, key=lambda story: str(story["run"]["run_id"]))]


def _without_places(story: dict[str, Any]) -> dict[str, Any]:
    named = {step["record_id"]: f"{step['trace_id']}/{step['span_id']}/{step['name']}/{step['start_ns']}" for step in story["steps"]}
    steps = [
        {name: value for name, value in step.items() if name not in PLACES} | {"parent": named.get(step["parent_record_id"])}
        for step in story["steps"]
    ]
    completeness = {**story["completeness"], "duplicates": None}  # how often something came is told, and changes nothing else
    text = json.dumps({**story, "steps": steps, "completeness": completeness, "integrity": None}, default=str, sort_keys=True)
    for record_id in sorted(named, key=len, reverse=True):
        text = text.replace(json.dumps(record_id), json.dumps(named[record_id]))
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def in_order() -> list[dict[str, Any]]:
    return told([RECORDS])


@pytest.mark.parametrize(("seed", "segments"), [(2, 2), (3, 4)])
def test_shuffling_splitting_and_sending_again_change_no_reconstruction(in_order: list[dict[str, Any]], seed: int, segments: int) -> None:
    rng = random.Random(seed)
    sent = [*RECORDS, *rng.choices(RECORDS, k=12)]
    rng.shuffle(sent)
    found = told([sent[part::segments] for part in range(segments)])
    assert [story["run"] for story in found] == [story["run"] for story in in_order]
    for one, other in zip(found, in_order, strict=True):
        assert one["steps"] == other["steps"]
        assert one == other


@pytest.mark.parametrize("make", [*FRAMEWORKS, claude_code, codex], ids=lambda make: make.__name__)
def test_so_it_is_for_every_dialect(make: Callable[[], list[tuple[str, Any]]]) -> None:
    records, rng = tuple(single_records(make())), random.Random(1)
    sent = [*records, *rng.choices(records, k=3)]
    rng.shuffle(sent)
    parts = rng.randint(2, 4)
    assert told([sent[part::parts] for part in range(parts)]) == told([records])
