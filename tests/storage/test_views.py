"""What the views say: facts about runs, steps and the operational views, each on a lake of a few rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from storage.lake import Lake
from storage.views import CREATED, VIEWS, view_sql
from tests.lake_builder import START_NS, Row, event, metric, model, span, write_lake


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def readers() -> Iterator[None]:
    """A test's lake is opened once for each time at which it is asked: that costs more than most questions."""
    yield
    while READERS:
        READERS.popitem()[1].close()


READERS: dict[tuple[Path, int], Lake] = {}


def rows(data: Path, sql: str, *, now_ns: int = START_NS + 60 * 1_000_000_000) -> list[dict[str, Any]]:
    if (data, now_ns) not in READERS:
        READERS[data, now_ns] = Lake.open(data, clock=lambda: now_ns)
    found: list[dict[str, Any]] = READERS[data, now_ns].sql(sql).to_pylist()
    return found


def one(data: Path, sql: str, **options: Any) -> dict[str, Any]:
    (row,) = rows(data, sql, **options)
    return row


def test_every_view_has_a_header_and_can_be_read_from_an_empty_lake(data: Path) -> None:
    """A lake without a single file has typed, empty views."""
    write_lake(data)
    assert all(view_sql(name).startswith("-- ") for name in CREATED)
    with Lake.open(data) as lake:
        for view in VIEWS:
            table = lake.sql(f"SELECT * FROM {view}")
            assert (table.num_rows, table.num_columns > 5) == (0 if view != "ingest_log" else 1, True), view


def test_a_record_id_is_origin_entry_row(data: Path) -> None:
    write_lake(data, spans=[span("a"), span("b")], events=[event("x")])
    assert [row["record_id"] for row in rows(data, "SELECT record_id FROM spans ORDER BY 1")] == [
        "node/collector/1/0",
        "node/collector/1/1",
    ]
    assert one(data, "SELECT record_id FROM events")["record_id"] == "node/collector/1/2"


def test_the_map_of_the_catalog_has_the_last_word_on_a_run_id(data: Path) -> None:
    """Two traces of one run, joined after the first was sealed."""
    write_lake(data, spans=[span("a", run="trace-1", trace="trace-1")])
    write_lake(data, spans=[span("b", run="trace-2", trace="trace-2", at=5)], trace_runs={"trace-1": "trace-2"})
    run = one(data, "SELECT * FROM runs")
    assert (run["run_id"], run["trace_ids"], run["steps"]) == ("trace-2", ["trace-1", "trace-2"], 2)
    assert one(data, "SELECT sent_run_id FROM spans WHERE name = 'a'")["sent_run_id"] == "trace-1"


def test_tokens_and_cost_come_from_inference_steps_only(data: Path) -> None:
    """An agent span repeats the totals of its calls: the sum must not double."""
    agent = span("agent", step_kind="agent", input_tokens=200, output_tokens=20, cost_usd=1.0)
    write_lake(data, spans=[agent, model("m1", parent="agent", at=0.1), model("m2", parent="agent", at=0.5)])
    run = one(data, "SELECT * FROM runs")
    assert (run["input_tokens"], run["output_tokens"], run["cost_usd"], run["model_calls"]) == (200, 20, 1.0, 2)


def test_an_inference_inside_an_inference_counts_once(data: Path) -> None:
    """Directly nested, with one step of no kind between, or written as an event into the inference span."""
    spans = [
        model("outer", tokens=(300, 30), cost=3.0), model("inner", parent="outer"),
        span("http", parent="outer", step_kind="other"), model("deep", parent="http"),
    ]  # fmt: skip
    inside = event("gen_ai.client.inference.operation.details", trace="trace-1", inside="outer", step_kind="model", input_tokens=300)
    write_lake(data, spans=spans, events=[inside])
    run = one(data, "SELECT * FROM runs")
    assert (run["input_tokens"], run["cost_usd"], run["model_calls"]) == (300, 3.0, 1)
    assert [row["name"] for row in rows(data, "SELECT name FROM steps WHERE counted")] == ["outer"]


