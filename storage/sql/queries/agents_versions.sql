-- agents_versions: the versions that agents worked with, the newest first. Parameters: as of agents_runs, of the time of the record.
-- Columns: tenant, environment, agent_name, what (release, agent_version, model, prompt_version, policy_version), value, last_at.
SELECT tenant, environment, agent_name, what, value, max(started_at) AS last_at
FROM (
    SELECT
        tenant, environment, agent_name, started_at,
        unnest([
            {'what': 'release', 'value': release},
            {'what': 'agent_version', 'value': agent_version},
            {'what': 'model', 'value': CASE WHEN kind = 'model' THEN coalesce(model, model_requested) END},
            {'what': 'prompt_version', 'value': prompt_version},
            {'what': 'policy_version', 'value': policy_version}
        ], recursive := true)
    FROM internal.all_steps
    WHERE ($since::TIMESTAMP IS NULL OR started_at >= $since)
      AND ($until::TIMESTAMP IS NULL OR started_at <= $until)
      AND ($agent::VARCHAR IS NULL OR agent_name = $agent)
      AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
      AND ($environment::VARCHAR IS NULL OR environment = $environment)
)
WHERE value IS NOT NULL
GROUP BY ALL
ORDER BY tenant, environment, agent_name, what, last_at DESC, value
