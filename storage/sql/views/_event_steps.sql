-- internal.event_steps: log records in the shape of a step, without those that auditlake wrote about itself and without those whose
-- request was stored before. record_id and run_id are those of the view `events` (see _span_steps.sql).
-- A record happens at one instant, within the span that it names: that span is its parent.
SELECT
    e.origin || '/' || e.entry || '/' || e.entry_row AS record_id, nullif(coalesce(m.run_id, e.run_id), '') AS run_id,
    e.* EXCLUDE (run_id, step_kind, time, time_ns, observed_time, observed_ns, resent),
    e.run_id AS sent_run_id,
    e.span_id AS parent_span_id,
    coalesce(e.step_kind, 'other') AS kind,
    coalesce(nullif(e.attributes['event.name'], ''), e.event_name, nullif(e.attributes['event_name'], ''), 'log record') AS name, -- event_name may be a place in the source
    e.time AS started_at,
    e.time AS ended_at,
    e.time_ns AS start_ns,
    e.time_ns AS end_ns,
    e.latency_ms AS duration_ms,
    CASE
        WHEN e.severity_number >= 17 OR e.outcome = 'failure' THEN 'error'
        -- a message, and what was done about it (a retry, a fallback), repeat the error of the call that failed
        WHEN e.error_type IS NOT NULL AND e.step_kind <> 'message' AND NOT coalesce(starts_with(e.event_name, 'resilience.'), false)
            THEN 'error'
        WHEN e.outcome = 'success' THEN 'ok'
        ELSE 'unset'
    END AS status,
    'event' AS source
FROM internal.event_rows AS e
LEFT JOIN internal.trace_runs AS m ON m.trace_id = coalesce(e.trace_id, e.run_id) AND e.time_ns BETWEEN m.from_ns AND m.to_ns
WHERE NOT coalesce(starts_with(e.scope_name, 'auditlake.'), false) AND e.resent IS NOT TRUE