def test_a_wrapper_without_tokens_gives_way_to_the_call_within(data: Path) -> None:
    write_lake(data, spans=[model("wrapper", tokens=None, cost=None), model("call", parent="wrapper")])
    assert [row["name"] for row in rows(data, "SELECT name FROM steps WHERE counted")] == ["call"]


def test_a_call_between_inferences_of_its_own_counts(data: Path) -> None:
    """A tool that calls a model is no wrapper: both calls were made."""
    spans = [model("outer"), span("tool", parent="outer", step_kind="tool"), model("inner", parent="tool")]
    write_lake(data, spans=spans)
    assert one(data, "SELECT model_calls FROM runs")["model_calls"] == 2


def test_one_response_counts_once(data: Path) -> None:
    """Two instrumentations report the same call: the better informed one counts; another run's equal id is another call."""
    spans = [
        model("thin", tokens=None, cost=None, response_id="r-1"), model("full", at=1, response_id="r-1"),
        model("other", run="run-2", trace="trace-2", response_id="r-1"),
    ]  # fmt: skip
    write_lake(data, spans=spans)
    assert {row["name"] for row in rows(data, "SELECT name FROM steps WHERE counted")} == {"full", "other"}


def test_unknown_is_null_and_never_zero(data: Path) -> None:
    write_lake(data, spans=[model("m", tokens=None, cost=None), span("t", step_kind="tool")])
    run = one(data, "SELECT * FROM runs")
    assert [run[name] for name in ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "cost_usd")] == [None] * 5
    assert run["unpriced_calls"] == 1


def started(**columns: Any) -> dict[str, Any]:
    return event("run.started", trace="trace-1", step_kind="run", **columns)


@pytest.mark.parametrize(("seconds", "status"), [(60, "running"), (899, "running"), (901, "abandoned")])
def test_a_run_without_an_end_is_running_until_it_was_silent_for_long(data: Path, seconds: int, status: str) -> None:
    write_lake(data, events=[started(at=-10), event("checkpoint", trace="trace-1", at=0, step_kind="checkpoint")])
    run = one(data, "SELECT * FROM runs", now_ns=START_NS + seconds * 1_000_000_000)
    assert (run["status"], run["ended_at"], run["duration_ms"]) == (status, None, 10_000)


def test_a_run_span_ends_the_run(data: Path) -> None:
    """The root of a web request that returned early does not."""
    write_lake(data, spans=[span("POST /run", step_kind="other", took=0.1)], events=[started()])
    assert one(data, "SELECT status FROM runs")["status"] == "running"
    write_lake(data, spans=[span("run", step_kind="run", parent="POST /run", at=0, took=9, stop_reason="max_steps")])
    run = one(data, "SELECT * FROM runs")
    assert (run["status"], run["stop_reason"], run["name"], run["duration_ms"]) == ("ok", "max_steps", "run", 9000)


def test_a_run_fails_with_its_root_not_with_a_step(data: Path) -> None:
    tool = span("tool", parent="root", step_kind="tool", status_code=2)
    write_lake(data, spans=[span("root", step_kind="agent"), tool])
    write_lake(data, spans=[span("root", run="run-2", trace="trace-2", step_kind="agent", status_code=2)])
    found = {row["run_id"]: (row["status"], row["errors"]) for row in rows(data, "SELECT * FROM runs")}
    assert found == {"run-1": ("ok", 1), "run-2": ("error", 1)}


def test_orphans_and_gaps_are_counted(data: Path) -> None:
    spans = [span("a", sequence=2, step_kind="agent"), span("b", parent="gone", sequence=5), span("c", parent="a", sequence=5)]
    write_lake(data, spans=spans, events=[started(sequence=1, inside="never came")])
    run = one(data, "SELECT orphans, gaps FROM runs")
    assert run == {"orphans": 2, "gaps": 2}  # `b` and run.started; the numbers 3 and 4


