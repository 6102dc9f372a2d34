-- gate_rollouts: what was announced about a release, the newest first; what the agent itself announced goes before what others did.
-- Parameters: release, agent (NULL for any); tenant and environment, NULL for any (an announcement that names none is for all).
-- Columns: record_id, time, and what the event says of the release.
SELECT
    record_id, started_at AS time,
    attributes['auditlake.rollout.stage'] AS stage,
    attributes['auditlake.rollout.owner'] AS owner,
    attributes['auditlake.rollout.rollback_owner'] AS rollback_owner,
    coalesce(attributes['auditlake.rollout.commit'], resource_attributes['vcs.ref.head.revision']) AS commit,
    attributes['auditlake.rollout.dataset_version'] AS dataset_version,
    coalesce(attributes['auditlake.rollout.model'], model) AS model,
    coalesce(attributes['auditlake.rollout.prompt_version'], prompt_version) AS prompt_version,
    attributes['auditlake.rollout.tool_schema_version'] AS tool_schema_version,
    coalesce(attributes['auditlake.rollout.policy_version'], policy_version) AS policy_version,
    attributes['auditlake.rollout.change'] AS change
FROM internal.event_steps
WHERE event_name = 'rollout'
  AND coalesce(attributes['auditlake.rollout.release'], release) = $release
  AND ($tenant::VARCHAR IS NULL OR coalesce(tenant, $tenant) = $tenant)
  AND ($environment::VARCHAR IS NULL OR coalesce(environment, $environment) = $environment)
ORDER BY coalesce(agent_name = $agent::VARCHAR, false) DESC, start_ns DESC, record_id DESC
