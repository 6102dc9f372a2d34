-- rollouts: one row each time a release, version, flag or configuration changed.
SELECT
    record_id, started_at AS time, attributes['auditlake.rollout.stage'] AS stage, attributes['auditlake.rollout.owner'] AS owner,
    tenant, environment, release, agent_name, agent_version, prompt_version, policy_version, model, body AS message, actor
FROM internal.event_steps
WHERE event_name = 'rollout'
