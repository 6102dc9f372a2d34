-- rollouts: one row each time a release, model, prompt, tool schema, policy, data set, flag, kill switch or configuration changed.
-- change is what it was (NULL where only a stage was sent); release, model, prompt_version and policy_version are those of the change where
-- it names them, else those of the agent that tells of it.
SELECT
    record_id, started_at AS time, attributes['auditlake.rollout.stage'] AS stage, attributes['auditlake.rollout.change'] AS change, resource,
    coalesce(attributes['auditlake.rollout.release'], release) AS release,
    attributes['auditlake.rollout.commit'] AS commit,
    coalesce(attributes['auditlake.rollout.model'], model, model_requested) AS model,
    coalesce(attributes['auditlake.rollout.prompt_version'], prompt_version) AS prompt_version,
    attributes['auditlake.rollout.tool_schema_version'] AS tool_schema_version,
    coalesce(attributes['auditlake.rollout.policy_version'], policy_version) AS policy_version,
    attributes['auditlake.rollout.dataset_version'] AS dataset_version,
    attributes['auditlake.rollout.owner'] AS owner, attributes['auditlake.rollout.rollback_owner'] AS rollback_owner,
    outcome, reason_code, body AS message, tenant, environment, agent_name, agent_version, actor, run_id
FROM internal.named_events
WHERE event_name = 'rollout'
