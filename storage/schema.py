"""The Arrow schema of every physical table: the vocabulary that collector, lake, alerts and dashboards share.

Evidence columns hold what was sent, redacted. Canonical columns hold what the dialects made of that evidence, so anyone can
recompute them. Ledger columns say where a row stands in the tamper-evident log. Columns are only ever added, at the end of
their group, together with a new `SCHEMA_VERSION`; NULL means unknown and is never written as 0 or "".

Text is `large_string` (32-bit offsets overflow when files are merged). Ids are lowercase hex text. Every time is kept twice:
naive UTC `TIMESTAMP` in µs for people and other engines, and `BIGINT` unix nanoseconds, the exact value.
"""

from typing import Final

import pyarrow as pa

SCHEMA_VERSION: Final = 4

TEXT: Final = pa.large_string()
TIME: Final = pa.timestamp("us")
INT32: Final = pa.int32()
INT64: Final = pa.int64()
UINT64: Final = pa.uint64()
DOUBLE: Final = pa.float64()
BOOL: Final = pa.bool_()
ATTRIBUTES: Final = pa.map_(TEXT, TEXT)
"""Strings as they are, every other value as JSON. Keys are unique: the last value sent wins."""

SPAN_EVENT: Final = pa.struct([("time_ns", INT64), ("name", TEXT), ("attributes", ATTRIBUTES), ("dropped_attributes_count", INT64)])
SPAN_LINK: Final = pa.struct(
    [
        ("trace_id", TEXT),
        ("span_id", TEXT),
        ("trace_state", TEXT),
        ("flags", INT64),
        ("attributes", ATTRIBUTES),
        ("dropped_attributes_count", INT64),
    ]
)
QUANTILE: Final = pa.struct([("quantile", DOUBLE), ("value", DOUBLE)])
EXEMPLAR: Final = pa.struct(
    [
        ("time_ns", INT64),
        ("value", DOUBLE),
        ("value_int", INT64),
        ("trace_id", TEXT),
        ("span_id", TEXT),
        ("filtered_attributes", ATTRIBUTES),
    ]
)
RECEIPT: Final = pa.struct([("entity", TEXT), ("rule", TEXT), ("key", TEXT), ("count", INT64)])

Fields = tuple[tuple[str, pa.DataType], ...]

ORIGIN_OF_RECORD: Final[Fields] = (
    ("resource_attributes", ATTRIBUTES),
    ("resource_dropped_attributes_count", INT64),
    ("resource_schema_url", TEXT),
    ("resource_entity_refs", TEXT),  # JSON list of EntityRef, NULL when none was sent
    ("scope_name", TEXT),
    ("scope_version", TEXT),
    ("scope_attributes", ATTRIBUTES),
    ("scope_dropped_attributes_count", INT64),
    ("schema_url", TEXT),  # of the scope
)

SPAN_EVIDENCE: Final[Fields] = (
    ("trace_id", TEXT),
    ("span_id", TEXT),
    ("parent_span_id", TEXT),  # NULL for a root
    ("trace_state", TEXT),
    ("flags", INT64),
    ("name", TEXT),
    ("kind", INT32),  # OTLP SpanKind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer
    ("start_time", TIME),
    ("end_time", TIME),
    ("start_ns", INT64),
    ("end_ns", INT64),
    ("status_code", INT32),  # 0 unset, 1 ok, 2 error
    ("status_message", TEXT),
    ("attributes", ATTRIBUTES),
    ("dropped_attributes_count", INT64),
    ("events", pa.list_(SPAN_EVENT)),
    ("dropped_events_count", INT64),
    ("links", pa.list_(SPAN_LINK)),
    ("dropped_links_count", INT64),
    *ORIGIN_OF_RECORD,
)

EVENT_EVIDENCE: Final[Fields] = (
    ("trace_id", TEXT),
    ("span_id", TEXT),
    ("flags", INT64),
    ("time", TIME),  # the record's own time, else its observed time, else its receive time
    ("observed_time", TIME),
    ("time_ns", INT64),
    ("observed_ns", INT64),
    ("severity_number", INT32),
    ("severity_text", TEXT),
    ("event_name", TEXT),
    ("body", TEXT),  # strings as they are, every other value as JSON
    ("attributes", ATTRIBUTES),
    ("dropped_attributes_count", INT64),
    *ORIGIN_OF_RECORD,
)

METRIC_EVIDENCE: Final[Fields] = (
    ("metric_name", TEXT),
    ("description", TEXT),
    ("unit", TEXT),
    ("type", TEXT),  # gauge | sum | histogram | exponential_histogram | summary
    ("temporality", TEXT),  # delta | cumulative | NULL where the type has none or it is unspecified
    ("monotonic", BOOL),
    ("time", TIME),
    ("start_time", TIME),
    ("time_ns", INT64),
    ("start_ns", INT64),
    ("value", DOUBLE),  # of a gauge or sum
    ("value_int", INT64),  # the exact value where an integer was sent
    ("count", UINT64),
    ("sum", DOUBLE),
    ("min", DOUBLE),
    ("max", DOUBLE),
    ("bucket_bounds", pa.list_(DOUBLE)),
    ("bucket_counts", pa.list_(UINT64)),
    ("scale", INT32),  # exponential histograms: these seven
    ("zero_count", UINT64),
    ("zero_threshold", DOUBLE),
    ("positive_offset", INT32),
    ("positive_counts", pa.list_(UINT64)),
    ("negative_offset", INT32),
    ("negative_counts", pa.list_(UINT64)),
    ("quantiles", pa.list_(QUANTILE)),
    ("exemplars", pa.list_(EXEMPLAR)),
    ("flags", INT64),
    ("metric_metadata", ATTRIBUTES),
    ("attributes", ATTRIBUTES),
    *ORIGIN_OF_RECORD,
)

