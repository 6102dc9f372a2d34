-- title: Every audit action says who did what to what, with what outcome
-- rationale: An audit entry without its outcome, or without who acted, proves nothing.
-- reference: NIST SP 800-53 AU-3; ISO/IEC 27001:2022 A.8.15; EU AI Act (2024/1689) Art. 12
SELECT
    record_id, run_id, time, agent_name, tenant, release, action, resource, outcome,
    nullif(concat_ws('; ',
        CASE WHEN action IS NULL THEN 'no action' END,
        CASE WHEN resource IS NULL THEN 'no resource' END,
        CASE WHEN outcome IS NULL THEN 'no outcome' END,
        CASE WHEN coalesce(actor, agent_id, agent_name) IS NULL THEN 'nobody who acted' END
    ), '') AS problem
FROM events
WHERE event_name = 'agent_action'
