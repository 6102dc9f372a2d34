-- internal.pending_steps: spans that began and have not ended, as far as start markers tell (Logfire's pending spans: children of the
-- span they announce, written when it begins). A marker whose span has come is no step. One of a root says that its run began.
WITH pending AS MATERIALIZED (
    SELECT * FROM spans WHERE operation = 'pending_span' AND dialect = 'logfire' AND resent IS NOT TRUE
),
come AS (
    SELECT trace_id, span_id AS parent_span_id
    FROM internal.span_rows
    WHERE trace_id IN (SELECT trace_id FROM pending)
)
SELECT
    * EXCLUDE (kind, step_kind, start_time, end_time, end_ns, status_code, resent, span_id, parent_span_id, name, latency_ms),
    NULL::VARCHAR AS span_id,
    nullif(attributes['logfire.pending_parent_id'], '0000000000000000') AS parent_span_id,
    'other' AS kind,
    regexp_replace(name, ' \(pending\)$', '') AS name,
    start_time AS started_at,
    NULL::TIMESTAMP AS ended_at,
    NULL::BIGINT AS end_ns,
    'unset' AS status,
    'event' AS source,
    CASE WHEN coalesce(attributes['logfire.pending_parent_id'], '0000000000000000') = '0000000000000000' THEN 'run.started' END AS event_name
FROM pending
ANTI JOIN come USING (trace_id, parent_span_id)
