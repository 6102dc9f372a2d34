"""Decoding: every field of OTLP has a home in the row, and nothing that was sent can break one."""

import math
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1 import trace_pb2

from collector.decode import CHUNK_ROWS, TABLE_OF_SIGNAL, Decoder, Undecodable
from collector.receivers.encoding import Encoding, decode_request
from collector.signals import SIGNALS
from storage.schema import TABLES
from tests.collector.otlp_samples import NOW_NS, complete_messages, header, logs, traces

VECTORS = Path(__file__).parents[1] / "vectors" / "otlp-json"


def decoded(signal: str, message: Any, **fields: Any) -> pa.Table:
    """The table of one batch."""
    decoder = Decoder("node/collector", 3)
    decoder.add(header(signal, **fields), message.SerializeToString())
    table = decoder.tables(os.urandom)[TABLE_OF_SIGNAL[signal]]
    table.validate(full=True)
    assert table.schema.equals(TABLES[TABLE_OF_SIGNAL[signal]])
    return table


def row(signal: str, message: Any, **fields: Any) -> dict[str, Any]:
    """The only row of one batch; maps as dicts."""
    (only,) = decoded(signal, message, **fields).to_pylist(maps_as_pydicts="strict")
    return only


def leaves(value: Any) -> list[Any]:
    """Every leaf of a row, keys of maps included."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in (key, *leaves(item))]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize(("signal", "message", "expected"), [pytest.param(s, m, e, id=name) for s, name, m, e in complete_messages()])
def test_every_field_of_the_specification_is_found_again(signal, message, expected):
    found = [str(int(leaf)) if isinstance(leaf, float) and leaf.is_integer() else str(leaf) for leaf in leaves(row(signal, message))]
    text = "\n".join(found)
    missing = {path: value for path, value in expected.items() if value not in text}
    assert not missing


def _sent(value: Any) -> list[Any]:
    """The leaves of an OTLP/JSON document."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _sent(item)]
    return [leaf for item in value for leaf in _sent(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", ["trace", "logs", "metrics", "events"])
def test_the_specifications_examples_are_found_again(name):
    body = (VECTORS / f"{name}.json").read_bytes()
    signal = {"trace": "traces", "events": "logs"}.get(name, name)
    message = decode_request(SIGNALS[signal], Encoding.JSON, body)
    rows = decoded(signal, message).to_pylist(maps_as_pydicts="strict")
    found = leaves(rows)
    text = "\n".join(str(leaf) for leaf in found)
    numbers = {float(leaf) for leaf in found if isinstance(leaf, int | float)}
    for leaf in _sent(orjson.loads(body)):
        if isinstance(leaf, bool):
            assert leaf in found or str(leaf).lower() in text
        elif isinstance(leaf, int | float):
            assert float(leaf) in numbers or str(leaf) in text or {1: "delta", 2: "cumulative"}[leaf] in text, leaf
        else:
            assert leaf in text or leaf.lower() in text or float(leaf) in numbers, leaf


def test_values_that_are_no_strings_are_json():
    values = {
        "string": "as it is", "int": -5, "double": 637.704, "whole": 5.0, "bool": True, "bytes": b"\0\xff", "empty": "",
        "array": ["a", 1, None, 2.5, [True]], "map": {"k": {"n": 1}}, "nan": math.nan, "inf": [math.inf, -math.inf],
    }  # fmt: skip
    attributes = row("traces", traces({"attributes": values}))["attributes"]
    assert attributes == {
        "string": "as it is", "int": "-5", "double": "637.704", "whole": "5.0", "bool": "true", "bytes": '"AP8="', "empty": "",
        "array": '["a",1,null,2.5,[true]]', "map": '{"k":{"n":1}}', "nan": "NaN", "inf": '["Infinity","-Infinity"]',
    }  # fmt: skip


def test_duplicate_keys_last_value_wins():
    message = traces({"attributes": {"a": "first", "b": "x"}})
    span = message.resource_spans[0].scope_spans[0].spans[0]
    for value in ("second", "third"):
        pair = span.attributes.add()
        pair.key, pair.value.string_value = "a", value
    assert row("traces", message)["attributes"] == {"a": "third", "b": "x"}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(0, NOW_NS, id="not-set"),
        pytest.param(NOW_NS, 0, id="end-not-set"),
        pytest.param(NOW_NS + 2 * 86_400 * 10**9, NOW_NS + 2 * 86_400 * 10**9, id="future"),
        pytest.param(5 * 10**17, 5 * 10**17 + 1, id="before-2000"),
        pytest.param(NOW_NS, NOW_NS - 1, id="end-before-start"),
        pytest.param(2**63 + 5, 2**64 - 1, id="beyond-64-bits"),
    ],
)
def test_absurd_clocks_are_flagged_and_kept_as_sent(start, end):
    found = row("traces", traces({"start": start, "end": end}), received_ns=NOW_NS)
    assert found["clock_flagged"] is True
    assert (found["start_ns"], found["end_ns"]) == (min(start, 2**63 - 1), min(end, 2**63 - 1))
    assert (found["start_time"] is None) == (start >= 2**63)
    assert found["latency_ms"] is None or 0 < start <= end


RECEIPTS = [("EMAIL_ADDRESS", "EmailRecognizer", "name", 2), ("EMAIL_ADDRESS", "EmailRecognizer", "a[]", 1), ("KEPT", "URL/x", "a", 4)]
"""What was found in a record; what was kept is told, and not counted as redacted."""


