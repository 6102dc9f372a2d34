"""One run that is read alone is what the views say of it: the row of `runs` and every step, whatever dialect and however odd."""

import random
from pathlib import Path
from typing import Any

from storage.excerpt import _DOUBTS, excerpt
from storage.lake import Lake
from storage.run_row import ARGUMENTS
from storage.runs import reconstruct
from storage.views import view_sql
from tests.collector.dialects.test_claude_code import Session as ClaudeCode
from tests.collector.dialects.test_claude_code import events_request, spans_of
from tests.collector.dialects.test_codex import Session as Codex
from tests.collector.dialects.test_frameworks import FRAMEWORKS
from tests.lake_builder import START_NS, event, model, span, write_lake
from tests.sealed_lake import seal
from tests.storage.messages.captured import write_captures

RUNS = 32
MINUTE_NS = 60_000_000_000
ADDED = {"depth", "orphan", "parent_record_id", "clock_offset_ms"}
"""What a reconstruction says of a step beside its columns."""
NUMBERED = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "retry_count")
NAMED = ("session_id", "tenant", "project", "environment", "release", "actor", "task_type", "error_type", "tool_name")
KINDS = ("run", "agent", "agent", "model", "model", "tool", "tool", "policy", "heartbeat", None, "other")
ERRORS = ("TimeoutError", "MaxTurnsExceeded", "UsageLimitExceeded", "limit exceeded\n", "CancelledError", "SIGKILL", "ValueError")
REASONS = (None, None, None, None, "completed", "timeout", "killed", "budget", "")