def test_gaps_reach_to_the_number_that_the_end_declared(data: Path) -> None:
    """A run of two parts (an approval between them) declares twice."""
    first = [span("run", step_kind="run", sequence=3, sequence_last=3), span("a", parent="run", sequence=2)]
    second = [span("run again", trace="trace-2", step_kind="run", sequence=6, sequence_last=6, at=9)]
    write_lake(data, spans=first, events=[started(sequence=1)])
    assert one(data, "SELECT status, gaps FROM runs") == {"status": "ok", "gaps": 0}
    write_lake(data, spans=second, events=[started(sequence=4, at=8)])
    assert one(data, "SELECT status, gaps FROM runs") == {"status": "ok", "gaps": 1}


def test_runs_that_are_not_numbered_have_no_gaps(data: Path) -> None:
    write_lake(data, spans=[span("a")])
    assert one(data, "SELECT gaps FROM runs")["gaps"] == 0


ROOTS: dict[str, tuple[dict[str, list[Row]], str, str]] = {
    "child": ({"spans": [span("child", parent="to come")]}, "running", "abandoned"),
    "failed child": ({"spans": [span("child", parent="to come", status_code=2)]}, "running", "error"),
    "log record in a span": ({"events": [event("log", trace="trace-1", inside="to come")]}, "running", "ok"),
    "log record": ({"events": [event("agent_action")]}, "running", "ok"),
    "root": ({"spans": [span("root"), span("child", parent="never came")]}, "ok", "ok"),
    "run span": ({"spans": [span("run", parent="never came", step_kind="run")]}, "ok", "ok"),
    "root of another run": ({"spans": [span("child", parent="a"), span("a", run="run-2")]}, "ok", "ok"),
    "sdk": (
        {"spans": [span("child", parent="to come")], "events": [event("run.started", trace="trace-1")]}, "running", "abandoned",
    ),
}  # fmt: skip
"""What is there of a run, and its status 14 and 16 minutes after."""


def renamed(rows_of: list[Row], name: str) -> list[Row]:
    """The same rows in traces and runs of their own."""
    named = ("run_id", "trace_id")
    return [{key: f"{value} {name}" if key in named and value else value for key, value in row.items()} for row in rows_of]


def test_a_run_is_running_while_its_root_may_come(data: Path) -> None:
    write_lake(
        data,
        spans=[row for name, (given, _, _) in ROOTS.items() for row in renamed(given.get("spans", []), name)],
        events=[row for name, (given, _, _) in ROOTS.items() for row in renamed(given.get("events", []), name)],
    )
    query = "SELECT run_id, status, ended_at IS NULL AS open FROM runs WHERE starts_with(run_id, 'run-1 ')"
    for minutes, at in ((14, 1), (16, 2)):
        found = {row["run_id"]: (row["status"], row["open"]) for row in rows(data, query, now_ns=START_NS + minutes * 60_000_000_000)}
        expected = {name: str(case[at]) for name, case in ROOTS.items()}
        assert found == {f"run-1 {name}": (status, status in {"running", "abandoned"}) for name, status in expected.items()}, minutes


def test_a_parent_in_another_run_is_no_orphan(data: Path) -> None:
    """The web request around an SDK's run has another run id and the same trace."""
    write_lake(data, spans=[span("POST /", run="trace-1"), span("run", run="run-1", parent="POST /", step_kind="run")])
    assert one(data, "SELECT orphans FROM runs WHERE run_id = 'run-1'")["orphans"] == 0


def test_redactions_and_withheld_values_are_counted_apart(data: Path) -> None:
    write_lake(data, spans=[span("a", redactions={"EMAIL_ADDRESS": 2, "WITHHELD": 1})], events=[event("x", redactions={"CREDIT_CARD": 1})])
    assert one(data, "SELECT redactions, withheld FROM runs") == {"redactions": 3, "withheld": 1}
    found = rows(data, "SELECT source, entity, findings FROM redaction_log ORDER BY entity")
    assert [tuple(row.values()) for row in found] == [("event", "CREDIT_CARD", 1), ("span", "EMAIL_ADDRESS", 2), ("span", "WITHHELD", 1)]


