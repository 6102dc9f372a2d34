"""No call counts twice, whoever reports it and however often it was tried; every call that was made counts once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from storage.lake import Lake
from storage.runs import reconstruct
from tests.lake_builder import Row, event, model, span, write_lake


def other(name: str, **columns: Any) -> Row:
    return span(name, step_kind="other", **columns)


def called(name: str, **columns: Any) -> Row:
    """A log record that is an inference."""
    return event(name, step_kind="model", model="gpt-5", **{"trace": "trace-1", "input_tokens": 100, "output_tokens": 10, **columns})


def failed(name: str, **columns: Any) -> Row:
    return model(name, tokens=None, cost=None, status_code=2, error_type="RateLimitError", **columns)


def asked(text: str) -> dict[str, str]:
    return {"attributes": {"gen_ai.input.messages": text}}  # type: ignore[dict-item]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def counted(data: Path, *, spans: list[Row], events: list[Row] | None = None) -> tuple[set[str], set[str]]:
    """The names of the steps that count, and of those that were retried; the view and the reconstructions of its runs say the same."""
    write_lake(data, spans=spans, events=events or [])
    with Lake.open(data) as lake:
        rows = lake.sql("SELECT run_id, name, counted, retried FROM steps").to_pylist()
        found = [reconstruct(lake, run_id) for run_id in {row["run_id"] for row in rows} - {None}]
    said = _names(rows)
    assert said == _names([step for run in found if run is not None for step in run["steps"]])
    return said


def _names(steps: Sequence[Row]) -> tuple[set[str], set[str]]:
    return {step["name"] for step in steps if step["counted"]}, {step["name"] for step in steps if step["retried"]}


def test_of_wrappers_around_wrappers_the_outermost_counts(data: Path) -> None:
    """A framework's call through a gateway to a provider, with the spans of HTTP clients and servers between them."""
    spans = [
        model("framework"), other("http client", parent="framework"), other("http server", parent="http client"),
        other("route", parent="http server"), model("gateway", parent="route", tokens=None), other("http out", parent="gateway"),
        model("provider", parent="http out"),
    ]  # fmt: skip
    assert counted(data, spans=spans) == ({"framework"}, set())


def test_a_wrapper_in_the_middle_that_knows_nothing_hides_nothing(data: Path) -> None:
    spans = [model("outer", tokens=None), model("middle", parent="outer", tokens=None), model("inner", parent="middle")]
    assert counted(data, spans=spans)[0] == {"inner"}


def test_a_wrapper_of_several_calls_counts_instead_of_them_only_when_it_knows_their_sum(data: Path) -> None:
    both = [model("one", parent="outer", at=0.1, took=0.2), model("two", parent="outer", at=0.5, took=0.2)]
    assert counted(data, spans=[model("outer", tokens=(200, 20)), *both])[0] == {"outer"}


def test_calls_in_a_wrapper_without_tokens_count_each(data: Path) -> None:
    both = [model("one", parent="outer", at=0.1, took=0.2), model("two", parent="outer", at=0.5, took=0.2)]
    assert counted(data, spans=[model("outer", tokens=None), *both])[0] == {"one", "two"}


def test_of_equal_reports_within_each_other_the_one_that_knows_more_counts(data: Path) -> None:
    """A framework that leaves the cached tokens out makes the call look dearer than it was."""
    spans = [model("framework"), model("gateway", parent="framework"), model("provider", parent="gateway", cache_read_tokens=90)]
    assert counted(data, spans=spans)[0] == {"provider"}


def test_a_circle_of_parents_ends(data: Path) -> None:
    spans = [model("a", parent="b"), model("b", parent="a"), other("c", parent="d"), other("d", parent="c")]
    assert len(counted(data, spans=spans)[0]) <= 1


