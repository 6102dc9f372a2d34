-- title: Every approval that was used was given by somebody else
-- rationale: Who acts must not approve what he does: the approver is recorded, and is neither an actor nor an agent of the run.
-- reference: SOC 2 CC6.3 (segregation of duties); ISO/IEC 27001:2022 A.5.3; NIST SP 800-53 AC-5
SELECT record_id, run_id, time, agent_name, tenant, release, tool_name, approval_record_id, approver, approver_problem AS problem
FROM tool_authorizations
WHERE approval_required AND executed AND approval_state = 'granted'