def test_the_redaction_log_tells_rule_and_key_also_of_what_was_kept(data: Path) -> None:
    receipt = {"entity": "EMAIL_ADDRESS", "rule": "EmailRecognizer", "key": "customer.mail", "count": 2}
    kept = {"entity": "KEPT", "rule": "URL/UrlRecognizer", "key": "body", "count": 1}
    write_lake(data, spans=[span("a", redactions={"EMAIL_ADDRESS": 2}, redaction_receipts=[receipt])])
    write_lake(data, events=[event("x", redaction_receipts=[kept])])
    found = rows(data, "SELECT entity, rule, key, findings FROM redaction_log ORDER BY entity")
    assert [tuple(row.values()) for row in found] == [tuple(receipt.values()), tuple(kept.values())]


def test_the_redaction_log_reads_files_that_are_older_than_receipts(data: Path) -> None:
    """Files of schema version 1 have no such column: rule and key are unknown."""
    (old,) = write_lake(data, spans=[span("old", redactions={"CREDIT_CARD": 1})])
    path = data / old.path
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["redaction_receipts"]), path)
    receipt = {"entity": "EMAIL_ADDRESS", "rule": "EmailRecognizer", "key": "name", "count": 1}
    write_lake(data, spans=[span("new", redactions={"EMAIL_ADDRESS": 1}, redaction_receipts=[receipt])])
    found = rows(data, "SELECT entity, rule, key, findings FROM redaction_log ORDER BY entity")
    assert [tuple(row.values()) for row in found] == [("CREDIT_CARD", None, None, 1), tuple(receipt.values())]


def test_what_auditlake_writes_about_itself_is_in_no_run(data: Path) -> None:
    own = [event("alert.transition", scope_name="auditlake.alerts"), event("read", scope_name="auditlake.access")]
    write_lake(data, spans=[span("a", scope_name="auditlake")], events=own)
    assert one(data, "SELECT steps FROM runs")["steps"] == 1
    assert one(data, "SELECT count(*) AS n FROM events")["n"] == 2


def test_records_without_a_run_make_no_run(data: Path) -> None:
    beat = event("heartbeat", run=None, step_kind="heartbeat")
    write_lake(data, events=[beat, event("task", run=None), event("heartbeat", run="trace-9", trace="trace-9", step_kind="heartbeat")])
    assert rows(data, "SELECT * FROM runs") == []


def test_alert_log_shows_transitions_of_the_alert_process_only(data: Path) -> None:
    said = {
        "auditlake.alert.name": "AgentDown", "auditlake.alert.group": "agents", "auditlake.alert.state": "firing",
        "auditlake.alert.severity": "critical", "auditlake.alert.value": "3.5", "auditlake.alert.labels": '{"agent_name":"a"}',
        "auditlake.alert.fingerprint": "9f2c", "auditlake.alert.active_at": "2026-11-21T13:00:00+01:00", "auditlake.alert.summary": "s",
    }  # fmt: skip
    forged = event("alert.transition", attributes=said, scope_name="some.agent")
    write_lake(data, events=[event("alert.transition", attributes=said, scope_name="auditlake.alerts"), forged])
    row = one(data, "SELECT * FROM alert_log")
    assert (row["alertname"], row["rule_group"], row["state"], row["severity"], row["value"]) == (
        "AgentDown",
        "agents",
        "firing",
        "critical",
        3.5,
    )
    assert f"{row['active_at']}" == "2026-11-21 12:00:00"


