"""Tasks, their changes of state, and the queues in which they wait."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from storage.lake import Lake
from tests.lake_builder import START_NS, Row, event, metric, write_lake


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def rows(data: Path, sql: str, *, now: float = 3600) -> list[dict[str, Any]]:
    """The answer as seen `now` seconds after the start."""
    with Lake.open(data, clock=lambda: START_NS + int(now * 1e9)) as lake:
        found: list[dict[str, Any]] = lake.sql(sql).to_pylist()
    return found


def one(data: Path, sql: str, *, now: float = 3600) -> dict[str, Any]:
    (row,) = rows(data, sql, now=now)
    return row


def task(task_id: str, state: str, at: float, *, attributes: Mapping[str, str] = {}, **columns: Any) -> Row:
    said = {"auditlake.task.id": task_id, "auditlake.task.state": state, **attributes}
    return event("task", at=at, attributes=said, **({"tenant": "acme", "environment": "prod"} | columns))


# tasks


def test_a_task_is_one_row_with_where_it_stands(data: Path) -> None:
    delivered = {"auditlake.task.deliverable": "report-3"}
    approved = {"auditlake.task.review": "approved"}
    write_lake(
        data,
        events=[
            task("t-1", "created", 0, task_type="refund"),
            task("t-1", "assigned", 10),
            task("t-1", "in_progress", 20),
            task("t-1", "blocked", 30),
            task("t-1", "in_progress", 60),
            task("t-1", "submitted", 80, attributes=delivered),
            task("t-1", "reviewed", 90, attributes=approved),
            task("t-1", "done", 100),
        ],
    )
    row = one(data, "SELECT * FROM tasks")
    assert (row["state"], row["task_type"], row["deliverable"], row["review"], row["transitions"]) == (
        "done", "refund", "report-3", "approved", 8,
    )  # fmt: skip
    assert (row["completion_ms"], row["in_progress_ms"], row["blocked_ms"], row["state_ms"]) == (100_000, 30_000, 30_000, None)
    assert row["completed_at"] == row["state_since"]


def test_a_stuck_task_says_how_long_it_has_been_in_its_state(data: Path) -> None:
    write_lake(data, events=[task("t-1", "created", 0), task("t-1", "in_progress", 60)])
    row = one(data, "SELECT state, state_ms, in_progress_ms, completed_at, completion_ms FROM tasks", now=5 * 3600)
    assert row == {
        "state": "in_progress",
        "state_ms": 17_940_000,
        "in_progress_ms": 17_940_000,
        "completed_at": None,
        "completion_ms": None,
    }


def test_a_task_that_is_taken_up_again_is_not_done(data: Path) -> None:
    rejected = {"auditlake.task.review": "rejected"}
    write_lake(
        data,
        events=[task("t", "created", 0), task("t", "reviewed", 5, attributes=rejected), task("t", "done", 10), task("t", "assigned", 20)],
    )
    row = one(data, "SELECT state, completed_at, completion_ms, rejections FROM tasks")
    assert row == {"state": "assigned", "completed_at": None, "completion_ms": None, "rejections": 1}


def test_the_same_id_of_another_tenant_is_another_task(data: Path) -> None:
    write_lake(data, events=[task("t-1", "done", 0), task("t-1", "created", 1, tenant="globex"), task("t-1", "created", 1, tenant=None)])
    assert {(row["tenant"], row["state"]) for row in rows(data, "SELECT tenant, state FROM tasks")} == {
        ("acme", "done"), ("globex", "created"), (None, "created"),
    }  # fmt: skip


def test_changes_in_any_order_and_at_one_instant_give_the_same_task(data: Path) -> None:
    events = [task("t-1", state, at) for state, at in [("done", 5), ("created", 0), ("in_progress", 0), ("assigned", 0)]]
    for single in events:
        write_lake(data, events=[single])
    told = rows(data, "SELECT state, number, held_ms FROM task_transitions ORDER BY number")
    assert [row["state"] for row in told] == ["created", "assigned", "in_progress", "done"]
    assert [row["held_ms"] for row in told] == [0, 0, 5000, None]
    assert one(data, "SELECT state FROM tasks")["state"] == "done"


def test_utilisation_and_the_approval_rate_are_queries(data: Path) -> None:
    """What an agent spent in progress, of an hour; the share of reviews that approved."""
    approved, rejected = {"auditlake.task.review": "approved"}, {"auditlake.task.review": "rejected"}
    write_lake(
        data,
        events=[
            task("a", "in_progress", 0), task("a", "reviewed", 900, attributes=approved), task("a", "done", 901),
            task("b", "in_progress", 1000), task("b", "reviewed", 1900, attributes=rejected),
        ],
    )  # fmt: skip
    used = one(data, "SELECT agent_name, sum(held_ms) FILTER (state = 'in_progress') / 3600e3 AS used FROM task_transitions GROUP BY ALL")
    assert used == {"agent_name": "support", "used": 0.5}
    assert one(data, "SELECT avg((review = 'approved')::INT) AS rate FROM task_transitions WHERE review IS NOT NULL")["rate"] == 0.5


# queues


def test_a_queue_that_backs_up_is_found(data: Path) -> None:
    """More than ten unassigned for more than an hour: the smallest depth of the hour says so."""
    depths = {0: 3, 600: 12, 2400: 14, 4300: 11}
    reports = [
        metric(
            "auditlake.queue.depth", at=at, value_int=depth, attributes={"auditlake.queue.name": "q", "auditlake.queue.assigned": "false"}
        )
        for at, depth in depths.items()
    ]
    write_lake(data, metrics=reports)
    sql = """SELECT queue_name, min(depth) AS depth FROM queues WHERE NOT assigned AND time > TIMESTAMP '2026-11-21 12:13:00'
             GROUP BY ALL HAVING min(depth) > 10"""
    assert one(data, sql) == {"queue_name": "q", "depth": 11.0}