def agree(data: Path, **clock: Any) -> int:
    """Assert that every run of a lake is the same alone as in the views, and return how many there are."""
    with Lake.open(data, **clock) as lake:
        rows = lake.sql("SELECT * FROM runs").to_pylist(maps_as_pydicts="strict")
        steps = lake.sql("SELECT * EXCLUDE (salt, sent_run_id) FROM steps").to_pylist(maps_as_pydicts="strict")
        of_run: dict[str, dict[str, dict[str, Any]]] = {}
        for step in steps:
            of_run.setdefault(step["run_id"], {})[step["record_id"]] = step
        for row in rows:
            found = reconstruct(lake, row["run_id"])
            assert found is not None
            assert list(found["run"]) == list(row)
            assert rounded(found["run"]) == rounded(row)
            assert found["steps"]
            for step in found["steps"]:
                said = {name: value for name, value in step.items() if name not in ADDED}
                view = of_run[row["run_id"]][step["record_id"]]
                assert list(said) == list(view)
                assert said | {"kind": None} == view | {"kind": None}
                assert said["kind"] in {view["kind"], "other"}
            assert len(found["steps"]) == row["steps"] == len(of_run[row["run_id"]])
        return len(rows)


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Sums of fractions, which depend on the order of their parts in the last digits."""
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()}


def odd_run(number: int) -> list[tuple[str, dict[str, Any]]]:
    """A run of anything: no two of its steps begin or end at once, as the views take any of those."""
    rng = random.Random(number)
    where = {"run": f"run-{number}", "trace": f"trace-{number}"}
    ids = [f"{number}-{place}" for place in range(rng.randint(1, 9))]
    records: list[tuple[str, dict[str, Any]]] = []
    first = -3600 * (number % 2)
    for place, span_id in enumerate(ids):
        begun = {"at": first + rng.uniform(0, 900), "id": span_id, "parent": rng.choice([None, "lost", *ids])}
        row = span(rng.choice("abc"), took=rng.choice([-1, 0.1, 3, 300]) + rng.random(), **where, **begun, **said(rng, span_id))
        if rng.random() < 0.1:
            row |= {"end_ns": None, "end_time": None}
        records.append(("spans", row | {"status_code": rng.choice([None, 0, 0, 1, 2])}))
        if rng.random() < 0.4:
            begin = {
                "at": first + rng.uniform(0, 900),
                "inside": rng.choice([None, "lost", *ids]),
                "severity_number": rng.choice([None, 9, 17]),
            }
            name = "run.started" if place == 0 else rng.choice([None, "checkpoint", "resilience.retry"])
            row = event(name, outcome=rng.choice([None, "success", "failure"]), latency_ms=rng.choice([None, 5.0]), **where, **begin)
            records.append(("events", row | said(rng, f"e-{span_id}")))
    return records


def said(rng: random.Random, name: str) -> dict[str, Any]:
    """What a record may say, or leave unsaid."""
    columns: dict[str, Any] = {column: rng.choice([None, None, "x", "y"]) for column in NAMED}
    columns |= {column: rng.choice([None, 0, 7, 1200]) for column in NUMBERED}
    columns |= {"step_kind": rng.choice(KINDS), "agent_name": rng.choice([None, "support", "billing"])}
    columns |= {"dialect": rng.choice([None, "auditlake", "otel-genai"]), "operation": rng.choice([None, "plan", "chat"])}
    columns |= {"error_type": rng.choice([None, None, *ERRORS]), "stop_reason": rng.choice(REASONS)}
    columns |= {"cost_usd": rng.choice([None, 0.25, 0.1]), "sent_cost_usd": rng.choice([None, 0.25, 0.3])}
    columns |= {"cost_source": rng.choice([None, "sent", "user"]), "cache_savings_usd": rng.choice([None, 0.5])}
    columns |= {"response_id": rng.choice([None, None, name, "shared"]), "scope_name": rng.choice([None, "x", "x", "auditlake.own"])}
    columns |= {"sequence": rng.choice([None, rng.randint(0, 12)]), "sequence_last": rng.choice([None, None, None, 14])}
    columns |= {"planning_ms": rng.choice([None, None, 5.0]), "execution_ms": rng.choice([None, None, 8.0])}
    columns |= {"quality_score": rng.choice([None, 0.5, 0.75]), "satisfaction": rng.choice([None, 4.0])}
    columns |= {
        "redactions": rng.choice([None, {}, {"URL": 2}, {"WITHHELD": 1, "URL": 1}]),
        "clock_flagged": rng.choice([None, False, True]),
    }
    columns["attributes"] = rng.choice([{}, {"event.name": ""}, {"event.name": "told"}, {rng.choice(ARGUMENTS): rng.choice("12")}])
    return columns


def test_runs_of_anything_are_the_same_alone_as_in_the_views(tmp_path: Path) -> None:
    """Every other one fell silent an hour ago; the others may still go on."""
    records = [record for number in range(RUNS) for record in odd_run(number)]
    rows = {kind: [row for of_kind, row in records if of_kind == kind] for kind in ("spans", "events")}
    write_lake(tmp_path, spans=rows["spans"], events=rows["events"])
    assert agree(tmp_path, clock=lambda: START_NS + 20 * MINUTE_NS) > RUNS / 2


def test_what_frameworks_sent_is_the_same_alone_as_in_the_views(tmp_path: Path) -> None:
    write_captures(tmp_path)
    assert agree(tmp_path) > 10


def test_what_dialects_need_more_for_than_rows_is_the_same_alone_as_in_the_views(tmp_path: Path) -> None:
    """Frameworks that tell a call twice, steps that are events of a span, spans that began and did not end, turns that share a name."""
    claude, codex = ClaudeCode("claude", traced=True), Codex("codex", env="codex", begin=3600, traced=True)
    requests = [request for make in FRAMEWORKS for request in make()]
    requests += [events_request(claude.events()), spans_of(claude.spans()), codex.logs(), codex.traces()]
    assert agree(seal(tmp_path / "data", requests)) > 5


def test_copies_of_a_request_that_was_stored_before_change_nothing(tmp_path: Path) -> None:
    """Whichever collector comes first by name: calls, an agent's own totals and orphans are those of the first copy, and it is told."""
    spans = [model(f"call {number}", parent="lost", at=number, run="calls", trace="calls") for number in range(6)]
    spans += [span(f"agent {number}", step_kind="agent", input_tokens=5, run=f"{number}", trace=f"{number}") for number in range(6)]
    for origin, copies in (("m/collector", False), ("a/collector", True), ("z/collector", True)):
        write_lake(tmp_path, origin=origin, spans=[row | {"resent": True if copies else None} for row in spans])
    assert agree(tmp_path) == 7
    with Lake.open(tmp_path) as lake:
        rows = lake.sql("SELECT run_id, steps, orphans, input_tokens FROM runs ORDER BY run_id DESC").to_pylist()
        found = reconstruct(lake, "calls")
    assert rows[0] == {"run_id": "calls", "steps": 6, "orphans": 6, "input_tokens": 600}
    assert {(row["steps"], row["input_tokens"]) for row in rows[1:]} == {(1, 5)}
    assert found is not None
    assert found["completeness"]["duplicates"] == 12


def test_steps_that_begin_together_have_one_order_however_they_are_read(tmp_path: Path) -> None:
    """By their number, spans before log records, then by what they say; what is not known comes last."""
    rng = random.Random(7)
    spans = [
        span(
            f"s{place}", at=rng.choice([0, 1]), took=rng.choice([1, 2]), id=rng.choice(["a", "b", None]), sequence=rng.choice([None, 0, 1])
        )
        | rng.choice([{}, {"end_ns": None, "end_time": None}])
        for place in range(40)
    ]
    events = [
        event(rng.choice([None, "é", "z"]), trace="trace-1", at=rng.choice([0, 1]), body=rng.choice([None, "", "x"]), inside=None)
        for _ in range(40)
    ]
    write_lake(tmp_path, spans=rng.sample(spans, 40), events=rng.sample(events, 40))
    with Lake.open(tmp_path) as lake, excerpt(lake, "run-1") as plain, excerpt(lake, "run-1") as whole:
        assert plain._without >= _DOUBTS
        whole._without = frozenset()
        assert [step["record_id"] for step in plain.steps] == [step["record_id"] for step in whole.steps]
        assert len(plain.steps) > 50


def test_arguments_of_calls_are_looked_for_where_the_view_does() -> None:
    said_in_view = view_sql("runs").split("tool_name || ' ' || coalesce(")[1].split(")")[0]
    assert tuple(part.split("'")[1] for part in said_in_view.split(",")) == ARGUMENTS