def test_a_tool_that_calls_a_model_makes_a_call_of_its_own(data: Path) -> None:
    spans = [model("outer"), span("tool", parent="outer", step_kind="tool"), other("http", parent="tool"), model("inner", parent="http")]
    assert counted(data, spans=spans)[0] == {"outer", "inner"}


def test_two_instrumentations_beside_each_other_report_one_call(data: Path) -> None:
    """OpenInference and OpenTelemetry GenAI active at once, neither within the other, without a response id."""
    spans = [
        span("agent", step_kind="agent"),
        model("one", parent="agent", at=0.1, took=0.5, scope_name="openinference.instrumentation.openai"),
        model("same", parent="agent", at=0.11, took=0.48, scope_name="opentelemetry.instrumentation.openai_v2", cache_read_tokens=5),
    ]  # fmt: skip
    assert counted(data, spans=spans)[0] == {"same"}


def test_two_instrumentations_of_calls_made_at_once_report_each_call_twice(data: Path) -> None:
    spans = [
        model(f"{scope}{call}", parent="agent", at=call / 100, took=0.5, scope_name=scope) for call in range(3) for scope in ("x", "y")
    ]  # fmt: skip
    assert len(counted(data, spans=spans)[0]) == 3


@pytest.mark.parametrize(
    "second",
    [
        {"at": 2.0}, {"parent": "another"}, {"tokens": (101, 10)}, {"model": "gpt-4o", "model_requested": "gpt-4o"}, {"scope_name": "x"},
    ],
    ids=lambda second: next(iter(second)),
)  # fmt: skip
def test_calls_that_differ_in_anything_that_tells_calls_apart_count_both(data: Path, second: dict[str, Any]) -> None:
    first = model("first", parent="agent", at=0.1, took=0.5, scope_name="x")
    assert counted(data, spans=[first, model("second", **{"parent": "agent", "at": 0.1, "took": 0.5, "scope_name": "y"} | second)])[0] == {
        "first",
        "second",
    }


def test_response_ids_that_contradict_each_other_are_two_calls(data: Path) -> None:
    spans = [
        model("first", parent="agent", scope_name="x", response_id="r-1"),
        model("second", parent="agent", scope_name="y", response_id="r-2"),
    ]  # fmt: skip
    assert counted(data, spans=spans)[0] == {"first", "second"}


def test_a_streamed_call_that_is_a_span_and_a_log_record_counts_once(data: Path) -> None:
    """By its id; by its place in the span; and, written in the agent's span when the stream ended, by its time and size."""
    spans = [span("agent", step_kind="agent", took=9), model("stream", parent="agent", at=1, took=2)]
    beside = called("api_request", inside="agent", at=3.2, latency_ms=2100)
    assert counted(data, spans=spans, events=[beside])[0] == {"stream"}


def test_a_log_record_with_the_id_of_a_wrapped_call_is_that_call(data: Path) -> None:
    spans = [model("outer", at=1), model("inner", parent="outer", at=1, response_id="r-1")]
    late = called("details", inside="elsewhere", at=60, response_id="r-1")
    assert counted(data, spans=spans, events=[late])[0] == {"outer"}


def test_a_framework_that_only_logs_has_every_call_counted(data: Path) -> None:
    """Claude Code's and Codex' requests: no spans, often no trace; equal sizes are no sign of a repetition."""
    events = [called(f"request {number}", trace=None, at=number) for number in range(3)]
    assert counted(data, spans=[], events=events)[0] == {"request 0", "request 1", "request 2"}


def test_an_attempt_that_failed_and_was_made_again_is_a_retry(data: Path) -> None:
    spans = [
        failed("first", parent="agent", at=0, took=0.2), failed("second", parent="agent", at=1, took=0.2),
        model("third", parent="agent", at=3), model("next turn", parent="agent", at=5),
    ]  # fmt: skip
    assert counted(data, spans=spans) == ({"third", "next turn"}, {"first", "second"})


