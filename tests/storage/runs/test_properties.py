"""However the records of runs are shuffled, cut into batches and sent again, their reconstructions are the same."""

import random
from pathlib import Path
from typing import Any

from storage.lake import Lake
from storage.runs import reconstruct
from tests.lake_builder import START_NS, event, model, span, write_lake

RUNS = 8
PLACE = {"entry", "entry_row", "integrity", "received_ns", "duplicates"}
"""What says where a record stands, and not what happened."""
Records = list[tuple[str, dict[str, Any]]]


def run_of(number: int) -> Records:
    """A run of one to three traces: nested steps, orphans, same calls, log records, an end or none, clocks that disagree."""
    rng = random.Random(number)
    records: Records = []
    for trace in range(rng.randint(1, 3)):
        where = {"run": name_of(number, trace), "trace": name_of(number, trace)}
        ids = [f"{number}-{trace}-{place}" for place in range(rng.randint(1, 6))]
        records += [step(rng, ids, place, trace * 600, where) for place in range(len(ids))]
        for _ in range(rng.randint(0, 3)):
            said = {"inside": rng.choice([None, *ids]), "at": trace * 600 + rng.randint(0, 9)}
            records.append(("events", event("checkpoint", body=f"{rng.random()}", **where, **said)))
    if rng.random() < 0.5:
        first = name_of(number, 0)
        records.append(("events", event("run.started", run=first, trace=first, inside=f"{number}-0-0", step_kind="run", sequence=1)))
    return records


def step(rng: random.Random, ids: list[str], place: int, at: float, where: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """A span below an earlier one, or below one that never came."""
    service, offset = rng.choice([("front", 0), ("front", 0), ("worker", -30)])
    more: dict[str, Any] = {"parent": rng.choice(["lost", *ids[:place]]) if place else None, "id": ids[place], "at": at + place + offset}
    more |= {"status_code": rng.choice([0, 0, 2]), "resource_attributes": {"service.name": service}}
    if rng.random() < 0.3:
        return "spans", model("chat", response_id=rng.choice([None, "r-1", f"r-{ids[place]}"]), **where, **more)
    tool = rng.random() < 0.5
    arguments = {"gen_ai.tool.call.arguments": rng.choice(['{"q":1}', '{"q":2}'])}
    columns = (
        {"step_kind": "tool", "tool_name": "search", "attributes": arguments} if tool else {"step_kind": rng.choice(["agent", "other"])}
    )
    return "spans", span("step", took=rng.randint(0, 3), **where, **columns, **more)


def name_of(run: int, trace: int) -> str:
    return f"run{run}-trace{trace}"


def seal(data: Path, records: Records, joined: dict[str, str | None]) -> None:
    rows = {kind: [row for of_kind, row in records if of_kind == kind] for kind in ("spans", "events")}
    write_lake(data, spans=rows["spans"], events=rows["events"], trace_runs=joined)


def told(lake: Lake, run_id: str) -> Any:
    found = reconstruct(lake, run_id)
    assert found is not None
    names = {step["record_id"]: (step["trace_id"], step["span_id"], step["name"], step["started_at"]) for step in found["steps"]}
    return without_place({**found, "parents": [step["parent_record_id"] for step in found["steps"]]}, names)


def without_place(value: Any, names: dict[str, Any]) -> Any:
    """The same with what the records are in place of where they stand."""
    if isinstance(value, dict):
        return {key: without_place(item, names) for key, item in value.items() if key not in PLACE}
    if isinstance(value, list):
        return [without_place(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def test_a_reconstruction_is_the_same_whatever_the_batches(tmp_path: Path) -> None:
    """Also when traces are joined after their rows, the beginning comes last, and some records come twice."""
    rng = random.Random(1)
    records = [record for number in range(RUNS) for record in run_of(number)]
    joined: dict[str, str | None] = {name_of(number, trace): name_of(number, 0) for number in range(RUNS) for trace in (1, 2)}
    seal(tmp_path / "at once", records, joined)
    shuffled = rng.sample(records, len(records))
    cuts = sorted(rng.sample(range(len(records)), 4))
    for begin, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        seal(tmp_path / "in parts", shuffled[begin:end], {})
    seal(tmp_path / "in parts", rng.sample(records, 12), joined)
    clock = {"clock": lambda: START_NS + 7200 * 1_000_000_000}
    with Lake.open(tmp_path / "at once", **clock) as one, Lake.open(tmp_path / "in parts", **clock) as other:
        for number in range(RUNS):
            assert told(one, name_of(number, 0)) == told(other, name_of(number, 0)), number
        again = [reconstruct(other, name_of(number, 0)) for number in range(RUNS)]
        assert sum(found["completeness"]["duplicates"] for found in again if found is not None) == 12
