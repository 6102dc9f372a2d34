-- internal.event_steps: log records in the shape of a step, without those that auditlake wrote about itself and
-- without those whose request was stored before.
-- A record happens at one instant, within the span that it names: that span is its parent.
SELECT
    * EXCLUDE (step_kind, time, time_ns, observed_time, observed_ns, resent),
    span_id AS parent_span_id,
    coalesce(step_kind, 'other') AS kind,
    coalesce(nullif(attributes['event.name'], ''), event_name, nullif(attributes['event_name'], ''), 'log record') AS name, -- event_name may be a place in the source
    time AS started_at,
    time AS ended_at,
    time_ns AS start_ns,
    time_ns AS end_ns,
    latency_ms AS duration_ms,
    CASE
        WHEN severity_number >= 17 OR outcome = 'failure' THEN 'error'
        -- a message, and what was done about it (a retry, a fallback), repeat the error of the call that failed
        WHEN error_type IS NOT NULL AND step_kind <> 'message' AND NOT coalesce(starts_with(event_name, 'resilience.'), false) THEN 'error'
        WHEN outcome = 'success' THEN 'ok'
        ELSE 'unset'
    END AS status,
    'event' AS source
FROM events
WHERE NOT coalesce(starts_with(scope_name, 'auditlake.'), false) AND resent IS NOT TRUE
