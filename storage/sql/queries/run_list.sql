-- run_list: a page of the view runs. {order} is one of the columns that storage.runs names, with its direction.
-- Parameters, each NULL for any: since, until (naive UTC, of started_at), agent, tenant, status, model, tool, release, environment,
-- session, min_cost_usd, min_duration_ms, text (part of the name); page_size, page_start. Columns: those of runs, and total.
SELECT *, count(*) OVER () AS total
FROM runs
WHERE ($since::TIMESTAMP IS NULL OR started_at >= $since)
  AND ($until::TIMESTAMP IS NULL OR started_at <= $until)
  AND ($agent::VARCHAR IS NULL OR agent_name = $agent)
  AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
  AND ($status::VARCHAR IS NULL OR status = $status)
  AND ($release::VARCHAR IS NULL OR release = $release)
  AND ($environment::VARCHAR IS NULL OR environment = $environment)
  AND ($session::VARCHAR IS NULL OR session_id = $session)
  AND ($min_cost_usd::DOUBLE IS NULL OR cost_usd >= $min_cost_usd)
  AND ($min_duration_ms::DOUBLE IS NULL OR duration_ms >= $min_duration_ms)
  AND ($text::VARCHAR IS NULL OR contains(lower(name), lower($text)))
  AND ($model::VARCHAR IS NULL OR run_id IN (SELECT run_id FROM internal.all_steps WHERE $model IN (model, model_requested)))
  AND ($tool::VARCHAR IS NULL OR run_id IN (SELECT run_id FROM internal.all_steps WHERE tool_name = $tool))
ORDER BY {order} NULLS LAST, run_id
LIMIT $page_size OFFSET $page_start
