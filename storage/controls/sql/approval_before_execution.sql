-- title: Every call that needs an approval had a valid one when it ran
-- rationale: An approval is of exactly one action in one run, is granted before the action is executed, and is void after its expiry.
--   A call needs one when it says so, and when somebody asked for one.
-- reference: EU AI Act (2024/1689) Art. 14; SOC 2 CC6.1
SELECT
    record_id, run_id, time, agent_name, tenant, release, tool_name, approval_record_id, approval_state, expires_at,
    approval_problem AS problem
FROM tool_authorizations
WHERE approval_required AND executed