def test_a_call_that_failed_in_the_end_counts_once(data: Path) -> None:
    spans = [failed("first", parent="agent", at=0, took=0.2), failed("last", parent="agent", at=1, took=0.2)]
    assert counted(data, spans=spans) == ({"last"}, {"first"})


def test_a_failed_call_is_no_retry_of_calls_with_another_input(data: Path) -> None:
    """A batch of prompts: what came after the failure asked something else, and the right one came later."""
    spans = [
        failed("a", parent="batch", at=0, took=0.2, **asked("A")), failed("b", parent="batch", at=0, took=0.2, **asked("B")),
        model("c", parent="batch", at=1, took=0.2, **asked("C")), model("a again", parent="batch", at=2, **asked("A")),
    ]  # fmt: skip
    assert counted(data, spans=spans) == ({"b", "c", "a again"}, {"a"})


def test_attempts_within_a_call_that_succeeded_are_retries_of_it(data: Path) -> None:
    spans = [model("call", took=5), failed("try 1", parent="call", took=0.2), model("try 2", parent="call", at=1)]
    assert counted(data, spans=spans) == ({"call"}, {"try 1"})


@pytest.mark.parametrize("later", [{"at": 0.1}, {"at": 700}, {"parent": "another"}, {"model": "gpt-4o"}, {"scope_name": "x"}])
def test_what_is_not_known_to_be_a_retry_is_a_call(data: Path, later: dict[str, Any]) -> None:
    """Begun before the failure, much later, by another caller, of another model, or in another library."""
    spans = [failed("first", parent="agent", took=0.2), model("other", **{"parent": "agent", "at": 1.0} | later)]
    assert counted(data, spans=spans) == ({"first", "other"}, set())


def test_an_attempt_that_was_billed_counts_although_it_failed(data: Path) -> None:
    spans = [model("cut off", parent="agent", took=0.2, status_code=2), model("again", parent="agent", at=1)]
    assert counted(data, spans=spans) == ({"cut off", "again"}, set())


def test_a_response_out_of_a_cache_is_a_call_and_takes_nothing(data: Path) -> None:
    cached = {"tokens": (0, 0), "cost": 0.0, "cost_source": "response cache"}
    spans = [model("asked", parent="agent", response_id="r-1"), model("cached", parent="agent", at=5, response_id="r-1", **cached)]
    assert counted(data, spans=spans)[0] == {"asked", "cached"}


def test_a_call_without_tokens_counts_and_leaves_them_unknown(data: Path) -> None:
    assert counted(data, spans=[model("silent", tokens=None, cost=None)])[0] == {"silent"}


def test_costs_that_differ_by_more_than_a_hundredth_are_flagged(data: Path) -> None:
    sent = {"near": 1.009, "far": 1.02, "less": 0.98}
    spans = [model(name, at=at, cost=1.0, cost_source="genai-prices", sent_cost_usd=cost) for at, (name, cost) in enumerate(sent.items())]
    spans += [
        model("only sent", cost=1.0, cost_source="sent", sent_cost_usd=1.0), model("only ours", cost_source="genai-prices", cost=1.0),
        model("free", cost=0.0, cost_source="user", sent_cost_usd=0.0),
    ]  # fmt: skip
    write_lake(data, spans=spans)
    with Lake.open(data) as lake:
        rows = lake.sql("SELECT s.name, m.cost_differs FROM model_calls AS m JOIN steps AS s USING (record_id)").to_pylist()
    assert {row["name"]: row["cost_differs"] for row in rows} == {
        "near": False, "far": True, "less": True, "only sent": None, "only ours": None, "free": False,
    }  # fmt: skip