def test_heartbeats_read_their_attributes(data: Path) -> None:
    beat = {
        "auditlake.heartbeat.status": "busy", "auditlake.heartbeat.interval_seconds": "60", "auditlake.heartbeat.cpu_percent": "3.5",
        "auditlake.heartbeat.memory_bytes": "81000000",
    }  # fmt: skip
    write_lake(data, events=[event("heartbeat", attributes=beat, run=None), event("agent.shutdown", run=None, at=1)])
    first, last = rows(data, "SELECT * FROM heartbeats ORDER BY time")
    assert (first["status"], first["interval_seconds"], first["cpu_percent"], first["memory_bytes"]) == ("busy", 60.0, 3.5, 81_000_000)
    assert (first["shutdown"], last["shutdown"]) == (False, True)


def test_tool_calls_show_arguments_whatever_the_dialect(data: Path) -> None:
    keys = ("gen_ai.tool.call.arguments", "input.value", "traceloop.entity.input", "ai.toolCall.args", "tool_arguments")
    write_lake(data, spans=[span(key, step_kind="tool", tool_name="t", attributes={key: key}) for key in keys])
    assert {row["arguments"] for row in rows(data, "SELECT arguments FROM tool_calls")} == set(keys)


def test_queues_and_tasks(data: Path) -> None:
    depth = metric("auditlake.queue.depth", value_int=12, attributes={"auditlake.queue.name": "q", "auditlake.queue.assigned": "false"})
    write_lake(data, events=[event("task", attributes={"auditlake.task.id": "t-1", "auditlake.task.state": "done"})], metrics=[depth])
    row = one(data, "SELECT queue_name, assigned, depth FROM queues")
    assert row == {"queue_name": "q", "assigned": False, "depth": 12.0}
    assert one(data, "SELECT task_id, state FROM tasks") == {"task_id": "t-1", "state": "done"}


def test_audit_writes_count_and_interpolate_within_buckets(data: Path) -> None:
    """100 writes: 90 within 1 ms, 5 within 5 ms, 4 within 20 ms, one of 40 ms."""
    ack = metric(
        "auditlake.ack.duration", type="histogram", unit="s", scope_name="auditlake.collector", attributes={"class": "audit"},
        count=100, sum=0.2, min=0.0005, max=0.04, bucket_bounds=[0.001, 0.005, 0.02], bucket_counts=[90, 5, 4, 1],
    )  # fmt: skip
    write_lake(data, metrics=[ack, {**ack, "scope_name": "somebody.else"}])
    row = one(data, "SELECT * FROM audit_writes")
    assert (row["class"], row["writes"], row["within_5ms"], row["within_20ms"], row["max_ms"]) == ("audit", 100, 95, 99, 40.0)
    assert row["p50_ms"] == pytest.approx(50 / 90)
    assert row["p99_ms"] == pytest.approx(20.0)


def test_percentiles_over_origins_come_from_their_buckets_added(data: Path) -> None:
    """99 quick writes of one worker and one slow write of another: the median of both is quick, whatever their own medians are."""
    quick = metric(
        "auditlake.ack.duration", type="histogram", unit="s", scope_name="auditlake.collector", attributes={"class": "audit"},
        count=99, sum=0.1, min=0.0005, max=0.001, bucket_bounds=[0.001, 0.005, 0.02], bucket_counts=[99, 0, 0, 0],
    )  # fmt: skip
    slow = quick | {"count": 1, "max": 0.5, "bucket_counts": [0, 0, 0, 1]}
    write_lake(data, metrics=[quick])
    write_lake(data, metrics=[slow], origin="n1/collector-2")
    assert [row["p50_ms"] for row in rows(data, "SELECT p50_ms FROM audit_writes ORDER BY p50_ms")] == [
        pytest.approx(49.5 / 99),
        pytest.approx(260.0),
    ]
    merged = one(
        data,
        """SELECT sum(writes) AS writes,
        bucket_percentile(any_value(bucket_bounds_ms), added_buckets(bucket_counts), max(max_ms), 0.5) AS p50,
        bucket_percentile(any_value(bucket_bounds_ms), added_buckets(bucket_counts), max(max_ms), 1.0) AS most
        FROM audit_writes WHERE class = 'audit'""",
    )
    assert merged == {"writes": 100, "p50": pytest.approx(50 / 99), "most": 500.0}


