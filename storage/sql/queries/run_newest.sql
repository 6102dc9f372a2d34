-- run_newest: which runs are on a page of the list by their beginning, without looking at what they did.
-- {order} is ASC or DESC. Parameters, each NULL for any: since, until (naive UTC), agent, tenant, release, environment, session;
-- page_size, page_start. Columns: run_id, first_ns and last_ns (beginnings of its first and last record), total.
SELECT run_id, min(start_ns) AS first_ns, max(start_ns) AS last_ns, count(*) OVER () AS total
FROM (
    SELECT
        run_id, start_ns, start_time AS started_at, step_kind, coalesce(step_kind = 'run', false) OR parent_span_id IS NULL AS top,
        agent_name, dialect, tenant, release, environment, session_id, scope_name,
        CASE WHEN step_kind IN ('agent', 'run') AND dialect IS DISTINCT FROM 'otel'
            THEN start_ns - 9000000000000000000 ELSE start_ns END AS who_ns
    FROM spans
    UNION ALL
    SELECT run_id, time_ns, time, step_kind, false, agent_name, dialect, tenant, release, environment, session_id, scope_name, time_ns
    FROM events
)
WHERE run_id IS NOT NULL AND NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
GROUP BY run_id
HAVING bool_or(step_kind IS DISTINCT FROM 'heartbeat')
  AND ($since::TIMESTAMP IS NULL OR min(started_at) >= $since)
  AND ($until::TIMESTAMP IS NULL OR min(started_at) <= $until)
  AND ($agent::VARCHAR IS NULL OR $agent = coalesce(  -- as in the view `runs`
      min(agent_name) FILTER (top AND (step_kind = 'agent' OR dialect IN ('auditlake', 'execution'))),
      arg_min(agent_name, start_ns) FILTER (step_kind = 'agent'), min(agent_name) FILTER (top), min(agent_name)
  ))
  AND ($tenant::VARCHAR IS NULL OR arg_min(tenant, who_ns) = $tenant)
  AND ($release::VARCHAR IS NULL OR arg_min(release, who_ns) = $release)
  AND ($environment::VARCHAR IS NULL OR arg_min(environment, who_ns) = $environment)
  AND ($session::VARCHAR IS NULL OR arg_min(session_id, who_ns) = $session)
ORDER BY min(started_at) {order}, run_id
LIMIT $page_size OFFSET $page_start
