-- gate_evals: the evaluations of some releases: of one of their runs, or recorded with the release and without a run.
-- Parameters: releases (list), run_ids (list); each NULL for any: since, until (naive UTC), agent, tenant, environment, for those
-- without a run. Columns: release (NULL: that of the run), run_id, name, unit (what is independent: the run, the case, or the record
-- itself), case_key, eval_score, eval_passed.
SELECT
    CASE WHEN run_id IS NULL THEN release END AS release, run_id, coalesce(eval_name, 'unnamed') AS name,
    coalesce(run_id, case_id, record_id) AS unit, case_id AS case_key, eval_score, eval_passed
FROM evals
WHERE (eval_score IS NOT NULL OR eval_passed IS NOT NULL) AND (
    run_id IN (SELECT unnest($run_ids))
    OR (
        run_id IS NULL AND release IN (SELECT unnest($releases))
        AND ($since::TIMESTAMP IS NULL OR time >= $since)
        AND ($until::TIMESTAMP IS NULL OR time <= $until)
        AND ($agent::VARCHAR IS NULL OR agent_name = $agent)
        AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
        AND ($environment::VARCHAR IS NULL OR environment = $environment)
    )
)
ORDER BY name, unit, record_id
