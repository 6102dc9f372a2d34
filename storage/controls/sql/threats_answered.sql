-- title: No serious threat was let through
-- rationale: A threat of level high or critical is blocked, or watched by decision; it is never only noted.
-- reference: SOC 2 CC7.3; EU AI Act (2024/1689) Art. 15(5)
SELECT
    record_id, run_id, time, agent_name, tenant, category, threat_level, outcome,
    CASE
        WHEN outcome IS NULL THEN 'what was done about it is not recorded'
        WHEN lower(outcome) IN ('success', 'allow', 'allowed', 'none') THEN 'it was let through: ' || outcome
    END AS problem
FROM security_events
WHERE lower(threat_level) IN ('high', 'critical')
