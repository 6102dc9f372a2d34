-- agents_alive: what each instance of an agent said of itself, and what its silence means. Parameters, each NULL for any: agent, tenant,
-- environment. Columns: those of agent_liveness.
SELECT *
FROM agent_liveness
WHERE ($agent::VARCHAR IS NULL OR agent_name = $agent)
  AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
  AND ($environment::VARCHAR IS NULL OR environment = $environment)
ORDER BY tenant, environment, agent_name, agent_id
