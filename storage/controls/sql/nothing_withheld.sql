-- title: No value was withheld because redaction failed
-- rationale: A withheld value is safe and lost: the record no longer says what happened.
-- reference: ISO/IEC 42001 A.6.2.8
SELECT
    record_id, run_id, started_at AS time, agent_name, tenant, release,
    CASE WHEN redactions['WITHHELD'] > 0 THEN redactions['WITHHELD'] || ' values were withheld' END AS problem
FROM steps
WHERE run_id IS NOT NULL
