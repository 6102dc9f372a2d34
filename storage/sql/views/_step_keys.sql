-- internal.step_keys: how spans and log records hang together, without what they say: quick to plan and to read.
-- Without what auditlake wrote about itself and copies of a request that was stored before. Columns: record_key (hash of origin, entry,
-- entry_row), source, kind, run_id (final), span_key and parent_key (hashes of trace and span id; a log record has only a parent, the
-- span it was written in), response_id, informed (it knows its tokens), start_ns.
SELECT
    hash(s.origin, s.entry, s.entry_row) AS record_key, 'span' AS source, coalesce(s.step_kind, 'other') AS kind,
    coalesce(m.run_id, s.run_id) AS run_id, hash(s.trace_id, s.span_id) AS span_key,
    CASE WHEN s.parent_span_id IS NOT NULL THEN hash(s.trace_id, s.parent_span_id) END AS parent_key,
    s.response_id, coalesce(s.input_tokens, s.output_tokens) IS NOT NULL AS informed, s.start_ns
FROM internal.span_rows AS s
LEFT JOIN internal.trace_runs AS m ON m.trace_id = s.trace_id
WHERE NOT coalesce(starts_with(s.scope_name, 'auditlake.'), false) AND s.resent IS NOT TRUE
UNION ALL
SELECT
    hash(e.origin, e.entry, e.entry_row), 'event', coalesce(e.step_kind, 'other'),
    nullif(coalesce(m.run_id, e.run_id), ''), NULL,
    CASE WHEN e.span_id IS NOT NULL THEN hash(e.trace_id, e.span_id) END,
    e.response_id, coalesce(e.input_tokens, e.output_tokens) IS NOT NULL, e.time_ns
FROM internal.event_rows AS e
LEFT JOIN internal.trace_runs AS m ON m.trace_id = coalesce(e.trace_id, e.run_id) AND e.time_ns BETWEEN m.from_ns AND m.to_ns
WHERE NOT coalesce(starts_with(e.scope_name, 'auditlake.'), false) AND e.resent IS NOT TRUE
