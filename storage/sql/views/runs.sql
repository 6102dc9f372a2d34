-- runs: one row a run: every record that carries its run_id, or whose trace joined it.
-- Tokens and cost are those of counted steps; a sum is NULL when no part of it is known, and unpriced_calls says how many calls
-- the cost lacks. gaps are numbers that no record has, up to the highest that came or that the run's end declared (the SDK numbers
-- records when they begin); NULL while a run is running, as a step that has not ended has a number and no record yet. orphans are
-- steps whose parent never came. ended_at is NULL and duration_ms runs to the last record while a run has not ended.
-- A run is running from its run.started to its end; where neither was sent, while its root has not come (a root is exported last:
-- children without a parent, or log records alone) and it was not silent for long. After that its records are all there will be.
-- Parameters: now (TIMESTAMP) and silence_seconds (after so long without a record a run that has not ended is abandoned) of the
-- variable `lake`.
WITH by_run AS (
    SELECT
        run_id,
        min(session_id) AS session_id, min(tenant) AS tenant, min(project) AS project,
        min(environment) AS environment, min(release) AS release,
        coalesce(min(agent_name) FILTER (top), min(agent_name)) AS agent_name,
        min(actor) AS actor, min(task_type) AS task_type,
        coalesce(
            arg_min(name, start_ns) FILTER (source = 'span' AND kind = 'run'),
            arg_min(name, start_ns) FILTER (top),
            arg_min(name, start_ns) FILTER (source = 'span')
        ) AS name,
        min(started_at) AS started_at, max(coalesce(ended_at, started_at)) AS last_at,
        count(*) AS steps,
        count(*) FILTER (counted) AS model_calls,
        count(*) FILTER (kind = 'tool' AND source = 'span') AS tool_calls,
        count(*) FILTER (status = 'error') AS errors,
        sum(input_tokens) FILTER (counted)::BIGINT AS input_tokens,
        sum(output_tokens) FILTER (counted)::BIGINT AS output_tokens,
        sum(cache_read_tokens) FILTER (counted)::BIGINT AS cache_read_tokens,
        sum(cache_write_tokens) FILTER (counted)::BIGINT AS cache_write_tokens,
        sum(reasoning_tokens) FILTER (counted)::BIGINT AS reasoning_tokens,
        sum(cost_usd) FILTER (counted) AS cost_usd,
        count(*) FILTER (counted AND cost_usd IS NULL) AS unpriced_calls,
        coalesce(arg_max(stop_reason, end_ns) FILTER (top), arg_max(stop_reason, end_ns)) AS stop_reason,
        count(*) FILTER (started) AS starts,
        count(*) FILTER (ended) AS ends,
        bool_or(top) AS rooted,
        bool_or(source = 'span') AS traced,
        coalesce(
            arg_max(status, end_ns) FILTER (source = 'span' AND kind = 'run'),
            arg_max(status, end_ns) FILTER (top),
            arg_max(status, end_ns)
        ) AS last_status,
        (greatest(max(sequence), max(sequence_last)) - coalesce(list_unique(list(sequence) FILTER (sequence > 0)), 0))::BIGINT AS gaps,
        sum(found)::BIGINT AS redactions,
        sum(withheld)::BIGINT AS withheld,
        list_sort(list_distinct(
            coalesce(list(trace_id) FILTER (trace_id <> run_id), []) || CASE WHEN bool_or(trace_id = run_id) THEN [run_id] ELSE [] END
        )) AS trace_ids
    FROM (
        SELECT
            *,
            source = 'span' AND (kind = 'run' OR parent_span_id IS NULL) AS top,
            source = 'event' AND event_name = 'run.started' AS started,
            source = 'span' AND (kind = 'run' OR (parent_span_id IS NULL AND kind <> 'other')) AS ended,
            CASE WHEN cardinality(redactions) > 0 THEN list_sum(map_values(redactions)) END AS found,
            CASE WHEN cardinality(redactions) > 0 THEN redactions['WITHHELD'] END AS withheld
        FROM internal.counted_steps
        WHERE run_id IS NOT NULL
    )
    GROUP BY run_id
    HAVING bool_or(kind <> 'heartbeat')
),
by_orphans AS (
    SELECT run_id, count(*) AS orphans
    FROM (SELECT run_id, parent_key FROM internal.step_keys WHERE run_id IS NOT NULL AND parent_key IS NOT NULL)
    ANTI JOIN (SELECT hash(trace_id, span_id) AS parent_key FROM internal.span_rows) USING (parent_key)
    GROUP BY run_id
),
judged AS (
    SELECT
        * EXCLUDE (orphans), coalesce(orphans, 0) AS orphans,
        last_at < getvariable('lake').now - to_seconds(getvariable('lake').silence_seconds) AS silent,
        starts > ends AS open,
        NOT rooted AND (coalesce(orphans, 0) > 0 OR NOT traced) AS rootless
    FROM by_run
    LEFT JOIN by_orphans USING (run_id)
)
SELECT
    run_id, session_id, tenant, project, environment, release, agent_name, actor, name, task_type,
    started_at,
    CASE WHEN status NOT IN ('running', 'abandoned') THEN last_at END AS ended_at,
    date_diff('microsecond', started_at, last_at) / 1e3 AS duration_ms,
    status, stop_reason, steps, model_calls, tool_calls, errors,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd, unpriced_calls,
    orphans,
    CASE WHEN status <> 'running' THEN coalesce(gaps, 0) END AS gaps,
    coalesce(withheld, 0) AS withheld,
    coalesce(redactions, 0) - coalesce(withheld, 0) AS redactions,
    trace_ids, last_at
FROM (
    SELECT
        *,
        CASE
            WHEN open AND silent THEN 'abandoned'
            WHEN open OR (rootless AND NOT silent) THEN 'running'
            WHEN last_status = 'error' OR stop_reason IN ('error', 'timeout', 'killed') THEN 'error'
            ELSE 'ok'
        END AS status
    FROM judged
)
