-- title: Every release that ran was evaluated
-- rationale: A release without an evaluation result was put to work unseen. The newest run of the release stands for it.
-- reference: EU AI Act (2024/1689) Art. 9 and Art. 15; ISO/IEC 42001 A.6.2.4
SELECT
    NULL AS record_id, r.run_id, r.time, r.agent_name, r.tenant, r.release, r.runs, coalesce(e.evals, 0) AS evals,
    CASE WHEN e.evals IS NULL THEN 'no evaluation of this release is recorded' END AS problem
FROM (
    SELECT agent_name, tenant, release, count(*) AS runs, arg_max(run_id, started_at) AS run_id, max(started_at) AS time
    FROM runs
    WHERE release IS NOT NULL
    GROUP BY ALL
) AS r
LEFT JOIN (SELECT release, tenant, count(*) AS evals FROM evals GROUP BY ALL) AS e
    ON e.release = r.release AND e.tenant IS NOT DISTINCT FROM r.tenant
