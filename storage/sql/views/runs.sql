-- runs: one row a run: every record that carries its run_id, or whose trace joined it.
-- Tokens and cost are those of counted steps; a sum is NULL when no part of it is known, and unpriced_calls says how many calls
-- the cost lacks. gaps are numbers that no record has, up to the highest that came or that the run's end declared (the SDK numbers
-- records when they begin); NULL while a run is running, as a step that has not ended has a number and no record yet. orphans are
-- steps whose parent never came. ended_at is NULL and duration_ms runs to the last record while a run has not ended.
-- A run is running from its run.started to its end; where neither was sent, while its root has not come (a root is exported last:
-- children without a parent, or log records alone) and it was not silent for long. After that its records are all there will be: it is
-- abandoned where spans came, and neither its root, nor any agent's step, nor a reason why it stopped; log records alone have no root.
-- It failed when its run span, its root, or (below a root that is no step of an agent) its outermost agent did. stop_reason is what
-- the agent states, else what the status and the type of the error say. planning_ms is what the agent states, else the time in steps
-- of operation `plan`, and execution_ms the rest; NULL where neither is known.
-- session_id, tenant, project, environment, release, actor and task_type are those of its outermost agent, else of the first record that
-- says them: services below may have others.
-- retries are attempts of model calls that failed and were made again, or as many as the agent states. cost_differs is true where the
-- agent's own cost of a call is more than 1 % away from ours, NULL where there is nothing to compare.
-- Parameters: now (TIMESTAMP) and silence_seconds (after so long without a record a run that has not ended is abandoned) of the
-- variable `lake`.
WITH by_run AS (
    SELECT
        run_id,
        arg_min(session_id, who_ns) AS session_id, arg_min(tenant, who_ns) AS tenant, arg_min(project, who_ns) AS project,
        arg_min(environment, who_ns) AS environment, arg_min(release, who_ns) AS release,
        coalesce(
            min(agent_name) FILTER (top AND (kind = 'agent' OR dialect IN ('auditlake', 'execution'))),  -- a workflow has the service's name
            arg_min(agent_name, start_ns) FILTER (kind = 'agent'), min(agent_name) FILTER (top),
            (min({'ns': start_ns, 'name': agent_name}) FILTER (agent_name IS NOT NULL)).name  -- log records alone: who began
        ) AS agent_name,
        arg_min(actor, who_ns) AS actor, arg_min(task_type, who_ns) AS task_type,
        coalesce(
            arg_min(name, start_ns) FILTER (source = 'span' AND kind = 'run'),
            arg_min(name, start_ns) FILTER (top),
            arg_min(name, start_ns) FILTER (source = 'span')
        ) AS name,
        min(started_at) AS started_at, max(coalesce(ended_at, started_at)) AS last_at,
        count(*) AS steps,
        count(*) FILTER (counted AND kind = 'model') AS model_calls,
        count(*) FILTER (kind = 'tool' AND NOT repeated) AS tool_calls,
        count(*) FILTER (status = 'error' AND (NOT repeated OR dialect = 'mcp')) AS errors,
        sum(input_tokens) FILTER (counted)::BIGINT AS input_tokens,
        sum(output_tokens) FILTER (counted)::BIGINT AS output_tokens,
        sum(cache_read_tokens) FILTER (counted)::BIGINT AS cache_read_tokens,
        sum(cache_write_tokens) FILTER (counted)::BIGINT AS cache_write_tokens,
        sum(reasoning_tokens) FILTER (counted)::BIGINT AS reasoning_tokens,
        sum(cost_usd) FILTER (counted) AS cost_usd,
        count(*) FILTER (counted AND cost_usd IS NULL) AS unpriced_calls,
        sum(sent_cost_usd) FILTER (counted) AS sent_cost_usd,
        sum(cache_savings_usd) FILTER (counted) AS cache_savings_usd,
        coalesce(
            arg_max(stop_reason, end_ns) FILTER (top),
            (arg_max({'stated': stop_reason}, outermost) FILTER (source = 'span' AND kind = 'agent')).stated,
            arg_max(stop_reason, end_ns) FILTER (source = 'event')
        ) AS stated_reason,
        coalesce(
            arg_max(error_type, end_ns) FILTER (top AND status = 'error'),
            arg_max(error_type, outermost) FILTER (source = 'span' AND kind = 'agent' AND status = 'error'),
            arg_max(error_type, end_ns) FILTER (status = 'error')
        ) AS last_error,
        coalesce(max(planning_ms) FILTER (top), max(planning_ms)) AS stated_planning_ms,
        coalesce(max(execution_ms) FILTER (top), max(execution_ms)) AS stated_execution_ms,
        list_reduce(
            list_sort(list({'begun': start_ns, 'ended': end_ns, 'spent': 0::BIGINT}) FILTER (planning)),
            lambda so_far, each: {
                'begun': 0::BIGINT,
                'ended': greatest(so_far.ended, each.ended),
                'spent': so_far.spent + greatest(each.ended - greatest(each.begun, so_far.ended), 0)
            },
            {'begun': 0::BIGINT, 'ended': 0::BIGINT, 'spent': 0::BIGINT}
        ).spent / 1e6 AS planned_ms,
        coalesce(arg_max(quality_score, end_ns) FILTER (top), arg_max(quality_score, end_ns)) AS quality_score,
        coalesce(arg_max(satisfaction, end_ns) FILTER (top), arg_max(satisfaction, end_ns)) AS satisfaction,
        count(*) FILTER (started) AS starts,
        count(*) FILTER (ended) AS ends,
        bool_or(top) AS rooted,
        bool_or(source = 'span') AS traced,
        bool_or(source = 'span' AND kind IN ('run', 'agent')) AS led,
        arg_max(status, end_ns) FILTER (source = 'span' AND kind = 'run') AS run_status,
        arg_max(status, end_ns) FILTER (top AND kind <> 'other') AS root_status,
        arg_max(status, end_ns) FILTER (top) AS top_status,
        arg_max(status, outermost) FILTER (source = 'span' AND kind = 'agent') AS agent_status,
        arg_max(status, end_ns) AS last_status,
        (greatest(max(sequence), max(sequence_last)) - coalesce(list_unique(list(sequence) FILTER (sequence > 0)), 0))::BIGINT AS gaps,
        list(start_ns) AS begins, max(end_ns) FILTER (ended) AS end_ns,
        count(call) - count(DISTINCT hash(call)) FILTER (call IS NOT NULL) AS repeated_calls,
        greatest(count(*) FILTER (retried), sum(retry_count) FILTER (counted))::BIGINT AS retries,
        bool_or(
            abs(sent_cost_usd - cost_usd) > 0.01 * greatest(abs(sent_cost_usd), abs(cost_usd))
        ) FILTER (counted AND cost_source <> 'sent') AS cost_differs,
        count(*) FILTER (clock_flagged OR (source = 'span' AND end_ns > 0 AND end_ns < start_ns)) AS odd_times,
        sum(found)::BIGINT AS redactions,
        sum(withheld)::BIGINT AS withheld,
        list_sort(list_distinct(
            coalesce(list(trace_id) FILTER (trace_id <> run_id), []) || CASE WHEN bool_or(trace_id = run_id) THEN [run_id] ELSE [] END
        )) AS trace_ids
    FROM (
        SELECT
            run_id, session_id, tenant, project, environment, release, agent_name, actor, name, task_type, trace_id, source, kind, dialect,
            operation, started_at, ended_at, start_ns, end_ns, status, counted, retried, input_tokens, output_tokens, cache_read_tokens,
            cache_write_tokens, reasoning_tokens, cost_usd, cost_source, sent_cost_usd, cache_savings_usd, retry_count, stop_reason,
            error_type, planning_ms, execution_ms, quality_score, satisfaction, sequence, sequence_last, clock_flagged,
            source = 'span' AND (kind = 'run' OR parent_span_id IS NULL) AS top,
            CASE WHEN source = 'span' AND kind IN ('agent', 'run') AND dialect IS DISTINCT FROM 'otel'
                THEN start_ns - 9000000000000000000 ELSE start_ns END AS who_ns,  -- its agents before all others, of each the first
            source = 'event' AND 'run.started' IN (event_name, name) AS started,
            source = 'span' AND (kind = 'run' OR (parent_span_id IS NULL AND kind <> 'other')) AS ended,
            source = 'span' AND operation = 'plan' AND end_ns > start_ns AS planning,
            end_ns::HUGEINT * 10000000000000000000 - start_ns AS outermost, -- of those that end together the one that began first
            other_key IS NOT NULL OR (kind = 'model' AND source = 'event' AND NOT counted) AS repeated,
            CASE WHEN kind = 'tool' AND other_key IS NULL THEN tool_name || ' ' || coalesce(
                attributes['gen_ai.tool.call.arguments'], attributes['tool_arguments'], attributes['ai.toolCall.args'],
                attributes['traceloop.entity.input'], attributes['input.value'], attributes['mlflow.spanInputs'],
                attributes['tool_input'], attributes['tool_parameters'], attributes['arguments'], attributes['gen_ai.prompt']
            ) END AS call,
            CASE WHEN cardinality(redactions) > 0 THEN list_sum(map_values(redactions)) END AS found,
            CASE WHEN cardinality(redactions) > 0 THEN redactions['WITHHELD'] END AS withheld
        FROM internal.counted_steps AS s
        LEFT JOIN (SELECT record_key AS other_key FROM internal.repeated_steps) AS r
            ON r.other_key = CASE WHEN s.kind IN ('tool', 'policy', 'approval') OR s.operation = 'tool.execution' THEN hash(s.origin, s.entry, s.entry_row) END
        WHERE run_id IS NOT NULL
    )
    GROUP BY run_id
    HAVING bool_or(kind <> 'heartbeat')
),
judged AS (
    SELECT
        * EXCLUDE (orphans, early),
        coalesce(orphans, 0) AS orphans,
        odd_times + coalesce(early, 0) AS clock_anomalies,
        last_at < getvariable('lake').now - to_seconds(getvariable('lake').silence_seconds) AS silent,
        starts > ends AS open,
        NOT rooted AND (coalesce(orphans, 0) > 0 OR NOT traced) AS rootless,
        CASE
            WHEN coalesce(run_status, root_status) IS NOT NULL THEN coalesce(run_status, root_status) = 'error'
            WHEN agent_status IS NOT NULL THEN agent_status = 'error' OR coalesce(top_status = 'error', false)
            ELSE coalesce(top_status, last_status) = 'error'
        END AS failed
    FROM by_run
    LEFT JOIN internal.run_parents USING (run_id)
),
told AS (
    SELECT
        *,
        CASE
            WHEN open AND silent THEN 'abandoned'
            WHEN open OR (rootless AND NOT silent) THEN 'running'
            WHEN failed OR stated_reason IN ('error', 'timeout', 'killed') THEN 'error'
            WHEN rootless AND traced AND NOT led AND stated_reason IS NULL THEN 'abandoned'
            ELSE 'ok'
        END AS status
    FROM judged
)
SELECT
    run_id, session_id, tenant, project, environment, release, agent_name, actor, name, task_type,
    started_at,
    CASE WHEN status NOT IN ('running', 'abandoned') THEN last_at END AS ended_at,
    date_diff('microsecond', started_at, last_at) / 1e3 AS duration_ms,
    status,
    CASE
        WHEN stated_reason IS NOT NULL THEN stated_reason
        WHEN status = 'abandoned' THEN 'abandoned'
        WHEN status = 'ok' AND rooted THEN 'completed'
        WHEN status <> 'error' THEN NULL
        WHEN regexp_matches(last_error, '(?i)time.?out|timed.?out|deadline') THEN 'timeout'
        WHEN regexp_matches(last_error, '(?i)max.?(turns|steps|iter)|recursion|(iteration|turn|step).?limit') THEN 'max_steps'
        WHEN regexp_matches(last_error, '(?i)budget|(cost|usage|spend).?limit|limit.?exceeded$') THEN 'budget'
        WHEN regexp_matches(last_error, '(?i)cancel|abort|interrupt') THEN 'cancelled'
        WHEN regexp_matches(last_error, '(?i)sig(kill|term)|systemexit|killed|out.?of.?memory|memoryerror') THEN 'killed'
        ELSE 'error'
    END AS stop_reason,
    steps, model_calls, tool_calls, errors,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd, unpriced_calls,
    orphans,
    CASE WHEN status <> 'running' THEN coalesce(gaps, 0) END AS gaps,
    coalesce(withheld, 0) AS withheld,
    coalesce(redactions, 0) - coalesce(withheld, 0) AS redactions,
    trace_ids, last_at,
    sent_cost_usd, cache_savings_usd,
    coalesce(stated_planning_ms, planned_ms) AS planning_ms,
    coalesce(
        stated_execution_ms,
        CASE WHEN status NOT IN ('running', 'abandoned') AND coalesce(stated_planning_ms, planned_ms) IS NOT NULL THEN
            greatest(date_diff('microsecond', started_at, last_at) / 1e3 - coalesce(stated_planning_ms, planned_ms), 0)
        END
    ) AS execution_ms,
    quality_score, satisfaction,
    CASE WHEN status NOT IN ('running', 'abandoned') THEN len(list_filter(begins, lambda begun: begun > end_ns)) END AS after_end,
    clock_anomalies, repeated_calls, retries, cost_differs
FROM told
