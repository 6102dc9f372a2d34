-- gate_versions: the versions that runs worked with, as their own records say. Parameters: run_ids (list).
-- Columns: what (commit, dataset_version, model, prompt_version, tool_schema_version, policy_version, agent_version, stage, owner,
-- rollback_owner), value, runs.
SELECT what, value, count(DISTINCT run_id) AS runs
FROM (
    SELECT
        run_id,
        unnest([
            {'what': 'model', 'value': CASE WHEN kind = 'model' THEN coalesce(model, model_requested) END},
            {'what': 'prompt_version', 'value': prompt_version},
            {'what': 'policy_version', 'value': policy_version},
            {'what': 'agent_version', 'value': agent_version},
            {'what': 'commit', 'value': coalesce(resource_attributes['auditlake.rollout.commit'], resource_attributes['vcs.ref.head.revision'])},
            {'what': 'dataset_version', 'value': resource_attributes['auditlake.rollout.dataset_version']},
            {'what': 'tool_schema_version', 'value': resource_attributes['auditlake.rollout.tool_schema_version']},
            {'what': 'stage', 'value': resource_attributes['auditlake.rollout.stage']},
            {'what': 'owner', 'value': resource_attributes['auditlake.rollout.owner']},
            {'what': 'rollback_owner', 'value': resource_attributes['auditlake.rollout.rollback_owner']}
        ], recursive := true)
    FROM internal.all_steps
    WHERE run_id IN (SELECT unnest($run_ids))
)
WHERE trim(value) <> ''
GROUP BY what, value
ORDER BY what, runs DESC, value
