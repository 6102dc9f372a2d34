-- internal.model_keys: the inference steps as far as it decides which of them count, without what they say. Copies of a request that was
-- stored before are not among them.
-- Columns: record_key (hash of origin, entry, entry_row), entry and entry_row, span_key and parent_key (hashes of trace and span id; a log
-- record has only a parent, the span it was written in), run_key, call_key (hashes of the run, and of the run and the response id; an
-- answer out of a response cache repeats the id of an earlier call and is a call of its own), reporter (which instrumentation it comes
-- from), is_span, informed (it knows its tokens), known (how much it knows about them), failed, tokens, answered_key and asked_key (hashes
-- of the model's names; the one that is not known is taken to be the other), begin_ns and end_ns (a log record is written at the end of
-- a call or shortly afterwards).
SELECT
    hash(s.origin, s.entry, s.entry_row) AS record_key, s.entry, s.entry_row,
    hash(s.trace_id, s.span_id) AS span_key,
    CASE WHEN s.parent_span_id IS NOT NULL THEN hash(s.trace_id, s.parent_span_id) END AS parent_key,
    hash(coalesce(m.run_id, s.run_id)) AS run_key,
    CASE WHEN s.cost_source IS DISTINCT FROM 'response cache' AND s.response_id IS NOT NULL
        THEN hash(coalesce(m.run_id, s.run_id), s.response_id) END AS call_key,
    hash(s.scope_name, 'span') AS reporter, true AS is_span,
    coalesce(s.input_tokens, s.output_tokens) IS NOT NULL AS informed,
    (s.cache_read_tokens IS NOT NULL)::TINYINT + (s.cache_write_tokens IS NOT NULL)::TINYINT + (s.reasoning_tokens IS NOT NULL)::TINYINT
        + (s.cost_usd IS NOT NULL)::TINYINT AS known,
    coalesce(s.status_code = 2, false) OR s.error_type IS NOT NULL AS failed,
    s.input_tokens, s.output_tokens, hash(coalesce(s.model, s.model_requested)) AS answered_key,
    hash(coalesce(s.model_requested, s.model)) AS asked_key, s.start_ns AS begin_ns, s.end_ns
FROM internal.span_rows AS s
LEFT JOIN internal.trace_runs AS m ON m.trace_id = s.trace_id
WHERE s.step_kind = 'model' AND NOT coalesce(starts_with(s.scope_name, 'auditlake.'), false) AND s.resent IS NOT TRUE
UNION ALL
SELECT
    hash(e.origin, e.entry, e.entry_row), e.entry, e.entry_row,
    NULL,
    CASE WHEN e.span_id IS NOT NULL THEN hash(e.trace_id, e.span_id) END,
    hash(nullif(coalesce(m.run_id, e.run_id), '')),
    CASE WHEN e.cost_source IS DISTINCT FROM 'response cache' AND e.response_id IS NOT NULL
        THEN hash(nullif(coalesce(m.run_id, e.run_id), ''), e.response_id) END,
    hash(e.scope_name, 'event'), false,
    coalesce(e.input_tokens, e.output_tokens) IS NOT NULL,
    (e.cache_read_tokens IS NOT NULL)::TINYINT + (e.cache_write_tokens IS NOT NULL)::TINYINT + (e.reasoning_tokens IS NOT NULL)::TINYINT
        + (e.cost_usd IS NOT NULL)::TINYINT,
    e.error_type IS NOT NULL OR coalesce(e.severity_number, 0) >= 17,
    e.input_tokens, e.output_tokens, hash(coalesce(e.model, e.model_requested)), hash(coalesce(e.model_requested, e.model)),
    e.time_ns - 2000000000 - coalesce(1e6 * least(e.latency_ms, 86400000), 0)::BIGINT, e.time_ns
FROM internal.event_rows AS e
LEFT JOIN internal.trace_runs AS m ON m.trace_id = coalesce(e.trace_id, e.run_id) AND e.time_ns BETWEEN m.from_ns AND m.to_ns
WHERE e.step_kind = 'model' AND NOT coalesce(starts_with(e.scope_name, 'auditlake.'), false) AND e.resent IS NOT TRUE
