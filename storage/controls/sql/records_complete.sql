-- title: No record of a run is missing
-- rationale: Numbers that no record has, and steps whose parent never came, are records that were lost or kept back.
-- reference: EU AI Act (2024/1689) Art. 12; ISO/IEC 42001 A.6.2.8; ISO/IEC 27001:2022 A.8.15
SELECT
    NULL AS record_id, run_id, started_at AS time, agent_name, tenant, release, gaps, orphans,
    nullif(concat_ws('; ',
        CASE WHEN gaps > 0 THEN 'numbers without a record: ' || gaps END,
        CASE WHEN orphans > 0 THEN 'steps without their parent: ' || orphans END
    ), '') AS problem
FROM runs
WHERE status <> 'running'
