-- internal.approval_steps: approvals that frameworks record only as a trait of another span, as steps of their own.
-- An agent that stopped to ask did so at its end; one that was resumed with the answer was so at its start, and its answer is
-- a decision only where the run also asked for it. What stopped to ask may stop all steps around it: the innermost asked.
-- A step is a record's second reading, so its record_id is the record's with a suffix.
WITH every AS (
    SELECT * FROM spans WHERE approval_state IS NOT NULL AND resent IS NOT TRUE
),
told AS (  -- every call that a run of Pydantic AI stopped for, or was resumed with: the columns of its row name the first
    SELECT
        record_id, run_id, trace_id, parent_span_id, place,
        coalesce(part ->> 'tool_call_id', part ->> 'id') AS call_id, coalesce(part ->> 'tool_name', part ->> 'name') AS called,
        CASE
            WHEN approval_state = 'requested' THEN 'requested'
            WHEN coalesce(part ->> 'outcome', '') = 'denied' OR coalesce(part ->> 'result', '') = 'The tool call was denied.' THEN 'denied'
            ELSE 'granted'
        END AS state
    FROM (
        SELECT
            record_id, run_id, trace_id, parent_span_id, approval_state, unnest(parts) AS part, generate_subscripts(parts, 1) AS place
        FROM (
            SELECT
                record_id, run_id, trace_id, parent_span_id, approval_state,
                list_filter(
                    try(CASE approval_state
                        WHEN 'requested' THEN attributes['final_result']::JSON -> '$.approvals[*]'
                        ELSE (attributes['pydantic_ai.all_messages']::JSON -> '$[*]')[
                            attributes['pydantic_ai.new_message_index']::INTEGER + 1
                        ] -> '$.parts[*]'
                    END),
                    lambda part: approval_state = 'requested' OR part ->> 'type' = 'tool_call_response'
                ) AS parts
            FROM every
            WHERE dialect = 'pydantic-ai' AND step_kind <> 'approval'
        )
    )
    WHERE coalesce(part ->> 'tool_call_id', part ->> 'id') IS NOT NULL
),
found AS (
    SELECT
        e.* REPLACE (
            coalesce(t.call_id, e.tool_call_id) AS tool_call_id, coalesce(t.called, e.tool_name) AS tool_name,
            coalesce(t.called, e.action) AS action, coalesce(t.state, e.approval_state) AS approval_state
        ),
        CASE WHEN t.place > 1 THEN t.place::VARCHAR ELSE '' END AS place
    FROM every AS e
    LEFT JOIN told AS t USING (record_id)
    WHERE e.step_kind <> 'approval'
),
asked AS (
    SELECT run_id, tool_call_id, trace_id, parent_span_id FROM every WHERE approval_state = 'requested'
    UNION ALL
    SELECT run_id, call_id, trace_id, parent_span_id FROM told WHERE state = 'requested'
)
SELECT
    * EXCLUDE (
        kind, step_kind, start_time, end_time, start_ns, end_ns, status_code, parent_span_id, record_id, name, latency_ms, redactions,
        resent, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd, cost_source, sent_cost_usd,
        cache_savings_usd, -- told by the step itself
        place
    ),
    record_id || '#approval' || place AS record_id,
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