def test_what_a_collector_refused_is_a_security_event_of_no_run(data: Path) -> None:
    """It stands for as many attempts as it says; an agent's own event stands for one."""
    said = {"category": "authentication", "sender": "192.0.2.7", "count": "12"}
    refused = event(
        "security",
        scope_name="auditlake.collector",
        outcome="denied",
        reason_code="unauthenticated",
        attributes={f"auditlake.security.{key}": value for key, value in said.items()},
    )
    write_lake(data, events=[refused, event("security", attributes={"auditlake.security.category": "injection"})])
    found = rows(data, "SELECT category, sender, attempts, run_id IS NULL AS outside FROM security_events ORDER BY category")
    assert found == [
        {"category": "authentication", "sender": "192.0.2.7", "attempts": 12, "outside": True},
        {"category": "injection", "sender": None, "attempts": 1, "outside": False},
    ]
    assert [row["name"] for row in rows(data, "SELECT name FROM steps")] == ["security"], "what is ours is no step"


def test_a_security_event_that_names_us_as_its_detector_says_that_it_was_sent(data: Path) -> None:
    detector = {"auditlake.security.detector": "auditlake.collector"}
    verify = {"auditlake.security.detector": "auditlake.verify"}
    ours = [event("security", scope_name=said["auditlake.security.detector"], attributes=said) for said in (detector, verify)]
    write_lake(
        data, events=[*ours, event("security", attributes=detector), event("security", attributes={"auditlake.security.detector": "ids"})]
    )
    found = rows(data, "SELECT detector, run_id IS NULL AS outside FROM security_events ORDER BY ALL")
    assert [(row["detector"], row["outside"]) for row in found] == [
        ("auditlake.collector", True),
        ("auditlake.verify", True),
        ("ids", False),
        ("sent-as:auditlake.collector", False),
    ]


def test_ingest_log_has_every_entry_and_sees_new_ones(data: Path) -> None:
    write_lake(data, spans=[span("a")])
    with Lake.open(data) as lake:
        first = lake.sql("SELECT * FROM ingest_log").to_pylist()
        write_lake(data, spans=[span("b"), span("c")])
        second = lake.sql("SELECT * FROM ingest_log ORDER BY entry").to_pylist()
    assert [(row["entry"], row["stored"], row["lag_ms"]) for row in first] == [(1, 1, 1000.0)]
    assert [(row["entry"], row["stored"]) for row in second] == [(1, 1), (2, 2)]


def test_an_approval_that_a_span_states_is_an_approval(data: Path) -> None:
    """Some frameworks leave no record of its own: the agent's span says that it waits."""
    write_lake(data, spans=[span("agent", step_kind="agent", approval_state="requested", action="refund")])
    assert one(data, "SELECT approval_state, action FROM approvals") == {"approval_state": "requested", "action": "refund"}


def test_a_message_does_not_repeat_the_error_of_its_call(data: Path) -> None:
    said = event("gen_ai.client.inference.operation.details", trace="trace-1", inside="m", step_kind="message", error_type="429")
    write_lake(data, spans=[model("m", status_code=2, error_type="429")], events=[said])
    assert one(data, "SELECT errors FROM runs")["errors"] == 1


def test_documents_are_found_where_a_dialect_spreads_them(data: Path) -> None:
    spread = {"retrieval.documents.0.document.id": "doc-1", "other": "x"}
    write_lake(data, spans=[span("r", step_kind="retrieval", attributes=spread), span("s", step_kind="retrieval", at=1)])
    found = [row["documents"] for row in rows(data, "SELECT documents FROM retrievals ORDER BY started_at")]
    assert found == ['{"retrieval.documents.0.document.id":"doc-1"}', None]
