-- What an alert is about, between two times: a row `all`, at most three rows `contributor` (a tool or a model) and three rows `run`, those
-- with most failed calls first, then those that cost most.
-- Parameters: from_time (excluded) and to_time (naive UTC); run_id, agent_name, tenant, environment, provider, model and tool_name as the
-- labels of the alert have them: NULL says nothing.
-- Columns: what, name, calls (of models and tools), failed, cost_usd, violations (denied by a policy, or security events), runs, users; and of
-- everything in that time, whoever's it is, every_run, every_user and every_cost_usd.
WITH step AS (
    SELECT
        run_id, actor, status, started_at,
        kind IN ('model', 'tool') AS is_call,
        CASE kind WHEN 'tool' THEN tool_name WHEN 'model' THEN model END AS called,
        CASE WHEN counted THEN cost_usd END AS cost_usd,
        coalesce(operation = 'security' OR decision = 'deny', false) AS is_violation,
        coalesce($run_id IS NULL OR run_id = $run_id, false)
        AND coalesce($agent_name IS NULL OR agent_name = $agent_name, false)
        AND coalesce($tenant IS NULL OR tenant = $tenant, false)
        AND coalesce($environment IS NULL OR environment = $environment, false)
        AND coalesce($provider IS NULL OR provider = $provider, false)
        AND coalesce($model IS NULL OR model = $model, false)
        AND coalesce($tool_name IS NULL OR tool_name = $tool_name, false) AS is_meant
    FROM steps
    WHERE started_at > $from_time AND started_at <= $to_time
),
told AS (
    SELECT
        'all' AS what, '' AS name, count(*) FILTER (is_call AND is_meant) AS calls,
        count(*) FILTER (is_call AND is_meant AND status = 'error') AS failed, sum(cost_usd) FILTER (is_meant) AS cost_usd,
        count(*) FILTER (is_violation AND is_meant) AS violations, count(DISTINCT run_id) FILTER (is_meant) AS runs,
        count(DISTINCT actor) FILTER (is_meant) AS users,
        count(DISTINCT run_id) AS every_run, count(DISTINCT actor) AS every_user, sum(cost_usd) AS every_cost_usd
    FROM step
    UNION ALL BY NAME
    (
        SELECT
            'contributor' AS what, called AS name, count(*) AS calls, count(*) FILTER (status = 'error') AS failed,
            sum(cost_usd) AS cost_usd
        FROM step
        WHERE is_meant AND is_call AND called IS NOT NULL
        GROUP BY called
        ORDER BY failed DESC, coalesce(sum(cost_usd), 0) DESC, calls DESC, name
        LIMIT 3
    )
    UNION ALL BY NAME
    (
        SELECT
            'run' AS what, run_id AS name, count(*) FILTER (is_call) AS calls,
            count(*) FILTER (is_call AND status = 'error') AS failed, sum(cost_usd) AS cost_usd
        FROM step
        WHERE is_meant AND run_id IS NOT NULL
        GROUP BY run_id
        ORDER BY failed DESC, coalesce(sum(cost_usd), 0) DESC, max(started_at) DESC, name
        LIMIT 3
    )
)
SELECT * FROM told
