-- internal.approval_steps: approvals that frameworks record only as a trait of another span, as steps of their own.
-- An agent that stopped to ask did so at its end; one that was resumed with the answer was so at its start, and its answer is
-- a decision only where the run also asked for it. What stopped to ask may stop all steps around it: the innermost asked.
-- A step is a record's second reading, so its record_id is the record's with a suffix.
WITH every AS (
    SELECT * FROM spans WHERE approval_state IS NOT NULL AND resent IS NOT TRUE
),
found AS (
    SELECT * FROM every WHERE step_kind <> 'approval'
),
asked AS (
    SELECT run_id, tool_call_id, trace_id, parent_span_id FROM every WHERE approval_state = 'requested'
)
SELECT
    * EXCLUDE (
        kind, step_kind, start_time, end_time, start_ns, end_ns, status_code, parent_span_id, record_id, name, latency_ms, redactions,
        resent
    ),
    record_id || '#approval' AS record_id,
    span_id AS parent_span_id,
    'approval' AS kind,
    concat_ws(' ', 'approval', approval_state, tool_name) AS name,
    CASE approval_state WHEN 'requested' THEN end_time ELSE start_time END AS started_at,
    CASE approval_state WHEN 'requested' THEN end_time ELSE start_time END AS ended_at,
    CASE approval_state WHEN 'requested' THEN end_ns ELSE start_ns END AS start_ns,
    CASE approval_state WHEN 'requested' THEN end_ns ELSE start_ns END AS end_ns,
    'unset' AS status,
    'event' AS source
FROM found
WHERE CASE
    WHEN approval_state = 'requested'
        THEN hash(trace_id, span_id) NOT IN (SELECT hash(trace_id, parent_span_id) FROM asked)
    WHEN tool_call_id IS NULL THEN run_id IN (SELECT run_id FROM asked)
    ELSE (run_id, tool_call_id) IN (SELECT (run_id, tool_call_id) FROM asked)
END
