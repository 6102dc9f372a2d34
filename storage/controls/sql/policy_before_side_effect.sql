-- title: Every call with a side effect was allowed by a policy before it ran
-- rationale: A change that no policy decided on is a change that nobody can answer for. The decision is of the same run and of exactly
--   this tool or action, it is the last one before the call, it allows it, and it is at most an hour old. A call has a side effect
--   when it states anything but none or read, and when it states nothing and other calls of this tool state one.
-- reference: SOC 2 CC6.1; ISO/IEC 42001 A.9.2
SELECT record_id, run_id, time, agent_name, tenant, release, tool_name, side_effect, policy_record_id, policy_problem AS problem
FROM tool_authorizations
WHERE executed AND coalesce(
    nullif(trim(lower(side_effect)), '') NOT IN ('none', 'read'),
    tool_name IN (SELECT tool_name FROM tool_authorizations WHERE nullif(trim(lower(side_effect)), '') NOT IN ('none', 'read')),
    false
)
