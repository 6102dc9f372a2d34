-- title: Every record's clock can be believed
-- rationale: Order is evidence: a record from an absurd time, from after it was received, or that ends before it begins, cannot be ordered.
-- reference: ISO/IEC 27001:2022 A.8.17; NIST SP 800-53 AU-8
SELECT
    record_id, run_id, time, agent_name, tenant, release,
    CASE
        WHEN clock_flagged THEN 'its clock was absurd: it stands by its time of receipt'
        WHEN end_ns > 0 AND end_ns < start_ns THEN 'it ends before it begins'
        WHEN start_ns > received_ns + 300000000000
            THEN 'it begins ' || ((start_ns - received_ns) // 1000000000) || ' s after it was received'
    END AS problem
FROM (
    SELECT record_id, run_id, start_time AS time, agent_name, tenant, release, start_ns, end_ns, received_ns, clock_flagged, scope_name
    FROM spans
    UNION ALL
    SELECT record_id, run_id, time, agent_name, tenant, release, time_ns, NULL, received_ns, clock_flagged, scope_name
    FROM events
)
WHERE NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
