-- title: No action ran that was denied
-- rationale: A denial that does not stop the action is no control. The last decision before the call counts, of the policy and of the
--   approver each: an action that was denied first and allowed later may run.
-- reference: SOC 2 CC6.1; ISO/IEC 42001 A.9.2
SELECT
    record_id, run_id, time, agent_name, tenant, release, tool_name, policy_record_id, approval_record_id,
    nullif(concat_ws('; ',
        CASE WHEN policy_decision = 'deny' THEN policy_problem END,
        CASE WHEN approval_state IN ('denied', 'expired') THEN approval_problem END
    ), '') AS problem
FROM tool_authorizations
WHERE executed AND (policy_record_id IS NOT NULL OR approval_record_id IS NOT NULL)
