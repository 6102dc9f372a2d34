-- internal.execution_steps: the steps of agents that record a run as one span and its steps as that span's events `step.N.<action>`, as
-- steps of their own. An event is recorded when its step is over: the step began step.duration_ms before it, but not before the step
-- before it was over; steps that were recorded at once keep their order by a nanosecond each. kind is what the step used (a tool, where
-- step.tool names one) or else what its action says. Tokens are those that say whether they were input or output (step.input_tokens,
-- step.output_tokens); of step.tokens only an embedding's can be told, which are all input. They stand on inference steps.
-- Only spans that the dialect `execution` reads (collector/dialects/execution.py).
WITH told AS (
    SELECT
        record_id, run_id, session_id, tenant, project, environment, release, agent_name, agent_id, agent_version, actor, task_type,
        trace_id, span_id, start_ns, origin, entry, entry_row, received_ns, resource_attributes, scope_name, scope_version,
        dialect, dialect_version, clock_flagged, policy_hash, schema_version,
        unnest(events) AS event, generate_subscripts(events, 1) AS place
    FROM spans
    WHERE dialect = 'execution' AND len(events) > 0 AND resent IS NOT TRUE
),
read AS (
    SELECT
        * EXCLUDE (event),
        event.time_ns AS time_ns, event.attributes AS attributes,
        regexp_extract(event.name, '^step\.\d+\.(.+)$', 1) AS action,
        try_cast(event.attributes['step.duration_ms'] AS DOUBLE) AS took_ms,
        event.attributes['step.tool'] AS tool_name,
        event.attributes['step.error'] AS error,
        coalesce(event.attributes['step.model'], event.attributes['gen_ai.request.model']) AS model,
        try_cast(coalesce(
            event.attributes['step.input_tokens'], event.attributes['step.prompt_tokens'], event.attributes['gen_ai.usage.input_tokens'],
            CASE WHEN regexp_matches(event.name, '(?i)embed') THEN event.attributes['step.tokens'] END
        ) AS BIGINT) AS told_input,
        try_cast(coalesce(
            event.attributes['step.output_tokens'], event.attributes['step.completion_tokens'],
            event.attributes['gen_ai.usage.output_tokens']
        ) AS BIGINT) AS told_output,
        max(event.time_ns) OVER (
            PARTITION BY origin, entry, entry_row ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before_ns
    FROM told
    WHERE regexp_matches(event.name, '^step\.\d+\.')
),
timed AS (
    SELECT
        *,
        greatest(
            start_ns, coalesce(before_ns, start_ns), time_ns - cast(coalesce(least(took_ms, 1e12), 0) * 1e6 AS BIGINT)
        ) + place AS began_ns,
        error IS NOT NULL AND lower(error) NOT IN ('', 'none', 'null', 'false') AS failed
    FROM read
)
SELECT
    * EXCLUDE (told_input, told_output, model),
    CASE WHEN kind = 'model' THEN model END AS model,
    CASE WHEN kind = 'model' THEN told_input END AS input_tokens,
    CASE WHEN kind = 'model' THEN told_output END AS output_tokens,
    CASE WHEN kind = 'model' THEN 'unknown: a step that is no record of its own' END AS cost_source
FROM (
SELECT
    record_id || '#step' || place AS record_id, run_id, session_id, tenant, project, environment, release, agent_name, agent_id,
    agent_version, actor, task_type, trace_id, NULL::VARCHAR AS span_id, span_id AS parent_span_id, origin, entry, entry_row, received_ns,
    resource_attributes, scope_name, scope_version, dialect, dialect_version, clock_flagged, policy_hash, schema_version,
    attributes, action, tool_name, model, told_input, told_output, action AS name, 'span' AS source,
    CASE
        WHEN tool_name IS NOT NULL AND tool_name <> '' THEN 'tool'
        WHEN regexp_matches(action, '(?i)llm|model|chat|complet|generat|inference|embed') THEN 'model'
        WHEN regexp_matches(action, '(?i)retriev|rag') THEN 'retrieval'
        WHEN regexp_matches(action, '(?i)memory|remember|recall') THEN 'memory'
        WHEN regexp_matches(action, '(?i)guardrail|policy') THEN 'policy'
        WHEN regexp_matches(action, '(?i)evaluat') THEN 'eval'
        ELSE 'other'
    END AS kind,
    least(began_ns, time_ns + place) AS start_ns, time_ns + place AS end_ns,
    make_timestamp(least(began_ns, time_ns + place) // 1000) AS started_at, make_timestamp((time_ns + place) // 1000) AS ended_at,
    took_ms AS duration_ms, took_ms AS latency_ms,
    CASE WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE WHEN failed THEN error END AS status_message
FROM timed
)
