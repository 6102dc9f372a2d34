-- title: No value was withheld because redaction failed
-- rationale: A withheld value is safe and lost: the record no longer says what happened.
-- reference: ISO/IEC 42001 A.6.2.8
SELECT
    record_id, run_id, time, agent_name, tenant, release,
    CASE WHEN redactions['WITHHELD'] > 0 THEN 'values withheld: ' || redactions['WITHHELD'] END AS problem
FROM (
    SELECT record_id, run_id, start_time AS time, agent_name, tenant, release, redactions, scope_name FROM spans
    UNION ALL
    SELECT record_id, run_id, time, agent_name, tenant, release, redactions, scope_name FROM events
)
WHERE NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
