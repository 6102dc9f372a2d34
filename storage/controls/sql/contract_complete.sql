-- title: Every run records what the event contract requires
-- rationale: What was not recorded cannot be answered later: who acted, under which release, by which policy, with what result.
-- reference: EU AI Act (2024/1689) Art. 12; ISO/IEC 42001 A.6.2.8; NIST SP 800-53 AU-3
SELECT
    g.record_id, r.run_id, r.started_at AS time, r.agent_name, r.tenant, r.release, g.missing,
    CASE WHEN g.missing > 0 THEN 'not recorded: ' || g.fields END AS problem
FROM runs AS r
LEFT JOIN (
    SELECT
        run_id, min(record_id) AS record_id, count(*) AS missing,
        string_agg(DISTINCT event || ': ' || field, ', ' ORDER BY event || ': ' || field) AS fields
    FROM contract_gaps
    GROUP BY run_id
) AS g ON g.run_id = r.run_id
WHERE r.status <> 'running'
