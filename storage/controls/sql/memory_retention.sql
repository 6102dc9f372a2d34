-- title: Every write to memory has a retention class
-- rationale: What an agent remembers must have an end: without a class nobody can say when it is to be forgotten.
-- reference: GDPR (2016/679) Art. 5(1)(e)
SELECT
    record_id, run_id, started_at AS time, agent_name, tenant, release, operation, write_ids,
    CASE WHEN coalesce(trim(retention_class), '') = '' THEN 'it has no retention class' END AS problem
FROM memory_ops
WHERE write_ids IS NOT NULL
    OR (
        read_ids IS NULL
        AND NOT coalesce(regexp_matches(lower(operation), '^(read|search|get|list|query|retrieve|recall|load|fetch)'), false)
    )
