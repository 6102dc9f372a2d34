-- title: Every run has an end
-- rationale: A run that stopped without a word was killed, cut off, or hides what it did last. Runs that are still going are not judged.
-- reference: EU AI Act (2024/1689) Art. 12; ISO/IEC 42001 A.6.2.8
SELECT
    NULL AS record_id, run_id, started_at AS time, agent_name, tenant, release, last_at,
    CASE
        WHEN status = 'abandoned'
            THEN 'it was silent since ' || strftime(last_at, '%Y-%m-%d %H:%M:%S') || ' and never ended'
    END AS problem
FROM runs
WHERE status <> 'running'