def test_a_run_says_how_often_it_tried_again_and_whether_costs_differ(data: Path) -> None:
    """What the agent states of retries that nobody reported is believed."""
    spans = [
        failed("first", parent="agent", took=0.2), model("again", parent="agent", at=1, cost_source="user", sent_cost_usd=0.4),
        model("patient", run="run-2", trace="trace-2", retry_count=3, cost_source="sent", sent_cost_usd=0.5),
    ]  # fmt: skip
    write_lake(data, spans=spans)
    with Lake.open(data) as lake:
        rows = lake.sql("SELECT model_calls, retries, sent_cost_usd, cost_differs FROM runs ORDER BY run_id").to_pylist()
    assert rows == [
        {"model_calls": 1, "retries": 1, "sent_cost_usd": 0.4, "cost_differs": True},
        {"model_calls": 1, "retries": 3, "sent_cost_usd": 0.5, "cost_differs": None},
    ]


def agent(name: str, tokens: tuple[int, int] | None = (1000, 100), **columns: Any) -> Row:
    """An agent's span; `tokens` is what it says that its calls took."""
    given = {} if tokens is None else {"input_tokens": tokens[0], "output_tokens": tokens[1], "cost_usd": 2.0}
    return span(name, **({"step_kind": "agent"} | given | columns))


def test_an_agents_total_counts_where_no_call_below_it_knows_its_own(data: Path) -> None:
    """A hosted agent, an agent in another process; its calls are not recorded, or without their tokens."""
    spans = [
        agent("outer", None),
        other("node", parent="outer"),
        agent("hosted", parent="node"),
        model("call", parent="hosted", tokens=None),
    ]
    assert counted(data, spans=spans)[0] == {"hosted", "call"}


def test_an_agents_total_gives_way_to_calls_below_it_however_deep(data: Path) -> None:
    deep = [other("a", parent="agent"), other("b", parent="a"), agent("inner", None, parent="b"), other("c", parent="inner")]
    assert counted(data, spans=[agent("agent"), *deep, model("call", parent="c")])[0] == {"call"}


def test_of_agents_in_each_other_the_outermost_counts_that_has_no_calls(data: Path) -> None:
    """The one around all knows the sum of the others, and some of them the sum of theirs."""
    spans = [
        agent("all", (9999, 999)), agent("open", parent="all"), model("call", parent="open"),
        agent("hosted", parent="all"), other("step", parent="hosted"), agent("within", parent="step"),
    ]  # fmt: skip
    assert counted(data, spans=spans)[0] == {"call", "hosted"}


def test_a_call_that_may_be_anybodys_makes_totals_doubtful(data: Path) -> None:
    """Its parent never came, or it is a log record in no span: counting the agent's total may count it twice."""
    assert counted(data, spans=[agent("agent"), model("lost", parent="gone")])[0] == {"lost"}
    assert counted(data.with_name("logs"), spans=[agent("agent")], events=[called("log", trace=None)])[0] == {"log"}


def test_totals_that_several_records_of_one_run_of_an_agent_tell_count_once(data: Path) -> None:
    """A client that asks again and again until the agent is done; and a span that was sent again."""
    polls = [agent(f"poll {number}", response_id="run_7", at=number, took=0.5) for number in range(3)]
    assert counted(data, spans=[*polls, polls[0] | {"end_ns": polls[0]["end_ns"] + 1}])[0] == {"poll 0"}


def test_a_runs_tokens_are_its_agents_where_only_those_know_them(data: Path) -> None:
    write_lake(data, spans=[agent("root", step_kind="run"), span("tool", step_kind="tool", parent="root")])
    with Lake.open(data) as lake:
        (run,) = lake.sql("SELECT input_tokens, output_tokens, cost_usd, model_calls, unpriced_calls FROM runs").to_pylist()
        whole = reconstruct(lake, "run-1")
    assert run == {"input_tokens": 1000, "output_tokens": 100, "cost_usd": 2.0, "model_calls": 0, "unpriced_calls": 0}
    assert whole is not None
    assert run.items() <= whole["run"].items()
    assert [(told["input_tokens"], told["model_calls"]) for told in whole["graph"]["agents"]] == [(1000, 0)]
