-- budget_day: what counted calls took on one UTC day, by tenant, agent and user: the rows of `steps` in which counted is true, like those that
-- `runs` sums. A call is of the agent that made it, at the time at which it began; who it was for and in which tenant is what it says itself,
-- else what its run says first. A text is empty where nobody says it.
-- Parameters: from_time and to_time (TIMESTAMP): the day, without its end.
-- Columns: tenant, agent, user, usd, tokens, calls, unpriced (calls without a price), unmetered (calls without tokens).
WITH call AS MATERIALIZED (
    SELECT run_id, tenant, agent_name, actor, cost_usd, input_tokens, output_tokens
    FROM internal.counted_steps
    WHERE counted AND kind IN ('model', 'agent', 'run') AND started_at >= $from_time AND started_at < $to_time
),
said AS (
    SELECT
        run_id, arg_min(tenant, start_ns) AS tenant, arg_min(agent_name, start_ns) AS agent_name, arg_min(actor, start_ns) AS actor
    FROM internal.all_steps
    SEMI JOIN (SELECT run_id FROM call WHERE tenant IS NULL OR agent_name IS NULL OR actor IS NULL) USING (run_id)
    GROUP BY run_id
)
SELECT
    coalesce(c.tenant, s.tenant, '') AS tenant, coalesce(c.agent_name, s.agent_name, '') AS agent, coalesce(c.actor, s.actor, '') AS user,
    coalesce(sum(c.cost_usd), 0)::DOUBLE AS usd,
    coalesce(sum(coalesce(c.input_tokens, 0) + coalesce(c.output_tokens, 0)), 0)::BIGINT AS tokens,
    count(*) AS calls,
    count(*) FILTER (c.cost_usd IS NULL) AS unpriced,
    count(*) FILTER (coalesce(c.input_tokens, c.output_tokens) IS NULL) AS unmetered
FROM call AS c
LEFT JOIN said AS s ON s.run_id = c.run_id
GROUP BY ALL
ORDER BY ALL