def test_sane_clocks_are_not_flagged_and_times_are_naive_microseconds():
    found = row("traces", traces({"start": NOW_NS + 1_999, "end": NOW_NS + 2_001_999}))
    assert found["clock_flagged"] is False
    assert found["start_time"] == datetime(2026, 11, 21, 12, 0, 0, 1)  # noqa: DTZ001  (the column is naive)
    assert found["latency_ms"] == 2.0


def test_log_record_without_its_own_time_goes_by_observed_then_receive_time():
    observed = row("logs", logs({"time_unix_nano": 0, "observed_time_unix_nano": NOW_NS - 5}))
    assert (observed["time_ns"], observed["observed_ns"], observed["clock_flagged"]) == (NOW_NS - 5, NOW_NS - 5, False)
    neither = row("logs", logs({"time_unix_nano": 0}), received_ns=NOW_NS)
    assert (neither["time_ns"], neither["observed_ns"], neither["clock_flagged"]) == (NOW_NS, None, False)


def test_unknown_is_null_and_never_zero_or_empty():
    found = row("traces", traces({}))
    assert {found[name] for name in ("parent_span_id", "trace_state", "status_message", "input_tokens", "cost_usd", "tenant")} == {None}
    assert found["events"] == found["links"] == []
    assert found["redactions"] == {}
    assert found["redaction_receipts"] == []


def test_ledger_columns_number_the_rows_of_an_entry_through_all_tables():
    decoder = Decoder("node/collector", 7)
    decoder.add(header("logs"), logs({}, {}).SerializeToString())
    decoder.add(header("traces", redactions={1: RECEIPTS}), traces({}, {}, {}).SerializeToString())
    decoder.add(header("traces", received_ns=NOW_NS + 1), traces({}).SerializeToString())
    tables = decoder.tables(lambda size: bytes(range(256))[:size])
    assert tables["spans"]["entry_row"].to_pylist() == [0, 1, 2, 3]
    assert tables["events"]["entry_row"].to_pylist() == [4, 5]
    assert tables["spans"]["redactions"].to_pylist() == [[], [("EMAIL_ADDRESS", 3)], [], []]
    receipts = tables["spans"]["redaction_receipts"].to_pylist()
    assert receipts == [[], [dict(zip(("entity", "rule", "key", "count"), each, strict=True)) for each in RECEIPTS], [], []]
    assert tables["spans"]["received_ns"].to_pylist() == [NOW_NS, NOW_NS, NOW_NS, NOW_NS + 1]
    assert {*tables["spans"]["salt"].to_pylist(), *tables["events"]["salt"].to_pylist()} == {bytes(range(32))}
    first = tables["spans"].slice(0, 1).to_pylist()[0]
    assert (first["origin"], first["entry"], first["policy_hash"], first["schema_version"]) == ("node/collector", 7, "policy", 4)


def test_tenant_of_the_token_overrules_what_was_sent():
    message = traces({"attributes": {"tenant": "said"}}, resource={"auditlake.tenant": "said"})
    assert row("traces", message)["tenant"] == "said"
    assert row("traces", message, tenant="proven")["tenant"] == "proven"


@pytest.mark.parametrize(("signal", "payload"), [("traces", b"\xff\xff\xff"), ("profiles", b""), ("logs", b"\x0a\x05abc")])
def test_undecodable_batch_leaves_nothing_behind(signal, payload):
    decoder = Decoder("node/collector", 0)
    decoder.add(header("traces"), traces({}).SerializeToString())
    with pytest.raises(Undecodable):
        decoder.add(header(signal), payload)
    decoder.add(header("traces"), traces({}).SerializeToString())
    assert decoder.tables(os.urandom)["spans"].num_rows == 2


def test_rows_of_many_chunks_stay_in_order():
    decoder = Decoder("node/collector", 0)
    number = 3
    for batch in range(number):
        spans = [{"name": f"{batch}-{index}"} for index in range(CHUNK_ROWS // 2 + 1)]
        decoder.add(header("traces"), traces(*spans).SerializeToString())
    table = decoder.tables(os.urandom)["spans"]
    assert table.num_rows == number * (CHUNK_ROWS // 2 + 1)
    assert table["entry_row"].to_pylist() == list(range(table.num_rows))
    assert table["name"].to_pylist() == [f"{batch}-{index}" for batch in range(number) for index in range(CHUNK_ROWS // 2 + 1)]


def test_exemplars_and_exact_integers_survive():
    message = SIGNALS["metrics"].request()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = "counter"
    point = metric.sum.data_points.add()
    point.time_unix_nano, point.as_int = NOW_NS, 2**53 + 1
    exemplar = point.exemplars.add()
    exemplar.as_double, exemplar.trace_id = 1.5, b"\1" * 16
    found = row("metrics", message)
    assert (found["value_int"], found["type"], found["temporality"], found["monotonic"]) == (2**53 + 1, "sum", None, False)
    assert found["exemplars"][0]["trace_id"] == "01" * 16
    assert found["start_ns"] is None


def test_span_kinds_beyond_those_we_know_are_kept():
    assert row("traces", traces({"kind": trace_pb2.Span.SPAN_KIND_CONSUMER}))["kind"] == 5