IDENTITY: Final[Fields] = (
    ("run_id", TEXT),
    ("session_id", TEXT),
    ("tenant", TEXT),
    ("project", TEXT),
    ("environment", TEXT),
    ("release", TEXT),
    ("agent_name", TEXT),
    ("agent_id", TEXT),
    ("agent_version", TEXT),
    ("actor", TEXT),
)

CANONICAL: Final[Fields] = (
    *IDENTITY,
    (
        "step_kind",
        TEXT,
    ),  # run agent model tool retrieval memory policy approval eval checkpoint heartbeat message other
    ("operation", TEXT),
    ("action", TEXT),
    ("resource", TEXT),
    ("outcome", TEXT),
    ("task_type", TEXT),
    ("provider", TEXT),
    ("model_requested", TEXT),
    ("model", TEXT),
    ("prompt_version", TEXT),
    ("response_id", TEXT),
    ("input_tokens", INT64),  # cached tokens included
    ("output_tokens", INT64),  # reasoning tokens included
    ("cache_read_tokens", INT64),
    ("cache_write_tokens", INT64),
    ("reasoning_tokens", INT64),
    ("cost_usd", DOUBLE),
    ("cost_source", TEXT),  # genai-prices | sent | user; when cost_usd is NULL: why
    ("finish_reason", TEXT),
    ("stop_reason", TEXT),
    ("error_type", TEXT),
    ("tool_name", TEXT),
    ("tool_call_id", TEXT),
    ("side_effect", TEXT),  # none | read | write | external
    ("requires_approval", BOOL),
    ("decision", TEXT),  # allow | deny | … of a policy
    ("reason_code", TEXT),
    ("policy_version", TEXT),
    ("approver", TEXT),
    ("approval_state", TEXT),  # requested | granted | denied | expired
    ("eval_name", TEXT),
    ("eval_score", DOUBLE),
    ("eval_threshold", DOUBLE),
    ("eval_passed", BOOL),
    ("latency_ms", DOUBLE),
    ("sequence", INT64),  # the number an SDK gave this record within its run
    ("sequence_last", INT64),  # on the run's span: the last number that was given
    ("dialect", TEXT),
    ("dialect_version", INT32),
    ("price_version", TEXT),
    # since version 3
    ("sent_cost_usd", DOUBLE),  # what the agent says that the call cost
    ("cache_savings_usd", DOUBLE),  # what the call would have cost more without a cache, by the same prices
    ("token_convention", TEXT),  # how the counts were made inclusive, where they were not sent so
    ("retry_count", INT64),  # retries before this attempt, as the agent states
    ("planning_ms", DOUBLE),  # of a run: time spent planning, as the agent states
    ("execution_ms", DOUBLE),
    ("quality_score", DOUBLE),  # of a run's result, 0 to 1
    ("satisfaction", DOUBLE),  # of the user, 0 to 1
    ("handoff_to", TEXT),  # the agent that this step hands over to
)

METRIC_CANONICAL: Final[Fields] = (
    *IDENTITY,
    ("provider", TEXT),
    ("model", TEXT),
    ("operation", TEXT),
    ("tool_name", TEXT),
    ("dialect", TEXT),
    ("dialect_version", INT32),
)

LEDGER: Final[Fields] = (
    ("origin", TEXT),
    ("entry", INT64),
    (
        "entry_row",
        INT64,
    ),  # from 0 in the entry: its spans, then events, then metrics; `origin/entry/row` is unique
    ("salt", pa.large_binary()),  # the row's own, or a seed of it and others: storage.ledger.salts
    ("received_ns", INT64),
    ("clock_flagged", BOOL),  # the record's own time was absurd: `date` follows its receive time
    ("redactions", pa.map_(TEXT, INT64)),  # entity → count, summed from redaction_receipts
    ("policy_hash", TEXT),
    ("schema_version", INT32),
    ("redaction_receipts", pa.list_(RECEIPT)),  # what was found where and by which rule; since version 2
    ("resent", BOOL),  # its request was stored before, from another collector; NULL: nobody looked; since version 4
)

DERIVATION: Final[Fields] = (
    ("of_table", TEXT),  # spans | events | metrics
    ("of_origin", TEXT),  # the sealed row that was read again: its record_id in parts
    ("of_entry", INT64),
    ("of_row", INT64),
    ("trace_id", TEXT),
    ("time_ns", INT64),  # the time that decides the sealed row's date
    ("derived_ns", INT64),  # the newest derivation of a row counts
    ("derivation", TEXT),  # which dialects and prices it was read with
)

SPANS: Final = pa.schema([*SPAN_EVIDENCE, *CANONICAL, *LEDGER])
EVENTS: Final = pa.schema([*EVENT_EVIDENCE, *CANONICAL, *LEDGER])
METRICS: Final = pa.schema([*METRIC_EVIDENCE, *METRIC_CANONICAL, *LEDGER])
DERIVATIONS: Final = pa.schema([*DERIVATION, *CANONICAL, *LEDGER])

TABLES: Final[dict[str, pa.Schema]] = {"spans": SPANS, "events": EVENTS, "metrics": METRICS, "derivations": DERIVATIONS}
TIME_NS: Final[dict[str, str]] = {"spans": "start_ns", "events": "time_ns", "metrics": "time_ns", "derivations": "time_ns"}
"""The column that decides a row's `date=` partition."""

STEP_KINDS: Final = (
    "run", "agent", "model", "tool", "retrieval", "memory", "policy", "approval", "eval", "checkpoint", "heartbeat", "message",
    "other",
)  # fmt: skip
